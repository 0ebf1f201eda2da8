import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from kedro.validation import ParameterValidationError, ParameterValidator

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.contract.tables import (
    check_customers,
    check_observations,
    customers_schema,
    observations_schema,
)
from pentathlon.pipelines.data_processing import create_pipeline
from pentathlon.pipelines.data_processing.params import DataProcessingParams

ROOT = Path(__file__).parents[2]
OUTPUTS = ("observations", "customers", "rejected_rows", "data_quality")


def layout(env):
    path = ROOT / "conf" / env / "parameters_data_processing.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))["data_processing"]


def mailed(*departments, control, margin=0.4, send_cost=0.0):
    return {
        **({"control": {"margin": margin}} if control else {}),
        **{d: {"department": d, "margin": margin, "send_cost": send_cost} for d in departments},
    }


def run(path, messages, features, data_processing, load_args=None):
    """Run the pipeline as Kedro does: catalog, typed parameters, runner, validators."""
    pipeline = create_pipeline()
    parameters = ParameterValidator({"data_processing": pipeline}).validate_raw_params(
        {"messages": messages, "features": features, "data_processing": data_processing}
    )
    schema = "pentathlon.contract.tables.{}_schema"
    config = {
        "raw_customers": {
            "type": "pentathlon.datasets.CustomerFileDataset",
            "filepath": str(path),
            "load_args": load_args,
        },
        **{
            name: {"type": "MemoryDataset", "validator": schema.format(name)}
            for name in ("observations", "customers")
        },
    }
    catalog = DataCatalog.from_config(config)
    for name, value in parameters.items():
        catalog[f"params:{name}"] = value
    outputs = SequentialRunner().run(pipeline, catalog)
    results = [outputs[name].load() if name in outputs else catalog.load(name) for name in OUTPUTS]
    observations, customers = results[:2]
    observations_schema.validate(observations, lazy=True)
    customers_schema.validate(customers, lazy=True)
    check_observations(observations, MessageSet(messages), data_processing["n_folds"])
    check_customers(customers, observations, FeatureColumns.model_validate(features))
    return results


# --- the Pentathlon case

SIX = ("endurance", "strength", "water", "team", "backcountry", "racquet")
SEVEN = ("endurance", "strength", "water", "team", "backcountry", "winter", "racquet")


def case_features(departments):
    return {
        "numeric": ["income", "education", "children"],
        "categorical": ["age", "female"],
        "counts": {d: f"freq_{d}" for d in departments},
    }


def edition(departments, n, rng, buyer):
    return pd.DataFrame(
        {
            "custid": [f"U{i}" for i in range(1, n + 1)],
            "buyer": pd.Categorical(np.where(buyer, "yes", "no")),
            "total_os": np.where(buyer, rng.integers(5, 200, n), 0).astype(np.int32),
            "message": pd.Categorical(rng.choice(departments, n)),
            "age": pd.Categorical(rng.choice(["< 30", "30 to 44", "45 to 59", ">= 60"], n)),
            "female": pd.Categorical(rng.choice(["yes", "no"], n)),
            "income": (rng.integers(0, 41, n) * 5000).astype(np.int32),
            "education": rng.integers(0, 101, n).astype(np.int32),
            "children": rng.integers(2, 59, n) / 10,
            **{f"freq_{d}": rng.poisson(1.0, n).astype(np.int32) for d in departments},
        }
    )


@pytest.fixture
def edition_a():
    rng = np.random.default_rng(1)
    n = 3_000
    frame = edition(["control", *SIX], n, rng, rng.random(n) < 0.1)
    return frame.drop(columns="freq_control").assign(training=(rng.random(n) < 0.7).astype(float))


@pytest.fixture
def edition_b():
    rng = np.random.default_rng(2)
    sampled, natural = 3_000, 3_000
    buyer = np.r_[np.arange(sampled) % 2 == 0, rng.random(natural) < 0.01]
    frame = edition(SEVEN, sampled + natural, rng, buyer)
    training = np.r_[np.arange(sampled) % 10 < 7, np.full(natural, -(2**31))].astype(np.int32)
    return frame.assign(
        gender=np.where(frame["female"] == "yes", "F", "M"),
        training=training,
        representative=np.r_[np.zeros(sampled, int), np.ones(natural, int)],
        **{f"{d}_os": 0.0 for d in SEVEN},
    ).drop(columns="female")


@pytest.mark.parametrize("env", ["base", "case"])
def test_edition_a(edition_a, tmp_path, env):
    edition_a.to_parquet(tmp_path / "a.parquet")
    observations, customers, rejected, quality = run(
        tmp_path / "a.parquet",
        mailed(*SIX, control=True),
        case_features(SIX),
        layout(env),
    )
    assert rejected.empty
    assert quality["repairs"] == {}
    assert (observations["split"] == "train").sum() == (edition_a["training"] == 1).sum()
    assert customers["age"].tolist() == edition_a["age"].tolist()
    assert observations["sampling_weight"].eq(1).all()
    assert quality["propensity"]["source"] == "estimated"
    assert observations["propensity"].mean() == pytest.approx(1 / 7, rel=0.1)


def test_edition_a_in_its_other_spelling(edition_a, tmp_path):
    ages = {"< 30": "less than 30", ">= 60": "60 and older"}
    other = edition_a.assign(age=edition_a["age"].astype("str").replace(ages))
    tables = []
    for name, frame in (("one", edition_a), ("other", other)):
        frame.to_parquet(tmp_path / f"{name}.parquet")
        settings = (mailed(*SIX, control=True), case_features(SIX), layout("case"))
        tables.append(run(tmp_path / f"{name}.parquet", *settings))
    pd.testing.assert_frame_equal(tables[0][1], tables[1][1])
    pd.testing.assert_frame_equal(tables[0][0], tables[1][0])
    assert sum(tables[1][3]["repairs"].values()) == edition_a["age"].isin(ages).sum()


@pytest.mark.parametrize("missing", ["large negative integer", "missing"])
def test_edition_b(edition_b, tmp_path, missing):
    if missing == "missing":
        training = edition_b["training"].where(edition_b["training"] >= 0)
        edition_b = edition_b.assign(training=training)
    edition_b.to_parquet(tmp_path / "b.parquet")
    observations, customers, rejected, quality = run(
        tmp_path / "b.parquet",
        mailed(*SEVEN, control=False),
        case_features(SEVEN),
        layout("case_b"),
    )
    assert rejected.empty
    assert set(customers["female"]) == {"yes", "no"}
    assert quality["columns"]["female"] == "gender"
    assert quality["unused_columns"] == [f"{d}_os" for d in SEVEN]
    assert observations["natural_rate"].tolist() == (edition_b["representative"] == 1).tolist()
    assert (observations.loc[observations["natural_rate"], "split"] == "test").all()
    assert (observations["split"] == "train").sum() == 2_100
    for _, rows in observations.groupby("split"):
        rate = np.average(rows["response"], weights=rows["sampling_weight"])
        assert rate == pytest.approx(0.01, abs=1e-12)
    assert quality["propensity"]["balance"]["rows"] == 3_000


def test_order_of_the_rows_changes_neither_split_nor_fold(edition_a, tmp_path):
    settings = {
        **layout("case"),
        "columns": {**layout("case")["columns"], "split": None},
        "propensity": "uniform",
    }
    tables = []
    for seed in (None, 3):
        frame = edition_a if seed is None else edition_a.sample(frac=1, random_state=seed)
        frame.to_parquet(tmp_path / "a.parquet")
        observations, *_ = run(
            tmp_path / "a.parquet", mailed(*SIX, control=True), case_features(SIX), settings
        )
        tables.append(observations.sort_values("customer_id", ignore_index=True))
    pd.testing.assert_frame_equal(*tables)
    assert (tables[0]["split"] == "test").sum() == 900


# --- Hillstrom

HILLSTROM_FEATURES = {
    "numeric": ["recency", "history", "newbie"],
    "categorical": ["zip_code", "channel"],
    "counts": {"mens": "mens", "womens": "womens"},
}


@pytest.fixture
def hillstrom():
    rng = np.random.default_rng(4)
    n = 900
    bought = rng.random(n) < 0.1
    return pd.DataFrame(
        {
            "recency": rng.integers(1, 13, n),
            "history_segment": "2) $100 - $200",
            "history": rng.gamma(2, 100, n).round(2),
            "mens": rng.integers(0, 2, n),
            "womens": rng.integers(0, 2, n),
            "zip_code": rng.choice(["Surburban", "Rural", "Urban"], n),
            "newbie": rng.integers(0, 2, n),
            "channel": rng.choice(["Phone", "Web", "Multichannel"], n),
            "segment": rng.choice(["Womens E-Mail", "No E-Mail", "Mens E-Mail"], n),
            "visit": bought.astype(int),
            "conversion": bought.astype(int),
            "spend": np.where(bought, 29.99, 0),
        }
    )


def test_hillstrom(hillstrom, tmp_path):
    hillstrom.to_csv(tmp_path / "hillstrom.csv.gz", index=False)
    observations, customers, rejected, quality = run(
        tmp_path / "hillstrom.csv.gz",
        mailed("mens", "womens", control=True, margin=0.3, send_cost=0.1),
        HILLSTROM_FEATURES,
        layout("hillstrom"),
    )
    assert rejected.empty
    assert (observations["propensity"] == 1 / 3).all()
    assert (observations["split"] == "train").all()  # cross-fitted: every row judges
    assert observations["customer_id"].tolist() == [str(i) for i in range(1, 901)]
    assert set(customers["zip_code"]) == {"Suburban", "Rural", "Urban"}
    assert quality["unused_columns"] == ["history_segment", "visit"]
    sent = observations["message"].map(
        {"control": "No E-Mail", "mens": "Mens E-Mail", "womens": "Womens E-Mail"}
    )
    assert sent.tolist() == hillstrom["segment"].tolist()


def test_uniform_propensities_that_do_not_fit_are_reported(hillstrom, tmp_path):
    skewed = hillstrom[(hillstrom["segment"] != "No E-Mail") | (hillstrom.index % 4 == 0)]
    skewed.to_csv(tmp_path / "a.csv", index=False)
    *_, quality = run(
        tmp_path / "a.csv",
        mailed("mens", "womens", control=True),
        HILLSTROM_FEATURES,
        layout("hillstrom"),
    )
    assert len(quality["warnings"]) == 1
    assert "uniform does not fit this file: the messages' sizes differ" in quality["warnings"][0]


# --- a retailer nobody thought of, by configuration alone

BOOKSHOP = """\
data_processing:
  columns:
    customer_id: Kunde
    message: Aktion
    response: gekauft
    order_value: Umsatz
    propensity: Wahrscheinlichkeit
  response_values: {ja: 1, nein: 0}
  message_values: {Krimi-Mail: crime, Koch-Mail: cooking, keine: control}
  category_values: {Filiale: {Muenchen: München}}
  valid_ranges: {Alter: [10, 110]}
  missing_values: ["", "k. A."]
  split: {test_share: 0.25}
  propensity: logged
  n_folds: 3
  seed: 11
messages:
  cooking: {department: cooking, margin: 0.3, send_cost: 0.02}
  crime: {department: crime, margin: 0.35, send_cost: 0.02}
  control: {margin: 0.3}
features:
  numeric: [Alter]
  categorical: [Filiale]
  counts: {crime: Krimis, cooking: Kochbuecher}
"""


def test_a_bookshop_needs_configuration_only(tmp_path):
    n = 240
    i = np.arange(n)
    bought = i % 4 == 0
    frame = pd.DataFrame(
        {
            "Kunde": [f"{k:05d}" for k in i],
            "Aktion": np.array(["Krimi-Mail", "Koch-Mail", "keine"])[i // 4 % 3],
            "Wahrscheinlichkeit": np.array([0.5, 0.3, 0.2])[i // 4 % 3],
            "gekauft": np.where(bought, "ja", "nein"),
            "Umsatz": np.where(bought, 19.9, 0.0),
            "Alter": 20 + i % 50,
            "Filiale": np.array(["München", "Muenchen", "Köln"])[i % 3],
            "Krimis": i % 3,
            "Kochbuecher": i % 5,
        }
    ).astype("str")
    frame.loc[1, "Alter"] = "k. A."
    frame.loc[2, "Alter"] = "212"
    frame.loc[4, "Umsatz"] = "19,90"
    frame.to_csv(tmp_path / "kunden.csv", index=False, sep=";", encoding="cp1252")
    parameters = yaml.safe_load(BOOKSHOP)
    observations, customers, rejected, quality = run(
        tmp_path / "kunden.csv",
        parameters["messages"],
        parameters["features"],
        parameters["data_processing"],
        load_args={"sep": ";", "encoding": "cp1252"},
    )
    assert rejected["row"].tolist() == [3, 5]
    assert rejected["reason"].tolist() == [
        'Alter is above its highest possible value 110: column "Alter" holds "212"',
        'the order value is not a number: column "Umsatz" holds "19,90"',
    ]
    assert rejected["Kunde"].tolist() == ["00002", "00004"]
    assert len(observations) == 238
    assert (observations["split"] == "test").sum() == 59
    assert observations.groupby("message")["propensity"].unique().map(list).to_dict() == {
        "control": [0.2],
        "cooking": [0.3],
        "crime": [0.5],
    }
    assert set(customers["Filiale"]) == {"München", "Köln"}
    assert customers.columns.tolist() == [
        "customer_id", "Alter", "Filiale", "Krimis", "Kochbuecher",
    ]  # fmt: skip
    assert quality["repairs"] == {
        'Filiale spelled "Muenchen": "München"': 79,
        "Alter missing: median of the training customers": 1,
    }


# --- Kedro


def test_a_typo_in_the_parameters_stops_kedro_before_the_first_node():
    validator = ParameterValidator({"data_processing": create_pipeline()})
    with pytest.raises(ParameterValidationError, match=r"DataProcessingParams\nn_fold\n"):
        validator.validate_raw_params({"data_processing": {**layout("base"), "n_fold": 3}})


def test_kedro_types_the_parameters():
    validator = ParameterValidator({"data_processing": create_pipeline()})
    typed = validator.validate_raw_params(
        {"data_processing": layout("base"), "features": case_features(SIX)}
    )
    assert isinstance(typed["data_processing"], DataProcessingParams)
    assert isinstance(typed["features"], FeatureColumns)


def test_wiring():
    pipeline = create_pipeline()
    assert pipeline.inputs() == {
        "raw_customers",
        "params:messages",
        "params:features",
        "params:data_processing",
    }
    assert pipeline.outputs() == set(OUTPUTS)


def test_importing_the_pipeline_stays_light():
    code = (
        "import sys, pentathlon.pipelines.data_processing\n"
        "print(sorted({'sklearn', 'pandera', 'keras', 'xgboost'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    assert done.stdout.strip() == "[]"
