from pentathlon.reporting.overlap import (
    SHOWN,
    overlap_table,
    refusal_sentence,
    unreached_sentences,
)
from pentathlon.reporting.verdict import verdict

LOST = ["run", "city is A", 30, 0, 0.0, -9.0, 0, float("nan"), float("nan")]
LOST += [float("nan"), float("nan"), True]


def plain(texts):
    return [text.replace("\u00a0", " ") for text in texts]


def lost(small_run, share):
    summary = {"unreached_share": share, "max_unreached_share": 0.05, "refused": share > 0.05}
    return small_run.results(
        changes={"overlap": small_run.overlap([LOST]), "overlap_summary": summary}
    )


def test_a_log_that_reaches_everybody_is_said_to(small_run):
    results = small_run.results()
    assert unreached_sentences(results) == [
        "The log reaches every group of customers with every message that ships."
    ]
    assert not results.refused
    assert "No conclusion" not in verdict(results).action


def test_the_report_refuses_a_conclusion_and_says_who(small_run):
    results = lost(small_run, 0.3)
    found = verdict(results)
    assert found.action == "No conclusion: the log cannot speak for what would ship."
    assert found.certainty[0] == refusal_sentence(results)
    assert "30.0 % of the judged customers" in plain([refusal_sentence(results)])[0]
    assert found.next_steps[0].startswith("Do not send as decided.")
    assert plain(unreached_sentences(results)) == [
        "The log does not reach 30 customers whose city is A with run: those who got it stand for "
        "0.0 % of them."
    ]
    table = overlap_table(results)
    assert table.marked == [1]
    assert plain(table.rows[1])[:5] == ["run", "city is A", "30", "0", "0.0 %"]


def test_a_few_who_are_not_reached_are_named_but_no_refusal(small_run):
    results = lost(small_run, 0.02)
    assert "No conclusion" not in verdict(results).action
    assert len(unreached_sentences(results)) == 1


def test_the_largest_groups_are_named_and_the_others_counted(small_run):
    groups = [[*LOST[:1], f"city is {i}", 10 + i, *LOST[3:]] for i in range(SHOWN + 2)]
    results = small_run.results(changes={"overlap": small_run.overlap(groups)})
    found = plain(unreached_sentences(results))
    assert len(found) == SHOWN + 1
    assert f"whose city is {SHOWN + 1} with run" in found[0]
    assert found[-1] == "2 more such groups are in the table."
