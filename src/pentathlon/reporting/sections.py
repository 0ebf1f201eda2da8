"""The report below its first screen: what a data scientist needs to see."""

from __future__ import annotations

from pentathlon import __version__
from pentathlon.reporting import labels, tables
from pentathlon.reporting.caveats import caveats
from pentathlon.reporting.challengers import challengers_section
from pentathlon.reporting.formats import MINUS, is_number, listing, number, percent, plural
from pentathlon.reporting.learning import next_campaign
from pentathlon.reporting.overlap import overlap_table, unreached_sentences
from pentathlon.reporting.restrictions import restrictions
from pentathlon.reporting.results import Results, level
from pentathlon.reporting.section import Section
from pentathlon.reporting.selection import selection_section
from pentathlon.reporting.tables import Table
from pentathlon.reporting.verdict import alarm_sentence, claim_sentence, truth_sentence

ESTIMATOR_PAIRS = 3


def sections(results: Results) -> list[Section]:
    """Write the sections.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of Section
        In the order of the page.
    """
    return [
        _policies(results),
        *challengers_section(results),
        *restrictions(results),
        _winners_curse(results),
        _estimators(results),
        _data(results),
        _models(results),
        *selection_section(results),
        _calibration(results),
        _fusion(results),
        _order_values(results),
        next_campaign(results),
        Section("caveats", "Caveats", points=caveats(results)),
        _reproduce(results),
    ]


def honesty(results: Results) -> Section:
    """Claimed against supported profit, shown to everyone."""
    return Section(
        "claimed-supported",
        "Claimed and supported",
        [
            claim_sentence(results),
            *corrected_sentences(results),
            "A policy picked by its own predictions promises too much on average; only outcomes of "
            "customers who had no part in making it say what it earns. The shaded gap in the "
            "figure is the difference.",
            *honesty_sentences(results),
        ],
        figures=["policy_profit"],
    )


def corrected_sentences(results: Results) -> list[str]:
    """The claim corrected for the winner's curse, before any judged customer was looked at."""
    corrected = results.headline.get("corrected_claim")
    if not is_number(corrected):
        return []
    low = results.headline["supported_profit_lower"]
    high = results.headline["supported_profit_upper"]
    where = "inside" if low <= corrected <= high else "outside"
    return [
        f"Corrected for the winner’s curse on the customers who made the policy, the claim is "
        f"{results.money.each(corrected)} a customer, {where} the supported interval."
    ]


def honesty_sentences(results: Results) -> list[str]:
    """How much of each promised gain outcomes give; nothing where all are promised the same."""
    headline = results.headline
    slope = headline.get("honesty_slope")
    if not is_number(slope):
        return []
    low, high = headline["honesty_slope_lower"], headline["honesty_slope_upper"]
    if low > 0:
        verdict = "customers who are promised more do gain more"
        if high < 1:
            verdict += ", but less than promised"
    elif high < 0:
        verdict = "customers who are promised more gain less: do not trust the promises"
    else:
        verdict = "these customers cannot tell yet whether those who are promised more gain more"
    return [
        f"Honesty slope: for each unit that a personal message is predicted to gain over the best "
        f"single one, outcomes give {number(slope, 2)} ({number(low, 2)} to {number(high, 2)}); "
        f"{verdict}."
    ]


def _policies(results: Results) -> Section:
    extra = []
    if not results.personalised_ships or results.refitted:
        extra = [tables.gains(results, labels.PERSONALISED, "The personalised policy")]
    return Section(
        "policies",
        "Policies",
        [
            "Every gain is a paired difference on the same customers. An interval that contains "
            "zero does not tell the two policies apart."
        ],
        figures=["policy_gains", "message_shares"],
        tables=[tables.policies(results)],
        details=[
            tables.gains(results, labels.SHIPPED, "What ships"),
            *extra,
            tables.shares(results),
        ],
    )


def _winners_curse(results: Results) -> Section:
    values = results.policy_values
    deciding = values[values["kind"].isin(["single model", "personalised"])]
    boldest = max(deciding.to_dict("records"), key=lambda row: float(row["claimed"]))
    money = results.money
    inside = boldest["aipw_lower"] <= boldest["claimed"] <= boldest["aipw_upper"]
    paragraphs = [
        f"Of the policies that models make, “{labels.policy(boldest['policy'])}” claims the most: "
        f"{money.each(boldest['claimed'])} a customer. Outcomes support "
        f"{money.each(boldest['aipw'])} "
        f"({money.each_interval(boldest['aipw_lower'], boldest['aipw_upper'])}), an interval that "
        f"{'holds' if inside else 'does not hold'} the claim. The highest of many noisy "
        "predictions is too high on average: the winner’s curse."
    ]
    figures = []
    if results.truth_summary.get("known"):
        truth = labels.distinct_policies(results.truth_policies, results.ships)
        gain = results.truth_summary["true_gain"]
        best = results.truth_summary["true_best_constant"]
        captured = results.truth_summary["captured_share"]
        if abs(gain) < 1e-9:
            against = " No single message is truly better."
        else:
            against = (
                f" That is {money.each(gain, signed=True)} a customer against the truly best "
                f"single message ({labels.message(best)})"
            )
            if is_number(captured) and gain > 0:
                against += f", {percent(captured)} of what perfect knowledge could gain"
            against += "."
        paragraphs += [
            truth_sentence(results) + against,
            f"The {results.confidence} intervals hold the truth for {int(truth['covered'].sum())} "
            f"of {len(truth)} policies.",
        ]
        figures = ["truth"]
    return Section(
        "winners-curse",
        "Winner’s curse",
        paragraphs,
        figures=figures,
        tables=[tables.curse(results)],
    )


def _estimators(results: Results) -> Section:
    pairs = ESTIMATOR_PAIRS * results.compared_policies
    points = [
        f"{labels.policy(policy)}: {what.replace(' -', f' {MINUS}')}."
        for policy, what in results.alarms
    ]
    return Section(
        "estimators",
        "Estimators and alarms",
        [
            alarm_sentence(results),
            f"{plural(pairs, 'pair')} of estimates are compared; at two standard errors chance "
            f"alone raises about {plural(round(pairs / 20), 'alarm')}. A large or repeated one "
            "points at propensities that are not those of the log, or at predictions that saw the "
            "outcome.",
            *unreached_sentences(results),
        ],
        figures=["estimators"],
        tables=[overlap_table(results)],
        points=points,
    )


def _data(results: Results) -> Section:
    quality = results.data_quality
    source = quality["propensity"]["source"]
    origin = {
        "estimated": "estimated from the customers’ features, since equal chances are not assumed",
        "uniform": "taken as equal for every message",
    }.get(source, f"read from the file ({labels.plain(str(source))})")
    paragraphs = [
        f"{number(quality['rows_kept'])} of {plural(int(quality['rows_read']), 'row')} were kept, "
        f"of {plural(int(quality['customers']), 'customer')}. "
        + (
            "No row was rejected."
            if quality["rows_rejected"] == 0
            else f"{number(quality['rows_rejected'])} were set aside with their reasons, in "
            "rejected_rows."
        ),
        f"Propensities were {origin}; they run from {percent(quality['propensity']['lowest'])} to "
        f"{percent(quality['propensity']['highest'])}.",
    ]
    if quality["unused_columns"]:
        paragraphs.append(f"Columns that nothing reads: {listing(quality['unused_columns'])}.")
    arms = {labels.message(name): arm for name, arm in quality["arms"].items()}
    return Section(
        "data",
        "Data",
        paragraphs,
        tables=[
            tables.groups("Messages as they were sent", "Message", arms, results),
            tables.kept_and_rejected(quality),
            tables.balance(quality),
        ],
        details=[tables.groups("Splits", "Split", quality["splits"], results)],
        points=[str(warning) for warning in quality["warnings"]],
    )


def _models(results: Results) -> Section:
    return Section(
        "models",
        "Models",
        [
            "Purchase probability under the message that was sent, judged on customers that no "
            "model saw. F1 depends on a threshold set by profit; the other metrics do not."
        ],
        figures=["model_metrics", "cumulative_gains", "lift", "importance", "feature_effects"],
        tables=[tables.models(results)],
        details=[tables.tuned(results)],
    )


def _calibration(results: Results) -> Section:
    table = results.calibration
    overall = table[table["group"] == "all"].iloc[0]
    train = results.fusion_calibration
    train = train[(train["group"] == "all") & (train["split"] == "train")]
    paragraphs = [
        f"On the judged customers {number(overall['expected'], 1)} responses were expected and "
        f"{number(overall['observed'])} observed; the expected number lies "
        f"{'inside' if overall['agrees'] else 'outside'} the {results.confidence} interval "
        f"({number(overall['lower'], 1)} to {number(overall['upper'], 1)})."
    ]
    if len(train):
        row = train.iloc[0]
        paragraphs.append(
            "On training customers, each predicted without their fold, "
            f"{number(row['expected'], 1)} were expected and {number(row['observed'])} observed. A "
            "run stops when these disagree beyond chance."
        )
    return Section(
        "calibration",
        "Calibration",
        paragraphs,
        figures=["calibration"],
        details=[tables.calibration(results)],
    )


def _fusion(results: Results) -> Section:
    table = results.fusion_table
    used = table[table["chosen"].astype(bool)].iloc[0]
    single = table[table["kind"] == "single model"].sort_values("log_loss")
    paragraphs = [
        f"Used: {labels.candidate(str(used['candidate']))}, with a cross-validated log loss of "
        f"{number(used['log_loss'], 5)}, the lowest of the ways to fuse."
    ]
    if len(single) and str(used["kind"]) != "single model":
        best = single.iloc[0]
        ahead, se = float(best["worse_by"]), float(best["worse_by_standard_error"])
        clear = "more" if abs(ahead) > 2 * se else "not more"
        side = "worse" if ahead >= 0 else "better"
        paragraphs.append(
            f"The best single model, {labels.model(str(best['candidate']))}, is {side} by "
            f"{number(abs(ahead), 5)}, {clear} than two standard errors ({number(se, 5)} each)."
        )
    weights = (results.policy_choice.get("blend") or {}).get("weights") or {}
    if weights:
        told = ", ".join(
            f"{labels.model(name)} {number(weight, 2)}"
            for name, weight in sorted(weights.items(), key=lambda item: -item[1])
        )
        paragraphs.append(
            "Which message moves whom is told by other weights, chosen by what held-out outcomes "
            f"follow: {told}."
        )
    shrinkage = results.policy_choice.get("shrinkage") or {}
    slopes, raw = shrinkage.get("slopes"), shrinkage.get("raw_slope")
    if slopes:
        sentence = (
            "Personal differences between messages are then scaled to what outcomes bear out: "
            f"what speaks for an e-mail to {percent(slopes['gains'], 0)} of what the models say, "
            f"what speaks against one to {percent(slopes['losses'], 0)}, and whether to send a "
            f"customer any to {percent(slopes['any_email'], 0)}"
        )
        if is_number(raw):
            sentence += (
                f" (one slope for all of it: {number(raw, 2)}, standard error "
                f"{number(shrinkage.get('standard_error'), 2)})"
            )
        paragraphs.append(f"{sentence}.")
    leads = results.policy_choice.get("leads")
    if leads:
        paragraphs.append(
            "Part of an e-mail's lead over the others in what customers spend is luck: drawn to "
            "their mean by what outcomes say of it, expected order values are multiplied by "
            f"{number(min(leads), 2)} to {number(max(leads), 2)}, the same for every customer."
        )
    return Section(
        "fusion",
        "Fusion",
        paragraphs,
        figures=["fusion", "tuning"],
        details=[tables.fusion(results)],
    )


def _order_values(results: Results) -> Section:
    choice = results.order_value_choice
    trials = results.order_value_trials
    values = ", ".join(
        f"{labels.plain(k)} {v:.4g}" if isinstance(v, float) else f"{labels.plain(k)} {v}"
        for k, v in choice["parameters"].items()
    )
    return Section(
        "order-values",
        "Order values",
        [
            f"Of {plural(trials['candidate'].nunique(), 'candidate')} and "
            f"{plural(len(trials), 'trial')}, {labels.candidate(choice['candidate'])} has the "
            f"lowest held-out deviance, {number(choice['deviance'], 4)}"
            + (f" ({values})." if values else "."),
            "The effect of a message on what a buyer spends is measured on few orders, so it is "
            "pulled towards the common level.",
        ],
        figures=["order_values"],
        details=[tables.order_values(results)],
    )


def _reproduce(results: Results) -> Section:
    settings = results.settings
    evaluation = settings.evaluation
    scheme = {
        "test": "test rows",
        "cross_fitted": "cross-fitted: the recipe refitted without each fold",
        "rolling_origin": f"rolling origin: the recipe refitted at {evaluation.origins} moments "
        "on what was known then",
    }[evaluation.scheme]
    rows = [
        ["Pentathlon", __version__],
        ["Seed", str(settings.randomness.seed)],
        ["Threads of a model", str(settings.randomness.threads)],
        ["Device of fits", settings.randomness.device],
        ["Judged on", scheme],
        ["Confidence of intervals", results.confidence],
        ["Order values capped at quantile", percent(settings.evaluation.cap_quantile)],
        ["Confidence of the gate, one-sided", level(settings.decision.confidence)],
        ["Estimator of the gate", settings.decision.estimator],
        ["Contrasts shrunk", "yes" if settings.decision.shrink_contrasts else "no"],
        ["Campaign", f"{number(settings.campaign.customers)} customers"],
        *(
            [
                f"Message {labels.message(name)}",
                f"margin {percent(settings.messages.margins[k])}, cost "
                f"{results.money.each(settings.messages.costs[k])}",
            ]
            for k, name in enumerate(settings.messages)
        ),
    ]
    return Section(
        "reproduce",
        "How to reproduce",
        [
            "The folder that holds this file is named after the version of the run. Every other "
            "result of the run carries the same version, and its record in 08_reporting/runs holds "
            "all parameters and the versions of the libraries. The same inputs, parameters and "
            "seed give the same numbers: kedro run --pipelines engine on a file of your own, "
            "kedro run for a simulated retailer.",
        ],
        tables=[Table("Settings", ["", "Value"], rows, text_columns=2)],
    )
