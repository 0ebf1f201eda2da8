"""What people do with decisions: send them, and compare them."""

from pentathlon.outputs.difference import Difference, compare_decisions
from pentathlon.outputs.exports import PROVIDERS, Exported, export_decisions

__all__ = ["PROVIDERS", "Difference", "Exported", "compare_decisions", "export_decisions"]
