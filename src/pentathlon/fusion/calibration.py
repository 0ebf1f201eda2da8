"""Calibration of purchase probabilities on natural-rate rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.fusion.logistic_fit import fit_logistic
from pentathlon.special import expit, logit


@dataclass(frozen=True)
class PlattCalibrator:
    """Two-parameter calibration on the logit scale (Platt 1999): ``expit(a + b logit(p))``.

    Attributes
    ----------
    intercept : float
    slope : float
        Below 1 for an overconfident model. Held positive: a calibration must not reverse ranks.
    """

    intercept: float = 0.0
    slope: float = 1.0

    @classmethod
    def fit(
        cls,
        probability: NDArray[np.floating],
        response: NDArray[np.integer],
        sampling_weight: NDArray[np.floating],
    ) -> PlattCalibrator:
        """Fit on held-out rows under their logged message.

        Parameters
        ----------
        probability, response, sampling_weight : ndarray, shape (n,)
        """
        z = logit(probability)
        x = np.column_stack([np.ones(len(z)), z])
        # Worth half a dozen buyers: decides nothing but for models that learnt nothing.
        penalty = np.array([0.0, 1.0])
        fit = fit_logistic(x, response, sampling_weight, penalty=penalty, centre=np.array([0, 1]))
        if fit.coefficients[1] <= 0:
            level = fit_logistic(x[:, :1], response, sampling_weight)
            return cls(float(level.coefficients[0]), 0.0)
        return cls(float(fit.coefficients[0]), float(fit.coefficients[1]))

    def index(self, probability: NDArray[np.floating]) -> NDArray[np.float64]:
        """Calibrated log odds, same shape."""
        return self.intercept + self.slope * logit(probability)

    def predict(self, probability: NDArray[np.floating]) -> NDArray[np.float32]:
        """Calibrated probability, same shape."""
        return expit(self.index(probability)).astype(np.float32)
