import json
import re
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from pentathlon.pipelines.reporting.nodes import FIGURES
from pentathlon.reporting import figures_policies, theme
from pentathlon.reporting.report import page_figure, render_report
from pentathlon.reporting.sections import corrected_sentences

EVIL = "<b>bold</b>"
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Checks nesting; collects ids, links, headings, scripts and loaded addresses."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.headings, self.loaded = [], [], [], [], []
        self.captions, self.tables, self.alts = 0, 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a":
            self.links.append(attrs["href"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.loaded += [
            attrs[name] for name in ("src", "srcset", "data", "poster") if name in attrs
        ]
        self.loaded += [attrs["href"]] if tag in {"link", "base"} else []
        self.captions += tag == "caption"
        self.tables += tag == "table"
        if "data-figure" in attrs:
            self.alts.append((attrs["role"], attrs["aria-labelledby"], attrs["aria-describedby"]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def blank_figures():
    return {name: theme.empty(name, "nothing to show") for name in FIGURES}


@pytest.fixture(scope="module")
def page(small_run):
    return render_report(small_run.results(), blank_figures())


def without_plotly(page):
    return page.replace(get_plotlyjs().replace("</script", "<\\/script"), "")


def test_it_is_one_file_that_loads_nothing(page):
    assert len(page.encode()) < 8_000_000
    assert page.count(get_plotlyjs()[:2000]) == 1
    own = without_plotly(page)
    assert len(own) < 200_000
    assert not re.search(r"https?://", own)
    assert "@import" not in own
    assert "url(" not in own
    parsed = Page(own)
    assert parsed.loaded == []
    assert "default-src 'none'" in own  # and a browser would refuse to


def test_it_is_well_formed_and_accessible(page):
    parsed = Page(without_plotly(page))
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link.removeprefix("#") for link in parsed.links} <= set(parsed.ids)
    assert parsed.headings.count(1) == 1
    steps = zip(parsed.headings, parsed.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)
    assert parsed.captions == parsed.tables > 10
    for role, title, alt in parsed.alts:
        assert role == "img"
        assert {title, alt} <= set(parsed.ids)


def test_every_figure_is_shown_once(page):
    assert sorted(re.findall(r'data-figure="(\w+)"', page)) == sorted(FIGURES)


def test_without_a_truth_its_figure_is_left_out(small_run):
    text = render_report(small_run.results(truth=False), blank_figures())
    assert 'data-figure="truth"' not in text


def test_the_first_screen_comes_first(page):
    text = without_plotly(page)
    assert text.index("Send everyone the run e-mail.") < text.index('id="claimed-supported"')
    assert "<title>Spring: what to send, and what it earns</title>" in text
    assert "0.600\u00a0EUR" in text


def test_questions_are_itemised_with_a_true_minus(page):
    assert "<li>run: 0.7</li><li>swim: 0.8</li>" in page
    assert "0.6 (−0.1 to 0.9)" in page
    assert "a question about predictions" in page


def test_what_is_taken_off_the_leads_of_e_mails_is_said(small_run, page):
    assert "order values are multiplied by 0.93 to 1.09, the same for every customer" in page
    untouched = small_run.results(gate={"leads": []})
    assert "lead over the others" not in render_report(untouched, blank_figures())


def test_names_are_escaped_everywhere(small_run):
    options = {"first": EVIL, "best": EVIL, "ships": f"send {EVIL}"}
    data = small_run.datasets(**options)
    figures = blank_figures() | {
        "message_shares": figures_policies.message_shares(data["policy_values"], f"send {EVIL}")
    }
    text = without_plotly(render_report(small_run.results(**options), figures))
    assert EVIL not in text
    assert "Send everyone the &lt;b&gt;bold&lt;/b&gt; e-mail." in text


def test_figure_data_cannot_close_its_script():
    figure = go.Figure(go.Scatter(x=[1], y=[2], name="</script><script>alert(1)</script>"))
    prepared = page_figure("f", theme.finish(figure, title="T & <t>", alt="A", height=300))
    assert "<" not in prepared.json
    assert json.loads(prepared.json)["data"][0]["name"].startswith("</script>")
    assert (prepared.title, prepared.alt, prepared.height) == ("T & <t>", "A", 300)
    assert "title" not in json.loads(prepared.json)["layout"]


@pytest.mark.parametrize(
    "options",
    [
        {"ships": "personalised", "gate": {"gain": 0.1, "gain_lower_bound": 0.05}},
        {"ships": "no e-mail", "best": "control"},
        {"control": False, "truth": False},
        {"scheme": "cross_fitted", "rejected": 4, "truth": False},
        {"alarms": [f"{p}: IPS - AIPW = 0.1" for p in ("shipped", "random", "xgboost")]},
    ],
)
def test_every_case_renders(small_run, options):
    text = without_plotly(render_report(small_run.results(**options), blank_figures()))
    assert Page(text).open == []
    assert not re.search(r"\bnan\b|\bNone\b|\bNaN\b|&lt;NA&gt;", text)


@pytest.mark.parametrize(("claim", "where"), [(0.55, "inside"), (5.0, "outside")])
def test_the_corrected_claim_stands_beside_the_supported_profit(small_run, claim, where):
    results = small_run.results()
    assert corrected_sentences(results) == []
    head = {**results.headline, "corrected_claim": claim}
    (sentence,) = corrected_sentences(small_run.results(changes={"headline": head}))
    assert f"{claim:.3f}\u00a0EUR a customer, {where} the supported interval." in sentence
