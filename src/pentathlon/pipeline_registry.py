"""The project's pipelines, written out."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from pentathlon.pipelines import (
    data_processing,
    decision,
    evaluation,
    feature_engineering,
    fusion,
    intake,
    moments,
    order_value,
    plan,
    reporting,
    scoring,
    simulate,
    simulate_events,
    training,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Register the pipelines.

    Returns
    -------
    dict of str to Pipeline
        Each stage by name; ``events``, the raw tables of a simulated retailer and their intake;
        ``engine``, every stage from the raw file to the report; ``from_events``, the same from
        raw tables on and to decisions about everybody as of now; and ``__default__``, the same
        behind a simulated retailer. ``scoring`` is run by itself.
    """
    stages = {
        "data_processing": data_processing.create_pipeline(),
        "feature_engineering": feature_engineering.create_pipeline(),
        "training": training.create_pipeline(),
        "order_value": order_value.create_pipeline(),
        "fusion": fusion.create_pipeline(),
        "decision": decision.create_pipeline(),
        "evaluation": evaluation.create_pipeline(),
        "plan": plan.create_pipeline(),
        "reporting": reporting.create_pipeline(),
    }
    engine = sum(stages.values(), Pipeline([]))
    after_simulation = {
        **stages,
        "data_processing": Pipeline(
            stages["data_processing"], inputs={"raw_customers": "simulated_customers"}
        ),
    }
    after_moments = {
        **stages,
        "data_processing": Pipeline(
            stages["data_processing"], inputs={"raw_customers": "moment_observations"}
        ),
        # Whoever has not consented, or has opted out, is on the list beside the retailer's own.
        "decision": Pipeline(
            stages["decision"], inputs={"suppression_list": "unmailable_customers"}
        ),
    }
    nightly = scoring.create_pipeline()
    of_now = Pipeline(
        nightly,
        inputs={
            "customers_to_score": "moment_customers",
            "suppression_list": "unmailable_customers",
        },
    )
    as_of = moments.create_pipeline()
    simulated = simulate.create_pipeline()
    simulated_events, raw_tables = simulate_events.create_pipeline(), intake.create_pipeline()
    return {
        "simulate": simulated,
        "simulate_events": simulated_events,
        "intake": raw_tables,
        "events": simulated_events
        + Pipeline(raw_tables, inputs={"raw_events": "simulated_events"}),
        "moments": as_of,
        "from_events": sum(after_moments.values(), raw_tables + as_of + of_now),
        **stages,
        "scoring": nightly,
        "engine": engine,
        "__default__": sum(after_simulation.values(), simulated),
    }
