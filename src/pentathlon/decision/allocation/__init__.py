"""One message for every customer, within limits on all of them together."""

from pentathlon.decision.allocation.limits import Limit, LimitSystem
from pentathlon.decision.allocation.solve import Allocation, allocate

__all__ = ["Allocation", "Limit", "LimitSystem", "allocate"]
