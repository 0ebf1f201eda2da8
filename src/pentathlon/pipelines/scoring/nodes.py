"""Nodes of the pipeline."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from pentathlon.decision import DecisionEngine
from pentathlon.decision.rules import Sources
from pentathlon.errors import DataError
from pentathlon.events.folders import TableFolder
from pentathlon.pipelines.data_processing.params import DataProcessingParams
from pentathlon.pipelines.decision.params import DecisionParams
from pentathlon.pipelines.params import CampaignParams, RandomnessParams
from pentathlon.pipelines.scoring.params import ScoringParams
from pentathlon.scoring import (
    BatchDecider,
    Reference,
    Scored,
    ScoringJob,
    partitions_table,
    summarise,
)
from pentathlon.scoring.spark import SparkScoringJob, SparkTable

logger = logging.getLogger(__name__)


def score_training_customers(
    decision_engine: DecisionEngine,
    observations: pd.DataFrame,
    customers: pd.DataFrame,
    contract: DataProcessingParams,
    settings: ScoringParams,
    randomness: RandomnessParams,
) -> dict[str, Any]:
    """Score customers of the training rows, for others to be held against and filled like.

    Returns
    -------
    dict
        See :class:`pentathlon.scoring.Reference`.
    """
    engine = decision_engine.compiled(randomness.threads)
    trained = observations.loc[observations["split"] == "train", "customer_id"].astype(str)
    reference = Reference.of(
        engine,
        customers[customers["customer_id"].astype(str).isin(set(trained))],
        settings.reference_customers,
        randomness.seed,
        contract.missing,
    )
    return reference.to_dict()


def plan_scoring(
    decision_engine: DecisionEngine,
    customers_to_score: Path | TableFolder | SparkTable,
    customer_attributes: pd.DataFrame | None,
    suppression_list: pd.DataFrame | None,
    contact_history: pd.DataFrame | None,
    purchase_history: pd.DataFrame | None,
    scoring_reference: dict[str, Any],
    decision: DecisionParams,
    campaign: CampaignParams,
    settings: ScoringParams,
    randomness: RandomnessParams,
) -> ScoringJob | SparkScoringJob:
    """Put together what scoring needs; it happens while its decisions are saved.

    Parameters
    ----------
    decision_engine : DecisionEngine
    customers_to_score : Path, TableFolder or SparkTable
        Folder of Parquet files, or what Spark makes of one: then Spark scores it.
    customer_attributes, suppression_list, contact_history, purchase_history : DataFrame or None
        What else rules may know of customers.
    scoring_reference : dict
    decision : DecisionParams
        Rules, levers and exploration.
    campaign : CampaignParams
    settings : ScoringParams
    randomness : RandomnessParams
        Its threads are those of the whole run; Spark has its own way with cores.
    """
    reference = Reference.from_dict(scoring_reference)
    decider = BatchDecider(
        engine=decision_engine.compiled(),
        settings=decision,
        campaign=campaign.name,
        on=campaign.date,
        sources=Sources(customer_attributes, suppression_list, contact_history, purchase_history),
        edges=reference.edges,
        fill=reference.fill,
    )
    if isinstance(customers_to_score, TableFolder):
        customers_to_score = customers_to_score.path
    if not isinstance(customers_to_score, Path):
        return SparkScoringJob(customers_to_score, decider, settings)
    return ScoringJob(customers_to_score, decider, settings, randomness.threads)


def sum_up(
    scored_decisions: Scored, scoring_reference: dict[str, Any], settings: ScoringParams
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Count what was decided, and check it before anything may be sent.

    Returns
    -------
    scoring_summary : dict
    scored_partitions : DataFrame
        See :mod:`pentathlon.scoring.results`.
    """
    summary = summarise(scored_decisions, Reference.from_dict(scoring_reference), settings)
    run = summary["run"]
    logger.info(
        "%s customers decided, %s of them now in %.0f s (%s a second); expected profit %s",
        f"{summary['customers']:,}",
        f"{run['customers_scored']:,}",
        run["seconds"],
        f"{run['customers_a_second']:,.0f}",
        f"{summary['expected_profit']:,.0f}",
    )
    return summary, partitions_table(scored_decisions)


def check_before_sending(scoring_summary: dict[str, Any]) -> None:
    """Stop a run whose decisions must not be sent.

    Raises
    ------
    DataError
        Saying why.
    """
    if not scoring_summary["may_be_sent"]:
        problems = "\n".join(f"  {problem}" for problem in scoring_summary["problems"])
        raise DataError(f"Nothing of this may be sent:\n{problems}")
    logger.info("the scores are distributed as in the training data; these may be sent")
