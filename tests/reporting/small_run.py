"""A run small enough to check by hand: two e-mails, four models, numbers chosen, not computed."""

import numpy as np
import pandas as pd

from pentathlon.contract import Message, MessageSet
from pentathlon.decision.decisions import limits_table
from pentathlon.decision.settings import DecisionSettings
from pentathlon.judgement import CampaignSettings, EvaluationSettings
from pentathlon.judgement.overlap import COLUMNS
from pentathlon.models.registry import MODEL_NAMES
from pentathlon.models.settings import RandomnessSettings
from pentathlon.reporting.results import Results, Settings, constant_name

NO_INTERVAL = float("nan")
RULE_COLUMNS = ["rule", "customers", "messages_removed", "first_choices_lost", "worth_lost"]


def messages(control=True, first="run", cost=0.0):
    mailed = {
        name: Message(department=name, margin=0.4, send_cost=cost) for name in (first, "swim")
    }
    return {**({"control": Message(margin=0.4)} if control else {}), **mailed}


def policy_values(names, ships):
    """Supported 0.50, 0.60, ... in order, claims 0.1 above, half widths 0.2."""
    kinds = {"personalised": "personalised", "random": "status quo"}
    kinds["two_departments"] = "case's draft"
    constants = [constant_name(m) for m in names]
    policies = [*constants, "random", "two_departments", *MODEL_NAMES, "personalised"]
    rows = []
    for i, policy in enumerate(policies):
        kind = "constant" if policy.startswith("send ") else kinds.get(policy, "single model")
        kind = "no e-mail" if policy == "no e-mail" else kind
        value = 0.5 + 0.1 * i
        row = {"policy": policy, "kind": kind, "claimed": value + 0.1, "aipw": value}
        for shift, estimator in ((0.0, "aipw"), (0.01, "ips"), (0.02, "snips")):
            row |= {
                estimator: value + shift,
                f"{estimator}_standard_error": 0.1,
                f"{estimator}_lower": value + shift - 0.2,
                f"{estimator}_upper": value + shift + 0.2,
            }
        row |= {
            "effective_sample_size": 800.0,
            "inflation": 0.1,
            "inflation_standard_error": 0.05,
            "inflation_percent": 10 / value,
            "capped": value - 0.05,
            "capped_standard_error": 0.1,
            "top_10_orders_share": 0.4,
        }
        share = [1 / len(names)] * len(names)
        if policy in constants:
            share = [float(constants.index(policy) == k) for k in range(len(names))]
        row |= {f"share_{m}": s for m, s in zip(names, share, strict=True)}
        rows.append(row)
    table = pd.DataFrame(rows)
    shipped = table[table["policy"] == ships].assign(policy="shipped", kind="shipped")
    return pd.concat([shipped, table], ignore_index=True)


def policy_gains(values, ships, best, customers, gains):
    """Gains of 0.1 with half width 0.2 unless ``gains`` says (gain, half width)."""
    rows = []
    for policy in ("shipped", "personalised"):
        for baseline in values["policy"]:
            if baseline == policy:
                continue
            same = policy == "shipped" and baseline == ships
            gain, half = gains.get(baseline, (0.0, 0.0) if same else (0.1, 0.2))
            rows.append(
                {
                    "policy": policy,
                    "baseline": baseline,
                    "is_best_constant": baseline == best,
                    "gain": gain,
                    "standard_error": half / 2,
                    "lower": gain - half,
                    "upper": gain + half,
                    "p_value": 0.01,
                    "adjusted_p_value": 0.04 if gain > 0.15 else 0.3,
                    "gain_percent": 100 * gain / 0.5,
                    "percent_lower": 0.0,
                    "percent_upper": 0.0,
                    "campaign_gain": gain * customers,
                    "campaign_lower": (gain - half) * customers,
                    "campaign_upper": (gain + half) * customers,
                    "emails_to_settle": 12_345 if gain > 0 else None,
                }
            )
    return pd.DataFrame(rows).astype({"emails_to_settle": "Int64"})


def quality(names, rejected):
    group = {"observations": 500, "responses": 10, "response_rate": 0.02, "mean_order_value": 50.0}
    test = {"chi2": 2.5, "df": 2, "p_value": 0.29}
    return {
        "rows_read": 2000 + rejected,
        "rows_kept": 2000,
        "rows_rejected": rejected,
        "rejected_by_reason": {"income out of range": rejected} if rejected else {},
        "repairs": {"age missing": 3} if rejected else {},
        "customers": 2000,
        "columns": {},
        "unused_columns": [],
        "arms": {name: dict(group) for name in names},
        "splits": {"train": dict(group), "test": dict(group)},
        "population_rate": None,
        "natural_rate_rows": 2000,
        "propensity": {
            "source": "estimated",
            "lowest": 0.1,
            "highest": 0.5,
            "at_floor": 0,
            "balance": {"rows": 2000, "arm_sizes": test, "covariates": test},
        },
        "warnings": [],
    }


def calibration(names, observed=120.0):
    rows = [("all", "all", 0)]
    rows += [("message", name, 0) for name in names] + [("bin", "all", b) for b in (1, 2)]
    table = pd.DataFrame(rows, columns=["group", "message", "bin"])
    table = table.assign(rows=1000, expected=100.0, observed=observed, lower=90.0, upper=130.0)
    return table.assign(ratio=table["observed"] / table["expected"], agrees=True)


def metrics():
    rows = [
        {"model": model, "message": "all", "metric": metric, "value": value + 0.01 * i}
        for i, model in enumerate([*MODEL_NAMES, "fusion"])
        for metric, value in (("roc_auc", 0.8), ("log_loss", 0.09))
    ]
    table = pd.DataFrame(rows)
    return table.assign(lower=table["value"] - 0.02, upper=table["value"] + 0.03)


def model_gains():
    rows = [
        {"model": model, "bin": b, "depth": b / 2, "gains": (0.8, 1.0)[b - 1], "lift": 2.0 - b}
        for model in (*MODEL_NAMES, "fusion")
        for b in (1, 2)
    ]
    table = pd.DataFrame(rows)
    return table.assign(lift_lower=table["lift"] - 0.1, lift_upper=table["lift"] + 0.2)


def effects():
    levels = [("age", ["30 to 44", "< 30", ">= 60"]), ("income", ["0 to 25,000", "40,000"])]
    rows = [
        {"feature": feature, "position": i, "level": level, "observed": 0.02, "predicted": 0.03}
        for feature, names in levels
        for i, level in enumerate(names)
    ]
    return pd.DataFrame(rows).assign(rows=100, lower=0.01, upper=0.04)


def trials():
    return pd.DataFrame(
        {
            "number": [0, 1, 2, 3],
            "state": ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"],
            "log_loss": [0.09, 0.08, np.nan, 0.085],
        }
    )


def fusion_table():
    rows = [("stacking", "fusion", 0.081, 0.0, 0.0, True, np.nan)]
    rows += [
        (model, "single model", 0.082, 0.001, 0.0002, False, weight)
        for model, weight in zip(MODEL_NAMES, (0.4, 0.3, 0.2, 0.1), strict=True)
    ]
    columns = ["candidate", "kind", "log_loss", "worse_by", "worse_by_standard_error", "chosen"]
    return pd.DataFrame(rows, columns=[*columns, "weight"]).assign(brier=0.02)


def datasets(
    ships="send run",
    best="run",
    control=True,
    first="run",
    truth=True,
    rejected=0,
    alarms=(),
    gains=None,
    gate=None,
    headline=None,
    customers=1_000_000,
):
    """Every dataset that the pipeline reads, by name."""
    names = tuple(messages(control, first))
    values = policy_values(names, ships)
    shipped = values.iloc[0]
    choice = {
        "policy": ships,
        "best_constant": best,
        "personalised_ships": ships == "personalised",
        "gain": -0.1,
        "gain_standard_error": 0.05,
        "gain_lower_bound": -0.164,
        "confidence": 0.9,
        "gain_by_outcomes": -0.15,
        "gain_by_outcomes_standard_error": 0.2,
        "estimator": "smoothed",
        "emails_to_settle": None,
        "reason": "The gate's own words.",
        "shrinkage": {
            "slopes": {"any_email": 0.0, "gains": 1.2, "losses": 0.4},
            "raw_slope": 0.6,
            "standard_error": 0.2,
        },
        "leads": [1.0, 0.934, 1.087],
    } | (gate or {})
    head = {
        "judged_customers": 1000,
        "confidence": 0.95,
        "supported_profit": shipped["aipw"],
        "supported_profit_lower": shipped["aipw_lower"],
        "supported_profit_upper": shipped["aipw_upper"],
        "claimed_profit": shipped["claimed"],
        "inflation_percent": shipped["inflation_percent"],
        "smoothing_bias_p_value": 0.4,
        "campaign_customers": customers,
        "campaign_profit": shipped["aipw"] * customers,
    } | (headline or {})
    true = values[["policy", "aipw", "aipw_lower", "aipw_upper"]].set_axis(
        ["policy", "supported", "lower", "upper"], axis=1
    )
    true = true.assign(truth=true["supported"] - 0.05, covered=True, true_gain_percent=1.0)
    summary = {
        "known": True,
        "true_value": 0.55,
        "true_best_constant": names[-1],
        "true_gain": 0.02,
        "captured_share": 0.25,
        "value_covered": True,
    }
    questions = pd.DataFrame(
        {
            "number": [1, 2],
            "question": ["What does a customer earn?", "Which message is likeliest?"],
            "claimed": [f"{first}: 0.7; swim: 0.8", "swim"],
            "supported": ["0.6 (-0.1 to 0.9)", ""],
        }
    )
    found = {
        "data_quality": quality(names, rejected),
        "policy_choice": choice,
        "policy_summary": {"headline": head, "alarms": list(alarms)},
        "headline": {"ships": ships, "best_constant": best, **head},
        "truth_summary": summary if truth else {"known": False},
        "order_value_choice": {"candidate": "gamma", "parameters": {"alpha": 0.1}, "deviance": 0.6},
        "policy_values": values,
        "policy_gains": policy_gains(values, ships, constant_name(best), customers, gains or {}),
        "case_questions": questions,
        "truth_policies": true if truth else true.iloc[:0],
        "model_metrics": metrics(),
        "model_gains": model_gains(),
        "calibration": calibration(names),
        "feature_effects": effects(),
        "fusion_table": fusion_table(),
        "fusion_calibration": calibration(names).assign(split="train"),
        "order_value_multipliers": pd.DataFrame(
            {
                "message": names,
                "orders": 20,
                "raw_multiplier": 1.2,
                "shrunk_multiplier": 1.05,
                "log_standard_error": [0.1] * (len(names) - 1) + [np.nan],
            }
        ),
        "order_value_trials": pd.DataFrame({"candidate": ["gamma", "gamma", "xgboost"]}),
        "decisions": pd.DataFrame({"message": [first] * 3 + ["swim"]}),
        "rule_effects": pd.DataFrame(columns=RULE_COLUMNS),
        "limit_outcomes": limits_table(()),
        "overlap": overlap(),
        "overlap_summary": {
            "unreached_share": 0.0,
            "max_unreached_share": 0.05,
            "refused": False,
        },
        "learning_plan": learning_plan(),
        "learning_plan_summary": learning_plan_summary(),
    }
    for model in MODEL_NAMES:
        found[f"{model}_study"] = {"model": model, "parameters": {"depth": 3}, "log_loss": 0.08}
        found[f"{model}_trials"] = trials()
        found[f"{model}_feature_selection"] = selection()
        found[f"{model}_importance"] = pd.DataFrame(
            {"feature": ["income", "age"], "log_loss_increase": [0.02, -0.001], "spread": 0.0}
        )
    return found


def selection(method="none", dropped=()):
    """Two features in a selection for all training rows and, where there is one, for two folds."""
    rows = [
        {
            "method": method,
            "without_fold": fold,
            "feature": feature,
            "importance": np.nan if method == "none" else 0.0015,
            "standard_error": np.nan if method in ("none", "l1_path") else 0.0004,
            "kept": feature not in dropped or fold == 1,
            "step": 0,
            "reason": "not beyond 1 standard error" if feature in dropped else "beyond it",
        }
        for fold in ((-1,) if method == "none" else (-1, 0, 1))
        for feature in ("income", "freq_run")
    ]
    return pd.DataFrame(rows)


def overlap(unreached=()):
    rows = [["run", "", 60, 20, 0.98, -0.1, 20.0, 0.05, 0.33, 0.1, 0.02, False], *unreached]
    return pd.DataFrame(rows, columns=COLUMNS)


def learning_plan():
    rows = [
        ["exploration", 0.01, 0.04, 8.0, 10_000, 900.0, 100.0],
        ["holdout", 0.1, 0.02, 4.0, 100_000, -50.0, 200.0],
    ]
    columns = ["question", "share", "detectable_gain", "detectable_percent", "customers", "cost"]
    return pd.DataFrame(rows, columns=[*columns, "cost_standard_error"])


def learning_plan_summary():
    exploration = {"share": 0.025, "cost": 2_250.0, "cost_standard_error": 250.0}
    holdout = {"share": None, "cost": None, "cost_standard_error": None}
    return {
        "gain_percent": 5.0,
        "gain": 0.03,
        "confidence": 0.95,
        "power": 0.8,
        "customers": 1_000_000,
        "questions": {
            "exploration": exploration | {"campaigns": 1, "most_share": 0.2},
            "holdout": holdout | {"campaigns": 3, "most_share": 0.2},
        },
    }


def results(
    scheme="test",
    currency="EUR",
    cost=0.0,
    customers=1_000_000,
    decided=None,
    changes=(),
    decision=None,
    **options,
):
    """A run's results."""
    found = datasets(customers=customers, **options)
    found |= dict(changes)
    studies = {m: found.pop(f"{m}_study") for m in MODEL_NAMES}
    histories = {m: found.pop(f"{m}_trials") for m in MODEL_NAMES}
    selections = {m: found.pop(f"{m}_feature_selection") for m in MODEL_NAMES}
    counts = found.pop("decisions")["message"].value_counts()
    for name in ("model_gains", "feature_effects", *(f"{m}_importance" for m in MODEL_NAMES)):
        found.pop(name)
    control, first = options.get("control", True), options.get("first", "run")
    settings = Settings(
        CampaignSettings(customers=customers, currency=currency, name="Spring"),
        EvaluationSettings(scheme=scheme),
        DecisionSettings() if decision is None else decision,
        RandomnessSettings(seed=7),
        MessageSet(messages(control, first, cost)),
    )
    return Results(
        settings=settings,
        decided=counts.to_dict() if decided is None else decided,
        studies=studies,
        trials=histories,
        selections=selections,
        **found,
    )
