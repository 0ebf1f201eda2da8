import pytest

from pentathlon.reporting.learning import learning_sentences, learning_table


def plain(texts):
    return [text.replace("\u00a0", " ") for text in texts]


def test_what_to_leave_to_chance_is_said(small_run):
    assert plain(learning_sentences(small_run.results(ships="personalised"))) == [
        "2.5 % of the e-mails drawn at random would detect a gain of 5.0 % over the best single "
        "message with 80 % power in one campaign; it costs about 2,250 EUR (standard error "
        "250 EUR).",
        "No share of one campaign detects a gain of 5.0 % over no e-mail with 80 % power; 3 "
        "campaigns of 1,000,000 customers with 20 % of the customers without e-mail would.",
    ]


@pytest.mark.parametrize("cost", [-100.0, 300.0])
def test_a_cost_within_its_error_is_called_so(small_run, cost):
    plan = small_run.learning_plan_summary()
    plan["questions"]["exploration"] |= {"cost": cost}
    sentence = plain(
        learning_sentences(small_run.results(changes={"learning_plan_summary": plan}))
    )[0]
    shown = "300 EUR" if cost > 0 else "−100 EUR"
    assert (
        f"what it costs cannot be told from nothing ({shown}, standard error 250 EUR)" in sentence
    )
    assert "by personal messages," in sentence


def test_a_policy_that_earns_nothing_has_no_gain_to_detect(small_run):
    plan = small_run.learning_plan_summary()
    plan["questions"]["holdout"] |= {"campaigns": None}
    sentence = learning_sentences(small_run.results(changes={"learning_plan_summary": plan}))[1]
    assert sentence.endswith("what ships earns nothing.")


def test_the_table_has_a_row_per_share(small_run):
    table = learning_table(small_run.results())
    assert plain(table.rows[0]) == [
        *("exploration", "1 %", "10,000", "0.040 EUR", "8.0 %", "+900 EUR", "100 EUR")
    ]
    assert plain(table.rows[1])[5] == "−50.00 EUR"
