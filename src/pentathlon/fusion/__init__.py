"""Calibration, pooling and stacking of purchase probabilities."""

from pentathlon.fusion.calibration import PlattCalibrator
from pentathlon.fusion.fusion import FusionModel, FusionResult, choose_fusion
from pentathlon.fusion.logistic_fit import LogisticFit, fit_logistic
from pentathlon.fusion.pooling import METHODS

__all__ = [
    "METHODS",
    "FusionModel",
    "FusionResult",
    "LogisticFit",
    "PlattCalibrator",
    "choose_fusion",
    "fit_logistic",
]
