from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.judgement import CampaignSettings, EvaluationSettings, Judged, compare_policies
from pentathlon.judgement.comparison import PolicyComparison
from pentathlon.judgement.questions import case_questions

CAMPAIGN = CampaignSettings(customers=2_000_000, currency="CHF")


@pytest.fixture(scope="module")
def comparison(judged: Judged) -> PolicyComparison:
    return compare_policies(judged, "water", EvaluationSettings(), CAMPAIGN)


@pytest.fixture(scope="module")
def questions(judged: Judged, comparison: PolicyComparison) -> pd.DataFrame:
    return case_questions(judged, comparison, "water", CAMPAIGN).set_index("number")


def numbers(text: str) -> list[float]:
    return [float(n.replace(",", "")) for n in re.findall(r"[-+]?\d[\d,]*\.?\d*", text)]


def test_there_are_eight_questions(questions: pd.DataFrame) -> None:
    assert questions.index.tolist() == list(range(1, 9))
    assert (questions[["question", "claimed"]] != "").all(axis=None)
    assert (questions["supported"] == "").tolist() == [True] * 4 + [False] * 4


@pytest.mark.parametrize(("number", "scores"), [(2, "fusion"), (4, "profit")])
def test_shares_are_those_of_the_best_message(
    judged: Judged, questions: pd.DataFrame, number: int, scores: str
) -> None:
    array = judged.profit if scores == "profit" else judged.probabilities["fusion"]
    w = judged.sampling_weight
    best = array.argmax(axis=1)
    expected = {m: w[best == k].sum() / w.sum() for k, m in enumerate(judged.messages)}
    text = questions.loc[number, "claimed"]
    got = {m: float(share) / 100 for m, share in re.findall(r"(\w+) ([\d.]+)%", text)}
    assert set(got) == set(expected)
    for message, share in expected.items():
        assert got[message] == pytest.approx(share, abs=6e-4)
    assert list(got.values()) == sorted(got.values(), reverse=True)


@pytest.mark.parametrize(("number", "array"), [(1, "fusion"), (3, "profit")])
def test_the_example_is_the_first_customer(
    judged: Judged, questions: pd.DataFrame, number: int, array: str
) -> None:
    scores = judged.profit if array == "profit" else judged.probabilities["fusion"]
    best = judged.messages.names[scores[0].argmax()]
    assert questions.loc[number, "claimed"].endswith(f"C0: {best}")


def test_values_are_those_of_the_comparison(
    questions: pd.DataFrame, comparison: PolicyComparison
) -> None:
    values = comparison.policies.set_index("policy")
    for number, policy in {5: "personalised", 7: "random"}.items():
        row = values.loc[policy]
        assert numbers(questions.loc[number, "claimed"]) == [round(row["claimed"], 3)]
        expected = [round(row[c], 3) for c in ("aipw", "aipw_lower", "aipw_upper")]
        assert numbers(questions.loc[number, "supported"]) == pytest.approx(expected)
    constants = ["no e-mail", "send water", "send sea_team"]
    expected = [round(values.loc[c, "claimed"], 3) for c in constants]
    assert numbers(questions.loc[6, "claimed"]) == pytest.approx(expected)
    for constant in constants:
        assert (
            f"{constant}: {values.loc[constant, 'aipw']:.3f} CHF" in questions.loc[6, "supported"]
        )


def test_the_campaign_is_scaled_once(questions: pd.DataFrame, comparison: PolicyComparison) -> None:
    values = comparison.policies.set_index("policy")["claimed"]
    assert "2,000,000 customers" in questions.loc[8, "question"]
    baselines = {
        "over the best single message": "send water",
        "over random assignment": "random",
        "over no e-mail": "no e-mail",
    }
    claimed = questions.loc[8, "claimed"].split("; ")
    assert len(claimed) == 3
    gains = comparison.gains.set_index(["policy", "baseline"])
    for text, (label, baseline) in zip(claimed, baselines.items(), strict=True):
        gain = values["personalised"] - values[baseline]
        assert text.startswith(f"{label}: ")
        assert numbers(text) == pytest.approx(
            [gain * 2e6, 100 * gain / values[baseline]], rel=1e-3, abs=0.5
        )
        for policy, verb in (("personalised", "personalised"), ("shipped", "what ships")):
            row = gains.loc[(policy, baseline)]
            part = next(
                t
                for t in questions.loc[8, "supported"].split("; ")
                if t.startswith(f"{verb} {label}: ")
            )
            expected = [row[f"campaign_{c}"] for c in ("gain", "lower", "upper")]
            assert numbers(part) == pytest.approx(expected, abs=1)


def test_without_control_there_is_no_comparison_with_it(judged: Judged) -> None:
    rows = judged.message != 0
    definitions = judged.messages.to_dict()
    messages = MessageSet({m: definitions[m] for m in ("water", "sea_team")})
    profit = judged.profit[rows][:, 1:]
    keys = judged.keys[rows].assign(decision=np.array(messages.names)[profit.argmax(axis=1)])
    part = replace(
        judged,
        keys=keys,
        probabilities={m: p[rows][:, 1:] for m, p in judged.probabilities.items()},
        order_values=judged.order_values[rows][:, 1:],
        profit=profit,
        messages=messages,
    )
    comparison = compare_policies(part, "water", EvaluationSettings(), CAMPAIGN)
    questions = case_questions(part, comparison, "water", CAMPAIGN)
    assert len(questions) == 8
    assert not questions[["claimed", "supported"]].map(lambda t: "no e-mail" in t).any(axis=None)
    assert "gain_over_no_email" not in comparison.headline
