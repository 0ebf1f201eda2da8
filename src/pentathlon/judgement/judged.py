"""Rows with everything that was predicted and decided for them by parties that never saw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import CONTROL, MessageSet
from pentathlon.decision import DecisionEngine, Prediction, SendingSettings, logged_outcomes
from pentathlon.decision.exploration import NO_EXPLORATION
from pentathlon.decision.plan import make_plan
from pentathlon.decision.rules import Screen
from pentathlon.errors import DataError, EvaluationError
from pentathlon.evaluation import LoggedOutcomes, customer_clusters

FUSION = "fusion"
ORDER_VALUE = "order_value"
PROFIT = "expected_profit"
_CONTACT_COST = "contact_cost"
_MAY_BE_ABSENT = ("preferred", _CONTACT_COST)
_KEYS = (
    "customer_id",
    "fold",
    "message",
    "propensity",
    "response",
    "order_value",
    "sampling_weight",
    "natural_rate",
)


@dataclass(frozen=True)
class Judged:
    """Judged rows.

    Attributes
    ----------
    keys : DataFrame, n rows
        customer_id, fold, message (as logged), propensity, response, order_value,
        sampling_weight, natural_rate, decision (what would ship), policy (that decided), and
        preferred (what it would send without rules and limits; may be absent), contact_cost
        (expected cost of another e-mail to the customer beside the message's own, in currency;
        absent where no rule declares one).
    probabilities : dict of str to ndarray of float32, shape (n, n_messages)
        Purchase probability by each single model and by ``fusion`` (contrasts shrunk).
    order_values, profit : ndarray of float32, shape (n, n_messages)
        Expected order value and expected profit, in currency.
    messages : MessageSet
    """

    keys: pd.DataFrame
    probabilities: Mapping[str, NDArray[np.float32]]
    order_values: NDArray[np.float32]
    profit: NDArray[np.float32]
    messages: MessageSet

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def message(self) -> NDArray[np.int64]:
        """Column of the logged message, shape ``(n,)``."""
        return self.messages.codes(self.keys["message"].to_numpy())  # type: ignore[arg-type]

    @property
    def decision(self) -> NDArray[np.int64]:
        """Column of the message that would ship, shape ``(n,)``."""
        return self.messages.codes(self.keys["decision"].to_numpy())  # type: ignore[arg-type]

    @property
    def preferred(self) -> NDArray[np.int64]:
        """Column of the message that would ship without rules and limits, shape ``(n,)``."""
        if "preferred" not in self.keys:
            return self.decision
        return self.messages.codes(self.keys["preferred"].to_numpy())  # type: ignore[arg-type]

    @property
    def response(self) -> NDArray[np.int8]:
        """0 or 1, shape ``(n,)``."""
        return self.keys["response"].to_numpy(dtype=np.int8)

    @property
    def sampling_weight(self) -> NDArray[np.float64]:
        """Mean 1, shape ``(n,)``."""
        return self.keys["sampling_weight"].to_numpy(dtype=np.float64)

    @property
    def single_models(self) -> list[str]:
        """Names of the single models."""
        return [name for name in self.probabilities if name != FUSION]

    def logged_probability(self, model: str) -> NDArray[np.float32]:
        """Purchase probability under the logged message, shape ``(n,)``."""
        return self.probabilities[model][np.arange(len(self)), self.message]

    @property
    def contact_costs(self) -> NDArray[np.float32] | None:
        """Declared cost of another contact, shape ``(n, n_messages)``; ``None`` without any."""
        if _CONTACT_COST not in self.keys:
            return None
        e_mail = np.array([m != CONTROL for m in self.messages], dtype=np.float32)
        each = self.keys[_CONTACT_COST].to_numpy(dtype=np.float32)
        return np.asarray(each[:, None] * e_mail, dtype=np.float32)

    def outcomes(self) -> LoggedOutcomes:
        """Logged outcomes in money; what contacts cost beyond them is known and comes off."""
        logged = logged_outcomes(
            self.message,
            self.keys["propensity"].to_numpy(dtype=np.float64),
            self.response,
            self.keys["order_value"].to_numpy(dtype=np.float64),
            self.sampling_weight,
            self.order_values,
            self.messages,
            customer_clusters(self.keys["customer_id"].to_numpy()),
        )
        return replace(logged, known_cost=self.contact_costs)

    def to_table(self) -> pd.DataFrame:
        """One table: the keys, then ``<what>__<message>`` columns."""
        blocks = {**self.probabilities, ORDER_VALUE: self.order_values, PROFIT: self.profit}
        columns = {
            f"{what}__{message}": values[:, k]
            for what, values in blocks.items()
            for k, message in enumerate(self.messages)
        }
        return pd.concat([self.keys.reset_index(drop=True), pd.DataFrame(columns)], axis=1)

    @classmethod
    def from_table(cls, table: pd.DataFrame, messages: MessageSet) -> Judged:
        """Read back what :meth:`to_table` made.

        Raises
        ------
        DataError
            When the table was made with other messages.
        """
        predicted = [c for c in table.columns if "__" in c]
        blocks: dict[str, NDArray[np.float32]] = {}
        for what in dict.fromkeys(c.split("__", 1)[0] for c in predicted):
            names = [f"{what}__{m}" for m in messages]
            missing = [n for n in names if n not in table.columns]
            if missing:
                raise DataError(f"judged rows lack {missing}; judge again with these messages.")
            blocks[what] = np.ascontiguousarray(table[names].to_numpy(dtype=np.float32))
        order_values, profit = blocks.pop(ORDER_VALUE), blocks.pop(PROFIT)
        present = [name for name in _MAY_BE_ABSENT if name in table.columns]
        keys = table[[*_KEYS, "decision", "policy", *present]]
        return cls(keys, blocks, order_values, profit, messages)

    def policy_scores(self) -> pd.DataFrame:
        """What anyone needs to recompute the value of what ships.

        Returns
        -------
        DataFrame
            customer_id, fold, message (as logged), propensity (of the logged message), response,
            order_value, profit (realised, in currency), decision (what would ship),
            sampling_weight; contact_cost where one is declared: it comes off the value of every
            decision that is an e-mail.
        """
        table = self.keys[
            ["customer_id", "fold", "message", "propensity", "response", "order_value"]
        ].copy()
        table["profit"] = self.outcomes().profit
        table["decision"] = self.keys["decision"]
        table["sampling_weight"] = self.keys["sampling_weight"]
        if _CONTACT_COST in self.keys:
            table[_CONTACT_COST] = self.keys[_CONTACT_COST]
        return table


@dataclass(frozen=True)
class Sending:
    """Rules and limits under which decisions are judged.

    Attributes
    ----------
    settings : SendingSettings
        Exploration is left out: the plan is judged, not the luck of the draw.
    screen : Screen
        Of all customers; limits in customers or currency are scaled to those who are judged.
    """

    settings: SendingSettings
    screen: Screen

    def decide(
        self,
        engine: DecisionEngine,
        customer_id: NDArray[np.object_],
        prediction: Prediction,
    ) -> NDArray[np.int64]:
        """What would be sent to customers, shape ``(n,)``."""
        plan = make_plan(
            engine.worth(prediction),
            engine.choose(prediction),
            self.screen.of(customer_id),
            self.settings.model_copy(update={"exploration": NO_EXPLORATION}),
            engine.messages,
            share=len(customer_id) / len(self.screen),
            supported=engine.constant_worth,
        )
        return plan.planned


def judge_test_rows(
    engine: DecisionEngine,
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    sending: Sending | None = None,
) -> Judged:
    """Let the engine decide for the test rows, which played no part in making it.

    Parameters
    ----------
    engine : DecisionEngine
    observations, model_input : DataFrame, n rows
    sending : Sending, optional
        Rules and limits; none by default.

    Returns
    -------
    Judged

    Raises
    ------
    EvaluationError
        When there are no test rows.
    """
    test = (observations["split"] == "test").to_numpy()
    if not test.any():
        raise EvaluationError(
            "There are no test rows to judge on: set data_processing.split.test_share above 0, "
            "or evaluation.scheme to cross_fitted."
        )
    return judge_rows(engine, observations[test], model_input[test], sending)


def judge_rows(
    engine: DecisionEngine,
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    sending: Sending | None = None,
) -> Judged:
    """Let an engine decide for rows, whoever they are; see :func:`judge_test_rows`."""
    prediction = engine.predict(model_input)
    names = np.array(engine.messages.names, dtype=object)
    keys = observations[list(_KEYS)].reset_index(drop=True)
    profit = prediction.expected_profit
    preferred = decision = engine.choose(prediction)
    if sending is not None:
        customer_id = keys["customer_id"].astype(str).to_numpy(dtype=object)
        decision = sending.decide(engine, customer_id, prediction)
        if sending.screen.contact_cost.any():
            keys[_CONTACT_COST] = sending.screen.of(customer_id).contact_cost
    keys["decision"] = names[decision]
    keys["policy"] = engine.policy
    keys["preferred"] = names[preferred]
    return Judged(
        keys=keys.astype(dict.fromkeys(("decision", "policy", "preferred"), "str")),
        probabilities={**prediction.by_model, FUSION: prediction.purchase_probability},
        order_values=prediction.expected_order_value,
        profit=profit,
        messages=engine.messages,
    )
