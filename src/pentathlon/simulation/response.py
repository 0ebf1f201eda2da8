"""Who buys: the baseline log odds, before any message."""

import numpy as np

from pentathlon.simulation.population import Customers, linear_index, standardised
from pentathlon.simulation.published import FloatArray, fitted, published_statistics


def baseline_basis(customers: Customers) -> FloatArray:
    """Functions of the features that make up the baseline log odds.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of shape (n, 18)
        Intercept, standardised numeric features, age and gender indicators, logarithms of
        income, education and children, rank of the published logit's index among customers.
    """
    z = standardised(customers)
    categories = customers.features()[:, z.shape[1] :]
    logs = np.empty((len(customers), 3))
    for j, name in enumerate(("income", "education", "children")):
        buyers = published_statistics()["buyers"][f"ln_{name}_plus1"]
        # The few customers with an income or an education of 0 would otherwise dominate.
        logs[:, j] = np.maximum(
            (np.log1p(customers.numeric[:, j]) - buyers["mean"]) / buyers["sd"], -8.0
        )
    quantiles = np.array(fitted()["index_quantiles"])
    rank = np.interp(linear_index(customers), quantiles, np.linspace(0.0, 1.0, len(quantiles)))
    return np.column_stack([np.ones(len(customers)), z, categories, logs, rank])


def baseline_log_odds(customers: Customers) -> FloatArray:
    """Log odds of buying under an average message.

    The published logit is not the truth of the published file: its log-likelihood and its
    area under the curve disagree unless the probabilities are curved in the index. Of all
    response functions that reproduce the published buyers' means, the logit's score
    equations and its area under the curve, this is the one of maximum entropy.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of shape (n,)
        Log odds.
    """
    log_odds: FloatArray = baseline_basis(customers) @ np.array(fitted()["baseline"])
    return log_odds
