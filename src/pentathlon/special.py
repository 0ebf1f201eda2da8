"""Functions of ``scipy.special``, which loads when the first of them is called.

``scipy.special`` takes a fifth of the time in which the whole registry of pipelines imports, and
every command pays for that import, those that compute nothing too.
"""

from __future__ import annotations

from typing import Any


def expit(z: Any) -> Any:
    """Get the logistic function, ``1 / (1 + exp(-z))``."""
    from scipy import special

    return special.expit(z)


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
