"""The decision engine: from customers to decisions, the same for a file, a batch or a request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.decision.choice import PolicyChoice
from pentathlon.decision.decisions import Prediction, decisions_table
from pentathlon.decision.plan import Plan, make_plan
from pentathlon.decision.policies import PERSONALISED, constant_name, level_of, personalised
from pentathlon.decision.profit import expected_profit
from pentathlon.decision.rules import Screen, screen_customers
from pentathlon.decision.settings import FREE, SendingSettings
from pentathlon.decision.shrinkage import ContrastShrinkage
from pentathlon.errors import ArtifactError, ParameterError
from pentathlon.features import DesignBuilder, build_features
from pentathlon.fusion import FusionModel
from pentathlon.models.order_value import OrderValueModel
from pentathlon.models.protocol import ResponseModel
from pentathlon.models.registry import model_class

FORMAT = 3
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
    constant_worth : tuple of float, length n_messages
        What each message is worth to a customer of level 1 where a constant policy ships; it
        decides when rules or limits take the constant away. Empty: all the same.
    digest : str
        SHA-256 of the engine's files, where it was loaded; else empty.
    """

    messages: MessageSet
    columns: FeatureColumns
    builder: DesignBuilder
    models: Mapping[str, ResponseModel]
    fusion: FusionModel
    order_value: OrderValueModel
    shrinkage: ContrastShrinkage
    policy: str
    constant_worth: tuple[float, ...] = ()
    digest: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        allowed = [PERSONALISED, *(constant_name(m) for m in self.messages)]
        if self.policy not in allowed:
            raise ArtifactError(f"There is no policy '{self.policy}'; choose from {allowed}.")

    def shipping(self, choice: PolicyChoice) -> DecisionEngine:
        """The same engine with the policy that was chosen, and what it rests on."""
        return replace(
            self,
            shrinkage=choice.shrinkage,
            policy=choice.policy,
            constant_worth=choice.constant_worth,
        )

    def compiled(self, threads: int = 1) -> DecisionEngine:
        """The same engine, its predictions compiled for many customers.

        A customer's numbers are then the same bits alone, in a batch and on any number of threads.

        Parameters
        ----------
        threads : int
            Of each model's prediction.
        """
        # All models' modules, which only those who predict for many should load.
        from pentathlon.models.compiled import compiled  # noqa: PLC0415

        return replace(
            self,
            models={name: compiled(model, threads) for name, model in self.models.items()},
            order_value=replace(self.order_value, level=compiled(self.order_value.level, threads)),
        )

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

    def worth(self, profit: NDArray[np.float32]) -> NDArray[np.float32]:
        """By what messages compete under the engine's policy, shape ``(n, n_messages)``.

        The personalised policy takes expected profit. A constant ships when nothing personal is
        supported: then a customer's messages differ as their averages do, in proportion to what
        the customer brings.
        """
        if self.policy == PERSONALISED:
            return profit
        relative = self.constant_worth or (1.0,) * len(self.messages)
        level = level_of(profit, self.messages)
        return level[:, None] * np.array(relative, dtype=np.float32)

    def plan(
        self,
        customers: pd.DataFrame,
        settings: SendingSettings = FREE,
        screen: Screen | None = None,
        campaign: str = "",
    ) -> tuple[Prediction, Plan]:
        """Predict for customers, and decide within rules and limits.

        Parameters
        ----------
        customers : DataFrame, n rows
            ``customer_id`` and the raw feature columns.
        settings : SendingSettings
            Rules, limits, levers and exploration; nothing of it by default.
        screen : Screen, optional
            What the rules say about these customers. By default they are asked here, with no
            more known about customers than their columns, and no date.
        campaign : str
            Name of the campaign; each draws other customers.

        Returns
        -------
        prediction : Prediction
            Without single models.
        plan : Plan

        Raises
        ------
        InfeasibleError
            When limits cannot hold together.
        DataError
            When a customer was not screened, or rules leave one without a message.
        """
        ids = customers["customer_id"].astype(str).to_numpy(dtype=object)
        prediction = self._predict_in_chunks(customers)
        profit = prediction.expected_profit
        if screen is None:
            screen = screen_customers(customers, self.messages, settings.rules, settings.limits)
        plan = make_plan(
            self.worth(profit),
            self.choose(profit),
            screen.of(ids),
            settings,
            self.messages,
            campaign=campaign,
        )
        return prediction, plan

    def decide(
        self,
        customers: pd.DataFrame,
        settings: SendingSettings = FREE,
        screen: Screen | None = None,
        campaign: str = "",
    ) -> pd.DataFrame:
        """Decide for customers; see :meth:`plan` for the parameters.

        Returns
        -------
        DataFrame, n rows, same order
            See :func:`pentathlon.decision.decisions.decisions_table`.
        """
        prediction, plan = self.plan(customers, settings, screen, campaign)
        return decisions_table(
            customers["customer_id"].astype(str).to_numpy(dtype=object),
            prediction,
            plan,
            self.messages,
            self.policy,
        )

    def _predict_in_chunks(self, customers: pd.DataFrame) -> Prediction:
        parts = [self.predict(build_features(part, self.columns)) for part in _chunks(customers)]
        return Prediction(
            np.concatenate([p.purchase_probability for p in parts]),
            np.concatenate([p.expected_order_value for p in parts]),
            np.concatenate([p.expected_profit for p in parts]),
            {},
        )

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
            "constant_worth": list(self.constant_worth),
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
                constant_worth=tuple(float(v) for v in manifest["constant_worth"]),
                digest=manifest["digest"],
            )
        except (AttributeError, LookupError, TypeError, ValueError, ParameterError) as error:
            raise ArtifactError(
                f"The engine cannot be read; its {MANIFEST} is not valid: {error}"
            ) from error


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
    for start in range(0, max(len(customers), 1), CHUNK_ROWS):
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
