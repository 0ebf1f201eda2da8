"""Search spaces as configuration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pentathlon.errors import ParameterError
from pentathlon.models.protocol import Hyperparameters


class SearchDimension(BaseModel):
    """One dimension of a search space.

    Attributes
    ----------
    type : {"float", "int", "categorical"}
    low, high : float
        Ends of a numeric dimension, both included.
    log : bool
        Search on a logarithmic scale.
    step : float, optional
    choices : list
        Values of a categorical dimension.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["float", "int", "categorical"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: list[Any] | None = None

    @model_validator(mode="after")
    def _check(self) -> SearchDimension:
        if self.type == "categorical":
            if not self.choices:
                raise ValueError("a categorical dimension needs choices")
        elif self.low is None or self.high is None or self.low >= self.high:
            raise ValueError(f"a {self.type} dimension needs low < high")
        return self

    def suggest(self, trial: Any, name: str) -> Any:
        """Ask an Optuna trial for a value."""
        if self.type == "categorical":
            return trial.suggest_categorical(name, self.choices)
        assert self.low is not None
        assert self.high is not None
        if self.type == "int":
            return trial.suggest_int(
                name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log
            )
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)


SearchSpace = Annotated[dict[str, SearchDimension], Field(default_factory=dict)]


def check_search_space(
    space: dict[str, SearchDimension], fixed: dict[str, Any], parameters: type[Hyperparameters]
) -> None:
    """Refuse dimensions and fixed values that the model does not have.

    Raises
    ------
    ParameterError
        Naming the stranger and what the model understands.
    """
    known = set(parameters.model_fields)
    for where, names in (("search_space", set(space)), ("fixed", set(fixed))):
        strangers = sorted(names - known)
        if strangers:
            raise ParameterError(
                f"{where}: {strangers} are not hyper-parameters of this model; "
                f"it has {sorted(known)}."
            )
