"""The decision engine: from customers to decisions, the same for a file, a batch or a request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.decision.exploration import (
    NO_EXPLORATION,
    Draw,
    ExplorationSettings,
    explore,
)
from pentathlon.decision.policies import PERSONALISED, constant_name, personalised
from pentathlon.decision.profit import expected_profit
from pentathlon.decision.shrinkage import ContrastShrinkage
from pentathlon.errors import ArtifactError, ParameterError
from pentathlon.features import DesignBuilder, build_features
from pentathlon.fusion import FusionModel
from pentathlon.models.order_value import OrderValueModel
from pentathlon.models.protocol import ResponseModel
from pentathlon.models.registry import model_class

FORMAT = 2
MANIFEST = "manifest.json"
CHUNK_ROWS = 100_000
LIBRARIES = {
    "pentathlon": ("pentathlon",),
    "scikit-learn": ("scikit-learn",),
    "xgboost": ("xgboost-cpu", "xgboost"),
    "keras": ("keras",),
    "numpy": ("numpy",),
}
"""Libraries that an engine's files depend on, and the distributions that may provide them."""


@dataclass(frozen=True)
class Prediction:
    """What the engine expects of ``n`` customers under every message.

    Attributes
    ----------
    purchase_probability : ndarray of float32, shape (n, n_messages)
        Fused and calibrated, contrasts shrunk.
    expected_order_value : ndarray of float32, shape (n, n_messages)
        In currency, of a buyer.
    expected_profit : ndarray of float32, shape (n, n_messages)
        In currency per customer.
    by_model : dict of str to ndarray of float32, shape (n, n_messages)
        Purchase probability by each single model.
    """

    purchase_probability: NDArray[np.float32]
    expected_order_value: NDArray[np.float32]
    expected_profit: NDArray[np.float32]
    by_model: dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class DecisionEngine:
    """Everything that a decision needs, from raw customer columns to the message.

    Attributes
    ----------
    messages : MessageSet
    columns : FeatureColumns
        Raw columns that customers must have.
    builder : DesignBuilder
    models : dict of str to ResponseModel
    fusion : FusionModel
    order_value : OrderValueModel
    shrinkage : ContrastShrinkage
    policy : str
        ``personalised`` or the name of a constant policy: the one that the evidence supports.
    """

    messages: MessageSet
    columns: FeatureColumns
    builder: DesignBuilder
    models: Mapping[str, ResponseModel]
    fusion: FusionModel
    order_value: OrderValueModel
    shrinkage: ContrastShrinkage
    policy: str

    def __post_init__(self) -> None:
        allowed = [PERSONALISED, *(constant_name(m) for m in self.messages)]
        if self.policy not in allowed:
            raise ArtifactError(f"There is no policy '{self.policy}'; choose from {allowed}.")

    def predict(self, features: pd.DataFrame) -> Prediction:
        """Predict from engineered features.

        Parameters
        ----------
        features : DataFrame, n rows
            As :func:`pentathlon.features.build_features` returns them.
        """
        design = self.builder.transform(features)
        by_model = {name: model.predict(design) for name, model in self.models.items()}
        probability = self.shrinkage.predict(self.fusion.predict(by_model))
        order_value = self.order_value.predict(design)
        profit = expected_profit(probability, order_value, self.messages)
        return Prediction(probability, order_value, profit, by_model)

    def choose(self, profit: NDArray[np.float32]) -> NDArray[np.int64]:
        """Message of each customer under the engine's policy, shape ``(n,)``."""
        if self.policy == PERSONALISED:
            return personalised(profit)
        names = [constant_name(m) for m in self.messages]
        return np.full(len(profit), names.index(self.policy), dtype=np.int64)

    def decide(
        self,
        customers: pd.DataFrame,
        exploration: ExplorationSettings = NO_EXPLORATION,
        campaign: str = "",
    ) -> pd.DataFrame:
        """Decide for customers.

        Parameters
        ----------
        customers : DataFrame, n rows
            ``customer_id`` and the raw feature columns.
        exploration : ExplorationSettings
            What is left to chance; nothing by default.
        campaign : str
            Name of the campaign; each draws other customers.

        Returns
        -------
        DataFrame, n rows, same order
            customer_id, message, purchase_probability, expected_order_value, expected_profit,
            expected_profit_of_control (missing where there is no control), runner_up,
            runner_up_expected_profit, policy, decided_by (``policy``, ``exploration`` or
            ``holdout``), propensity (probability with which the message was drawn).
        """
        parts = [self._decide(part, exploration, campaign) for part in _chunks(customers)]
        if not parts:
            return self._decide(customers, exploration, campaign)
        return pd.concat(parts, ignore_index=True)

    def _decide(
        self, customers: pd.DataFrame, exploration: ExplorationSettings, campaign: str
    ) -> pd.DataFrame:
        prediction = self.predict(build_features(customers, self.columns))
        customer_id = customers["customer_id"].astype(str).to_numpy()
        draw = explore(
            customer_id,
            self.choose(prediction.expected_profit),
            prediction.expected_profit,
            exploration,
            campaign=campaign,
            control=self.messages.control,
        )
        return decisions_table(customer_id, prediction, draw, self.messages, self.policy)

    def save(self, folder: Path) -> None:
        """Write the engine as a folder of native formats with a manifest.

        Parameters
        ----------
        folder : Path
            Exists and is empty.
        """
        for name, model in self.models.items():
            (folder / "models" / name).mkdir(parents=True)
            model.save(folder / "models" / name)
        (folder / "order_value").mkdir()
        self.order_value.save(folder / "order_value")
        self.fusion.save(folder)
        manifest = {
            "format": FORMAT,
            "policy": self.policy,
            "messages": self.messages.to_dict(),
            "features": self.columns.model_dump(),
            "design": self.builder.to_dict(),
            "shrinkage": self.shrinkage.to_dict(),
            "models": list(self.models),
            "versions": library_versions(),
            "sha256": folder_hashes(folder),
        }
        manifest["digest"] = manifest_digest(manifest)
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> DecisionEngine:
        """Read an engine back, refusing one that is incomplete, altered or incompatible.

        Raises
        ------
        ArtifactError
            Saying what is wrong with the folder.
        """
        manifest = _read_manifest(folder)
        try:
            _check_hashes(folder, manifest)
            _check_versions(manifest)
            return cls(
                messages=MessageSet(manifest["messages"]),
                columns=FeatureColumns.model_validate(manifest["features"]),
                builder=DesignBuilder.from_dict(manifest["design"]),
                models={
                    name: model_class(name).load(folder / "models" / name)
                    for name in manifest["models"]
                },
                fusion=FusionModel.load(folder),
                order_value=OrderValueModel.load(folder / "order_value"),
                shrinkage=ContrastShrinkage.from_dict(manifest["shrinkage"]),
                policy=manifest["policy"],
            )
        except (AttributeError, LookupError, TypeError, ValueError, ParameterError) as error:
            raise ArtifactError(
                f"The engine cannot be read; its {MANIFEST} is not valid: {error}"
            ) from error


def decisions_table(
    customer_id: NDArray[np.object_],
    prediction: Prediction,
    draw: Draw,
    messages: MessageSet,
    policy: str,
) -> pd.DataFrame:
    """Decisions with what they were weighed against; see :meth:`DecisionEngine.decide`."""
    choice = draw.choice
    rows = np.arange(len(choice))
    profit = prediction.expected_profit
    others = profit.copy()
    others[rows, choice] = -np.inf
    runner_up = others.argmax(axis=1)
    names = np.array(messages.names, dtype=object)
    control = messages.control
    return pd.DataFrame(
        {
            "customer_id": customer_id,
            "message": names[choice],
            "purchase_probability": prediction.purchase_probability[rows, choice],
            "expected_order_value": prediction.expected_order_value[rows, choice],
            "expected_profit": profit[rows, choice],
            "expected_profit_of_control": (
                np.full(len(rows), np.nan, dtype=np.float32)
                if control is None
                else profit[:, control]
            ),
            "runner_up": names[runner_up],
            "runner_up_expected_profit": profit[rows, runner_up],
            "policy": np.full(len(rows), policy, dtype=object),
            "decided_by": draw.decided_by,
            "propensity": draw.of_choice,
        }
    ).astype(dict.fromkeys(("customer_id", "message", "runner_up", "policy", "decided_by"), "str"))


def library_versions() -> dict[str, str]:
    """Versions of the libraries that an engine's files depend on."""
    found = {}
    for library, distributions in LIBRARIES.items():
        for distribution in distributions:
            try:
                found[library] = version(distribution)
                break
            except PackageNotFoundError:
                continue
    return found


def folder_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under a folder but its manifest, by relative POSIX path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's content, its own digest left out."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _chunks(customers: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(customers), CHUNK_ROWS):
        yield customers.iloc[start : start + CHUNK_ROWS]


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(f"{folder.name} is not a decision engine: it has no {MANIFEST}.")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"The engine's {MANIFEST} is not valid JSON: {error}.") from error
    if not isinstance(manifest, dict):
        raise ArtifactError(f"The engine's {MANIFEST} is not valid: it is no JSON object.")
    if manifest.get("format") != FORMAT:
        raise ArtifactError(
            f"The engine has format {manifest.get('format')}, this version reads format {FORMAT}. "
            "Load it with the version of Pentathlon that saved it, or train it again."
        )
    required = {
        *("policy", "messages", "features", "design", "shrinkage", "models", "sha256", "digest"),
    }
    missing = sorted(required - set(manifest))
    if missing:
        raise ArtifactError(f"The engine's {MANIFEST} lacks {missing}; it is incomplete.")
    if manifest["digest"] != manifest_digest(manifest):
        raise ArtifactError(
            f"The engine was changed after it was saved: its {MANIFEST} is not the one that was "
            "written. Do not use it; copy it again from where it was made, or train it again."
        )
    return manifest


def _check_hashes(folder: Path, manifest: Mapping[str, Any]) -> None:
    found, expected = folder_hashes(folder), manifest["sha256"]
    missing = sorted(set(expected) - set(found))
    extra = sorted(set(found) - set(expected))
    altered = sorted(p for p in set(found) & set(expected) if found[p] != expected[p])
    for what, paths in (("missing", missing), ("unexpected", extra), ("altered", altered)):
        if paths:
            raise ArtifactError(
                f"The engine was changed after it was saved: {what} files {paths}. "
                "Do not use it; copy it again from where it was made, or train it again."
            )


def _check_versions(manifest: Mapping[str, Any]) -> None:
    """Minor releases of model libraries change file formats; patches do not."""
    here = library_versions()
    clashes = [
        f"{library} {saved} (here {here.get(library, 'not installed')})"
        for library, saved in manifest.get("versions", {}).items()
        if library not in {"pentathlon", "numpy"}
        and here.get(library, "").split(".")[:2] != saved.split(".")[:2]
    ]
    if clashes:
        raise ArtifactError(
            f"The engine was saved with {', '.join(clashes)}. Install those versions, or train "
            "it again with the ones installed."
        )
