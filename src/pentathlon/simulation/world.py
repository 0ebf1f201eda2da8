"""The truth: purchase probabilities and order values, calibrated to the published arms."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pentathlon.simulation.assignment import propensities
from pentathlon.simulation.effects import Effects, personal_effects
from pentathlon.simulation.orders import MINIMUM, mean_excess, order_index
from pentathlon.simulation.population import Customers, draw_customers, standardised
from pentathlon.simulation.published import FloatArray, arm_statistic, fitted
from pentathlon.simulation.response import baseline_log_odds
from pentathlon.special import expit

REFERENCE_ROWS = 150_000
_REFERENCE_SEED = 20_250_607


@dataclass(frozen=True)
class World:
    """One retailer's truth: the same function of a customer whatever file is drawn from it.

    Attributes
    ----------
    effects : str
        Kind of personal differences.
    strength : float
        Multiplies the personal differences.
    response_constants : ndarray of shape (7,)
        Log odds added for each message.
    order_constants : ndarray of shape (7,)
        Log of the order value above the minimum added for each message.
    """

    effects: Effects
    strength: float
    response_constants: FloatArray
    order_constants: FloatArray

    def purchase_probabilities(self, customers: Customers) -> FloatArray:
        """Probability that a customer buys, under each message.

        Parameters
        ----------
        customers : Customers
            Customers.

        Returns
        -------
        ndarray of shape (n, 7)
            In the order of `MESSAGES`.
        """
        log_odds = personal_effects(customers, self.effects, self.strength)
        log_odds += baseline_log_odds(customers)[:, None]
        log_odds += self.response_constants
        probabilities: FloatArray = expit(log_odds)
        return probabilities

    def order_indices(self, customers: Customers) -> FloatArray:
        """Log of the median order above the minimum, under each message.

        Parameters
        ----------
        customers : Customers
            Customers.

        Returns
        -------
        ndarray of shape (n, 7)
            In the order of `MESSAGES`.
        """
        return order_index(customers)[:, None] + self.order_constants

    def expected_order_values(self, customers: Customers) -> FloatArray:
        """Mean order of a customer who buys, under each message.

        Parameters
        ----------
        customers : Customers
            Customers.

        Returns
        -------
        ndarray of shape (n, 7)
            Currency, in the order of `MESSAGES`.
        """
        return MINIMUM + mean_excess(self.order_indices(customers))


def control_variates(customers: Customers) -> FloatArray:
    """Compute quantities whose means over all possible customers are known.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of shape (n, 15)
        Baseline probability of buying, alone and times the standardised features, the age
        and gender indicators and the mean order.
    """
    z = standardised(customers)
    categories = customers.features()[:, z.shape[1] :]
    probability = expit(baseline_log_odds(customers))[:, None]
    excess = mean_excess(order_index(customers))[:, None]
    return np.column_stack(
        [probability, probability * z, probability * categories, probability * excess]
    )


@lru_cache(maxsize=1)
def reference_customers() -> tuple[Customers, FloatArray]:
    """Draw the customers on whom every world is calibrated, always the same.

    Buying is rare and uneven: the mean probability of even 150,000 customers is off by half
    a percent or more. Regression weights (Deville and Särndal, 1992, "Calibration
    estimators in survey sampling", JASA 87) bring the means of `control_variates` to those
    of all possible customers, and with them every rate that depends on much the same.

    Returns
    -------
    customers : Customers
        `REFERENCE_ROWS` customers.
    weights : ndarray of shape (n,)
        Their weights, of sum 1.
    """
    customers = draw_customers(REFERENCE_ROWS, np.random.default_rng(_REFERENCE_SEED))
    variates = control_variates(customers)
    deviations = variates - variates.mean(axis=0)
    wanted = np.array(fitted()["control_means"]) - variates.mean(axis=0)
    weights = 1 + deviations @ np.linalg.solve(deviations.T @ deviations / len(customers), wanted)
    return customers, weights / weights.sum()


@lru_cache(maxsize=16)
def build_world(effects: Effects, strength: float) -> World:
    """Choose each message's constants so that the arms match the published ones.

    Whatever the personal differences, the arm of each message, as the logging policy fills
    it, has the published rate of buyers and their published mean order value.

    Parameters
    ----------
    effects : str
        Kind of personal differences.
    strength : float
        Multiplies the personal differences.

    Returns
    -------
    World
        The calibrated truth.
    """
    customers, reference_weights = reference_customers()
    weights = propensities(customers) * reference_weights[:, None]
    weights /= weights.sum(axis=0)
    log_odds = personal_effects(customers, effects, strength)
    log_odds += baseline_log_odds(customers)[:, None]
    response = match_rates(log_odds, weights, arm_statistic("buyer_rate"))
    buyers = weights * expit(log_odds + response)
    excess = mean_excess(order_index(customers))
    order = np.log((arm_statistic("mean_order_value") - MINIMUM) * buyers.sum(axis=0))
    order -= np.log(excess @ buyers)
    return World(effects, strength, response, order)


def match_rates(log_odds: FloatArray, weights: FloatArray, rates: FloatArray) -> FloatArray:
    """Find the constants that bring the weighted mean probability to a rate.

    Parameters
    ----------
    log_odds : ndarray of shape (n, m)
        Log odds before the constants.
    weights : ndarray of shape (n, m)
        Columns sum to 1.
    rates : ndarray of shape (m,)
        Mean probabilities wanted.

    Returns
    -------
    ndarray of shape (m,)
        Constants; Newton's method on the log of the mean, whose slope is near 1.
    """
    constants = np.zeros(len(rates))
    for _ in range(50):
        p = expit(log_odds + constants)
        mean = (weights * p).sum(axis=0)
        slope = (weights * p * (1 - p)).sum(axis=0) / mean
        step = np.log(rates / mean) / slope
        constants += np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:
            break
    return constants
