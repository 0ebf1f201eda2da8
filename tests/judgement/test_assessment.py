"""Tables about models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import FeatureColumns
from pentathlon.evaluation import metric, wilson_interval
from pentathlon.judgement import Judged
from pentathlon.judgement.models import assess_models, feature_effects


def test_metrics_gains_and_calibration_are_of_the_judged_rows(judged: Judged) -> None:
    assessment = assess_models(judged, 0.95)
    metrics = assessment.metrics
    assert set(metrics["model"]) == {"logistic_regression", "xgboost", "fusion"}
    overall = metrics[(metrics["message"] == "all") & (metrics["metric"] == "roc_auc")]
    for name, value in zip(overall["model"], overall["value"], strict=True):
        p = judged.probabilities[name][np.arange(len(judged)), judged.message]
        direct = metric("roc_auc", judged.response, p, sampling_weight=judged.sampling_weight)
        assert value == pytest.approx(direct.value)
    assert set(assessment.gains["model"]) == set(metrics["model"])
    # Rows at the natural rate, unweighted, where the file has any.
    natural = judged.keys["natural_rate"].to_numpy()
    whole = assessment.calibration[assessment.calibration["group"] == "all"].iloc[0]
    assert whole["observed"] == judged.response[natural].sum()
    expected = judged.logged_probability("fusion")[natural].sum()
    assert whole["expected"] == pytest.approx(float(expected), rel=1e-5)


def test_effect_of_a_label_by_hand(judged: Judged) -> None:
    customers = pd.DataFrame(
        {
            "customer_id": judged.keys["customer_id"],
            "age": np.where(np.arange(len(judged)) % 3 == 0, "young", "old"),
            "income": np.arange(len(judged), dtype=float),
        }
    ).sample(frac=1, random_state=0)
    columns = FeatureColumns(numeric=["income"], categorical=["age"])
    effects = feature_effects(judged, customers, columns, 0.9)
    age = effects[effects["feature"] == "age"].set_index("level")
    assert age["position"].to_dict() == {"old": 0, "young": 1}
    young = np.arange(len(judged)) % 3 == 0
    w = judged.sampling_weight[young]
    rate = np.average(judged.response[young], weights=w)
    assert age.loc["young", "rows"] == 200
    assert age.loc["young", "observed"] == pytest.approx(rate)
    p = judged.logged_probability("fusion")[young]
    assert age.loc["young", "predicted"] == pytest.approx(np.average(p, weights=w))
    size = np.array([w.sum() ** 2 / (w**2).sum()])
    lower, upper = wilson_interval(np.array([rate]), size, 0.9)
    assert (age.loc["young", "lower"], age.loc["young", "upper"]) == pytest.approx(
        (lower[0], upper[0])
    )
    income = effects[effects["feature"] == "income"]
    assert income["rows"].tolist() == [75] * 8
    assert income["level"].iloc[0] == "0 to 74"
    assert income["rows"].sum() == age["rows"].sum() == len(judged)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([5.0] * 600, {"5": 600}),
        ([0.0] * 500 + [1.0] * 60 + [9.0] * 40, None),
    ],
)
def test_every_row_is_in_one_bin_of_a_lumpy_number(
    judged: Judged, values: list[float], levels: dict[str, int] | None
) -> None:
    customers = pd.DataFrame({"customer_id": judged.keys["customer_id"], "freq": values})
    effects = feature_effects(judged, customers, FeatureColumns(numeric=["freq"]), 0.9)
    assert effects["rows"].sum() == 600
    if levels is not None:
        assert dict(zip(effects["level"], effects["rows"], strict=True)) == levels
