"""One command from nothing to decisions: what is there afterwards, and whether it adds up."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pentathlon.errors import CalibrationError
from pentathlon.fusion.settings import FusionSettings
from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipeline_registry import register_pipelines
from pentathlon.pipelines.fusion.nodes import check_calibration
from pentathlon.pipelines.params import MessagesParams

MARGIN = 0.4  # of every message; sending costs nothing
MESSAGES = ("control", "endurance", "strength", "water", "team", "backcountry", "racquet")
SETTINGS = MessagesParams.model_validate({name: {"margin": MARGIN} for name in MESSAGES})


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.references = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag not in {"meta", "link", "br", "img", "hr", "input", "path", "rect", "line"}:
            self.open.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if "href" in attributes else []
        self.references += [attributes["src"]] if "src" in attributes else []

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass


def test_the_command_succeeds_in_time(finished):
    finished.outcome.checked()
    # A minute on two quiet cores; a test machine may be busy with other things.
    assert finished.outcome.seconds <= 120
    assert finished.manifests()[0]["duration_s"] <= 110


def test_the_log_ends_with_where_the_results_are(finished):
    end = "\n".join(finished.outcome.output.splitlines()[-6:])
    assert "report.html" in end
    assert "08_reporting/runs/" in end


def test_everything_that_the_pipeline_makes_is_there(finished):
    catalog = finished.catalog
    for name in register_pipelines()["__default__"].all_outputs():
        assert catalog.exists(name), name


def test_the_manifest_tells_what_happened(finished):
    (manifest,) = finished.manifests()
    assert manifest["status"] == "completed"
    assert not manifest["nodes"]["failed"]
    assert not manifest["nodes"]["skipped"]
    assert len(manifest["nodes"]["run"]) == len(register_pipelines()["__default__"].nodes)
    headline = finished.load("headline")
    assert manifest["headline"] == {k: v for k, v in headline.items() if v is not None}
    assert manifest["datasets"]["written"]["decisions"]


def test_the_report_is_one_file_that_opens(finished):
    page = Page(finished.load("report"))
    assert not page.open, "unclosed elements"
    assert len(set(page.ids)) == len(page.ids)
    anchors = {link[1:] for link in page.links if link.startswith("#") and link != "#"}
    assert anchors <= set(page.ids)
    outside = [r for r in page.references if not r.startswith("data:")]
    assert not outside, "a self-contained file loads nothing"


def test_the_report_leads_with_the_supported_profit(finished):
    report, headline = finished.load("report"), finished.load("headline")
    assert f"{headline['supported_profit']:.3f}" in report or (
        f"{headline['supported_profit']:.2f}" in report
    )
    assert str(finished.root) not in report, "no paths of this machine in a published file"


def test_there_is_one_sound_decision_for_each_customer(finished):
    decisions, customers = finished.load("decisions"), finished.load("customers")
    assert decisions["customer_id"].tolist() == customers["customer_id"].tolist()
    assert decisions["customer_id"].is_unique
    assert set(decisions["message"]) <= set(MESSAGES)
    assert set(decisions["runner_up"]) <= set(MESSAGES)
    assert (decisions["message"] != decisions["runner_up"]).all()
    assert decisions["purchase_probability"].between(0, 1).all()
    assert (decisions["expected_order_value"] > 0).all()
    assert decisions["propensity"].between(0, 1).all()
    assert decisions.notna().all().all()
    assert decisions["policy"].unique().tolist() == [finished.load("headline")["ships"]]


def test_expected_profit_is_probability_times_order_value_times_margin(finished):
    decisions = finished.load("decisions")
    product = MARGIN * decisions["purchase_probability"] * decisions["expected_order_value"]
    np.testing.assert_allclose(decisions["expected_profit"], product, rtol=1e-5)


def test_a_personalised_policy_would_choose_the_most_profitable_message(finished):
    judged = finished.load("judged")
    best = judged[[f"expected_profit__{m}" for m in MESSAGES]].to_numpy().argmax(axis=1)
    policies = finished.load("policy_values").set_index("policy")
    shares = np.bincount(best, minlength=7) / len(best)
    stated = policies.loc["personalised", [f"share_{m}" for m in MESSAGES]].to_numpy(dtype=float)
    np.testing.assert_allclose(stated, shares, atol=1e-12)


def test_the_engine_on_disk_decides_as_the_run_did(finished):
    engine = finished.load("decision_engine")
    assert_frame_equal(
        engine.decide(finished.load("customers")), finished.load("decisions"), check_exact=True
    )


@pytest.mark.parametrize("model", [*(f"{m}_scores" for m in MODEL_NAMES), "fused_scores"])
def test_scores_are_probabilities_with_their_fold(finished, model):
    scores, observations = finished.load(model), finished.load("observations")
    assert scores["customer_id"].tolist() == observations["customer_id"].tolist()
    assert scores["fold"].tolist() == observations["fold"].tolist()
    values = scores[list(MESSAGES)]
    assert set(values.dtypes.astype(str)) == {"float32"}
    assert ((values > 0) & (values < 1)).all().all()


def test_only_test_rows_judge(finished):
    observations, scores = finished.load("observations"), finished.load("policy_scores")
    test = observations[observations["split"] == "test"].reset_index(drop=True)
    columns = ["customer_id", "fold", "message", "propensity", "response", "order_value"]
    assert_frame_equal(scores[columns], test[columns], check_exact=True)
    assert (scores["fold"] == -1).all()


def test_the_value_of_what_ships_can_be_recomputed_by_hand(finished):
    scores, policies = finished.load("policy_scores"), finished.load("policy_values")
    shipped = policies.set_index("policy").loc["shipped"]
    np.testing.assert_allclose(scores["profit"], MARGIN * scores["order_value"], rtol=1e-12)

    ratio = (scores["decision"] == scores["message"]) / scores["propensity"]
    terms = ratio * scores["profit"]
    assert scores["sampling_weight"].eq(1).all()
    assert shipped["ips"] == pytest.approx(terms.mean(), rel=1e-9)
    error = terms.std(ddof=1) / np.sqrt(len(terms))
    assert shipped["ips_standard_error"] == pytest.approx(error, rel=1e-3)
    assert shipped["snips"] == pytest.approx(terms.sum() / ratio.sum(), rel=1e-9)

    judged = finished.load("judged")
    predicted = judged[[f"expected_profit__{m}" for m in MESSAGES]].to_numpy(dtype=np.float64)
    code = SETTINGS.message_set().codes(scores["message"])
    chosen = SETTINGS.message_set().codes(scores["decision"])
    rows = np.arange(len(scores))
    robust = predicted[rows, chosen] + ratio * (scores["profit"] - predicted[rows, code])
    assert shipped["aipw"] == pytest.approx(robust.mean(), rel=1e-6)
    assert shipped["claimed"] == pytest.approx(predicted[rows, chosen].mean(), rel=1e-6)


def test_the_headline_is_what_the_tables_say(finished):
    headline = finished.load("headline")
    policies = finished.load("policy_values").set_index("policy")
    shipped = policies.loc["shipped"]
    assert headline["supported_profit"] == pytest.approx(shipped["aipw"], rel=1e-12)
    assert headline["claimed_profit"] == pytest.approx(shipped["claimed"], rel=1e-12)
    assert headline["judged_customers"] == len(finished.load("judged"))
    assert headline["campaign_profit"] == pytest.approx(5_000_000 * shipped["aipw"], rel=1e-9)
    gains = finished.load("policy_gains").set_index(["policy", "baseline"])
    no_email = gains.loc[("shipped", "no e-mail"), "gain"]
    assert headline["gain_over_no_email"] == pytest.approx(no_email, rel=1e-12)


def test_a_gain_is_the_difference_of_two_values_on_the_same_rows(finished):
    values = finished.load("policy_values").set_index("policy")["aipw"]
    gains = finished.load("policy_gains")
    difference = gains["policy"].map(values) - gains["baseline"].map(values)
    np.testing.assert_allclose(gains["gain"], difference, atol=1e-9)


def test_the_truth_is_known_and_set_beside_the_estimates(finished):
    truth = finished.load("truth_summary")
    assert truth["known"]
    assert truth["regret"] >= 0
    assert truth["best_possible"] >= truth["true_best_constant_value"]
    table = finished.load("truth_policies").set_index("policy")
    covered = table["truth"].between(table["lower"], table["upper"])
    assert covered.tolist() == table["covered"].tolist()


def test_each_model_was_tuned_by_its_study(finished):
    for model in MODEL_NAMES:
        study, trials = finished.load(f"{model}_study"), finished.load(f"{model}_trials")
        assert len(trials) == study["trials"] == 2
        best = trials.loc[trials["state"] == "COMPLETE", "log_loss"].min()
        assert study["log_loss"] == pytest.approx(best, rel=1e-12)


def test_fusion_weights_lie_on_the_simplex(finished):
    table = finished.load("fusion_table")
    weights = table["weight"].dropna()
    assert len(weights) == len(MODEL_NAMES)
    chosen = table.loc[table["chosen"], "candidate"].item()
    if chosen != "stacking":
        assert weights.between(0, 1).all()
        assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("factor", [1.8, 0.5])
def test_scores_that_do_not_fit_the_outcomes_stop_the_run(finished, factor):
    observations, scores = finished.load("observations"), finished.load("fused_scores")
    check_calibration(observations, scores, SETTINGS, FusionSettings())
    wrong = scores.assign(**{m: (scores[m] * factor).clip(upper=0.999) for m in MESSAGES})
    with pytest.raises(CalibrationError, match="expected"):
        check_calibration(observations, wrong, SETTINGS, FusionSettings())


def test_scores_whose_fold_cannot_be_traced_are_refused(finished):
    from pentathlon.errors import EvaluationError
    from pentathlon.pipelines.fusion.nodes import fuse

    observations = finished.load("observations")
    tables = [finished.load(f"{model}_scores") for model in MODEL_NAMES]
    shifted = tables[0]["fold"].where(tables[0]["fold"] < 0, (tables[0]["fold"] + 1) % 3)
    tables[0] = tables[0].assign(fold=shifted.astype(tables[0]["fold"].dtype))
    with pytest.raises(EvaluationError, match="fold"):
        fuse(observations, SETTINGS, FusionSettings(), *tables)


def test_nothing_disappears_between_the_raw_file_and_the_observations(finished):
    raw = finished.load("simulated_customers")
    quality = finished.load("data_quality")
    assert quality["rows_read"] == len(raw) == 12_000
    assert quality["rows_kept"] + quality["rows_rejected"] == len(raw)
    assert len(finished.load("rejected_rows")) == quality["rows_rejected"]
    assert isinstance(finished.load("rejected_rows"), pd.DataFrame)
