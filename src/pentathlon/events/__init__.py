"""A retailer's raw events: contracts, reading, checks, quarantine, privacy at the door."""

from pentathlon.events.contracts import TABLES, Column, TableContract, personal_columns
from pentathlon.events.folders import TableFolder
from pentathlon.events.intake import CheckedEvents, RawEvents, check_events
from pentathlon.events.pseudonyms import PseudonymKey
from pentathlon.events.quality import enforce_limits, quality_table
from pentathlon.events.quality_report import quality_report
from pentathlon.events.settings import IntakeSettings, TableSource

__all__ = [
    "TABLES",
    "CheckedEvents",
    "Column",
    "IntakeSettings",
    "PseudonymKey",
    "RawEvents",
    "TableContract",
    "TableFolder",
    "TableSource",
    "check_events",
    "enforce_limits",
    "personal_columns",
    "quality_report",
    "quality_table",
]
