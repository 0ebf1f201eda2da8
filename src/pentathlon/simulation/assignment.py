"""Which message was sent: the logging policy of the published file."""

import numpy as np
import numpy.typing as npt

from pentathlon.simulation.population import Customers, linear_index
from pentathlon.simulation.published import FloatArray, fitted
from pentathlon.special import softmax


def propensities(customers: Customers) -> FloatArray:
    """Probabilities of the messages under the logging policy.

    The published file is nearly, not perfectly, randomised: the endurance and strength arms
    hold customers who are 4 to 5 % weaker. A multinomial logit whose log odds are linear in
    the published logit's index, hence in the features, gives the same imbalance.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of shape (n, 7)
        In the order of `MESSAGES`; rows sum to 1.
    """
    constants = fitted()["assignment"]
    z = (linear_index(customers) - constants["index_mean"]) / constants["index_sd"]
    log_weights = np.array(constants["intercepts"]) + z[:, None] * np.array(constants["slopes"])
    probabilities: FloatArray = softmax(log_weights, axis=1)
    return probabilities


def assign(
    probabilities: npt.NDArray[np.floating], generator: np.random.Generator
) -> npt.NDArray[np.int8]:
    """Draw one message for every customer.

    Parameters
    ----------
    probabilities : ndarray of shape (n, 7)
        Propensities.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (n,)
        Positions in `MESSAGES`.
    """
    uniform = generator.random(len(probabilities))
    below: npt.NDArray[np.bool_] = np.cumsum(probabilities, axis=1)[:, :-1] <= uniform[:, None]
    positions: npt.NDArray[np.int64] = below.sum(axis=1)
    return positions.astype(np.int8)
