"""What makes a row unusable, declared as data.

A row is quarantined for the first reason found, in the order in which reasons are declared:
first what is wrong with the row itself, then with its place among the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pentathlon.events.contracts import KIND_WORDS, Column, TableContract
from pentathlon.events.database import literal, literals, quoted

MALFORMED = {
    "too many fields": "have more fields than the header",
    "too few fields": "have fewer fields than the header",
}
BROKEN_TEXT = "broken text"


@dataclass(frozen=True)
class Check:
    """One reason to quarantine a row.

    Attributes
    ----------
    reason : str
        As the quarantine, the report and the parameters call it.
    phrase : str
        What the rows do, as in "3 % of order lines *have no customer*".
    condition : str
        SQL over the typed columns; true where the row is unusable. ``{latest}``, ``{skew}``,
        ``{departments}`` and ``{messages}`` stand for what a run knows.
    """

    reason: str
    phrase: str
    condition: str


@dataclass(frozen=True)
class Known:
    """What the checks of a run hold rows against.

    Attributes
    ----------
    as_of : datetime
        Moment of the export, naive UTC.
    skew : timedelta
        By how much clocks may differ.
    departments : sequence of str
        Known departments; empty where none are known, and then none is unknown.
    messages : sequence of str
    """

    as_of: datetime
    skew: timedelta
    departments: Sequence[str]
    messages: Sequence[str]

    def fill(self, condition: str) -> str:
        """Put what is known into a condition."""
        return condition.format(
            latest=f"TIMESTAMP '{self.as_of + self.skew}'",
            skew=f"INTERVAL {int(self.skew.total_seconds())} SECOND",
            departments=literals(list(self.departments)),
            messages=literals(list(self.messages)),
            departments_list=f"[{', '.join(literal(d) for d in self.departments)}]::VARCHAR[]",
            any_department="true" if self.departments else "false",
        )


def _future(column: str, phrase: str) -> Check:
    return Check(f"{column} in the future", phrase, f"{column} > {{latest}}")


_UNKNOWN_DEPARTMENT = Check(
    "unknown department",
    "have an unknown department",
    "{any_department} AND department NOT IN {departments}",
)

ROW_CHECKS: dict[str, tuple[Check, ...]] = {
    "customers": (
        _future("joined_at", "joined in the future"),
        _future("consented_at", "consented in the future"),
        _future("opted_out_at", "opted out in the future"),
        Check(
            "impossible birth year",
            "have an impossible birth year",
            "birth_year NOT BETWEEN 1900 AND year({latest})",
        ),
    ),
    "products": (
        Check("negative price", "have a negative price", "price < 0"),
        Check("negative cost", "have a negative cost", "cost < 0"),
    ),
    "transactions": (
        _future("ordered_at", "were ordered in the future"),
        Check("negative price", "have a negative price", "unit_price < 0"),
        Check("negative discount", "have a negative discount", "discount < 0"),
        Check(
            "discount above the price",
            "have a discount above the price",
            "discount > abs(quantity) * unit_price + 0.005",
        ),
        Check("no pieces", "have a quantity of zero", "quantity = 0"),
        Check(
            "return of a positive quantity",
            "return a positive quantity",
            "quantity > 0 AND returns_order_id IS NOT NULL",
        ),
        _UNKNOWN_DEPARTMENT,
    ),
    "sessions": (
        _future("started_at", "started in the future"),
        Check("negative duration", "have a negative duration", "duration_seconds < 0"),
        Check("negative number of pages", "have a negative number of pages", "pages < 0"),
        Check("negative number of carts", "have a negative number of carts", "carts_left < 0"),
        Check(
            "unknown department",
            "viewed an unknown department",
            "{any_department} AND NOT list_has_all({departments_list}, departments_viewed)",
        ),
    ),
    "email_log": (
        _future("assigned_at", "were assigned in the future"),
        Check("unknown message", "have an unknown message", "message NOT IN {messages}"),
        Check(
            "impossible propensity",
            "have a propensity that is not above 0 and up to 1",
            "NOT (propensity > 0 AND propensity <= 1)",
        ),
        Check(
            "control that was sent", "are a control that was sent", "message = 'control' AND sent"
        ),
        Check(
            "opened but not sent",
            "were opened, clicked or left but not sent",
            "NOT sent AND coalesce(opened_at, clicked_at, unsubscribed_at) IS NOT NULL",
        ),
        Check(
            "opened before sent",
            "were opened before they were sent",
            "opened_at < assigned_at - {skew}",
        ),
        Check(
            "clicked before sent",
            "were clicked before they were sent",
            "clicked_at < assigned_at - {skew}",
        ),
        Check(
            "unsubscribed before sent",
            "were unsubscribed from before they were sent",
            "unsubscribed_at < assigned_at - {skew}",
        ),
        _future("opened_at", "were opened in the future"),
        _future("clicked_at", "were clicked in the future"),
        _future("unsubscribed_at", "were unsubscribed from in the future"),
    ),
}
"""Checks of a row by itself, by table."""

DUPLICATE = Check("duplicate", "repeat an earlier row", "d.first_row IS NOT NULL")
UNKNOWN_CUSTOMER = Check("unknown customer", "belong to no known customer", "c.customer_id IS NULL")
BEFORE_JOINING = "before the customer joined"
UNKNOWN_PRODUCT = Check("unknown product", "name an unknown product", "p.product_id IS NULL")
RETURN_WITHOUT_ORDER = Check(
    "return without an order",
    "return pieces of no known order of the customer",
    "o.customer_id IS NULL",
)
RETURN_BEFORE_ORDER = Check(
    "return before its order",
    "return pieces before they were ordered",
    "r.ordered_at < o.moment - {skew}",
)

WARNINGS: dict[str, tuple[Check, ...]] = {
    "email_log": (
        Check(  # possible where an opening is noticed by pictures, which are often loaded later
            "clicked before opened",
            "were clicked before they were opened",
            "s.clicked_at < s.opened_at - {skew}",
        ),
        Check(
            "sent after the opt-out",
            "were sent after their customer had opted out",
            "s.sent AND s.assigned_at > c.opted_out_at + {skew}",
        ),
        Check(
            "sent without consent",
            "were sent without their customer's consent",
            "s.sent AND (c.consented_at IS NULL OR s.assigned_at < c.consented_at - {skew})",
        ),
    ),
}
"""What is wrong with rows that are used all the same, by table: it happened, and leaving it out
would hide it. The condition refers to the row as ``s`` and to its customer as ``c``."""


def column_checks(contract: TableContract) -> list[Check]:
    """Reasons for missing values and values of another type, made from the contract.

    The condition refers to ``raw_<column>``, the value as it was read, and ``<column>``.
    """
    checks = []
    for column in contract.clean:
        if not column.nullable and column.kind != "texts":
            checks.append(
                Check(f"no {column.noun}", f"have no {column.noun}", f"raw_{column.name} IS NULL")
            )
        if column.kind not in {"text", "texts"}:  # every text can be read as a list
            what = f"not {KIND_WORDS[column.kind]}"
            checks.append(
                Check(
                    f"{column.name} is {what}",
                    f"have {_a(column)} that is {what}",
                    f"raw_{column.name} IS NOT NULL AND {quoted(column.name)} IS NULL",
                )
            )
    return checks


def _a(column: Column) -> str:
    return f"{'an' if column.noun[0] in 'aeio' else 'a'} {column.noun}"


def declared_checks(contract: TableContract) -> list[Check]:
    """Reasons for values of declared columns that cannot be."""
    checks = []
    for column in contract.declared:
        name, ends = quoted(column.name), (column.lowest, column.highest)
        if column.personal:
            continue
        if column.kind == "timestamp" and not column.later:
            condition = f"{name} > {{latest}}"
            reason, phrase = f"{column.name} in the future", f"have {_a(column)} in the future"
            checks.append(Check(reason, phrase, condition))
        words = [
            f"{w} {e:g}" for w, e in zip(("below", "above"), ends, strict=True) if e is not None
        ]
        tests = [f"{name} {o} {e!r}" for o, e in zip("<>", ends, strict=True) if e is not None]
        if tests:
            phrase = f"have {_a(column)} {' or '.join(words)}"
            checks.append(Check(f"{column.name} out of range", phrase, " OR ".join(tests)))
    return checks


def row_checks(contract: TableContract) -> list[Check]:
    """Every reason that can be told from a row by itself, in the order of precedence."""
    return [
        *column_checks(contract),
        *ROW_CHECKS.get(contract.name, ()),
        *declared_checks(contract),
    ]


def place_checks(contract: TableContract, *, products: bool) -> list[Check]:
    """Reasons that lie in a row's place among the others, in the order of precedence."""
    checks = [DUPLICATE]
    if contract.name in {"customers", "products"}:
        return checks
    checks.append(UNKNOWN_CUSTOMER)
    checks.append(
        Check(
            BEFORE_JOINING,
            "happened before the customer joined",
            f"s.{contract.moment} < c.joined_at - {{skew}}",
        )
    )
    if contract.name == "transactions" and products:
        checks.append(UNKNOWN_PRODUCT)
    return checks


def phrases(contract: TableContract) -> dict[str, str]:
    """What rows do, by reason, for every reason that a table's rows may be quarantined for."""
    checks = [*row_checks(contract), *place_checks(contract, products=True)]
    if contract.name == "transactions":
        checks += [RETURN_WITHOUT_ORDER, RETURN_BEFORE_ORDER]
    return {
        **MALFORMED,
        BROKEN_TEXT: "have text that was broken by a wrong encoding",
        **{check.reason: check.phrase for check in checks},
    }
