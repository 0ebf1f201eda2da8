"""One self-contained page: figures, tables and sentences, nothing loaded from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from pentathlon import __version__
from pentathlon.reporting.formats import MINUS, number
from pentathlon.reporting.glossary import GLOSSARY
from pentathlon.reporting.results import Results
from pentathlon.reporting.sections import honesty, sections
from pentathlon.reporting.verdict import verdict

_PACKAGE = "pentathlon.reporting"


@dataclass(frozen=True)
class PageFigure:
    """A figure as the page holds it.

    Attributes
    ----------
    name, title, alt : str
    height : int
        Reserved before it is drawn, so that the page does not jump.
    json : Markup
        Data and layout, safe inside a script element.
    """

    name: str
    title: str
    alt: str
    height: int
    json: Markup


@dataclass(frozen=True)
class Question:
    """One of the case's questions with its answers, item by item."""

    number: int
    question: str
    claimed: list[str]
    supported: list[str]


def render_report(results: Results, figures: Mapping[str, go.Figure]) -> str:
    """Write the report.

    Parameters
    ----------
    results : Results
    figures : mapping of str to Figure
        By the names that sections ask for.

    Returns
    -------
    str
        HTML. It loads nothing: scripts, styles and data are inside.
    """
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    below = sections(results)
    return environment.get_template("report.html.j2").render(
        results=results,
        verdict=verdict(results),
        honesty=honesty(results),
        questions=questions(results),
        sections=below,
        glossary=GLOSSARY,
        figures={name: page_figure(name, figure) for name, figure in figures.items()},
        campaign=results.settings.campaign,
        customers=number(results.settings.campaign.customers),
        version=__version__,
        css=_template_text("report.css"),
        script=_template_text("report.js"),
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),
    )


def page_figure(name: str, figure: go.Figure) -> PageFigure:
    """Prepare a figure for the page.

    Its title becomes a heading of the page, which wraps on a phone.
    """
    parts: dict[str, Any] = json.loads(figure.to_json())
    layout = parts["layout"]
    meta = layout.get("meta") or {}
    layout.pop("title", None)
    layout.pop("template", None)
    panels = [a for a in layout.get("annotations", ()) if a.get("yref") == "paper"]
    layout.setdefault("margin", {})["t"] = 34 if panels else 12
    text = json.dumps({"data": parts["data"], "layout": layout}, ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return PageFigure(
        name=name,
        title=str(meta.get("title", name)),
        alt=str(meta.get("alt", "")),
        height=int(layout.get("height", 400)),
        json=Markup(text),
    )


def questions(results: Results) -> list[Question]:
    """The case's questions, answers with several parts split into items."""
    return [
        Question(
            int(row["number"]),
            str(row["question"]),
            _items(row["claimed"]),
            _items(row["supported"]),
        )
        for row in results.case_questions.to_dict("records")
    ]


def _items(answer: object) -> list[str]:
    text = re.sub(r"(?<!\w)-(?=\d)", MINUS, str(answer)).replace("`", "")
    return [part for part in text.split("; ") if part]


def _template_text(name: str) -> Markup:
    return Markup(files(_PACKAGE).joinpath("templates", name).read_text(encoding="utf-8"))
