import pytest

from pentathlon.reporting.challengers import challengers_section
from pentathlon.reporting.sections import sections
from pentathlon.reporting.verdict import action, verdict

TREE = {
    "groups": [
        "age at most 30 and region is north: run",
        "age at most 30 and region is not north: control",
        "age above 30: swim",
    ],
    "gain": 0.4,
    "gain_standard_error": 0.1,
    "gain_lower_bound": 0.2,
    "gain_over_incumbent": 0.4,
    "gain_over_incumbent_standard_error": 0.1,
    "ships": True,
}
SEGMENTS = [
    {
        "segment": "region is north",
        "share": 0.25,
        "gain": 0.5,
        "gain_standard_error": 0.1,
        "gain_by_outcomes": 0.3,
        "gain_by_outcomes_standard_error": 0.4,
        "adjusted_p_value": 0.0004,
        "personalised": True,
    },
    {
        "segment": "region is not north",
        "share": 0.75,
        "gain": 0.01,
        "gain_standard_error": 0.1,
        "gain_by_outcomes": -0.1,
        "gain_by_outcomes_standard_error": 0.3,
        "adjusted_p_value": 0.46,
        "personalised": False,
    },
]


def plain(text):
    return text.replace("\u00a0", " ").replace("\u2212", "-")


def test_without_challengers_there_is_no_section(small_run):
    assert challengers_section(small_run.results()) == []


def test_a_tree_that_ships_is_told(small_run):
    results = small_run.results(ships="policy_tree", gate={"policy_tree": TREE})
    (section,) = challengers_section(results)
    assert section.points == [
        "age at most 30 and region is north: run",
        "age at most 30 and region is not north: no e-mail",
        "age above 30: swim",
    ]
    assert "it gains +0.400 EUR a customer over the best single message" in plain(
        section.paragraphs[0]
    )
    assert "It ships" in section.paragraphs[0]
    assert action(results) == "Send each of 3 groups of customers its own message."
    assert verdict(results).why[0] == (
        "A small tree of questions passed the gate. The gate's own words."
    )


def test_a_tree_that_does_not_ship_is_told_too(small_run):
    results = small_run.results(gate={"policy_tree": TREE | {"ships": False}})
    assert "challengers" in [s.anchor for s in sections(results)]
    assert "It does not ship" in challengers_section(results)[0].paragraphs[0]


@pytest.mark.parametrize(("best", "rest"), [("swim", "the swim e-mail"), ("control", "no e-mail")])
def test_segments_are_told(small_run, best, rest):
    results = small_run.results(
        ships="by_segment", gate={"segments": SEGMENTS, "best_constant": best}
    )
    (table,) = challengers_section(results)[0].tables
    assert [row[0] for row in table.rows] == ["region is north", "region is not north"]
    assert [plain(cell) for cell in table.rows[0][1:6]] == [
        "25 %",
        "+0.500 EUR",
        "0.100 EUR",
        "+0.300 EUR",
        "0.000",
    ]
    assert [row[-1] for row in table.rows] == [
        "personal",
        "No e-mail" if best == "control" else "All: swim",
    ]
    assert (
        action(results)
        == f"Send customers of some segments their own message, and the others {rest}."
    )
    assert verdict(results).why[0].startswith("Personal messages passed the gate in part.")
