"""Random forest on the shared design."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pentathlon.errors import ArtifactError
from pentathlon.features.design import Design, DesignBuilder
from pentathlon.models.protocol import Hyperparameters, TrainingRows, Validation
from pentathlon.models.sampling import shift_prior

CHUNK_ROWS = 100_000
LEAF_FLOOR = 1e-4
"""A forest's leaves may hold no buyer at all; its probabilities stay this far from 0 and 1."""


class ForestParameters(Hyperparameters):
    """Hyper-parameters of the forest; names and meanings are scikit-learn's."""

    n_estimators: Annotated[int, Field(ge=1)] = 80
    max_depth: Annotated[int, Field(ge=1)] = 12
    min_samples_leaf: Annotated[int, Field(ge=1)] = 30
    max_features: Annotated[float, Field(gt=0, le=1)] = 0.4


@dataclass(frozen=True)
class RandomForestModel:
    """Random forest classifier (Breiman 2001), one row per customer and message.

    Attributes
    ----------
    parameters : ForestParameters
    estimator : sklearn.ensemble.RandomForestClassifier
    logit_offset : float
        Prior correction of the case-control sample it was grown on. A forest needs calibration
        on natural-rate rows on top of it, which fusion gives every model.
    """

    name: ClassVar[str] = "random_forest"
    hyperparameters: ClassVar[type[Hyperparameters]] = ForestParameters

    parameters: ForestParameters
    estimator: Any
    logit_offset: float

    @classmethod
    def fit(
        cls,
        rows: TrainingRows,
        builder: DesignBuilder,
        parameters: Mapping[str, Any],
        *,
        logit_offset: float,
        seed: int,
        threads: int,
        validation: Validation | None = None,
    ) -> Self:
        """Grow the trees; see :class:`pentathlon.models.protocol.ResponseModel`."""
        from sklearn.ensemble import RandomForestClassifier

        p = ForestParameters.model_validate(dict(parameters))
        estimator = RandomForestClassifier(
            **p.model_dump(), random_state=seed, n_jobs=threads, bootstrap=True
        )
        estimator.fit(rows.design.logged(rows.message), rows.response)
        return cls(p, estimator, logit_offset)

    @property
    def fitted_parameters(self) -> dict[str, Any]:
        """The hyper-parameters as given."""
        return self.parameters.model_dump()

    def _probability(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        raw = np.empty(len(x), dtype=np.float64)
        for start in range(0, len(x), CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            raw[part] = self.estimator.predict_proba(x[part])[:, 1]
        return shift_prior(raw, self.logit_offset, LEAF_FLOOR)

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Purchase probabilities, shape ``(n, n_messages)``."""
        out = np.empty((len(design), design.n_messages), dtype=np.float32)
        for start in range(0, len(design), CHUNK_ROWS):
            part = design.take(slice(start, start + CHUNK_ROWS))
            for k in range(design.n_messages):
                out[start : start + CHUNK_ROWS, k] = self._probability(part.under(k))
        return out

    def predict_logged(self, rows: TrainingRows) -> NDArray[np.float32]:
        """Purchase probability under each row's own message, shape ``(n,)``."""
        return self._probability(rows.design.logged(rows.message))

    def save(self, folder: Path) -> None:
        """Write ``forest.skops`` and ``model.json``."""
        import skops.io

        skops.io.dump(self.estimator, folder / "forest.skops")
        state = {"parameters": self.parameters.model_dump(), "logit_offset": self.logit_offset}
        (folder / "model.json").write_text(json.dumps(state, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote, trusting scikit-learn's own types only."""
        import skops.io

        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        file = folder / "forest.skops"
        untrusted = set(skops.io.get_untrusted_types(file=file))
        strangers = untrusted - {"sklearn.tree._tree.Tree"}
        if strangers:
            raise ArtifactError(
                f"{file.name} holds types that a forest does not: {sorted(strangers)}. "
                "Do not load it; train the model again."
            )
        estimator = skops.io.load(file, trusted=sorted(untrusted))
        return cls(
            ForestParameters.model_validate(state["parameters"]), estimator, state["logit_offset"]
        )
