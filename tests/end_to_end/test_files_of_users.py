"""Files as users have them, through the command line: both editions of the case, real people,
and files with something wrong."""

import numpy as np
import pandas as pd
import pytest

from pentathlon.models.registry import MODEL_NAMES

SEVEN = ("endurance", "strength", "water", "team", "backcountry", "winter", "racquet")


def edition_b(sampled=6_000, natural=6_000, rate=0.04):
    """Seven departments, no control; half the rows drawn on the outcome, half as they come."""
    rng = np.random.default_rng(2)
    n = sampled + natural
    frame = pd.DataFrame(
        {
            "custid": [f"U{i}" for i in range(n)],
            "message": rng.choice(SEVEN, n),
            "age": rng.choice(["< 30", "30 to 44", "45 to 59", ">= 60"], n),
            "gender": rng.choice(["F", "M"], n),
            "income": (rng.integers(0, 41, n) * 5000),
            "education": rng.integers(0, 101, n),
            "children": rng.integers(2, 59, n) / 10,
            **{f"freq_{d}": rng.poisson(1.0, n) for d in SEVEN},
            **{f"{d}_os": 0.0 for d in SEVEN},
        }
    )
    # Buyers have more purchases on record, in both parts alike.
    total = frame[[f"freq_{d}" for d in SEVEN]].sum(axis=1).to_numpy()
    odds = np.exp(0.35 * (total - total.mean()))
    probability = np.clip(rate * odds / odds.mean(), 0, 0.9)
    buyer = rng.random(n) < probability
    # The sampled half: redraw until half of it are buyers, keeping how features go with buying.
    first = np.arange(sampled)
    wanted = first % 2 == 0
    for outcome in (True, False):
        rows = first[wanted == outcome]
        source = rng.choice(n, len(rows), p=_shares(probability if outcome else 1 - probability))
        columns = [c for c in frame.columns if c not in {"custid", "message"}]
        frame.loc[rows, columns] = frame.loc[source, columns].to_numpy()
    buyer[first] = wanted
    training = np.r_[np.where(first // 2 % 10 < 7, 1, 0), np.full(natural, -(2**31))]
    spent = np.round(np.exp(rng.normal(3.8, 0.6, n))) + 1
    return frame.astype({"income": "int32", "education": "int32", "children": "float64"}).assign(
        buyer=np.where(buyer, "yes", "no"),
        total_os=np.where(buyer, spent, 0).astype("int32"),
        training=training.astype("int32"),
        representative=np.r_[np.zeros(sampled, int), np.ones(natural, int)],
    )


def _shares(weight):
    return weight / weight.sum()


@pytest.fixture(scope="module")
def files(finished, tmp_path_factory):
    """Folder with the files that are run below."""
    finished.outcome.checked()
    folder = tmp_path_factory.mktemp("files")
    raw = finished.load("simulated_customers")
    raw.to_csv(folder / "edition_a.csv", index=False)
    raw.drop(columns="income").to_csv(folder / "lacks_income.csv", index=False)
    raw.assign(buyer="maybe").to_csv(folder / "no_outcome.csv", index=False)
    whole = finished.path("simulated_customers").read_bytes()
    (folder / "truncated.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.csv").write_text("")
    edition_b().to_parquet(folder / "edition_b.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def outcomes(files, tmp_path_factory, run_all, make_results, tiny):
    """Every file through its environment, in one process."""
    roots = {name: tmp_path_factory.mktemp(name) for name in ("a", "b", "wrong")}

    def case(file, pipelines="engine"):
        where = f"data_root={roots['wrong']},raw_file={files / file}"
        return f"--env case --pipelines {pipelines} --params {where}"

    commands = {
        "truncated": case("truncated.parquet"),
        "lacks_income": case("lacks_income.csv"),
        "no_outcome": case("no_outcome.csv"),
        "empty": case("empty.csv"),
        "absent": case("absent.csv"),
        "pickle": case("file.pkl"),
        "a": f"--env case --pipelines data_processing "
        f"--params data_root={roots['a']},raw_file={files / 'edition_a.csv'}",
        "b": f"--env case_b --pipelines engine --params data_root={roots['b']},"
        f"raw_file={files / 'edition_b.parquet'},data_processing.sampling.population_rate=0.04,"
        f"data_processing.n_folds=3,{tiny}",
    }
    done = dict(zip(commands, run_all(*commands.values()), strict=True))
    return done, make_results(roots["a"], "case"), make_results(roots["b"], "case_b")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("truncated", "truncated.parquet cannot be read as .parquet"),
        ("lacks_income", "income"),
        ("no_outcome", "maybe"),
        ("empty", "empty.csv is empty"),
        ("absent", "absent.csv"),
        ("pickle", "file.pkl"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(outcomes, name, says):
    outcome = outcomes[0][name]
    assert outcome.code == 1
    assert outcome.errors.startswith("Error: ")
    assert says in outcome.errors.replace("\n", " ")
    assert "Traceback" not in outcome.output


def test_edition_a_as_csv_gives_what_the_parquet_file_gave(outcomes, finished):
    outcomes[0]["a"].checked()
    results = outcomes[1]
    one, other = results.load("observations"), finished.load("observations")
    columns = ["customer_id", "message", "response", "order_value", "split"]
    assert one[columns].equals(other[columns])
    assert results.load("customers").equals(finished.load("customers"))
    assert results.load("data_quality")["rows_rejected"] == 0


def test_edition_b_ends_in_decisions_without_a_control(outcomes):
    outcomes[0]["b"].checked()
    results = outcomes[2]
    decisions = results.load("decisions")
    assert len(decisions) == 12_000
    assert set(decisions["message"]) <= set(SEVEN)
    assert decisions["expected_profit_of_control"].isna().all()
    assert decisions["purchase_probability"].between(0, 1).all()
    headline = results.load("headline")
    assert headline["best_constant"] in SEVEN
    assert "gain_over_no_email" not in headline
    assert not results.load("truth_summary")["known"]
    assert results.load("report").lstrip().lower().startswith("<!doctype html>")


def test_edition_b_weights_restore_the_population(outcomes):
    observations = outcomes[2].load("observations")
    train = observations[observations["split"] == "train"]
    test = observations[observations["split"] == "test"]
    assert not train["natural_rate"].any()
    assert test["natural_rate"].sum() == 6_000
    for part in (train, test):
        weight = part["sampling_weight"]
        assert weight.mean() == pytest.approx(1)
        assert np.average(part["response"], weights=weight) == pytest.approx(0.04)
    assert train["response"].mean() == pytest.approx(0.5)


def test_edition_b_predicts_at_the_rate_of_the_population(outcomes):
    results = outcomes[2]
    judged = results.load("judged")
    logged = np.take_along_axis(
        judged[[f"fusion__{m}" for m in SEVEN]].to_numpy(),
        np.array([SEVEN.index(m) for m in judged["message"]])[:, None],
        axis=1,
    )
    expected = np.average(logged[:, 0], weights=judged["sampling_weight"])
    assert expected == pytest.approx(0.04, rel=0.25), "half of the training rows are buyers"


def test_edition_b_value_can_be_recomputed_with_its_weights(outcomes):
    scores = outcomes[2].load("policy_scores")
    shipped = outcomes[2].load("policy_values").set_index("policy").loc["shipped"]
    weight = scores["sampling_weight"]
    assert not weight.eq(1).all()
    terms = (scores["decision"] == scores["message"]) / scores["propensity"] * scores["profit"]
    assert shipped["ips"] == pytest.approx(np.average(terms, weights=weight), rel=1e-9)


def test_hillstrom_is_read_as_published(hillstrom):
    observations = hillstrom[0].load("observations")
    assert len(observations) == 64_000
    arms = observations.groupby("message")["response"].agg(["size", "sum"])
    assert arms["size"].to_dict() == {"control": 21_306, "mens": 21_307, "womens": 21_387}
    assert arms["sum"].sum() == 578
    assert observations["propensity"].tolist() == [1 / 3] * 64_000
    assert (observations["split"] == "train").all()


def test_cross_fitted_every_row_is_judged_once_by_parties_that_never_saw_it(hillstrom):
    observations, scores = (hillstrom[1].load(n) for n in ("observations", "policy_scores"))
    assert len(scores) == len(observations) == 6_000
    assert scores["customer_id"].tolist() == observations["customer_id"].tolist()
    assert scores["fold"].tolist() == observations["fold"].tolist()
    assert sorted(scores["fold"].unique()) == [0, 1, 2, 3]
    judged = hillstrom[1].load("judged")
    assert set(judged["decision"]) <= {"control", "mens", "womens"}
    for model in (*MODEL_NAMES, "fusion"):
        assert judged[[f"{model}__{m}" for m in ("control", "mens", "womens")]].notna().all().all()


def test_cross_fitted_value_can_be_recomputed_in_three_lines(hillstrom):
    scores = hillstrom[1].load("policy_scores")
    shipped = hillstrom[1].load("policy_values").set_index("policy").loc["shipped"]
    ratio = (scores["decision"] == scores["message"]) / scores["propensity"]
    assert shipped["ips"] == pytest.approx((ratio * scores["profit"]).mean(), rel=1e-9)
    cost = np.where(scores["message"] == "control", 0.0, 0.1)
    np.testing.assert_allclose(scores["profit"], 0.3 * scores["order_value"] - cost, atol=1e-9)
    assert shipped["snips"] == pytest.approx(
        (ratio * scores["profit"]).sum() / ratio.sum(), rel=1e-9
    )


def test_cross_fitted_engine_is_the_one_fitted_on_all_rows(hillstrom):
    engine, decisions = (hillstrom[1].load(n) for n in ("decision_engine", "decisions"))
    again = engine.decide(hillstrom[1].load("customers"))
    pd.testing.assert_frame_equal(again, decisions, check_exact=True)
