"""Settings of feature selection."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["none", "permutation", "drop_column", "recursive", "l1_path"]


class FeatureSelectionSettings(BaseModel):
    """How the customer features of one response model are selected.

    Attributes
    ----------
    method : str
        ``none`` keeps every feature. ``permutation`` and ``drop_column`` drop features whose
        importance is not beyond its standard error, ``recursive`` drops the weakest until the
        model predicts worse, ``l1_path`` keeps what a logistic regression with an L1 penalty
        keeps.
    standard_errors : float
        How many standard errors count as evidence. More of them drop more features.
    at_least, at_most : int, int or None
        Fewest and most features to keep.
    always_keep : list of str
        Features that are never dropped.
    held_out_folds : int
        Folds that are held out in turn to measure on; as many as there are where there are fewer.
    repeats : int
        Shuffles of every feature, by ``permutation`` and ``recursive``.
    step : int
        Features that ``recursive`` drops at a time.
    penalties : int
        Penalties on the path of ``l1_path``.
    rows : int or None
        Training rows that the selection looks at, drawn at random; ``None`` takes all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = "none"
    standard_errors: Annotated[float, Field(ge=0)] = 1.0
    at_least: Annotated[int, Field(ge=1)] = 1
    at_most: Annotated[int, Field(ge=1)] | None = None
    always_keep: list[str] = []
    held_out_folds: Annotated[int, Field(ge=1)] = 2
    repeats: Annotated[int, Field(ge=1)] = 2
    step: Annotated[int, Field(ge=1)] = 1
    penalties: Annotated[int, Field(ge=2)] = 15
    rows: Annotated[int, Field(ge=1_000)] | None = 50_000

    @property
    def on(self) -> bool:
        """Whether anything may be dropped."""
        return self.method != "none"

    @model_validator(mode="after")
    def _agree(self) -> FeatureSelectionSettings:
        repeated = sorted({f for f in self.always_keep if self.always_keep.count(f) > 1})
        if repeated:
            raise ValueError(f"always_keep: {repeated} are named twice; name each feature once.")
        needed = max(self.at_least, len(self.always_keep))
        if self.at_most is not None and self.at_most < needed:
            raise ValueError(
                f"at_most: {self.at_most} is less than the {needed} features that at_least and "
                "always_keep ask for; raise it, or ask for fewer."
            )
        return self
