"""Nodes of the pipeline."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from pentathlon.judgement import Judged
from pentathlon.judgement.planning import learning_plan
from pentathlon.pipelines.params import CampaignParams, MessagesParams
from pentathlon.pipelines.plan.params import PlanParams

logger = logging.getLogger(__name__)


def plan_learning(
    judged: pd.DataFrame,
    policy_choice: dict[str, Any],
    messages: MessagesParams,
    plan: PlanParams,
    campaign: CampaignParams,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Plan how much of the next campaign to leave to chance.

    Returns
    -------
    learning_plan : DataFrame
    learning_plan_summary : dict
        See :func:`pentathlon.judgement.planning.learning_plan`.
    """
    rows = Judged.from_table(judged, messages.message_set())
    table, summary = learning_plan(rows, policy_choice["best_constant"], plan, campaign)
    for name, found in summary["questions"].items():
        share = found["share"]
        logger.info(
            "%s: a gain of %s %% needs %s.",
            name,
            f"{plan.gain_percent:g}",
            f"{found['campaigns']} campaigns of this size" if share is None else f"{share:.1%}",
        )
    return table, summary
