"""riskd: enforce a futures trader's own risk rules at the broker, in real time."""

__version__ = "0.1.0"
