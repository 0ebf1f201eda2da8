"""The report's tables, every number formatted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pentathlon.reporting import labels
from pentathlon.reporting.formats import (
    ABSENT,
    Money,
    about,
    is_number,
    number,
    number_interval,
    p_value,
    percent,
)
from pentathlon.reporting.labels import Record, records
from pentathlon.reporting.results import Results

BARE = Money("")

METRICS = {
    "roc_auc": "AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "f1": "F1",
}


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes
    ----------
    caption : str
    header : sequence of str
    rows : list of sequence of str
    text_columns : int
        Leading columns of text; the others hold numbers, aligned right.
    marked : list of int
        Rows to stress.
    """

    caption: str
    header: Sequence[str]
    rows: list[list[str]]
    text_columns: int = 1
    marked: list[int] = field(default_factory=list)


def kept_and_rejected(quality: Record) -> Table:
    """Rows read, kept, rejected by reason, and repaired."""
    read = max(int(quality["rows_read"]), 1)
    rows = [
        ["Read", number(quality["rows_read"]), ""],
        ["Kept", number(quality["rows_kept"]), percent(quality["rows_kept"] / read)],
        ["Rejected", number(quality["rows_rejected"]), percent(quality["rows_rejected"] / read)],
    ]
    for reason, count in quality["rejected_by_reason"].items():
        rows.append([f"rejected: {reason}", number(count), percent(count / read)])
    for repair, count in quality["repairs"].items():
        rows.append([f"repaired: {repair}", number(count), percent(count / read)])
    return Table("Rows of the file", ["", "Rows", "Share"], rows)


def groups(caption: str, what: str, by_name: Mapping[str, Record], results: Results) -> Table:
    """Observations, responses and order values by message or by split."""
    rows = [
        [
            name,
            number(group["observations"]),
            number(group["responses"]),
            percent(group["response_rate"], 2),
            BARE.each(group["mean_order_value"]) if group["responses"] else ABSENT,
        ]
        for name, group in by_name.items()
    ]
    currency = results.settings.campaign.currency
    header = [what, "Observations", "Responses", "Rate", f"Mean order, {currency}"]
    return Table(caption, header, rows)


def balance(quality: Record) -> Table:
    """Whether the messages look randomly assigned."""
    tests = quality["propensity"]["balance"]
    rows = [
        [name, number(test["chi2"], 1), number(test["df"]), p_value(test["p_value"])]
        for name, test in (
            ("Equal arm sizes", tests["arm_sizes"]),
            ("Same customers in every arm", tests["covariates"]),
        )
    ]
    return Table(
        f"Balance of the assignment ({number(tests['rows'])} rows)",
        ["Hypothesis", "Chi-square", "Degrees of freedom", "p"],
        rows,
    )


def models(results: Results) -> Table:
    """Overall metrics of every model with intervals."""
    overall = results.model_metrics[results.model_metrics["message"] == "all"]
    present = [m for m in METRICS if m in set(overall["metric"])]
    names = list(dict.fromkeys(str(name) for name in overall["model"]))
    names.sort(key=lambda name: name != labels.FUSION)
    rows = []
    for name in names:
        mine = records(overall[overall["model"] == name], "metric")
        row = [labels.model(name)]
        for metric in present:
            m = mine.get(metric)
            if m is None:
                row.append(ABSENT)
                continue
            digits = 4 if metric in {"log_loss", "brier"} else 3
            row.append(
                f"{number(m['value'], digits)} ({number_interval(m['lower'], m['upper'], digits)})"
            )
        rows.append(row)
    return Table(
        f"Models on the judged customers, with {results.confidence} intervals",
        ["Model", *(METRICS[m] for m in present)],
        rows,
        marked=[0],
    )


def tuned(results: Results) -> Table:
    """What tuning settled on."""
    rows = []
    for name, study in results.studies.items():
        trials = results.trials.get(name, pd.DataFrame({"state": []}))
        done = int((trials["state"] == "COMPLETE").sum())
        values = ", ".join(f"{labels.plain(k)} {_value(v)}" for k, v in study["parameters"].items())
        rows.append(
            [
                labels.model(name),
                values,
                f"{number(done)} of {number(len(trials))}",
                number(study["log_loss"], 5),
            ]
        )
    return Table(
        "Tuned models; log losses are not comparable between models, whose folds differ",
        ["Model", "Hyper-parameters", "Finished trials", "Log loss"],
        rows,
        text_columns=2,
    )


def calibration(results: Results) -> Table:
    """Expected and observed responses of the judged rows overall and by message."""
    table = results.calibration[results.calibration["group"].isin(["all", "message"])]
    rows = [
        [
            "All" if row["group"] == "all" else labels.message(str(row["message"])),
            number(row["rows"]),
            number(row["expected"], 1),
            number(row["observed"], 0),
            number_interval(row["lower"], row["upper"], 1),
            number(row["ratio"], 2),
            "inside" if row["agrees"] else "outside",
        ]
        for row in table.to_dict("records")
    ]
    header = ["Message", "Rows", "Expected", "Observed", "Interval", "Ratio", "Expected lies"]
    return Table(
        f"Expected and observed responses, {results.confidence} Poisson intervals",
        header,
        rows,
        marked=[0],
    )


def fusion(results: Results) -> Table:
    """Candidates of the fusion by log loss."""
    rows, marked = [], []
    for i, row in enumerate(results.fusion_table.to_dict("records")):
        if row["chosen"]:
            marked.append(i)
        rows.append(
            [
                labels.candidate(str(row["candidate"])),
                str(row["kind"]) + (" (used)" if row["chosen"] else ""),
                number(row["log_loss"], 5),
                number(row["worse_by"], 5),
                number(row["worse_by_standard_error"], 5),
                number(row["brier"], 5),
                number(row["weight"], 3),
            ]
        )
    header = ["Candidate", "Kind", "Log loss", "Worse by", "Standard error", "Brier", "Weight"]
    caption = "Candidates on training rows, cross-fitted"
    return Table(caption, header, rows, text_columns=2, marked=marked)


def order_values(results: Results) -> Table:
    """Effect of each message on the order value."""
    rows = [
        [
            labels.message(str(row["message"])),
            number(row["orders"]),
            number(row["raw_multiplier"], 3),
            number(row["log_standard_error"], 3),
            number(row["shrunk_multiplier"], 3),
        ]
        for row in results.order_value_multipliers.to_dict("records")
    ]
    return Table(
        "Multipliers of the order value on training orders",
        ["Message", "Orders", "Raw", "Standard error (log)", "Shrunk"],
        rows,
    )


def policies(results: Results) -> Table:
    """Every policy: claimed, supported, inflation, and what the value rests on."""
    table = labels.distinct_policies(results.policy_values, results.ships)
    rows, marked = [], []
    for i, row in enumerate(table.sort_values("aipw", ascending=False).to_dict("records")):
        if row["policy"] == labels.SHIPPED:
            marked.append(i)
        inflation = row["inflation_percent"]
        rows.append(
            [
                row["label"],
                BARE.each(row["aipw"]),
                BARE.each_interval(row["aipw_lower"], row["aipw_upper"]),
                BARE.each(row["claimed"]),
                percent(inflation / 100, signed=True) if is_number(inflation) else ABSENT,
                BARE.each(row["snips"]),
                BARE.each(row["ips"]),
                BARE.each(row["capped"]),
                percent(row["top_10_orders_share"]),
                number(row["effective_sample_size"]),
            ]
        )
    header = [
        "Policy",
        "Supported (AIPW)",
        "Interval",
        "Claimed",
        "Inflation",
        "SNIPS",
        "IPS",
        "Orders capped",
        "Ten largest orders",
        "Effective customers",
    ]
    currency = results.settings.campaign.currency
    caption = f"Profit a customer in {currency}, {results.confidence} intervals"
    return Table(caption, header, rows, marked=marked)


def gains(results: Results, policy: str, name: str) -> Table:
    """Paired gains of one policy over every other."""
    mine = results.policy_gains[results.policy_gains["policy"] == policy]
    mine = mine[(mine["gain"] != 0) | (mine["standard_error"] != 0)]
    rows, marked = [], []
    for i, row in enumerate(mine.to_dict("records")):
        if row["is_best_constant"]:
            marked.append(i)
        share = row["gain_percent"]
        totals = row["campaign_gain"], row["campaign_lower"], row["campaign_upper"]
        rows.append(
            [
                f"over {labels.policy(str(row['baseline']))}",
                BARE.each(row["gain"], signed=True),
                BARE.each_interval(row["lower"], row["upper"], signed=True),
                percent(share / 100, signed=True) if is_number(share) else ABSENT,
                BARE.total(*totals, signed=True),
                BARE.total_interval(*totals, signed=True),
                about(row["emails_to_settle"]),
            ]
        )
    header = ["Gain", "A customer", "Interval", "Per cent", "Campaign", "Interval", "E-mails"]
    currency = results.settings.campaign.currency
    caption = (
        f"{name}: paired gains in {currency}, and the e-mails that would settle a positive one"
    )
    return Table(caption, header, rows, marked=marked)


def shares(results: Results) -> Table:
    """Share of customers per message under policies that mix messages."""
    table = labels.distinct_policies(results.policy_values, results.ships)
    table = table[~table["kind"].isin(["constant", "no e-mail"])]
    messages = labels.share_columns(results.policy_values)
    rows = [
        [str(row["label"]), *(percent(row[f"share_{m}"]) for m in messages)]
        for row in table.to_dict("records")
    ]
    return Table(
        "Share of judged customers per message",
        ["Policy", *(labels.message(m) for m in messages)],
        rows,
    )


def curse(results: Results) -> Table:
    """Claimed, supported and true profit, the biggest promise first."""
    known = bool(results.truth_summary.get("known"))
    table = labels.distinct_policies(results.policy_values, results.ships)
    true = records(results.truth_policies, "policy") if known else {}
    rows, marked = [], []
    for i, row in enumerate(table.sort_values("claimed", ascending=False).to_dict("records")):
        if row["policy"] == labels.SHIPPED:
            marked.append(i)
        line = [
            str(row["label"]),
            BARE.each(row["claimed"]),
            BARE.each(row["aipw"]),
            BARE.each_interval(row["aipw_lower"], row["aipw_upper"]),
        ]
        if known:
            truth = true[str(row["policy"])]
            line += [BARE.each(truth["truth"]), "yes" if truth["covered"] else "no"]
        rows.append(line)
    header = ["Policy", "Claimed", "Supported", "Interval"]
    if known:
        header += ["Truth", "Interval holds it"]
    currency = results.settings.campaign.currency
    caption = f"Profit a customer in {currency} by size of the claim"
    return Table(caption, header, rows, marked=marked)


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
