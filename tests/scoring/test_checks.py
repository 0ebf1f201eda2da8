"""What is counted, and what forbids sending."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pentathlon.decision import DecisionEngine
from pentathlon.decision.settings import FREE, SendingSettings
from pentathlon.scoring import BatchDecider, Reference, ScoredFolder, ScoringSettings, summarise
from pentathlon.scoring.batch import DECISIONS
from pentathlon.scoring.cleaning import columns_asked
from pentathlon.scoring.parts import PartWriter, Stamp, stamp_of
from pentathlon.scoring.statistics import SCORES, Counts, histogram
from pentathlon.scoring.stream import duration, in_order

REFERENCE = Reference(dict.fromkeys(SCORES, (1.0, 2.0)), dict.fromkeys(SCORES, (50, 25, 25)))


def scored_folder(place: Path, *parts: Counts, bad: dict[str, str] | None = None) -> ScoredFolder:
    names = [f"{i}.parquet" for i in range(len(parts))]
    for name, counts in zip(names, parts, strict=True):
        with PartWriter(place / "decisions" / name, DECISIONS) as writer:
            writer.finish(Stamp("mark", counts))
    place.mkdir(exist_ok=True)
    made = dict.fromkeys(names, "mark")
    account = {"rejected_partitions": bad or {}, "seconds": 1.0, "parts": made}
    (place / "run.json").write_text(json.dumps(account))
    return ScoredFolder(place)


def counts(decided: int, rejected: int, bins: list[int]) -> Counts:
    return Counts(
        decided=decided, rejected=rejected, histograms={name: list(bins) for name in SCORES}
    )


def test_bins_take_their_lower_edge() -> None:
    assert histogram(np.array([0.5, 1.0, 1.5, 2.0, 9.0]), (1.0, 2.0)) == [1, 2, 2]


def test_shift_by_hand() -> None:
    same = REFERENCE.shift({name: [500, 250, 250] for name in SCORES})
    assert same == pytest.approx(dict.fromkeys(SCORES, 0.0))
    found = REFERENCE.shift({name: [25, 50, 25] for name in SCORES})
    expected = -0.25 * np.log(0.25 / 0.5) + 0.25 * np.log(0.5 / 0.25)
    assert found == pytest.approx(dict.fromkeys(SCORES, expected))
    empty = REFERENCE.shift({name: [0, 100, 0] for name in SCORES})
    assert np.isfinite(list(empty.values())).all()


def test_training_customers_are_not_shifted_and_others_are(
    engine: DecisionEngine, customers: pd.DataFrame
) -> None:
    reference = Reference.of(engine, customers, 10_000, seed=1)
    assert Reference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference
    assert max(reference.shift({k: list(v) for k, v in reference.counts.items()}).values()) == 0
    alike = histograms(reference, engine, customers.iloc[::2])
    assert 0 < max(reference.shift(alike).values()) < 0.1
    rich = histograms(reference, engine, customers.assign(income=5 * customers["income"]))
    assert reference.shift(rich)["expected_order_value"] > 1
    young = customers.assign(age="young", freq_water=0, freq_team=0)
    shift = reference.shift(histograms(reference, engine, young))
    assert shift["purchase_probability"] > 1
    assert shift["best_expected_profit"] > 0.25


def histograms(
    reference: Reference, engine: DecisionEngine, customers: pd.DataFrame
) -> dict[str, list[int]]:
    """Customers by bin of each score, as a run counts them."""
    decider = BatchDecider(engine, FREE, edges=reference.edges)
    batch = pa.RecordBatch.from_pandas(customers, preserve_index=False)
    return decider.decide(batch).counts.histograms


@pytest.mark.parametrize(
    ("parts", "bad", "problem"),
    [
        ([counts(100, 0, [50, 25, 25])], {}, None),
        ([counts(100, 0, [50, 25, 25]), counts(90, 10, [40, 25, 25])], {}, "cannot be used"),
        ([counts(100, 0, [5, 25, 70])], {}, "not distributed as in the training data"),
        ([counts(100, 0, [50, 25, 25])], {"b": "unreadable"}, "1 partitions were left out"),
        ([counts(0, 0, [0, 0, 0])], {}, "No customer was decided"),
    ],
)
def test_what_forbids_sending(
    tmp_path: Path, parts: list[Counts], bad: dict[str, str], problem: str | None
) -> None:
    scored = scored_folder(tmp_path / "scored", *parts, bad=bad)
    summary = summarise(scored, REFERENCE, ScoringSettings())
    assert summary["may_be_sent"] is (problem is None)
    assert (problem is None) or any(problem in p for p in summary["problems"])
    assert summary["customers"] == sum(part.decided for part in parts)


def test_decisions_that_are_not_those_of_the_run_are_not_sent(tmp_path: Path) -> None:
    scored = scored_folder(tmp_path, *[counts(100, 0, [50, 25, 25])] * 4)
    assert scored.problems() == []
    decisions = tmp_path / "decisions"
    (decisions / "0.parquet").unlink()
    with PartWriter(decisions / "1.parquet", DECISIONS) as writer:
        writer.finish(Stamp("another mark", counts(100, 0, [50, 25, 25])))
    (decisions / "2.parquet").write_bytes(b"no such thing")
    pd.DataFrame({"x": [1]}).to_parquet(decisions / "mine.parquet")
    summary = summarise(scored, REFERENCE, ScoringSettings())
    assert not summary["may_be_sent"]
    lost, strange = summary["problems"]
    assert lost.startswith("3 partitions have no decisions of this run, for example 0.parquet. Run")
    assert strange.startswith("1 files of decisions/ are not of this run, for example mine.parquet")
    assert "parts" not in summary["run"]


def test_counts_add_up_and_survive_their_text() -> None:
    one, two = counts(3, 1, [1, 1, 1]), counts(5, 0, [5, 0, 0])
    one.messages.update({"water": 2, "team": 1})
    two.messages.update({"water": 5})
    two.expected_profit = 1 / 3
    one.add(two)
    assert Counts.from_json(one.to_json()) == one
    assert (one.decided, one.messages["water"], one.histograms[SCORES[0]]) == (8, 7, [6, 1, 1])


def test_a_part_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    with pytest.raises(RuntimeError, match="midway"), PartWriter(path, DECISIONS):
        raise RuntimeError("midway")
    assert list(tmp_path.iterdir()) == []
    pd.DataFrame({"x": [1]}).to_parquet(path)
    assert stamp_of(path) is None
    assert stamp_of(tmp_path / "nothing") is None


def test_the_stream_keeps_order_and_reads_no_further_than_agreed() -> None:
    read: list[int] = []

    def items():
        for i in range(20):
            read.append(i)
            yield i

    results = in_order(lambda i: i * i, items(), threads=3, read_ahead=2)
    assert next(results) == 0
    assert len(read) == 5
    assert list(results) == [i * i for i in range(1, 20)]


def test_columns_that_rules_ask_for_are_read(engine: DecisionEngine) -> None:
    settings = SendingSettings.model_validate(
        {
            "rules": {
                "consent": {"opted_in": "agreed_at"},
                "eligibility": [
                    {
                        "name": "vip",
                        "when": [{"column": "tier", "equals": "a"}],
                        "unless": [{"column": "staff", "equals": True}],
                    }
                ],
                "pressure": {"customer_value": "worth"},
            },
            "limits": [{"name": "x", "at_most": 5, "where": [{"column": "region", "equals": "n"}]}],
        }
    )
    asked = columns_asked(engine.columns, settings)
    assert asked[0] == "customer_id"
    assert {"agreed_at", "tier", "staff", "worth", "region", "income"} <= set(asked)


def test_durations_are_for_people() -> None:
    assert [duration(s) for s in (5, 600, 7_200)] == ["5 s", "10 min", "2.0 h"]
