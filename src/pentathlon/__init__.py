"""Pentathlon: the next e-mail for every customer, and the profit it is proven to earn."""

import os

__version__ = "0.1.0"

# OpenMP threads that wait by spinning slow everything else on a shared machine down, and each
# other where a runner has several workers. It must be said before the first library loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
