"""Special functions: those of ``scipy.special``, which loads when the first is called.

``scipy.special`` takes a fifth of the time in which the whole registry of pipelines imports, and
every command pays for that import, those that compute nothing too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def expit(z: ArrayLike) -> NDArray[np.float64]:
    """Probability of log odds, ``1 / (1 + exp(-z))``."""
    from scipy import special

    return np.asarray(special.expit(np.asarray(z, dtype=np.float64)), dtype=np.float64)


def logit(probability: ArrayLike, floor: float = 1e-7) -> NDArray[np.float64]:
    """Log odds, with probabilities held ``floor`` away from 0 and 1."""
    p = np.clip(np.asarray(probability, dtype=np.float64), floor, 1 - floor)
    return np.asarray(np.log(p) - np.log1p(-p), dtype=np.float64)


def gammaincinv(shape: Any, probability: Any) -> Any:
    """Get the quantiles of the gamma distribution with scale 1."""
    from scipy import special

    return special.gammaincinv(shape, probability)


def ndtr(z: Any) -> Any:
    """Get the distribution function of the standard normal."""
    from scipy import special

    return special.ndtr(z)


def ndtri(probability: Any) -> Any:
    """Get the quantiles of the standard normal."""
    from scipy import special

    return special.ndtri(probability)


def softmax(z: Any, axis: int | None = None) -> Any:
    """Get the probabilities that are proportional to ``exp(z)`` along an axis."""
    from scipy import special

    return special.softmax(z, axis=axis)
