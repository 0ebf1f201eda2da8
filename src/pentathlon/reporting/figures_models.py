"""Figures about models: how well they rank, what they look at, what moves a purchase."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pentathlon.reporting import labels, theme
from pentathlon.reporting.labels import records

_NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")
_RANGE = re.compile(r"^(-?[\d,.]+) to (-?[\d,.]+)$")


def model_metrics(metrics: pd.DataFrame) -> go.Figure:
    """AUC and log loss of every model with intervals.

    Parameters
    ----------
    metrics : DataFrame
        model, message, metric, value, lower, upper; rows with message ``all`` are shown.

    Returns
    -------
    Figure
        Two panels, one trace per panel and model.
    """
    overall = metrics[metrics["message"] == "all"]
    auc = overall[overall["metric"] == "roc_auc"].sort_values("value", kind="stable")
    order = [str(name) for name in auc["model"]]
    colours = theme.model_colours(list(dict.fromkeys(metrics["model"])))
    figure = make_subplots(
        rows=1,
        cols=2,
        shared_yaxes=True,
        horizontal_spacing=0.08,
        subplot_titles=("AUC", "Log loss"),
    )
    for column, metric in ((1, "roc_auc"), (2, "log_loss")):
        rows = records(overall[overall["metric"] == metric], "model")
        for name in order:
            row = rows[name]
            figure.add_scatter(
                x=[row["value"]],
                y=[theme.text(labels.model(name))],
                mode="markers",
                name=theme.text(labels.model(name)),
                showlegend=False,
                marker={"color": colours[name], "size": 12 if name == labels.FUSION else 9},
                error_x=theme.error_bars(
                    [row["value"]], [row["lower"]], [row["upper"]], colours[name]
                ),
                customdata=[[row["lower"], row["upper"]]],
                hovertemplate="%{y}: %{x:.4f} (%{customdata[0]:.4f} to %{customdata[1]:.4f})"
                "<extra></extra>",
                row=1,
                col=column,
            )
    figure.update_xaxes(nticks=4)
    figure.update_xaxes(title_text="higher is better", row=1, col=1)
    figure.update_xaxes(title_text="lower is better", row=1, col=2)
    best = auc.iloc[-1]
    return theme.finish(
        figure,
        title=f"{labels.model(str(best['model']))} ranks buyers best: AUC {best['value']:.3f}",
        alt=f"AUC and log loss of {len(order)} models with intervals. Highest AUC: "
        f"{labels.model(str(best['model']))}, {best['value']:.3f}.",
        height=theme.rows_height(len(order)),
    )


def cumulative_gains(gains: pd.DataFrame) -> go.Figure:
    """Share of the buyers found among the customers ranked first by each model.

    Parameters
    ----------
    gains : DataFrame
        model, bin, depth, gains.

    Returns
    -------
    Figure
        One line per model from (0, 0), and the line of no ranking at all.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="By chance",
        line={"color": theme.UNSURE, "dash": "dot", "width": 1.5},
        hoverinfo="skip",
    )
    for name, rows, colour in _by_model(gains):
        figure.add_scatter(
            x=[0.0, *rows["depth"]],
            y=[0.0, *rows["gains"]],
            mode="lines",
            name=theme.text(labels.model(name)),
            line={"color": colour, "width": 3.5 if name == labels.FUSION else 1.6},
            hovertemplate="best %{x:.0%} of customers: %{y:.1%} of buyers",
        )
    figure.update_xaxes(
        title_text="Customers, likeliest first",
        tickformat=".0%",
        range=[0, 1.005],
        tickvals=[0, 0.25, 0.5, 0.75, 1],
    )
    figure.update_yaxes(title_text="Buyers among them", tickformat=".0%", range=[0, 1.02])
    return theme.finish(
        figure,
        title=_first_bin(
            gains, "gains", "The likeliest {depth:.0%} of customers are {value:.0%} of the buyers"
        ),
        alt="Share of buyers reached by share of customers contacted, one curve per model.",
        height=440,
    )


def lift(gains: pd.DataFrame) -> go.Figure:
    """Lift of each tenth of the customers, likeliest first.

    Parameters
    ----------
    gains : DataFrame
        model, bin, lift, lift_lower, lift_upper.

    Returns
    -------
    Figure
        One line per model; the fusion with its interval.
    """
    figure = go.Figure()
    for name, rows, colour in _by_model(gains):
        fusion = name == labels.FUSION
        figure.add_scatter(
            x=rows["bin"],
            y=rows["lift"],
            mode="lines+markers",
            name=theme.text(labels.model(name)),
            line={"color": colour, "width": 3 if fusion else 1.4},
            marker={"size": 8 if fusion else 5},
            error_y=theme.error_bars(
                list(rows["lift"]), list(rows["lift_lower"]), list(rows["lift_upper"]), colour
            )
            if fusion
            else None,
            hovertemplate="bin %{x}: lift %{y:.2f}",
        )
    figure.add_hline(y=1, line={"color": theme.UNSURE, "dash": "dot", "width": 1.5})
    figure.update_xaxes(title_text="Bin of customers, likeliest first", dtick=1)
    figure.update_yaxes(title_text="Lift (1 = average)", rangemode="tozero")
    return theme.finish(
        figure,
        title=_first_bin(
            gains, "lift", "The likeliest {depth:.0%} buy {value:.1f} times as often as the average"
        ),
        alt="Response rate of each bin of customers over the average rate, one line per model.",
        height=420,
    )


def importance(by_model: Mapping[str, pd.DataFrame]) -> go.Figure:
    """How much each model loses when a feature is shuffled.

    Parameters
    ----------
    by_model : mapping of str to DataFrame
        feature, log_loss_increase, spread.

    Returns
    -------
    Figure
        One trace of dots per model; features by their mean over the models.
    """
    joined = pd.concat(
        [table.assign(model=name) for name, table in by_model.items()], ignore_index=True
    )
    order = joined.groupby("feature")["log_loss_increase"].mean().sort_values()
    colours = theme.model_colours(list(by_model))
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": theme.RULE, "width": 1})
    for name, table in by_model.items():
        rows = table.set_index("feature").reindex(order.index)
        figure.add_scatter(
            x=rows["log_loss_increase"],
            y=[theme.text(labels.plain(str(f))) for f in order.index],
            mode="markers",
            name=theme.text(labels.model(name)),
            marker={"color": colours[name], "size": 9, "opacity": 0.85},
            hovertemplate="%{y}: %{x:.4f}",
        )
    figure.update_xaxes(title_text="Increase of log loss when shuffled", nticks=5)
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=[theme.text(labels.plain(str(f))) for f in order.index],
    )
    return theme.finish(
        figure,
        title=f"{labels.plain(str(order.index[-1]))} says most about who buys",
        alt=f"Permutation importance of {len(order)} features for {len(by_model)} models. Most "
        f"important on average: {labels.plain(str(order.index[-1]))}.",
        height=theme.rows_height(len(order)),
    )


def feature_effects(effects: pd.DataFrame) -> go.Figure:
    """Purchase probability by feature: the fusion's line beside observed points.

    Parameters
    ----------
    effects : DataFrame
        feature, position, level, observed, lower, upper, predicted.

    Returns
    -------
    Figure
        One panel per feature, two abreast; each has a predicted and an observed trace.
    """
    features = list(dict.fromkeys(str(f) for f in effects["feature"]))
    rows = (len(features) + 1) // 2
    height = 190 * rows + 80
    figure = make_subplots(
        rows=rows,
        cols=2,
        subplot_titles=[theme.text(labels.plain(f)) for f in features],
        horizontal_spacing=0.13,
        vertical_spacing=min(0.9 / max(rows - 1, 1), 70 / height),
    )
    for i, feature in enumerate(features):
        part = _in_order(effects[effects["feature"] == feature])
        place = {"row": i // 2 + 1, "col": i % 2 + 1}
        level = [theme.text(name) for name in part["level"]]
        figure.add_scatter(
            x=part["position"],
            y=part["predicted"],
            mode="lines+markers",
            name="Predicted",
            legendgroup="predicted",
            showlegend=i == 0,
            line={"color": theme.SHIPS, "width": 2.5},
            marker={"size": 4},
            text=level,
            hovertemplate="%{text}: predicted %{y:.2%}<extra></extra>",
            **place,
        )
        figure.add_scatter(
            x=part["position"],
            y=part["observed"],
            mode="markers",
            name="Observed, with interval",
            legendgroup="observed",
            showlegend=i == 0,
            marker={"color": theme.CLAIM, "size": 7},
            error_y=theme.error_bars(
                list(part["observed"]), list(part["lower"]), list(part["upper"]), theme.CLAIM
            ),
            text=level,
            hovertemplate="%{text}: observed %{y:.2%}<extra></extra>",
            **place,
        )
        shown = _ticks(list(part["position"]), [str(name) for name in part["level"]])
        figure.update_xaxes(
            tickmode="array", tickvals=list(shown), ticktext=list(shown.values()), **place
        )
    figure.update_xaxes(tickangle=0, showgrid=False)
    figure.update_yaxes(tickformat=".1~%", rangemode="tozero", nticks=5)
    figure.update_yaxes(title_text="Purchase probability", col=1)
    spread = effects.groupby("feature")["predicted"].agg(lambda p: p.max() - p.min())
    most = labels.plain(str(spread.idxmax()))
    return theme.finish(
        figure,
        title=f"Purchase probability varies most with {most}",
        alt=f"Predicted and observed response rate along {len(features)} features, a panel each "
        "with its own scale.",
        height=height,
    )


def _first_bin(gains: pd.DataFrame, column: str, words: str) -> str:
    """A finding about the likeliest customers by the model that decides."""
    names = set(gains["model"])
    model = labels.FUSION if labels.FUSION in names else str(gains["model"].iloc[0])
    first = gains[gains["model"] == model].sort_values("bin").iloc[0]
    return words.format(depth=float(first["depth"]), value=float(first[column]))


def _by_model(gains: pd.DataFrame) -> list[tuple[str, pd.DataFrame, str]]:
    """Models with their rows and colour; the fusion last, so that it is drawn on top."""
    names = list(dict.fromkeys(str(name) for name in gains["model"]))
    colours = theme.model_colours(names)
    names.sort(key=lambda name: name == labels.FUSION)
    return [
        (name, gains[gains["model"] == name].sort_values("bin"), colours[name]) for name in names
    ]


def _in_order(part: pd.DataFrame) -> pd.DataFrame:
    """Levels of one feature from low to high; alphabetical order puts "< 30" after "30 to 44"."""
    keys = {level: _rank(str(level)) for level in part["level"]}
    if any(key is None for key in keys.values()):
        return part.sort_values("position", kind="stable")
    part = part.assign(rank=part["level"].map(keys)).sort_values("rank", kind="stable")
    return part.assign(position=range(len(part)))


def _rank(level: str) -> tuple[float, int] | None:
    """Lower end of a bucket, with open buckets before or after those that share it."""
    match = _NUMBER.search(level)
    if match is None:
        return None
    below = level.lower().startswith(("<", "less", "under"))
    above = level.startswith(">") or level.endswith("+")
    return float(match.group().replace(",", "")), above - below


def _ticks(positions: list[int], levels: list[str]) -> dict[int, str]:
    """The few labels that fit under a narrow panel: all of a short list, else three."""
    short = [_shorten(level) for level in levels]
    if len(short) <= 4 and max((len(s) for s in short), default=0) <= 8:
        keep = range(len(short))
    else:
        keep = sorted({0, len(short) // 2, len(short) - 1})  # type: ignore[assignment]
    return {positions[i]: theme.text(short[i]) for i in keep}


def _shorten(level: str) -> str:
    """Thousands by k; a range by a dash, or by its upper end where that is too long."""
    match = _RANGE.match(level)
    if match:
        low, high = (_thousands(end) for end in match.groups())
        return f"{low}–{high}" if len(low + high) <= 5 else f"≤ {high}"
    try:
        return _thousands(level)
    except ValueError:
        return level if len(level) <= 10 else f"{level[:9]}…"


def _thousands(word: str) -> str:
    value = float(word.replace(",", ""))
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:g}"
