"""Rules of a campaign: who may get what, and what all decisions together may use."""

from pentathlon.decision.rules.asking import (
    NO_SOURCES,
    Sources,
    further_contact_costs,
    screen_customers,
)
from pentathlon.decision.rules.conditions import Condition
from pentathlon.decision.rules.screen import Screen
from pentathlon.decision.rules.settings import LimitSettings, RuleSettings

__all__ = [
    "NO_SOURCES",
    "Condition",
    "LimitSettings",
    "RuleSettings",
    "Screen",
    "Sources",
    "further_contact_costs",
    "screen_customers",
]
