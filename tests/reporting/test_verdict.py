import pytest

from pentathlon.reporting.caveats import caveats
from pentathlon.reporting.sections import honesty, sections
from pentathlon.reporting.verdict import alarm_sentence, claim_sentence, verdict


@pytest.fixture
def say(small_run):
    """The first screen of a run with the given differences, non-breaking spaces made plain."""

    def texts(**options):
        found = verdict(small_run.results(**options))
        plain = lambda value: (  # noqa: E731
            [plain(v) for v in value]
            if isinstance(value, list)
            else value.replace("\u00a0", " ")
            if isinstance(value, str)
            else value
        )
        return found, {k: plain(v) for k, v in vars(found).items()}

    return texts


def words(items):
    return " ".join(items).replace("\u00a0", " ")


def test_a_constant_ships(say):
    found, text = say()
    assert text["action"] == "Send everyone the run e-mail."
    assert text["shares"] == ""
    assert text["profit"] == "0.600 EUR"
    assert text["profit_interval"] == "0.400 to 0.800 EUR"
    assert text["campaign_profit"] == "600,000 EUR"
    assert text["campaign_interval"] == "400,000 to 800,000 EUR"
    assert "1,000 randomised customers" in text["evidence"]
    assert [c.status for c in found.comparisons] == ["unsure", "same", "unsure"]
    assert "so there is nothing to gain over it" in found.comparisons[1].sentence


def test_why_personal_messages_do_not_ship(say):
    _, text = say()
    why = words(text["why"])
    assert "Personal messages do not ship" in why
    assert "earn −0.100 EUR a customer against the best single message" in why
    assert "it is −0.150 EUR (standard error 0.200 EUR)." in why
    assert "one-sided lower 90 % bound is −0.164 EUR" in why
    assert "the estimated gain is not positive" in why


def test_how_many_emails_would_settle_it(say):
    gate = {"gain": 0.02, "gain_lower_bound": -0.01, "emails_to_settle": 123_456}
    _, text = say(gate=gate)
    assert "About 120,000 randomised e-mails in all would settle" in words(text["why"])
    assert "collect about 120,000 randomised e-mails in all" in words(text["next_steps"])


def test_a_gate_that_stops_for_another_reason_is_quoted(say):
    _, text = say(gate={"gain": 0.2, "gain_lower_bound": 0.1, "emails_to_settle": 50})
    assert "It is not enough for the gate: The gate's own words." in words(text["why"])


def test_a_policy_worth_exactly_the_constant(say):
    _, text = say(gate={"gain": 0.0, "gain_standard_error": 0.0, "gain_lower_bound": 0.0})
    assert "worth exactly as much as the run e-mail for everyone" in words(text["why"])


PASSED = {"gain": 0.1, "gain_lower_bound": 0.05}


def test_personal_messages_ship(say):
    gains = {"send run": (0.3, 0.2), "random": (0.5, 0.2)}
    found, text = say(ships="personalised", gate=PASSED, gains=gains)
    assert text["action"] == "Send each customer their own message."
    assert text["shares"] == "Of 4 customers: 75.0 % run and 25.0 % swim."
    assert "Personal messages passed the gate" in words(text["why"])
    assert "the judged customers confirm the gate" in words(text["why"])
    assert [c.status for c in found.comparisons] == ["better", "better", "unsure"]
    assert found.comparisons[0].sentence.startswith("Beats random assignment beyond chance")


def test_personal_messages_that_the_judged_customers_contradict(say):
    found, text = say(ships="personalised", gate=PASSED, gains={"send run": (-0.3, 0.2)})
    assert "the judged customers contradict the gate" in words(text["why"])
    assert found.comparisons[1].status == "worse"
    assert found.comparisons[1].sentence.startswith("Worse than the run e-mail for everyone")
    assert "did better than what ships beyond chance" in words(text["next_steps"])


def test_personal_messages_unconfirmed(say):
    _, text = say(ships="personalised", gate=PASSED, gains={"send run": (0.1, 0.2)})
    assert "neither confirm nor refute the gate" in words(text["why"])
    assert "12,000 judged e-mails, instead of 1,000, would settle" in words(text["next_steps"])


def test_personal_messages_that_leave_some_alone(say):
    _, text = say(ships="personalised", gate=PASSED, decided={"control": 1, "run": 3})
    assert text["shares"] == "Of 4 customers: 75.0 % run and 25.0 % no e-mail."


def test_no_email_is_best(say):
    found, text = say(ships="no e-mail", best="control")
    assert text["action"] == "Send nobody an e-mail."
    assert [c.over for c in found.comparisons] == [
        "Over today’s random assignment",
        "Over no e-mail",
    ]
    assert found.comparisons[1].status == "same"


def test_without_a_control_nothing_is_said_about_no_email(small_run, say):
    found, text = say(control=False)
    assert len(found.comparisons) == 2
    everything = words([*text["why"], *text["certainty"], *text["next_steps"]])
    assert "sending no e-mail" not in everything
    points = words(caveats(small_run.results(control=False)))
    assert "nothing can be said about sending none" in points


@pytest.mark.parametrize(
    ("gain", "half", "expected"),
    [
        (0.3, 0.2, "Beats random assignment"),
        (0.15, 0.2, "leans in its favour"),
        (-0.15, 0.2, "leans against it"),
        (0.01, 0.2, "small beside its own uncertainty"),
        (-0.3, 0.2, "Worse than random assignment"),
    ],
)
def test_an_interval_with_zero_never_beats(say, gain, half, expected):
    found, _ = say(gains={"random": (gain, half)})
    sentence = found.comparisons[0].sentence
    assert expected in sentence
    assert ("Not distinguishable" in sentence) == (abs(gain) <= half)
    assert "Beats" not in sentence or gain > half


def test_cross_fitted_numbers_are_those_of_the_recipe(small_run, say):
    _, text = say(scheme="cross_fitted")
    assert "each by a recipe refitted without them" in text["evidence"]
    assert "played no part" not in text["evidence"]
    assert "found on the customers that also judge it" in words(
        caveats(small_run.results(scheme="cross_fitted"))
    )


def test_rolling_numbers_are_those_of_the_recipe_as_time_went_on(small_run, say):
    _, text = say(scheme="rolling_origin")
    assert "refitted on what was known before" in text["evidence"]
    assert "early refits knew less than what ships now" in text["evidence"]


def test_alarms_are_counted_and_named(small_run):
    one = small_run.results(alarms=["send swim: IPS - AIPW = 0.1, 3.0 standard errors"])
    assert alarm_sentence(one).startswith("1 alarm: ")
    assert "the swim e-mail for everyone" in alarm_sentence(one)
    assert "What ships is not among them" in alarm_sentence(one)
    # The candidate that ships repeats the alarm of what ships.
    two = small_run.results(alarms=["shipped: a", "send run: a", "random: b"])
    assert "2 alarms" in alarm_sentence(two)
    assert "treat its value with caution" in alarm_sentence(two)
    assert alarm_sentence(small_run.results()).startswith("No alarm")


def test_alarms_of_messages_with_colons(small_run):
    found = small_run.results(alarms=["send a: b: IPS - AIPW = 0.1"]).alarms
    assert found == [("send a: b", "IPS - AIPW = 0.1")]


@pytest.mark.parametrize(
    ("claimed", "inflation", "expected"),
    [
        (0.9, 50.0, "50.0 % more than the 0.600 EUR that outcomes support; the claim lies above"),
        (0.3, -50.0, "50.0 % less than the 0.600 EUR that outcomes support; the claim lies below"),
        (0.6, 0.0, "beside the 0.600 EUR that outcomes support; the claim lies inside"),
        (0.6, None, "beside the 0.600 EUR"),
    ],
)
def test_claims_name_their_inflation(small_run, claimed, inflation, expected):
    head = {"claimed_profit": claimed, "inflation_percent": inflation}
    assert expected in words([claim_sentence(small_run.results(headline=head))])


def test_a_value_that_is_not_positive_has_no_relative_width(say):
    head = {
        "supported_profit": -0.1,
        "supported_profit_lower": -0.3,
        "supported_profit_upper": 0.1,
        "campaign_profit": -100_000.0,
    }
    _, text = say(headline=head)
    assert text["profit"] == "−0.100 EUR"
    assert "the estimate is not above zero" in words(text["certainty"])


def test_the_truth_is_told_only_where_it_is_known(small_run, say):
    _, text = say()
    assert "truly earns 0.550 EUR" in words(text["certainty"])
    _, text = say(truth=False)
    assert "simulated" not in words(text["certainty"])
    assert "simulated" not in words(caveats(small_run.results(truth=False)))
    curse = next(s for s in sections(small_run.results(truth=False)) if s.anchor == "winners-curse")
    assert "truth" not in curse.figures
    assert "Truth" not in curse.tables[0].header


def test_caveats_come_from_numbers(small_run):
    points = words(caveats(small_run.results()))
    assert "120 orders. That is few" in points
    assert "carry 40.0 % of the margin" in points
    assert "800 effective of 1,000 judged customers" in points
    assert "no sign that order-size smoothing is biased for what ships (p = 0.400)" in points
    assert "cost nothing" in points
    biased = words(caveats(small_run.results(headline={"smoothing_bias_p_value": 0.0001})))
    assert "looks biased for what ships (p below 0.001)" in biased
    assert "cost nothing" not in words(caveats(small_run.results(cost=0.1)))


def test_caveats_of_a_log_and_of_orders_that_say_less(small_run):
    data = small_run.datasets()
    quality, values = data["data_quality"], data["policy_values"]
    quality["propensity"]["at_floor"] = 12
    values.loc[values["policy"] == "shipped", "top_10_orders_share"] = float("nan")
    calibration = data["calibration"]
    rows = calibration["group"] == "message"
    calibration.loc[rows.idxmax(), "agrees"] = False
    changes = {"data_quality": quality, "policy_values": values, "calibration": calibration}
    points = words(caveats(small_run.results(changes=changes)))
    assert "12 propensities had to be raised to the floor" in points
    assert "What ships is credited with no order at all" in points
    first = calibration.loc[rows.idxmax(), "message"].replace("control", "no e-mail")
    assert f"lie outside the interval of the observed ones for {first}." in points
    silent = small_run.results(headline={"smoothing_bias_p_value": None})
    assert "smoothing" not in words(caveats(silent))


def test_columns_that_nothing_reads_are_named(small_run):
    quality = small_run.datasets()["data_quality"] | {"unused_columns": ["shoe_size"]}
    results = small_run.results(changes={"data_quality": quality})
    data = next(s for s in sections(results) if s.anchor == "data")
    assert "Columns that nothing reads: shoe_size" in words(data.paragraphs)


def test_many_orders_are_not_called_few(small_run):
    calibration = small_run.calibration(("control", "run", "swim"), observed=14_400.0)
    points = words(caveats(small_run.results(changes={"calibration": calibration})))
    assert "14,400 orders; the precision" in points
    assert "few" not in points


def test_rejected_rows_are_listed_with_their_reasons(small_run):
    data = next(s for s in sections(small_run.results(rejected=5)) if s.anchor == "data")
    assert "5 were set aside" in words(data.paragraphs)
    rows = {row[0]: row[1] for row in data.tables[1].rows}
    assert rows["rejected: income out of range"] == "5"
    assert rows["repaired: age missing"] == "3"
    clean = next(s for s in sections(small_run.results()) if s.anchor == "data")
    assert "No row was rejected" in words(clean.paragraphs)


def test_policies_are_ranked_by_support_and_what_ships_is_marked(small_run):
    table = next(s for s in sections(small_run.results()) if s.anchor == "policies").tables[0]
    assert table.rows[0][0] == "Personalised"
    assert [table.rows[i][0] for i in table.marked] == ["Ships: run"]
    row = table.rows[table.marked[0]]
    assert words(row[1:5]) == "0.600 0.400 to 0.800 0.700 +16.7 %"


def test_a_symbol_precedes(say):
    _, text = say(currency="$", customers=5_000_000)
    assert text["profit"] == "$0.600"
    assert text["campaign_interval"] == "$2.00 to 4.00 million"


@pytest.mark.parametrize(
    ("slope", "low", "high", "expected"),
    [
        (0.9, 0.5, 1.3, "give 0.90 (0.50 to 1.30); customers who are promised more do gain more."),
        (0.4, 0.2, 0.6, "do gain more, but less than promised."),
        (0.4, -0.2, 1.0, "cannot tell yet"),
        (-0.6, -0.9, -0.3, "do not trust the promises"),
    ],
)
def test_the_honesty_slope_is_put_into_words(small_run, slope, low, high, expected):
    head = {"honesty_slope": slope, "honesty_slope_lower": low, "honesty_slope_upper": high}
    assert expected in words(honesty(small_run.results(headline=head)).paragraphs)


def test_without_promises_there_is_no_honesty_slope(small_run):
    assert "Honesty slope" not in words(honesty(small_run.results()).paragraphs)
