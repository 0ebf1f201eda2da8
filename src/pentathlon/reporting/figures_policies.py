"""Figures about policies: what they claim, what outcomes support, what they gain."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from pentathlon.reporting import labels, theme
from pentathlon.reporting.formats import percent

MAIN_POLICIES = (
    labels.SHIPPED,
    labels.PERSONALISED,
    "two_departments",
    labels.RANDOM,
    labels.NO_EMAIL,
)


def policy_profit(values: pd.DataFrame, ships: str, currency: str) -> go.Figure:
    """Supported profit with its interval beside claimed profit; the gap is the story.

    Parameters
    ----------
    values : DataFrame
        One row per policy: policy, kind, claimed, aipw, aipw_lower, aipw_upper.
    ships : str
        Name of the policy that ships.
    currency : str

    Returns
    -------
    Figure
        One trace of supported profits per role, one of claims, one of the gaps between them.
    """
    table = labels.distinct_policies(values, ships).sort_values("aipw", kind="stable")
    figure = go.Figure()
    gap_x: list[float | None] = []
    gap_y: list[str | None] = []
    for row in table.to_dict("records"):
        gap_x += [float(row["claimed"]), float(row["aipw"]), None]
        gap_y += [theme.text(row["label"]), theme.text(row["label"]), None]
    figure.add_scatter(
        x=gap_x,
        y=gap_y,
        mode="lines",
        line={"color": theme.CLAIM, "width": 5},
        opacity=0.25,
        name="Gap",
        hoverinfo="skip",
        showlegend=False,
    )
    for kind in [k for k in theme.ROLE if k in set(table["kind"])]:
        rows = table[table["kind"] == kind]
        colour = theme.ROLE[kind]
        figure.add_scatter(
            x=rows["aipw"],
            y=[theme.text(label) for label in rows["label"]],
            mode="markers",
            name=labels.role(kind),
            marker={"color": colour, "size": 13 if kind == "shipped" else 9},
            error_x=theme.error_bars(
                list(rows["aipw"]), list(rows["aipw_lower"]), list(rows["aipw_upper"]), colour
            ),
            customdata=rows[["aipw_lower", "aipw_upper"]].to_numpy(),
            hovertemplate="%{y}: supported %{x:.3f} "
            "(%{customdata[0]:.3f} to %{customdata[1]:.3f})<extra></extra>",
        )
    figure.add_scatter(
        x=table["claimed"],
        y=[theme.text(label) for label in table["label"]],
        mode="markers",
        name="Claimed by the models",
        marker={
            "symbol": "diamond-open",
            "color": theme.CLAIM,
            "size": 9,
            "line": {"width": 2, "color": theme.CLAIM},
        },
        hovertemplate="%{y}: claimed %{x:.3f}<extra></extra>",
    )
    figure.update_xaxes(title_text=f"{theme.text(currency)} a customer")
    figure.update_yaxes(
        categoryorder="array", categoryarray=[theme.text(label) for label in table["label"]]
    )
    best = table.iloc[-1]
    return theme.finish(
        figure,
        title=_supported_and_claimed(table, currency),
        alt=f"{len(table)} policies by supported profit a customer with interval, beside claimed "
        f"profit. Highest supported: {best['label']}, {best['aipw']:.3f} {currency}.",
        height=theme.rows_height(len(table)) + 30,
    )


def policy_gains(gains: pd.DataFrame, ships: str, currency: str, customers: int) -> go.Figure:
    """Paired gains of what ships over every other policy, for the campaign.

    Parameters
    ----------
    gains : DataFrame
        policy, baseline, campaign_gain, campaign_lower, campaign_upper, standard_error.
    ships : str
        Its own row, a gain of exactly nothing, is left out.
    currency : str
    customers : int

    Returns
    -------
    Figure
        One trace per verdict: better, not distinguishable, worse.
    """
    table = gains[(gains["policy"] == labels.SHIPPED)]
    same = (table["gain"] == 0) & (table["standard_error"] == 0)
    table = table[~same].sort_values("campaign_gain", kind="stable")
    if table.empty:
        return theme.empty("What ships has no alternative", "Every policy equals what ships.")
    names = {name: theme.text(f"over {_lower(name)}") for name in table["baseline"]}
    verdicts = (
        ("Better beyond chance", table["campaign_lower"] > 0, theme.BETTER, "circle"),
        (
            "Not distinguishable",
            (table["campaign_lower"] <= 0) & (table["campaign_upper"] >= 0),
            theme.UNSURE,
            "circle-open",
        ),
        ("Worse beyond chance", table["campaign_upper"] < 0, theme.WORSE, "circle"),
    )
    figure = go.Figure()
    for verdict, mask, colour, symbol in verdicts:
        rows = table[mask]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["campaign_gain"],
            y=[names[name] for name in rows["baseline"]],
            mode="markers",
            name=verdict,
            marker={
                "color": colour,
                "size": 10,
                "symbol": symbol,
                "line": {"width": 2, "color": colour},
            },
            error_x=theme.error_bars(
                list(rows["campaign_gain"]),
                list(rows["campaign_lower"]),
                list(rows["campaign_upper"]),
                colour,
            ),
            customdata=rows[["campaign_lower", "campaign_upper"]].to_numpy(),
            hovertemplate="%{y}: %{x:,.0f} (%{customdata[0]:,.0f} to %{customdata[1]:,.0f})"
            "<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": theme.INK, "width": 1})
    figure.update_xaxes(
        title_text=f"{theme.text(currency)}, campaign of {customers:,} customers", nticks=6
    )
    figure.update_yaxes(
        categoryorder="array", categoryarray=[names[name] for name in table["baseline"]]
    )
    clear = int((table["campaign_lower"] > 0).sum())
    worse = int((table["campaign_upper"] < 0).sum())
    return theme.finish(
        figure,
        title=f"What ships gains beyond chance over {clear} of {len(table)} alternatives"
        + (f", and loses to {worse}" if worse else ""),
        alt=f"Paired gains of what ships ({ships}) over {len(table)} policies with intervals: "
        f"{clear} above zero, {worse} below zero, {len(table) - clear - worse} not "
        "distinguishable from zero.",
        height=theme.rows_height(len(table)) + 10,
    )


def message_shares(values: pd.DataFrame, ships: str) -> go.Figure:
    """Share of customers per message under every policy but the constant ones.

    Parameters
    ----------
    values : DataFrame
        policy, kind, share_<message>.
    ships : str

    Returns
    -------
    Figure
        One stacked bar trace per message.
    """
    table = labels.distinct_policies(values, ships)
    table = table[~table["kind"].isin(["constant", "no e-mail"])].iloc[::-1]
    messages = labels.share_columns(values)
    colours = theme.message_colours(messages)
    figure = go.Figure()
    for name in messages:
        figure.add_bar(
            x=table[f"share_{name}"],
            y=[theme.text(label) for label in table["label"]],
            orientation="h",
            name=theme.text(labels.message(name)),
            marker={"color": colours[name], "line": {"width": 0}},
            hovertemplate=f"%{{y}}: {theme.text(labels.message(name))} %{{x:.1%}}<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.35)
    figure.update_xaxes(
        title_text="Share of customers",
        tickformat=".0%",
        range=[0, 1.001],
        tickvals=[0, 0.25, 0.5, 0.75, 1],
    )
    shipped = table[table["kind"] == "shipped"]
    top = "" if shipped.empty else _largest_share(shipped, messages)
    return theme.finish(
        figure,
        title="Who gets what" if shipped.empty else f"Who gets what: {top}",
        alt=f"Stacked bars of the share of customers per message under {len(table)} policies."
        + (f" What ships: {top}." if top else ""),
        height=theme.rows_height(len(table)) + 30,
        legend_order="normal",
    )


def estimators(values: pd.DataFrame, ships: str, best_constant: str, currency: str) -> go.Figure:
    """IPS, SNIPS and AIPW side by side for the policies that matter most.

    Parameters
    ----------
    values : DataFrame
        policy, and per estimator (ips, snips, aipw) its value, ``_lower`` and ``_upper``.
    ships, best_constant : str
        Names of policies.
    currency : str

    Returns
    -------
    Figure
        One trace per estimator.
    """
    table = labels.distinct_policies(values, ships)
    wanted = table["policy"].isin([*MAIN_POLICIES, best_constant])
    table = table[wanted].sort_values("aipw", kind="stable").reset_index(drop=True)
    looks = (
        ("aipw", "AIPW", theme.SHIPS, "circle", 0.22),
        ("snips", "SNIPS", theme.ROLE["status quo"], "square", 0.0),
        ("ips", "IPS", theme.ROLE["personalised"], "diamond", -0.22),
    )
    figure = go.Figure()
    for column, name, colour, symbol, offset in looks:
        figure.add_scatter(
            x=table[column],
            y=[i + offset for i in range(len(table))],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 9},
            error_x=theme.error_bars(
                list(table[column]),
                list(table[f"{column}_lower"]),
                list(table[f"{column}_upper"]),
                colour,
            ),
            text=[theme.text(label) for label in table["label"]],
            hovertemplate=f"%{{text}}, {name}: %{{x:.3f}}<extra></extra>",
        )
    figure.update_xaxes(title_text=f"{theme.text(currency)} a customer")
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(table))),
        ticktext=[theme.text(label) for label in table["label"]],
    )
    return theme.finish(
        figure,
        title=_estimators_agree(table, currency),
        alt=f"Value a customer of {len(table)} policies by AIPW, SNIPS and IPS with intervals.",
        height=theme.rows_height(2 * len(table)),
    )


def truth(policies: pd.DataFrame, values: pd.DataFrame, ships: str, currency: str) -> go.Figure:
    """Claimed, supported and true profit, where a simulation knows the truth.

    Parameters
    ----------
    policies : DataFrame
        policy, supported, lower, upper, truth, covered; no rows where the truth is not known.
    values : DataFrame
        policy and claimed.
    ships : str
    currency : str

    Returns
    -------
    Figure
        Traces of supported, claimed and true profits.
    """
    if policies.empty:
        return theme.empty("The truth is not known", "The truth is known only in a simulation.")
    table = labels.distinct_policies(policies, ships).sort_values("truth", kind="stable")
    table = table.merge(values[["policy", "claimed"]], on="policy", how="left")
    y = [theme.text(label) for label in table["label"]]
    figure = go.Figure()
    figure.add_scatter(
        x=table["supported"],
        y=y,
        mode="markers",
        name="Supported",
        marker={"color": theme.SHIPS, "size": 8},
        error_x=theme.error_bars(
            list(table["supported"]), list(table["lower"]), list(table["upper"]), theme.SHIPS
        ),
        hovertemplate="%{y}: supported %{x:.3f}<extra></extra>",
    )
    figure.add_scatter(
        x=table["claimed"],
        y=y,
        mode="markers",
        name="Claimed",
        marker={"symbol": "diamond-open", "color": theme.CLAIM, "size": 9, "line": {"width": 2}},
        hovertemplate="%{y}: claimed %{x:.3f}<extra></extra>",
    )
    figure.add_scatter(
        x=table["truth"],
        y=y,
        mode="markers",
        name="Truth",
        marker={
            "symbol": "line-ns-open",
            "color": theme.TRUTH,
            "size": 16,
            "line": {"width": 3, "color": theme.TRUTH},
        },
        hovertemplate="%{y}: truth %{x:.3f}<extra></extra>",
    )
    figure.update_xaxes(title_text=f"{theme.text(currency)} a customer")
    figure.update_yaxes(categoryorder="array", categoryarray=y)
    held = int(table["covered"].sum())
    return theme.finish(
        figure,
        title=f"The interval of {held} of {len(table)} policies holds the truth",
        alt=f"{len(table)} policies: the interval of the supported profit holds the truth for "
        f"{held} of them.",
        height=theme.rows_height(len(table)),
    )


def _lower(policy: str) -> str:
    label = labels.policy(policy)
    return label if label.startswith("All: ") or policy == "xgboost" else label.lower()


def _largest_share(shipped: pd.DataFrame, messages: Sequence[str]) -> str:
    row = shipped.iloc[0]
    name = max(messages, key=lambda m: float(row[f"share_{m}"]))
    return f"{percent(row[f'share_{name}'])} get {labels.message(name)}"


def _supported_and_claimed(table: pd.DataFrame, currency: str) -> str:
    """What outcomes support of what ships, beside what the models claim of it."""
    shipped = table[table["kind"] == "shipped"]
    row = (table if shipped.empty else shipped).iloc[-1]
    return (
        f"{row['label']}, {row['aipw']:.3f} {currency} a customer supported, "
        f"{row['claimed']:.3f} claimed"
    )


def _estimators_agree(table: pd.DataFrame, currency: str) -> str:
    """Between what three estimators of one value lie, for what ships."""
    shipped = table[table["kind"] == "shipped"]
    row = (table if shipped.empty else shipped).iloc[-1]
    values = [float(row[name]) for name in ("aipw", "snips", "ips")]
    return f"{row['label']}, {min(values):.3f} to {max(values):.3f} {currency} by three estimators"
