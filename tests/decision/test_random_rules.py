"""Rules hold whatever they are: a thousand random sets of them, asked of random customers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import SendingSettings
from pentathlon.decision.plan import make_plan
from pentathlon.decision.rules import Sources, screen_customers
from pentathlon.errors import InfeasibleError

TODAY = date(2026, 3, 31)
E_MAILS = ["team", "water", "strength"]
MESSAGES = MessageSet(
    {"control": {"margin": 0.4}}
    | {d: {"department": d, "margin": 0.4, "send_cost": 0.05} for d in E_MAILS}
)
N = 24


def random_customers(rng: np.random.Generator) -> tuple[pd.DataFrame, Sources]:
    ids = [f"c{i}" for i in range(N)]

    def days_ago(n: int, most: int) -> list[str]:
        return [str(TODAY - timedelta(days=int(d))) for d in rng.integers(-2, most, n)]

    customers = pd.DataFrame({"customer_id": ids, "age": rng.integers(14, 80, N).astype(float)})
    customers.loc[rng.random(N) < 0.1, "age"] = np.nan
    attributes = pd.DataFrame(
        {
            "customer_id": ids,
            "tier": rng.choice(["gold", "silver", "vip"], N),
            "opted_in": np.where(rng.random(N) < 0.9, days_ago(N, 1_000), None),
            "opted_out": np.where(rng.random(N) < 0.1, days_ago(N, 30), None),
        }
    ).sample(frac=0.95, random_state=int(rng.integers(1_000)))
    contacts = pd.DataFrame(
        {
            "customer_id": rng.choice(ids, 3 * N),
            "message": rng.choice([*E_MAILS, "control"], 3 * N),
            "sent_at": days_ago(3 * N, 40),
        }
    )
    purchases = pd.DataFrame(
        {
            "customer_id": rng.choice(ids, N),
            "department": rng.choice(E_MAILS, N),
            "purchased_at": days_ago(N, 60),
        }
    )
    suppressed = pd.DataFrame({"customer_id": rng.choice(ids, 3)})
    return customers, Sources(
        attributes, suppressed if rng.random() < 0.5 else None, contacts, purchases
    )


def random_settings(rng: np.random.Generator) -> dict[str, Any]:
    def some(values: list[str]) -> list[str]:
        return rng.permutation(values)[: rng.integers(1, len(values) + 1)].tolist()

    def conditions() -> list[dict[str, Any]]:
        choices: list[dict[str, Any]] = [
            {"column": "age", "below": int(rng.integers(15, 60))},
            {"column": "age", "at_least": int(rng.integers(15, 60))},
            {"column": "age", "missing": True},
            {"column": "tier", "one_of": some(["gold", "silver", "vip"])},
        ]
        return [choices[i] for i in rng.permutation(4)[: rng.integers(0, 3)]]

    def maybe(share: float, value: Any, otherwise: Any) -> Any:
        return value if rng.random() < share else otherwise

    rules = {
        "consent": maybe(0.5, {"opted_in": "opted_in", "opted_out": "opted_out"}, None),
        "eligibility": [
            {"name": f"eligibility {i}", "messages": some(E_MAILS), "when": conditions()}
            | {"unless": conditions()}
            for i in range(rng.integers(0, 4))
        ],
        "periods": maybe(
            0.3,
            [
                {
                    "name": "period",
                    "messages": some(E_MAILS),
                    "first_day": str(TODAY + timedelta(days=int(rng.integers(-3, 3)))),
                }
            ],
            [],
        ),
        "frequency_caps": [
            {"name": f"cap {i}", "at_most": int(rng.integers(1, 4))}
            | {"days": int(rng.integers(1, 35)), "messages": maybe(0.5, some(E_MAILS), None)}
            for i in range(rng.integers(0, 3))
        ],
        "cool_downs": maybe(0.5, [{"name": "rest", "days": int(rng.integers(1, 40))}], []),
        "minimum_gain": maybe(0.3, float(rng.uniform(0, 0.5)), None),
        "mandatory": maybe(
            0.3, [{"name": "must", "message": str(rng.choice(E_MAILS)), "when": conditions()}], []
        ),
        "pressure": maybe(0.3, {"unsubscribe": [0.0, 0.01], "customer_value": 5.0}, None),
    }
    limits = [
        {"name": f"limit {i}", "messages": maybe(0.7, some(E_MAILS), None)}
        | {"at_most": int(rng.integers(5, N)), "of": str(rng.choice(["customers", "cost"]))}
        for i in range(rng.integers(0, 3))
    ]
    exploration = {"share": maybe(0.3, 0.05, 0.0), "holdout": maybe(0.3, 0.05, 0.0)}
    return {"rules": rules, "limits": limits, "exploration": exploration}


def passes(row: Mapping[str, Any], conditions: list[dict[str, Any]]) -> bool:
    """Conditions once more, as plainly as they read."""
    for condition in conditions:
        value = row[condition["column"]]
        if "missing" in condition:
            ok = bool(pd.isna(value)) == condition["missing"]
        elif pd.isna(value):
            ok = False
        elif "one_of" in condition:
            ok = value in condition["one_of"]
        else:
            ok = (
                value < condition["below"]
                if "below" in condition
                else value >= condition["at_least"]
            )
        if not ok:
            return False
    return True


class Oracle:
    """Every rule that removes a message from a customer, worked out one by one, in order."""

    def __init__(self, rules: dict[str, Any], sources: Sources) -> None:
        self.rules = rules
        suppressed = sources.suppressed
        self.suppressed = set() if suppressed is None else set(suppressed["customer_id"])
        self.contacts = self._by_customer(sources.contacts, "message", "sent_at")
        self.purchases = self._by_customer(sources.purchases, "department", "purchased_at")

    @staticmethod
    def _by_customer(
        history: pd.DataFrame | None, what: str, when: str
    ) -> dict[str, list[tuple[str, int]]]:
        assert history is not None
        found: dict[str, list[tuple[str, int]]] = {}
        for row in history.to_dict("records"):
            age = (TODAY - date.fromisoformat(row[when])).days
            found.setdefault(row["customer_id"], []).append((row[what], age))
        return found

    def removing(self, row: Mapping[str, Any], message: str) -> list[str]:
        """Names of the rules."""
        found = []
        rules, customer = self.rules, row["customer_id"]
        if rules["consent"]:
            joined, left = row["opted_in"], row["opted_out"]
            agreed = not pd.isna(joined) and joined <= str(TODAY)
            again = agreed and not pd.isna(left) and joined > left
            if not agreed or (not pd.isna(left) and left <= str(TODAY) and not again):
                found.append("no consent")
        if customer in self.suppressed:
            found.append("suppression list")
        for rule in rules["eligibility"]:
            spared = bool(rule["unless"]) and passes(row, rule["unless"])
            if message in rule["messages"] and passes(row, rule["when"]) and not spared:
                found.append(rule["name"])
        for period in rules["periods"]:
            if message in period["messages"] and period["first_day"] > str(TODAY):
                found.append(period["name"])
        for cap in rules["frequency_caps"]:
            counted = cap["messages"] or E_MAILS
            had = [m for m, age in self.contacts.get(customer, []) if 0 <= age < cap["days"]]
            if message in counted and sum(m in counted for m in had) >= cap["at_most"]:
                found.append(cap["name"])
        for rest in rules["cool_downs"]:
            bought = [d for d, age in self.purchases.get(customer, []) if 0 <= age < rest["days"]]
            if message in bought:
                found.append(rest["name"])
        return found


@pytest.mark.parametrize("block", range(10))
def test_no_rule_is_broken_and_every_removal_carries_its_rule(block: int) -> None:
    planned = 0
    for seed in range(100 * block, 100 * (block + 1)):
        rng = np.random.default_rng(seed)
        customers, sources = random_customers(rng)
        stated = random_settings(rng)
        settings = SendingSettings.model_validate(stated)
        rules = stated["rules"]
        screen = screen_customers(
            customers, MESSAGES, settings.rules, settings.limits, sources, TODAY
        )
        worth = rng.gamma(2.0, 0.3, (N, 4)).astype(np.float32)
        table = customers.merge(sources.attributes, on="customer_id", how="left").to_dict("records")
        oracle = Oracle(rules, sources)
        reasons = {
            (i, k): oracle.removing(table[i], message)
            for i in range(N)
            for k, message in enumerate(MESSAGES)
            if message != "control"
        }
        try:
            plan = make_plan(worth, worth.argmax(axis=1), screen, settings, MESSAGES)
        except InfeasibleError:
            continue  # what is mandatory or drawn can use more than a small limit allows
        planned += 1
        lawful = ("no consent", "suppression list", "eligibility", "period")
        for i in range(N):
            must = next(
                (
                    MESSAGES.names.index(rule["message"])
                    for rule in rules["mandatory"]
                    if passes(table[i], rule["when"])
                    and not any(
                        r.startswith(lawful)
                        for r in reasons[i, MESSAGES.names.index(rule["message"])][:1]
                    )
                ),
                None,
            )
            sent = int(plan.draw.choice[i])
            for k in range(1, 4):
                code = int(plan.removed_by[i, k])
                named = plan.rules[code - 1] if code else None
                if k == must:
                    assert named is None, (seed, i, k)
                elif reasons[i, k]:
                    assert named == reasons[i, k][0], (seed, i, k)
                else:
                    lead = plan.worth[i, k] - plan.worth[i, 0]
                    least = rules["minimum_gain"]
                    little = least is not None and must is None and lead < least
                    assert named == ("minimum gain" if little else None), (seed, i, k)
            assert plan.removed_by[i, 0] == 0
            assert plan.removed_by[i, sent] == 0, (seed, i)
            assert must is None or sent == must, (seed, i)
            assert plan.draw.propensity[i, plan.removed_by[i] != 0].sum() == 0, (seed, i)
        for limit, outcome in zip(stated["limits"], plan.limits, strict=True):
            counted = [MESSAGES.names.index(m) for m in limit["messages"] or E_MAILS]
            unit = 0.05 if limit["of"] == "cost" else 1.0
            used = unit * np.isin(plan.draw.choice, counted).sum()
            assert outcome.used == pytest.approx(used)
            assert used <= limit["at_most"] + 1e-9, seed
    assert planned > 80
