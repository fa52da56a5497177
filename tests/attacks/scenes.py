"""Attacks as scenarios: written as a trader's day, played on riskd's core."""

from textwrap import indent

from riskd.app.scenario.on_core import run_on_core
from riskd.app.scenario.parser import parse


async def plays(rules: str, day: str, *, date: str = "2026-03-10", head: str = "") -> None:
    """Play one day under rules of account A1; every line after ``->`` must hold."""
    text = f'scenario "attack"\n  date {date}\n  rules A1  {rules}\n{indent(head, "  ")}\n{day}'
    (scenario,) = parse("attack", text)
    lost = [f"{f.text}: expected {f.expected}, actual {f.actual}" for f in (await run_on_core(scenario)).failures]
    assert not lost, "\n".join(lost)
