"""Settings of training and order values."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pentathlon.errors import ParameterError
from pentathlon.models.device import Device
from pentathlon.models.registry import MODEL_NAMES, model_class
from pentathlon.models.search_space import SearchDimension, check_search_space
from pentathlon.models.selection.settings import FeatureSelectionSettings


class TrainingSettings(BaseModel):
    """How one response model is tuned and fitted.

    Attributes
    ----------
    model : str
        Name in :mod:`pentathlon.models.registry`.
    n_trials : int
        Trials that the study has in the end.
    timeout : float or None
        Seconds after which no new trial starts.
    tuning_folds : int
        Folds that each trial holds out.
    non_buyers_per_buyer : float or None
        Case-control sampling of the rows that fit; ``null`` fits on all.
    search_space : dict of str to SearchDimension
    fixed : dict or None
        Hyper-parameters to take without tuning.
    feature_selection : FeatureSelectionSettings
        Which customer features the model is told; all of them by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    n_trials: Annotated[int, Field(ge=1)] = 10
    timeout: Annotated[float, Field(gt=0)] | None = None
    tuning_folds: Annotated[int, Field(ge=1)] = 2
    non_buyers_per_buyer: Annotated[float, Field(gt=0)] | None = 10.0
    search_space: dict[str, SearchDimension] = {}
    fixed: dict[str, Any] | None = None
    feature_selection: FeatureSelectionSettings = FeatureSelectionSettings()

    @model_validator(mode="after")
    def _known(self) -> TrainingSettings:
        if self.model not in MODEL_NAMES:
            raise ValueError(f"model: there is no '{self.model}'; choose from {MODEL_NAMES}")
        parameters = model_class(self.model).hyperparameters
        try:
            check_search_space(self.search_space, self.fixed or {}, parameters)
        except ParameterError as error:
            raise ValueError(str(error)) from error
        if self.fixed is not None:
            parameters.model_validate(self.fixed)
        return self


class OrderValueSettings(BaseModel):
    """How the order-value model is chosen.

    Attributes
    ----------
    n_trials : int
        Per candidate.
    candidates : dict of str to search space
        Candidates by name (``gamma``, ``xgboost``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_trials: Annotated[int, Field(ge=1)] = 8
    candidates: Annotated[dict[str, dict[str, SearchDimension]], Field(min_length=1)]


class RandomnessSettings(BaseModel):
    """Seed, threads and device, the same for every step.

    Attributes
    ----------
    seed : int
        Of every random draw.
    threads : int
        Threads of every model that can use several.
    device : {"cpu", "cuda"}
        Where boosted trees and networks are fitted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=1)] = 2
    device: Device = "cpu"
