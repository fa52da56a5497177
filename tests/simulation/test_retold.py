"""A mistake planted in riskd: the run in which it shows is told as a scenario that fails with it, and not without."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from riskd.app.main import app
from riskd.rules.contract import Compile, Rulebook
from riskd.rules.registry import compile_rulebook
from tests.simulation.campaign import Case, Result, retold, run
from tests.simulation.retold import failures_of

Params = dict[str, object]


def mistaken(rule: str, change: Callable[[Params], None]) -> Compile:
    """Return a compiler of rules that reads one rule's parameters wrong."""

    def compile_wrong(account: str, spec: str) -> Rulebook:
        read = json.loads(spec)
        for entry in read["rules"]:
            # The self-test before arming would see it, and such a riskd is never armed.
            if entry["rule"] == rule and account != "self-test":
                change(entry["params"])
        return compile_rulebook(account, json.dumps(read))

    return compile_wrong


def forgets_fees(account: str, spec: str) -> Rulebook:
    """Compile rules that reckon P&L without what trading costs."""
    return compile_rulebook(account, json.dumps({**json.loads(spec), "pnl": {"fees": "excluded"}}))


def two_more(params: Params) -> None:
    """Allow two contracts more."""
    params["max_contracts"] = int(str(params["max_contracts"])) + 2


def one_less(params: Params) -> None:
    """Allow one contract less."""
    params["max_contracts"] = int(str(params["max_contracts"])) - 1


def twice(params: Params) -> None:
    """Allow twice the loss."""
    params["limit"] = str(2 * Decimal(str(params["limit"])))


PLANTED = (
    (mistaken("MaxContracts", two_more), "within a second", 1),
    (mistaken("MaxContracts", one_less), "acts only on a breach", 1),
    (mistaken("DailyRealizedLoss", twice), "within a second", 31),
    (mistaken("UnrealizedLoss", twice), "within a second", 5),
    (forgets_fees, "exact", 1),
)
"""Each mistake, the promise that it breaks, and the seed from which on to look, where it shows soon."""


def failing(compile_rules: Compile, promise: str, first: int) -> Result:
    """Return the first light day without faults on which a mistake breaks this promise."""
    cases = (Case(seed=seed, days=1, faults=frozenset(), light=True) for seed in range(first, first + 60))
    tried = (run(case, compile_rules) for case in cases)
    return next(result for result in tried if result.broken is not None and result.broken.promise == promise)


@pytest.mark.parametrize(("compile_rules", "promise", "first"), PLANTED)
def test_a_planted_mistake_is_told_as_a_scenario(
    compile_rules: Compile, promise: str, first: int, tmp_path: Path
) -> None:
    """The scenario fails in its last line alone with the mistake, and passes as riskd is."""
    told = retold(failing(compile_rules, promise, first))

    assert told is not None
    assert [failure.line for failure in failures_of(told.text, compile_rules)] == [len(told.text.splitlines())]
    path = tmp_path / "seed.scenario"
    path.write_text(told.text, encoding="utf-8")
    done = CliRunner().invoke(app, ["scenario", str(path)])
    assert done.exit_code == 0, done.output + told.text
