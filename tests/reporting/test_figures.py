import pandas as pd
import pytest

from pentathlon.models.registry import MODEL_NAMES
from pentathlon.reporting import figures_fitting, figures_models, figures_policies, theme


@pytest.fixture
def data(small_run):
    return small_run.datasets()


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def test_profit_shows_claims_gaps_and_roles(data):
    figure = figures_policies.policy_profit(data["policy_values"], "send run", "EUR")
    by_name = traces(figure)
    shipped = by_name["What ships"]
    assert list(shipped.y) == ["Ships: run"]
    assert list(shipped.x) == pytest.approx([0.6])
    assert list(shipped.error_x.array) == pytest.approx([0.2])
    assert list(shipped.error_x.arrayminus) == pytest.approx([0.2])
    assert shipped.marker.color == theme.SHIPS
    claims = dict(
        zip(by_name["Claimed by the models"].y, by_name["Claimed by the models"].x, strict=True)
    )
    assert claims["Ships: run"] == pytest.approx(0.7)
    assert list(by_name["Gap"].x[:3]) == [pytest.approx(0.6), pytest.approx(0.5), None]
    # The constant that ships is one row, not two, and rows ascend by supported profit.
    order = list(figure.layout.yaxis.categoryarray)
    assert "All: run" not in order
    assert order[0] == "No e-mail"
    assert order[-1] == "Personalised"


def test_what_ships_keeps_its_own_row_where_refits_chose_otherwise(data):
    values = data["policy_values"]
    values.loc[values["policy"] == "shipped", "aipw"] = 0.61
    figure = figures_policies.policy_profit(values, "send run", "EUR")
    assert {"What ships", "All: run"} <= set(figure.layout.yaxis.categoryarray)


def test_gains_are_sorted_into_verdicts(small_run):
    gains = {"random": (0.5, 0.2), "no e-mail": (-0.5, 0.2), "send swim": (0.1, 0.2)}
    table = small_run.datasets(gains=gains)["policy_gains"]
    figure = figures_policies.policy_gains(table, "send run", "EUR", 1_000_000)
    by_name = traces(figure)
    assert list(by_name["Better beyond chance"].y) == ["over random"]
    assert list(by_name["Better beyond chance"].x) == pytest.approx([500_000])
    assert list(by_name["Better beyond chance"].error_x.array) == pytest.approx([200_000])
    assert list(by_name["Worse beyond chance"].y) == ["over no e-mail"]
    assert "over All: swim" in by_name["Not distinguishable"].y
    assert not any("over All: run" in (t.y or ()) for t in figure.data)  # itself
    assert "1,000,000" in figure.layout.xaxis.title.text


def test_gains_over_nothing_but_itself_say_so(data):
    table = data["policy_gains"].assign(gain=0.0, standard_error=0.0)
    figure = figures_policies.policy_gains(table, "send run", "EUR", 10)
    assert not figure.data
    assert "equals" in figure.layout.annotations[0].text


def test_shares_are_one_trace_per_message(data):
    figure = figures_policies.message_shares(data["policy_values"], "send run")
    by_name = traces(figure)
    assert list(by_name) == ["no e-mail", "run", "swim"]
    run = dict(zip(by_name["run"].y, by_name["run"].x, strict=True))
    assert run["Ships: run"] == 1.0
    assert run["Random"] == pytest.approx(1 / 3)
    assert "All: swim" not in run
    assert figure.layout.barmode == "stack"


def test_estimators_stand_side_by_side(data):
    figure = figures_policies.estimators(data["policy_values"], "send run", "send run", "EUR")
    by_name = traces(figure)
    assert list(by_name) == ["AIPW", "SNIPS", "IPS"]
    assert [len(t.x) for t in figure.data] == [5, 5, 5]
    at = list(figure.layout.yaxis.ticktext).index("Random")
    assert by_name["IPS"].x[at] - by_name["AIPW"].x[at] == pytest.approx(0.01)
    assert by_name["IPS"].y[at] < at < by_name["AIPW"].y[at]


def test_truth_beside_claim_and_support(data):
    figure = figures_policies.truth(
        data["truth_policies"], data["policy_values"], "send run", "EUR"
    )
    by_name = traces(figure)
    at = list(by_name["Truth"].y).index("Ships: run")
    values = [by_name[name].x[at] for name in ("Supported", "Claimed", "Truth")]
    assert values == pytest.approx([0.6, 0.7, 0.55])


def test_an_unknown_truth_is_said(small_run):
    data = small_run.datasets(truth=False)
    figure = figures_policies.truth(data["truth_policies"], data["policy_values"], "x", "EUR")
    assert not figure.data
    assert figure.layout.annotations[0].text == "The truth is known only in a simulation."


def test_metrics_have_two_panels_with_intervals(data):
    figure = figures_models.model_metrics(data["model_metrics"])
    auc = [t for t in figure.data if t.xaxis == "x"]
    assert [t.name for t in auc] == ["Logit", "Forest", "XGBoost", "Network", "Fusion"]
    assert auc[-1].x[0] == pytest.approx(0.84)
    assert auc[-1].error_x.array[0] == pytest.approx(0.03)
    assert auc[-1].error_x.arrayminus[0] == pytest.approx(0.02)
    assert len([t for t in figure.data if t.xaxis == "x2"]) == 5


def test_gains_curves_start_at_nothing(data):
    by_name = traces(figures_models.cumulative_gains(data["model_gains"]))
    assert list(by_name["Fusion"].x) == [0.0, 0.5, 1.0]
    assert list(by_name["Fusion"].y) == [0.0, 0.8, 1.0]
    assert list(by_name["By chance"].y) == [0, 1]


def test_only_the_fusion_lift_has_an_interval(data):
    by_name = traces(figures_models.lift(data["model_gains"]))
    assert list(by_name["Fusion"].y) == [1.0, 0.0]
    assert list(by_name["Fusion"].error_y.array) == pytest.approx([0.2, 0.2])
    assert by_name["Logit"].error_y.array is None


def test_importance_is_grouped_by_feature(data):
    tables = {model: data[f"{model}_importance"] for model in MODEL_NAMES}
    tables["xgboost"] = pd.DataFrame(
        {"feature": ["freq_run"], "log_loss_increase": [0.5], "spread": 0.0}
    )
    figure = figures_models.importance(tables)
    assert [t.name for t in figure.data] == ["Logit", "Forest", "XGBoost", "Network"]
    assert list(figure.layout.yaxis.categoryarray) == ["age", "income", "freq run"]
    assert list(traces(figure)["Logit"].x[:2]) == pytest.approx([-0.001, 0.02])


def test_effects_put_levels_in_order_and_shorten_labels(data):
    figure = figures_models.feature_effects(data["feature_effects"])
    age = figure.data[1]
    assert list(age.text) == ["&lt; 30", "30 to 44", "&gt;= 60"]
    assert list(age.x) == [0, 1, 2]
    assert list(age.error_y.array) == pytest.approx([0.02] * 3)
    assert list(figure.layout.xaxis.ticktext) == ["&lt; 30", "30–44", "&gt;= 60"]
    assert list(figure.layout.xaxis2.ticktext) == ["0–25k", "40k"]
    assert list(figure.data[2].y) == [0.03, 0.03]


def test_calibration_shows_rates_and_ratios(data):
    by_name = traces(figures_fitting.calibration(data["calibration"]))
    assert list(by_name["Expected"].y) == pytest.approx([0.1, 0.1])
    assert list(by_name["Observed, with interval"].error_y.arrayminus) == pytest.approx([0.03] * 2)
    ratio = by_name["Ratio per message"]
    assert list(ratio.y) == ["swim", "run", "no e-mail"]
    assert list(ratio.x) == pytest.approx([1.2] * 3)
    assert list(ratio.error_x.array) == pytest.approx([0.1] * 3)


def test_fusion_shows_weights_and_distance(data):
    by_name = traces(figures_fitting.fusion(data["fusion_table"]))
    assert list(by_name["Weight"].x) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert list(by_name["Used"].y) == ["Stacking"]
    other = by_name["Not used (± 2 standard errors)"]
    assert list(other.error_x.array) == pytest.approx([0.0004] * 4)


def test_tuning_shows_the_best_so_far_without_pruned_trials(data):
    figure = figures_fitting.tuning({"xgboost": data["xgboost_trials"]})
    points, best = figure.data
    assert list(points.x) == [1, 2, 4]
    assert list(best.y) == pytest.approx([0.09, 0.08, 0.08])
    assert "0.0800" in figure.layout.meta["alt"]


def test_order_values_raw_and_shrunk(data):
    figure = figures_fitting.order_values(data["order_value_multipliers"], 0.95)
    raw, shrunk = figure.data
    assert list(shrunk.x) == pytest.approx([1.05] * 3)
    assert raw.error_x.array[0] == pytest.approx(1.2 * (2.718281828**0.1959964 - 1), rel=1e-5)
    assert raw.error_x.array[2] == 0.0  # no standard error, no interval


def test_figures_fit_their_place_and_describe_themselves(data):
    figure = figures_policies.policy_profit(data["policy_values"], "send run", "EUR")
    layout = figure.layout
    assert layout.width is None
    assert layout.autosize
    assert layout.legend.orientation == "h"
    assert layout.legend.yref == "container"
    assert "Highest supported: Personalised" in layout.meta["alt"]


def test_names_are_text_not_markup(small_run):
    data = small_run.datasets(first="<b>x</b>", best="<b>x</b>", ships="send <b>x</b>")
    figure = figures_policies.message_shares(data["policy_values"], "send <b>x</b>")
    assert figure.data[1].name == "&lt;b&gt;x&lt;/b&gt;"


def title(figure):
    return figure.layout.title.text


def test_titles_say_what_the_policies_data_says(data, small_run):
    values = data["policy_values"]
    profit = figures_policies.policy_profit(values, "send run", "EUR")
    assert title(profit) == "Ships: run, 0.600 EUR a customer supported, 0.700 claimed"
    estimators = figures_policies.estimators(values, "send run", "send run", "EUR")
    assert title(estimators) == "Ships: run, 0.600 to 0.620 EUR by three estimators"
    shares = figures_policies.message_shares(values, "send run")
    assert title(shares) == "Who gets what: 100.0\xa0% get run"
    gains = {"random": (0.5, 0.2), "no e-mail": (-0.5, 0.2), "send swim": (0.1, 0.2)}
    table = small_run.datasets(gains=gains)["policy_gains"]
    n = len(table[(table["policy"] == "shipped") & (table["standard_error"] > 0)])
    over = figures_policies.policy_gains(table, "send run", "EUR", 10)
    assert title(over) == (
        f"What ships gains beyond chance over 1 of {n} alternatives, and loses to 1"
    )
    policies = data["truth_policies"]
    missed = policies["policy"].isin(["random", "no e-mail"])
    policies.loc[missed, "covered"] = False
    distinct = len(policies) - 1  # what ships is one of the constants
    true = figures_policies.truth(policies, values, "send run", "EUR")
    assert title(true) == f"The interval of {distinct - 2} of {distinct} policies holds the truth"


def test_titles_say_what_the_models_data_says(data):
    calibration = data["calibration"]
    of_message = calibration.index[calibration["group"] == "message"]
    calibration.loc[of_message[0], "agrees"] = False
    n = len(of_message)
    assert title(figures_fitting.calibration(calibration)) == (
        f"{n - 1} of {n} messages respond as expected"
    )
    assert (
        title(figures_fitting.fusion(data["fusion_table"])) == "Used: Stacking; Logit weighs most"
    )
    metrics = data["model_metrics"]
    forest = (metrics["model"] == "random_forest") & (metrics["metric"] == "roc_auc")
    metrics.loc[forest, "value"] = 0.912
    assert title(figures_models.model_metrics(metrics)) == "Forest ranks buyers best: AUC 0.912"
    gains = data["model_gains"]
    first = (gains["model"] == "fusion") & (gains["bin"] == gains["bin"].min())
    gains.loc[first, ["depth", "gains", "lift"]] = 0.1, 0.43, 4.3
    assert title(figures_models.cumulative_gains(gains)) == (
        "The likeliest 10% of customers are 43% of the buyers"
    )
    assert title(figures_models.lift(gains)) == (
        "The likeliest 10% buy 4.3 times as often as the average"
    )
    multipliers = data["order_value_multipliers"].assign(shrunk_multiplier=1.0)
    multipliers.loc[multipliers.index[0], "shrunk_multiplier"] = 1.25
    assert title(figures_fitting.order_values(multipliers, 0.95)).startswith(
        "Messages move order values by 25.0% at most"
    )
    by_model = {name: data[f"{name}_trials"] for name in MODEL_NAMES}
    lowest = by_model["xgboost"].index[0]
    by_model["xgboost"].loc[lowest, ["state", "log_loss"]] = "COMPLETE", 0.0123
    assert title(figures_fitting.tuning(by_model)) == "XGBoost reaches the lowest log loss, 0.0123"
    effects = data["feature_effects"].assign(predicted=0.1)
    last = effects.index[-1]
    effects.loc[last, "predicted"] = 0.4
    name = str(effects.loc[last, "feature"])
    assert title(figures_models.feature_effects(effects)) == (
        f"Purchase probability varies most with {name}"
    )


def test_levels_without_numbers_stay_in_their_order_and_long_ones_are_cut(data):
    levels = ["north by north-west", "south", "east", "west", "centre"]
    effects = pd.DataFrame(
        {
            "feature": "region",
            "position": range(5),
            "level": levels,
            "observed": 0.1,
            "lower": 0.05,
            "upper": 0.2,
            "predicted": [0.1, 0.2, 0.1, 0.1, 0.1],
        }
    )
    figure = figures_models.feature_effects(effects)
    assert list(traces(figure)["Predicted"].text) == levels
    assert list(figure.layout.xaxis.ticktext) == ["north by …", "east", "centre"]


def test_a_model_without_a_finished_trial_has_an_empty_panel(data):
    by_model = {name: data[f"{name}_trials"].assign(state="FAIL") for name in MODEL_NAMES}
    assert title(figures_fitting.tuning(by_model)) == "No trial has finished"
