"""Response models behind one protocol, order values, tuning. Heavy imports stay in functions."""

from pentathlon.models.protocol import ResponseModel, TrainingRows, Validation
from pentathlon.models.registry import MODEL_NAMES, model_class

__all__ = ["MODEL_NAMES", "ResponseModel", "TrainingRows", "Validation", "model_class"]
