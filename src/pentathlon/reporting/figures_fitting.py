"""Figures about fitting: calibration, fusion, tuning, order values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pentathlon.reporting import labels, theme


def calibration(table: pd.DataFrame) -> go.Figure:
    """Expected and observed responses by bin of the probability, and their ratio per message.

    Parameters
    ----------
    table : DataFrame
        group ("all", "message", "bin", ...), message, bin, rows, expected, observed, ratio,
        lower and upper of the observed count.

    Returns
    -------
    Figure
        Upper panel: a line of expected and points of observed rates. Lower: ratios.
    """
    bins = table[table["group"] == "bin"].sort_values("bin")
    messages = table[(table["group"] == "message") & (table["expected"] > 0)].iloc[::-1]
    height = 300 + theme.rows_height(len(messages)) + 40
    upper = 300 / height
    figure = make_subplots(
        rows=2,
        cols=1,
        row_heights=[upper, 1 - upper],
        vertical_spacing=100 / height,
        subplot_titles=("Responses by decile, likeliest first", "Observed over expected"),
    )
    figure.add_scatter(
        x=bins["bin"],
        y=bins["expected"] / bins["rows"],
        mode="lines",
        name="Expected",
        line={"color": theme.SHIPS, "width": 2.5},
        hovertemplate="decile %{x}: expected %{y:.2%}<extra></extra>",
        row=1,
        col=1,
    )
    observed, low, high = (list(bins[c] / bins["rows"]) for c in ("observed", "lower", "upper"))
    figure.add_scatter(
        x=bins["bin"],
        y=observed,
        mode="markers",
        name="Observed, with interval",
        marker={"color": theme.CLAIM, "size": 8},
        error_y=theme.error_bars(observed, low, high, theme.CLAIM),
        hovertemplate="decile %{x}: observed %{y:.2%}<extra></extra>",
        row=1,
        col=1,
    )
    ratio, low, high = (
        list(messages[c] / messages["expected"]) for c in ("observed", "lower", "upper")
    )
    figure.add_scatter(
        x=ratio,
        y=[theme.text(labels.message(str(m))) for m in messages["message"]],
        mode="markers",
        name="Ratio per message",
        marker={"color": theme.ROLE["personalised"], "size": 9},
        error_x=theme.error_bars(ratio, low, high, theme.ROLE["personalised"]),
        hovertemplate="%{y}: %{x:.2f}<extra></extra>",
        row=2,
        col=1,
    )
    figure.add_vline(x=1, line={"color": theme.INK, "width": 1}, row=2, col=1)
    figure.update_xaxes(title_text="Decile", dtick=1, row=1, col=1)
    figure.update_yaxes(
        title_text="Response rate", tickformat=".0%", rangemode="tozero", row=1, col=1
    )
    figure.update_xaxes(title_text="Ratio, 1 where expected", row=2, col=1)
    outside = int((~messages["agrees"].astype(bool)).sum())
    return theme.finish(
        figure,
        title=f"{len(messages) - outside} of {len(messages)} messages respond as expected",
        alt=f"Expected and observed response rate in {len(bins)} bins; observed over expected "
        f"for {len(messages)} messages, {outside} of which lie outside their interval.",
        height=height,
    )


def fusion(table: pd.DataFrame) -> go.Figure:
    """Weights of the models, and how far each candidate's log loss is from the one used.

    Parameters
    ----------
    table : DataFrame
        candidate, kind, log_loss, worse_by, worse_by_standard_error, chosen, weight (of single
        models, in the chosen fusion).

    Returns
    -------
    Figure
        Upper panel: weights. Lower: log loss above that of the fusion used, plus or minus two
        standard errors.
    """
    weights = table[table["weight"].notna()].sort_values("weight", kind="stable")
    ranked = table.sort_values("log_loss", kind="stable", ascending=False)
    height = theme.rows_height(len(weights) + len(ranked), panels=2)
    figure = make_subplots(
        rows=2,
        cols=1,
        row_heights=[max(len(weights), 1), len(ranked)],
        vertical_spacing=90 / height,
        subplot_titles=("Weight in the fusion", "Log loss above the fusion used"),
    )
    colours = theme.model_colours(
        [str(name) for name in table.loc[table["weight"].notna(), "candidate"]]
    )
    figure.add_bar(
        x=weights["weight"],
        y=[theme.text(labels.candidate(str(n))) for n in weights["candidate"]],
        orientation="h",
        name="Weight",
        showlegend=False,
        marker={"color": [colours[str(n)] for n in weights["candidate"]]},
        text=[f"{w:.2f}" for w in weights["weight"]],
        textposition="auto",
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        row=1,
        col=1,
    )
    for chosen, colour, name in (
        (True, theme.SHIPS, "Used"),
        (False, theme.UNSURE, "Not used (± 2 standard errors)"),
    ):
        rows = ranked[ranked["chosen"].astype(bool) == chosen]
        figure.add_scatter(
            x=rows["worse_by"],
            y=[theme.text(labels.candidate(str(n))) for n in rows["candidate"]],
            mode="markers",
            name=name,
            marker={"color": colour, "size": 11 if chosen else 9},
            error_x={
                "type": "data",
                "array": [2 * s for s in rows["worse_by_standard_error"]],
                "color": colour,
                "thickness": 1.6,
                "width": 0,
            },
            customdata=rows[["log_loss"]].to_numpy(),
            hovertemplate="%{y}: log loss %{customdata[0]:.5f}, +%{x:.5f}<extra></extra>",
            row=2,
            col=1,
        )
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=[theme.text(labels.candidate(str(n))) for n in ranked["candidate"]],
        row=2,
        col=1,
    )
    figure.update_xaxes(rangemode="tozero", range=[0, None], row=1, col=1)
    figure.update_xaxes(nticks=5)
    used = ranked.loc[ranked["chosen"].astype(bool), "candidate"]
    most = [labels.candidate(str(n)) for n in weights["candidate"].iloc[-1:]]
    return theme.finish(
        figure,
        title=f"Used: {', '.join(labels.candidate(str(n)) for n in used)}"
        + (f"; {most[0]} weighs most" if most else ""),
        alt=f"Weights of {len(weights)} models and log loss of {len(ranked)} candidates; used: "
        f"{', '.join(labels.candidate(str(n)) for n in used)}.",
        height=height,
    )


def tuning(by_model: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Log loss of every trial, and the best so far, per model.

    Parameters
    ----------
    by_model : mapping of str to DataFrame
        number, state, log_loss (missing for pruned trials).

    Returns
    -------
    Figure
        One panel per model, two abreast; each has a trace of trials and one of the best so far.
    """
    names = list(by_model)
    rows = (len(names) + 1) // 2
    height = 210 * rows + 80
    colours = theme.model_colours(names)
    figure = make_subplots(
        rows=rows,
        cols=2,
        subplot_titles=[theme.text(labels.model(n)) for n in names],
        horizontal_spacing=0.16,
        vertical_spacing=min(0.9 / max(rows - 1, 1), 80 / height),
    )
    best: dict[str, float] = {}
    for i, name in enumerate(names):
        trials = by_model[name].sort_values("number")
        done = trials[trials["log_loss"].notna() & (trials["state"] == "COMPLETE")]
        place = {"row": i // 2 + 1, "col": i % 2 + 1}
        figure.add_scatter(
            x=done["number"] + 1,
            y=done["log_loss"],
            mode="markers",
            name="Trial",
            legendgroup="trial",
            showlegend=i == 0,
            marker={"color": colours[name], "size": 7, "symbol": "circle-open"},
            hovertemplate="trial %{x}: %{y:.5f}<extra></extra>",
            **place,
        )
        figure.add_scatter(
            x=done["number"] + 1,
            y=done["log_loss"].cummin(),
            mode="lines",
            name="Best so far",
            legendgroup="best",
            showlegend=i == 0,
            line={"color": colours[name], "width": 2.5, "shape": "hv"},
            hovertemplate="after %{x}: %{y:.5f}<extra></extra>",
            **place,
        )
        if len(done):
            best[name] = float(done["log_loss"].min())
    figure.update_xaxes(nticks=5, tickformat="d")
    figure.update_xaxes(title_text="Trial", row=rows)
    figure.update_yaxes(nticks=4, tickformat=".4f")
    figure.update_yaxes(title_text="Log loss", col=1)
    found = [f"{labels.model(name)} {loss:.4f}" for name, loss in best.items()]
    winner = min(best, key=lambda name: best[name]) if best else None
    return theme.finish(
        figure,
        title=f"{labels.model(winner)} reaches the lowest log loss, {best[winner]:.4f}"
        if winner
        else "No trial has finished",
        alt=f"Best log loss found for each model: {', '.join(found) or 'no finished trial'}.",
        height=height,
    )


def order_values(table: pd.DataFrame, confidence: float) -> go.Figure:
    """Effect of each message on the order value, raw and shrunk.

    Parameters
    ----------
    table : DataFrame
        message, orders, raw_multiplier, shrunk_multiplier, log_standard_error.
    confidence : float
        Of the raw multipliers' intervals.

    Returns
    -------
    Figure
        A trace of raw multipliers with intervals and one of shrunk ones.
    """
    table = table.sort_values("shrunk_multiplier", kind="stable")
    y = [theme.text(labels.message(str(m))) for m in table["message"]]
    raw = [float(v) for v in table["raw_multiplier"]]
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    reach = [
        math.exp(z * float(s)) if math.isfinite(float(s)) else 1.0
        for s in table["log_standard_error"]
    ]
    figure = go.Figure()
    figure.add_scatter(
        x=raw,
        y=y,
        mode="markers",
        name="Raw, with interval",
        marker={"color": theme.UNSURE, "size": 10, "symbol": "circle-open", "line": {"width": 2}},
        error_x=theme.error_bars(
            raw,
            [v / r for v, r in zip(raw, reach, strict=True)],
            [v * r for v, r in zip(raw, reach, strict=True)],
            theme.UNSURE,
        ),
        customdata=table[["orders"]].to_numpy(),
        hovertemplate="%{y}: raw %{x:.3f} on %{customdata[0]} orders<extra></extra>",
    )
    figure.add_scatter(
        x=table["shrunk_multiplier"],
        y=y,
        mode="markers",
        name="Shrunk: what decisions use",
        marker={"color": theme.SHIPS, "size": 10},
        hovertemplate="%{y}: shrunk %{x:.3f}<extra></extra>",
    )
    figure.add_vline(x=1, line={"color": theme.RULE, "width": 1})
    figure.update_xaxes(title_text="Multiplier of the order value")
    apart = float(table["shrunk_multiplier"].max() / table["shrunk_multiplier"].min() - 1)
    return theme.finish(
        figure,
        title=f"Messages move order values by {apart:.1%} at most, once luck is taken out",
        alt=f"Multipliers of the order value for {len(table)} messages, raw with intervals and "
        "shrunk towards each other.",
        height=theme.rows_height(len(table)) + 10,
    )
