"""The purchase probability above which an e-mail pays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.outcomes import check_finite
from pentathlon.evaluation.scored import check_scored, tie_groups


def profit_threshold(
    probability: NDArray[Any],
    *,
    cost: float,
    margin: float,
    mean_order_value: float,
    predicted_gain: NDArray[Any] | None = None,
    sampling_weight: NDArray[Any] | None = None,
) -> float:
    """Purchase probability above which an e-mail pays, without a look at the outcomes.

    - With a cost: ``cost / (margin x mean_order_value)``, where the expected margin of the
      order pays for the e-mail (the break-even response rate of direct marketing).
    - Without a cost and with ``predicted_gain``: the rows are taken from the highest probability
      down as long as that raises the total predicted gain, and the threshold is the last
      probability left out.
    - Without either every e-mail breaks even and profit sets no threshold: the one that
      maximises the F1 expected under the probabilities themselves is used (Lipton, Elkan,
      Naryanaswamy 2014, "Optimal thresholding of classifiers to maximize F1 measure").

    Parameters
    ----------
    probability : ndarray of float, shape (n,)
        Out-of-sample purchase probabilities.
    cost : float
        Of one e-mail, in currency.
    margin : float
        Share of the order value that remains.
    mean_order_value : float
        In currency.
    predicted_gain : ndarray of float, shape (n,), optional
        Out-of-sample predicted profit of the e-mail minus that of no e-mail, in currency.
    sampling_weight : ndarray of float, shape (n,), optional

    Returns
    -------
    float
        Rows strictly above it are chosen; 0 or less chooses every row with a chance of buying.

    Raises
    ------
    EvaluationError
        On a negative cost, or a margin or order value that is not positive.
    """
    if not (cost >= 0 and margin > 0 and mean_order_value > 0):
        raise EvaluationError(
            f"cost {cost}, margin {margin} and mean order value {mean_order_value}: the cost "
            "cannot be negative, the others must be positive."
        )
    if cost > 0:
        return cost / (margin * mean_order_value)
    _, p, w = check_scored(np.zeros(len(probability)), probability, sampling_weight)
    group, n_groups = tie_groups(p)
    distinct = np.empty(n_groups)
    distinct[group] = p
    if predicted_gain is not None:
        check_finite(np.asarray(predicted_gain), "predicted_gain")
        gain = np.bincount(group, w * predicted_gain, minlength=n_groups)
        score = np.cumsum(gain[::-1])
        if score.max() <= 0:
            return float(distinct[-1])
    else:
        buyers = np.bincount(group, w * p, minlength=n_groups)[::-1]
        rows = np.bincount(group, w, minlength=n_groups)[::-1]
        if buyers.sum() == 0:
            return float(distinct[-1])
        score = np.cumsum(buyers) / (np.cumsum(rows) + buyers.sum())
    last = n_groups - 1 - int(np.argmax(score))
    return float(distinct[last - 1]) if last > 0 else float(np.nextafter(distinct[0], -1.0))
