"""The decision engine: from customers to decisions, the same for a file, a batch or a request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.decision.blending import FUSED, ContrastBlend
from pentathlon.decision.choice import PolicyChoice
from pentathlon.decision.decisions import Prediction, decisions_table
from pentathlon.decision.leads import AS_PREDICTED, MessageLeads
from pentathlon.decision.manifest import (
    FORMAT,
    MANIFEST,
    NO_BLEND,
    check_hashes,
    check_versions,
    folder_hashes,
    library_versions,
    manifest_digest,
    read_manifest,
)
from pentathlon.decision.plan import Plan, make_plan
from pentathlon.decision.policies import (
    BY_SEGMENT,
    PERSONALISED,
    POLICY_TREE,
    constant_name,
    level_of,
    personalised,
)
from pentathlon.decision.profit import expected_profit
from pentathlon.decision.routing import Router
from pentathlon.decision.rules import Screen, screen_customers
from pentathlon.decision.settings import FREE, SendingSettings
from pentathlon.decision.shrinkage import ContrastShrinkage
from pentathlon.errors import ArtifactError, ParameterError
from pentathlon.features import DesignBuilder, build_features
from pentathlon.fusion import FusionModel
from pentathlon.models.order_value import OrderValueModel
from pentathlon.models.protocol import ResponseModel
from pentathlon.models.stored import load_model

CHUNK_ROWS = 100_000


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
        The one that the evidence supports: ``personalised``, the name of a constant policy, or
        ``by_segment`` or ``policy_tree``, which go by the router.
    constant_worth : tuple of float, length n_messages
        What each message is worth to a customer of level 1 where a constant policy ships; it
        decides when rules or limits take the constant away. Empty: all the same.
    blend : ContrastBlend
        Whose contrasts between messages count; by default the fused ones.
    leads : MessageLeads
        Factors on order values; by default none.
    router : Router or None
        Groups of customers and what each of them gets.
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
    blend: ContrastBlend = FUSED
    leads: MessageLeads = AS_PREDICTED
    router: Router | None = None
    digest: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        routed = [BY_SEGMENT, POLICY_TREE]
        allowed = [PERSONALISED, *routed, *(constant_name(m) for m in self.messages)]
        if self.policy not in allowed:
            raise ArtifactError(f"There is no policy '{self.policy}'; choose from {allowed}.")
        if (self.policy in routed) != (self.router is not None):
            raise ArtifactError(
                f"The policy '{self.policy}' {'needs' if self.policy in routed else 'has no'} "
                "groups of customers; the engine is incomplete or was put together wrongly."
            )

    def shipping(self, choice: PolicyChoice) -> DecisionEngine:
        """The same engine with the policy that was chosen, and what it rests on."""
        return replace(
            self,
            blend=choice.blend,
            shrinkage=choice.shrinkage,
            leads=choice.leads,
            policy=choice.policy,
            constant_worth=choice.constant_worth,
            router=choice.router,
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
        blended = self.blend.predict(self.fusion.predict(by_model), by_model)
        probability = self.shrinkage.predict(blended)
        order_value = self.leads.predict(self.order_value.predict(design))
        profit = expected_profit(probability, order_value, self.messages)
        group = None if self.router is None else self.router.route(features)
        return Prediction(probability, order_value, profit, by_model, group)

    def choose(self, prediction: Prediction) -> NDArray[np.int64]:
        """Message of each customer under the engine's policy, shape ``(n,)``."""
        profit = prediction.expected_profit
        if self.router is not None and prediction.group is not None:
            return self.router.choose(prediction.group, profit, self.messages)
        if self.policy == PERSONALISED:
            return personalised(profit)
        names = [constant_name(m) for m in self.messages]
        return np.full(len(profit), names.index(self.policy), dtype=np.int64)

    def worth(self, prediction: Prediction) -> NDArray[np.float32]:
        """By what messages compete under the engine's policy, shape ``(n, n_messages)``.

        The personalised policy takes expected profit. A constant ships when nothing personal is
        supported: then a customer's messages differ as their averages do, in proportion to what
        the customer brings. Where the policy goes by groups, so does this.
        """
        profit = prediction.expected_profit
        if self.router is not None and prediction.group is not None:
            return self.router.worth(prediction.group, profit, self.messages)
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
        prediction = self.expect(customers)
        if screen is None:
            screen = screen_customers(customers, self.messages, settings.rules, settings.limits)
        plan = make_plan(
            self.worth(prediction),
            self.choose(prediction),
            screen.of(ids),
            settings,
            self.messages,
            campaign=campaign,
            supported=self.constant_worth,
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

    def expect(self, customers: pd.DataFrame) -> Prediction:
        """Predict from raw columns, some rows at a time; without single models.

        Parameters
        ----------
        customers : DataFrame, n rows
            ``customer_id`` and the raw feature columns.
        """
        parts = [self.predict(build_features(part, self.columns)) for part in _chunks(customers)]
        return Prediction(
            np.concatenate([p.purchase_probability for p in parts]),
            np.concatenate([p.expected_order_value for p in parts]),
            np.concatenate([p.expected_profit for p in parts]),
            {},
            None
            if self.router is None
            else np.concatenate([p.group for p in parts if p.group is not None]),
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
            "router": None if self.router is None else self.router.to_dict(),
            "constant_worth": list(self.constant_worth),
            "messages": self.messages.to_dict(),
            "features": self.columns.model_dump(),
            "design": self.builder.to_dict(),
            "blend": self.blend.to_dict(),
            "shrinkage": self.shrinkage.to_dict(),
            "leads": list(self.leads.factors),
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
        manifest = read_manifest(folder)
        try:
            check_hashes(folder, manifest)
            check_versions(manifest)
            return cls(
                messages=MessageSet(manifest["messages"]),
                columns=FeatureColumns.model_validate(manifest["features"]),
                builder=DesignBuilder.from_dict(manifest["design"]),
                models={
                    name: load_model(name, folder / "models" / name) for name in manifest["models"]
                },
                fusion=FusionModel.load(folder),
                order_value=OrderValueModel.load(folder / "order_value"),
                shrinkage=ContrastShrinkage.from_dict(manifest["shrinkage"]),
                policy=manifest["policy"],
                constant_worth=tuple(float(v) for v in manifest["constant_worth"]),
                leads=MessageLeads.of(manifest.get("leads", ())),
                blend=ContrastBlend.from_dict(manifest["blend"])
                if manifest["format"] > NO_BLEND
                else FUSED,
                router=Router.from_dict(manifest["router"]) if manifest.get("router") else None,
                digest=manifest["digest"],
            )
        except (AttributeError, LookupError, TypeError, ValueError, ParameterError) as error:
            raise ArtifactError(
                f"The engine cannot be read; its {MANIFEST} is not valid: {error}"
            ) from error


def _chunks(customers: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, max(len(customers), 1), CHUNK_ROWS):
        yield customers.iloc[start : start + CHUNK_ROWS]
