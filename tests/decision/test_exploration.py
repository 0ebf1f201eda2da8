"""What is left to chance, and the probabilities that say so."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pentathlon.decision.exploration import ExplorationSettings, explore, hashed_uniform
from pentathlon.errors import ParameterError
from pentathlon.evaluation import IPS, LoggedOutcomes

IDS = np.array([f"C{i:05d}" for i in range(20_000)])
PROFIT = np.tile([0.4, 0.6, 0.5, 0.1], (len(IDS), 1))
CHOICE = np.full(len(IDS), 1)


def draw(eligible: np.ndarray | None = None, campaign: str = "may", **changes: object):
    settings = ExplorationSettings(**{"share": 0.2, "holdout": 0.1} | changes)
    return explore(IDS, CHOICE, PROFIT, settings, campaign=campaign, control=0, eligible=eligible)


def test_probabilities_by_hand() -> None:
    # 0.9 * 0.2 / 4 each; the policy's own gets 0.9 * 0.8 more, control the holdout's 0.1.
    np.testing.assert_allclose(draw().propensity[0], [0.145, 0.765, 0.045, 0.045])
    # The two best are messages 1 and 2.
    np.testing.assert_allclose(draw(among="top_two").propensity[0], [0.1, 0.81, 0.09, 0])
    nothing = draw(share=0.0, holdout=0.0)
    np.testing.assert_array_equal(nothing.choice, CHOICE)
    np.testing.assert_array_equal(nothing.of_choice, 1.0)
    assert set(nothing.decided_by) == {"policy"}


def test_what_is_drawn_has_the_probability_that_is_logged() -> None:
    found = draw()
    share = np.bincount(found.choice, minlength=4) / len(IDS)
    np.testing.assert_allclose(share, found.propensity[0], atol=4 * np.sqrt(0.25 / len(IDS)))
    assert (found.choice[found.decided_by == "holdout"] == 0).all()
    assert (found.decided_by == "holdout").mean() == pytest.approx(0.1, abs=0.01)
    assert (found.decided_by == "exploration").mean() == pytest.approx(0.18, abs=0.012)
    assert (found.choice[found.decided_by == "policy"] == 1).all()


def test_a_campaign_can_be_replayed_customer_by_customer() -> None:
    whole, again = draw(), draw()
    np.testing.assert_array_equal(again.choice, whole.choice)
    some = np.arange(0, len(IDS), 7)
    settings = ExplorationSettings(share=0.2, holdout=0.1)
    part = explore(IDS[some], CHOICE[some], PROFIT[some], settings, campaign="may", control=0)
    np.testing.assert_array_equal(part.choice, whole.choice[some])


def test_campaigns_draw_others_but_hold_the_same_out() -> None:
    may, june = draw(), draw(campaign="june")
    np.testing.assert_array_equal(may.decided_by == "holdout", june.decided_by == "holdout")
    both = (may.decided_by == "exploration") & (june.decided_by == "exploration")
    assert both.mean() == pytest.approx(0.9 * 0.2 * 0.2, abs=0.006)
    other = draw(key="another secret")
    assert (other.decided_by != may.decided_by).mean() > 0.2


def test_what_rules_forbid_is_not_drawn() -> None:
    eligible = np.ones(PROFIT.shape, dtype=bool)
    eligible[:, 2] = False
    eligible[::2, 3] = False
    found = draw(eligible, holdout=0.0)
    assert eligible[np.arange(len(IDS)), found.choice].all()
    np.testing.assert_allclose(found.propensity[0], [0.1, 0.9, 0, 0])
    np.testing.assert_allclose(found.propensity[1], [0.2 / 3, 0.8 + 0.2 / 3, 0, 0.2 / 3])
    eligible[5, 1] = False
    with pytest.raises(ParameterError, match="must be eligible"):
        draw(eligible)


def test_a_holdout_needs_a_control() -> None:
    settings = ExplorationSettings(holdout=0.1)
    with pytest.raises(ParameterError, match="no control"):
        explore(IDS, CHOICE, PROFIT, settings, campaign="may", control=None)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValidationError, match="at most 64 fit"):
        ExplorationSettings(key="x" * 65)
    with pytest.raises(ValidationError):
        ExplorationSettings(share=1.5)
    with pytest.raises(ValidationError):
        ExplorationSettings(holdout=1.0)
    assert not ExplorationSettings().active


def test_hashed_numbers_are_uniform_and_do_not_follow_each_other() -> None:
    first, second = (hashed_uniform(IDS, "secret", purpose) for purpose in ("a", "b"))
    assert 0 <= first.min() < first.max() < 1
    counts = np.bincount((first * 20).astype(int), minlength=20)
    assert ((counts - 1000) ** 2 / 1000).sum() < 45  # chi-square on 19 df at 0.999
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    digest = hashlib.blake2b(
        b"C00000",
        digest_size=8,
        key=b"secret",
        person=hashlib.blake2b(b"a", digest_size=16).digest(),
    ).digest()
    assert first[0] == (int.from_bytes(digest, "little") >> 11) / 2**53


@given(
    st.integers(0, 10**6),
    st.floats(0.05, 1.0),
    st.one_of(st.just(0.0), st.floats(0.01, 0.5)),
    st.sampled_from(["eligible", "top_two"]),
)
def test_the_next_log_is_unbiased(seed: int, share: float, holdout: float, among: str) -> None:
    """The expectation of IPS over all draws is the true value of any policy that is supported."""
    rng = np.random.default_rng(seed)
    n, k = 6, 4
    truth = rng.normal(size=(n, k))
    eligible = rng.random((n, k)) > 0.3
    eligible[:, 0] = True
    profit = rng.normal(size=(n, k))
    choice = np.where(eligible, profit, -np.inf).argmax(axis=1)
    found = explore(
        range(n),
        choice,
        profit,
        ExplorationSettings(share=share, holdout=holdout, among=among),
        campaign="x",
        control=0,
        eligible=eligible,
    )
    np.testing.assert_allclose(found.propensity.sum(axis=1), 1.0)
    assert (found.propensity[~eligible] == 0).all()
    target = np.where(found.propensity > 0, rng.random((n, k)), -1).argmax(axis=1)
    # Each row as the log holds it under every message that may be drawn, by its probability.
    row, message = np.nonzero(found.propensity)
    probability = found.propensity[row, message]
    log = LoggedOutcomes(
        message=message,
        propensity=probability,
        profit=truth[row, message],
        sampling_weight=probability,
    )
    expected = IPS().estimate(target[row], log).value
    assert expected == pytest.approx(truth[np.arange(n), target].mean(), abs=1e-9)
