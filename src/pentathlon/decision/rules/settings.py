"""Rules of a campaign: who may get what, and what another e-mail costs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pentathlon.contract.messages import CONTROL
from pentathlon.decision.rules.conditions import Condition

Name = Annotated[str, Field(min_length=1)]
Probability = Annotated[float, Field(ge=0, le=1)]


class _Typed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConsentRule(_Typed):
    """E-mails go only to customers who opted in and have not opted out.

    Attributes
    ----------
    opted_in : str, optional
        Column with the date of the opt-in; a customer without one gets no e-mail.
    opted_out : str, optional
        Column with the date of the opt-out; one on or before the campaign's date counts, unless
        the customer has opted in again after it. On one day, the opt-out counts.
    """

    opted_in: str | None = None
    opted_out: str | None = None

    @model_validator(mode="after")
    def _names_a_column(self) -> ConsentRule:
        if self.opted_in is None and self.opted_out is None:
            raise ValueError("name the column of the opt-in, of the opt-out, or both")
        return self


class _Named(_Typed):
    name: Name


class _OfMessages(_Named):
    messages: tuple[str, ...] | None = None


class EligibilityRule(_OfMessages):
    """Messages that some customers must not get.

    Attributes
    ----------
    name : str
        In words; every decision that the rule touched carries it.
    messages : tuple of str, optional
        Which it removes; every e-mail by default.
    when : tuple of Condition
        It concerns customers who pass all of them; everybody by default.
    unless : tuple of Condition
        It spares customers who pass all of them. A missing value does not pass, so what must
        be known to be allowed belongs here.
    """

    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()


class MessagePeriod(_OfMessages):
    """Days on which messages may be sent.

    Attributes
    ----------
    name : str
    messages : tuple of str
    first_day, last_day : date, optional
        Both included; open where absent.
    """

    messages: Annotated[tuple[str, ...], Field(min_length=1)]
    first_day: date | None = None
    last_day: date | None = None

    @model_validator(mode="after")
    def _days_in_order(self) -> MessagePeriod:
        if self.first_day is None and self.last_day is None:
            raise ValueError(f"'{self.name}' has neither a first nor a last day")
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError(f"'{self.name}': the first day is after the last")
        return self


class FrequencyCap(_OfMessages):
    """At most so many e-mails in a sliding window that ends with the campaign's date.

    Attributes
    ----------
    name : str
    at_most : int
        E-mails in the window, the campaign's own included.
    days : int
    messages : tuple of str, optional
        Which are counted and removed; every e-mail by default.
    """

    at_most: Annotated[int, Field(ge=0)]
    days: Annotated[int, Field(ge=1)]


class CoolDown(_Named):
    """No e-mail about a department in which the customer has just bought.

    Attributes
    ----------
    name : str
    days : int
        After a purchase.
    departments : tuple of str, optional
        Every department by default.
    """

    days: Annotated[int, Field(ge=1)]
    departments: tuple[str, ...] | None = None


class MandatoryMessage(_Named):
    """A message that some customers get whatever it earns.

    It bypasses profit, frequency caps, cool-downs, the minimum gain, limits and chance, and counts
    in what limits use. Consent, suppression and eligibility still hold.

    Attributes
    ----------
    name, message : str
    when, unless : tuple of Condition
    """

    message: str
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()


class PressureRule(_Typed):
    """What another e-mail costs a customer who already had some.

    Attributes
    ----------
    days : int
        Window in which e-mails are counted.
    unsubscribe : tuple of float
        Probability of an unsubscribe after 0, 1, 2, ... e-mails in the window; the last one holds
        for more.
    customer_value : float or str
        What an unsubscribe loses, in currency, or the column that says it.
    complaint : tuple of float
        Probability of a complaint, likewise.
    complaint_cost : float
        What a complaint costs, in currency.
    max_complaint_rate : float, optional
        Expected complaints per e-mail of the whole campaign.
    """

    days: Annotated[int, Field(ge=1)] = 30
    unsubscribe: Annotated[tuple[Probability, ...], Field(min_length=1)] = (0.0,)
    customer_value: Annotated[float, Field(ge=0)] | str = 0.0
    complaint: Annotated[tuple[Probability, ...], Field(min_length=1)] = (0.0,)
    complaint_cost: Annotated[float, Field(ge=0)] = 0.0
    max_complaint_rate: Annotated[float, Field(gt=0, lt=1)] | None = None


class RuleSettings(_Typed):
    """Every rule, in the order in which they are asked.

    A message is removed by the first rule that removes it.

    Attributes
    ----------
    consent : ConsentRule, optional
    eligibility : tuple of EligibilityRule
    periods : tuple of MessagePeriod
    frequency_caps : tuple of FrequencyCap
    cool_downs : tuple of CoolDown
    minimum_gain : float, optional
        Expected profit over ``control`` that an e-mail must bring to be sent, in currency.
    mandatory : tuple of MandatoryMessage
        The first that fits a customer counts.
    pressure : PressureRule, optional
    """

    consent: ConsentRule | None = None
    eligibility: tuple[EligibilityRule, ...] = ()
    periods: tuple[MessagePeriod, ...] = ()
    frequency_caps: tuple[FrequencyCap, ...] = ()
    cool_downs: tuple[CoolDown, ...] = ()
    minimum_gain: float | None = None
    mandatory: tuple[MandatoryMessage, ...] = ()
    pressure: PressureRule | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> RuleSettings:
        names = [rule.name for rule in self.named()]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"several rules are called {repeated}: name each differently")
        return self

    def named(self) -> Iterator[_Named]:
        """Rules that have a name of their own."""
        yield from self.eligibility
        yield from self.periods
        yield from self.frequency_caps
        yield from self.cool_downs
        yield from self.mandatory


class LimitSettings(_OfMessages):
    """One limit on all decisions together.

    Attributes
    ----------
    name : str
    of : {"customers", "share", "share_of_emails", "cost"}
        What is limited: how many customers, which share of the customers concerned, which share
        of the e-mails that those get (rounded to whole e-mails), or the cost of sending in
        currency.
    messages : tuple of str, optional
        Which count; every e-mail by default.
    where : tuple of Condition
        Customers whom it concerns: those who pass all; everybody by default.
    at_least, at_most : float, optional
    may_give_way : int, optional
        Order in which limits are widened when all cannot hold, 1 first. A limit without never is.
    """

    of: Literal["customers", "share", "share_of_emails", "cost"] = "customers"
    where: tuple[Condition, ...] = ()
    at_least: Annotated[float, Field(ge=0)] | None = None
    at_most: Annotated[float, Field(ge=0)] | None = None
    may_give_way: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> LimitSettings:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"'{self.name}' limits nothing: give at_least, at_most or both")
        shared = self.of in ("share", "share_of_emails")
        if shared and max(self.at_least or 0.0, self.at_most or 0.0) > 1:
            raise ValueError(f"'{self.name}': a share is at most 1")
        if self.of == "share_of_emails" and (not self.messages or CONTROL in self.messages):
            raise ValueError(f"'{self.name}': name the e-mails whose share of all e-mails it is")
        if self.of == "share_of_emails" and self.may_give_way is not None:
            raise ValueError(f"'{self.name}': a share of the e-mails cannot give way")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"'{self.name}': at_least is above at_most")
        return self


class TopDepartments(_Typed):
    """The few departments that earn most share the e-mails; the others send none.

    Attributes
    ----------
    departments : int
        How many.
    by : {"supported", "expected"}
        By what they are ranked: what held-out outcomes support of sending a department's e-mail
        to everyone, or the mean of what the policy expects of it over the customers at hand.
    shares : {"equal", "profit", "gain"}
        Of the e-mails: the same for each, in proportion to that profit, or in proportion to what
        it is above ``control``.
    """

    departments: Annotated[int, Field(ge=1)] = 2
    by: Literal["supported", "expected"] = "supported"
    shares: Literal["equal", "profit", "gain"] = "equal"
