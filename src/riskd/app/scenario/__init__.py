"""Scenarios: a trading day written as lines that a trader can read, run against riskd and judged line by line."""
