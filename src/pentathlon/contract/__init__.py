"""What goes in: messages, feature columns, and the tables that every pipeline relies on."""

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import CONTROL, Message, MessageSet

__all__ = ["CONTROL", "FeatureColumns", "Message", "MessageSet"]
