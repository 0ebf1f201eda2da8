"""The look of every figure: colours by role, one font stack, nothing that a phone cannot show."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

INK = "#1d2733"
MUTED = "#5d6b7a"
RULE = "#d5dbe1"
GRID = "#eaeef1"

SHIPS = "#0b6b6b"
CLAIM = "#c4553b"
BETTER = "#0b6b6b"
UNSURE = "#8b98a5"
WORSE = "#b4472f"
TRUTH = "#1d2733"

# Colours that stand beside each other differ for readers with any colour vision deficiency, too;
# the tests hold them apart under the simulation of Machado, Oliveira and Fernandes (2009).
ROLE = {
    "shipped": SHIPS,
    "personalised": "#67b7f0",
    "status quo": "#b58424",
    "case's draft": "#8f78d8",
    "no e-mail": "#343b43",
    "constant": "#bcc5cd",
    "single model": "#7a4a2a",
}
_KNOWN = ("logistic_regression", "random_forest", "xgboost", "neural_network")
_MODELS = ("#5ab4e5", "#897ae3", "#b59b30", "#6b5805", "#cf727d", "#a9d18e")
_MESSAGES = (
    "#195580",
    "#b59b30",
    "#897ae3",
    "#67cdff",
    "#cf727d",
    "#6b5805",
    "#943742",
    "#5394ae",
    "#828944",
    "#93d07d",
)
_NO_EMAIL = "#c3cad1"

FONT = (
    'Inter, "Segoe UI", system-ui, -apple-system, "Helvetica Neue", Arial, "Liberation Sans", '
    "sans-serif"
)
_ROW = 30
_LEGEND = 86


def text(value: object) -> str:
    """Text that plotly shows as it is; it would read tags and links in it otherwise."""
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def model_colours(models: Sequence[str]) -> dict[str, str]:
    """Colour of each model; the fusion has that of what ships, since it decides."""
    singles = [name for name in models if name != "fusion"]
    singles.sort(key=lambda name: _KNOWN.index(name) if name in _KNOWN else len(_KNOWN))
    colours = {name: _MODELS[i % len(_MODELS)] for i, name in enumerate(singles)}
    return {name: colours.get(name, SHIPS) for name in models}


def message_colours(messages: Sequence[str]) -> dict[str, str]:
    """Colour of each message; no e-mail is grey."""
    mailed = [name for name in messages if name != "control"]
    colours = {name: _MESSAGES[i % len(_MESSAGES)] for i, name in enumerate(mailed)}
    return {name: colours.get(name, _NO_EMAIL) for name in messages}


def rows_height(rows: int, panels: int = 1) -> int:
    """Height in pixels that gives every labelled row the same room."""
    return rows * _ROW + _LEGEND + 60 * panels + 40


def finish(
    figure: go.Figure, *, title: str, alt: str, height: int, legend_order: str | None = None
) -> go.Figure:
    """Give a figure the theme.

    Parameters
    ----------
    figure : Figure
    title : str
        Shown by Kedro-Viz; the report prints it as the figure's heading instead.
    alt : str
        What the figure shows, in a sentence, for those who cannot see it.
    height : int
        In pixels; the width is that of the place it is shown in.
    legend_order : {"normal", "reversed"}, optional
        By default plotly's, which turns the legend of stacked bars around.

    Returns
    -------
    Figure
        The same object.
    """
    figure.update_layout(
        title={"text": text(title), "x": 0, "xref": "paper", "font": {"size": 16}},
        meta={"title": title, "alt": alt},
        height=height,
        autosize=True,
        font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff",
        margin={"l": 8, "r": 22, "t": 48, "b": 8},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "font": {"size": 12, "color": MUTED},
            "itemsizing": "constant",
            "traceorder": legend_order,
        },
        hoverlabel={"bgcolor": "#ffffff", "bordercolor": RULE, "font": {"family": FONT}},
        dragmode=False,
    )
    axis = {
        "automargin": True,
        "gridcolor": GRID,
        "linecolor": RULE,
        "zeroline": False,
        "fixedrange": True,  # a finger that scrolls the page must not zoom the figure
        "title_standoff": 12,
        "title_font": {"size": 12, "color": MUTED},
        "tickfont": {"size": 12},
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_annotations(font={"size": 13, "color": INK})
    return figure


def error_bars(
    centre: Sequence[float], lower: Sequence[float], upper: Sequence[float], colour: str
) -> dict[str, object]:
    """Asymmetric error bars from the ends of intervals."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [u - c for c, u in zip(centre, upper, strict=True)],
        "arrayminus": [c - low for c, low in zip(centre, lower, strict=True)],
        "color": colour,
        "thickness": 1.6,
        "width": 0,
    }


def empty(title: str, why: str) -> go.Figure:
    """A figure that says why there is nothing to show."""
    figure = go.Figure()
    figure.add_annotation(text=text(why), showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    finish(figure, title=title, alt=why, height=160)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure
