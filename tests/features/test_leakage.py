"""Features are those of the moment of assignment: no outcome may reach them."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.pipelines.feature_engineering.nodes import engineer_features, fit_design
from pentathlon.pipelines.params import MessagesParams

SMALL = runpy.run_path(str(Path(__file__).parents[1] / "decision" / "small_retailer.py"))


@pytest.fixture(scope="module")
def retailer() -> Any:
    return SMALL["make_retailer"](200)


def test_shuffled_outcomes_leave_the_model_input_as_it_is(retailer: Any) -> None:
    observations = retailer.observations
    messages = MessagesParams.model_validate(retailer.messages.to_dict())
    shuffled = observations.copy()
    order = np.random.default_rng(1).permutation(len(shuffled))
    for outcome in ("response", "order_value", "message", "propensity", "sampling_weight"):
        shuffled[outcome] = shuffled[outcome].to_numpy()[order]
    assert (shuffled["response"] != observations["response"]).any()
    before = engineer_features(observations, retailer.customers, retailer.columns)
    after = engineer_features(shuffled, retailer.customers, retailer.columns)
    pd.testing.assert_frame_equal(after, before)
    first = fit_design(before, observations, retailer.columns, messages)
    assert fit_design(after, shuffled, retailer.columns, messages) == first


def test_the_model_input_follows_the_observations(retailer: Any) -> None:
    rows = retailer.observations.iloc[[5, 3, 3]]
    customers = retailer.customers.sample(frac=1, random_state=0)
    got = engineer_features(rows, customers, retailer.columns)
    expected = retailer.model_input.iloc[[5, 3, 3]].reset_index(drop=True)
    pd.testing.assert_frame_equal(got, expected)


def test_test_rows_teach_the_design_nothing(retailer: Any) -> None:
    observations = retailer.observations
    messages = MessagesParams.model_validate(retailer.messages.to_dict())
    features = retailer.model_input.copy()
    reference = fit_design(features, observations, retailer.columns, messages)
    test = (observations["split"] == "test").to_numpy()
    features.loc[test, "income"] = 1e6
    features.loc[test, "age"] = "immortal"
    assert fit_design(features, observations, retailer.columns, messages) == reference
    assert "immortal" not in reference.levels["age"]
