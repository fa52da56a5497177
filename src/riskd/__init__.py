"""Protect a futures trader's accounts by enforcing the trader's own risk rules at the broker."""

__version__ = "0.1.0"
