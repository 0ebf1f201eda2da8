"""Which customer features a response model is told, by evidence on rows it was not fitted on."""

from pentathlon.models.selection.chosen import ChosenFeatures, choose_features, narrowed_view
from pentathlon.models.selection.settings import FeatureSelectionSettings

__all__ = [
    "ChosenFeatures",
    "FeatureSelectionSettings",
    "choose_features",
    "narrowed_view",
]
