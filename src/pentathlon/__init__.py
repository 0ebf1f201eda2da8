"""Pentathlon: the next e-mail for every customer, and the profit it is proven to earn."""

__version__ = "0.1.0"
