"""Measure what one step costs the core, and the two things around it: reading a payload and writing a journal line.

Run `python -m benchmarks.steps`. Each step starts from the same state, so a breach is a new breach every time. The
rules are those of the enforcement benchmark.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from benchmarks.enforcement_broker import MNQ, event, quote
from benchmarks.enforcement_riskd import RULES
from benchmarks.figures import Figures, show
from riskd.adapters.projectx import event_normalizer as normalizer
from riskd.adapters.projectx import wire
from riskd.daemon.garbage import spare_what_stays
from riskd.domain.events import AccountArmed, AnyEvent, Envelope, Fill, QuoteReported, RulesApplied, SnapshotReported
from riskd.domain.orders import Side
from riskd.engine.core import Core
from riskd.ports import JournalEntry
from riskd.rules.registry import canonical, compile_rulebook
from riskd.storage.journal import FileJournal

OPEN: Final = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
PRICE: Final = Decimal(21000)
ACCOUNT: Final = "101"
POSITIONS: Final = (1, 3, 10, 100)
FILLS_OF_A_DAY: Final = (20, 500)
_MONTHS: Final = "FGHJKMNQUVXZ"
_WARM_UP: Final = 200


def contract(number: int) -> str:
    """Return the contract id of another month of MNQ."""
    return f"CON.F.US.MNQ.{_MONTHS[number % 12]}{number // 12 + 27}"


def fill(number: int, contract_id: str, quantity: int) -> Fill:
    """Return a fill as the broker reports it."""
    return Fill(
        account=ACCOUNT,
        trade_id=str(number),
        contract=contract_id,
        side=Side.BUY if quantity > 0 else Side.SELL,
        quantity=abs(quantity),
        price=PRICE,
        at=OPEN + timedelta(microseconds=number),
        fees=Decimal("0.37"),
        commission=Decimal("0.25"),
        order_id=str(number),
    )


def prices(contract_id: str, last: Decimal) -> QuoteReported:
    """Return a quote."""
    return QuoteReported(contract=contract_id, at=OPEN, last=last, bid=last, ask=last + Decimal("0.25"))


class Bench:
    """One core with one armed account, put back to where it was before every step."""

    def __init__(self, *, positions: int, fills: int = 0, most: int = 1000) -> None:
        """Hold one contract each of so many, after so many round turns in another."""
        self.core = Core(compile_rulebook)
        self._seq = count(1)
        rules = canonical({"rules": [{"rule": "MaxContracts", "params": {"max_contracts": most}}, *RULES[1:]]})
        snapshot = SnapshotReported(
            account=ACCOUNT, asked_seq=0, positions=(), orders=(), fills=(), balance=Decimal(50000)
        )
        held = [contract(number) for number in range(positions)]
        events: tuple[AnyEvent, ...] = (
            RulesApplied(ACCOUNT, rules),
            snapshot,
            AccountArmed(ACCOUNT),
            *(fill(n, MNQ, 1 if n % 2 else -1) for n in range(fills)),
            *(fill(n, contract_id, 1) for n, contract_id in enumerate(held, start=fills)),
            *(prices(contract_id, PRICE) for contract_id in held),
        )
        for setup in events:
            self.core.step(self.envelope(setup))
        manager = self.core.state_manager
        self._before = dict(manager.accounts), dict(manager.market)

    def envelope(self, of: AnyEvent) -> Envelope:
        """Return an event at its place."""
        seq = next(self._seq)
        return Envelope(seq=seq, at=OPEN + timedelta(milliseconds=seq), event=of, broker_at=OPEN)

    def step(self, of: AnyEvent, trials: int, name: str) -> Figures:
        """Measure the step of one event; what follows the commands is not in it."""
        manager, samples = self.core.state_manager, []
        for number in range(trials + _WARM_UP):
            manager.accounts.update(self._before[0])
            manager.market.update(self._before[1])
            envelope = self.envelope(of)
            began = time.perf_counter_ns()
            self.core.step(envelope)
            took = time.perf_counter_ns() - began
            self.core.next_deadline()
            if number >= _WARM_UP:
                samples.append(took)
        return Figures(name, samples)


def steps(trials: int) -> list[Figures]:
    """Measure the events that come most often, and those that breach."""
    rows = []
    for many in POSITIONS:
        bench, one, held = Bench(positions=many), contract(0), f"{many} position{'s' if many > 1 else ''}"
        rows.append(bench.step(prices(MNQ, PRICE), trials, f"quote nobody holds, {held}"))
        rows.append(bench.step(prices(one, PRICE - 1), trials, f"quote that breaches nothing, {held}"))
        rows.append(bench.step(prices(one, PRICE - 30), trials, f"quote that breaches, {held}"))
        rows.append(bench.step(fill(10_000, one, 1), trials, f"fill that breaches nothing, {held}"))
        rows.append(Bench(positions=many, most=many).step(fill(10_000, one, 1), trials, f"fill that breaches, {held}"))
    for fills in FILLS_OF_A_DAY:
        bench = Bench(positions=1, fills=fills, most=1)
        rows.append(bench.step(fill(10_000, contract(0), 1), trials, f"fill that breaches, after {fills} of the day"))
    return rows


def timed(name: str, call: Callable[[], object], trials: int) -> Figures:
    """Measure one call."""
    samples = []
    for number in range(trials + _WARM_UP):
        began = time.perf_counter_ns()
        call()
        if number >= _WARM_UP:
            samples.append(time.perf_counter_ns() - began)
    return Figures(name, samples)


def around(trials: int) -> list[Figures]:
    """Measure reading the payloads that breach, and writing the journal line of a breach."""
    quoted = _arguments(quote(MNQ, PRICE, "2026-03-10T14:30:00.1234567+00:00")[4:-1])
    trade = {
        "id": 1, "accountId": 101, "contractId": MNQ, "creationTimestamp": "2026-03-10T14:30:00.1234567+00:00",
        "price": 21000.25, "fees": 0.37, "commissions": 0.25, "side": 0, "size": 1, "voided": False, "orderId": 2,
    }  # fmt: skip
    traded = _arguments(event("GatewayUserTrade", {"action": 0, "data": trade})[:-1])
    rows = [
        timed("read a quote", partial(normalizer.read_quote, quoted, OPEN), trials),
        timed("read a fill", partial(normalizer.read_user_event, "GatewayUserTrade", traded, OPEN), trials),
    ]
    with tempfile.TemporaryDirectory() as directory:
        journal = FileJournal(Path(directory))
        entries = iter(_breaches(trials + _WARM_UP))
        rows.append(timed("append the line of a breach", lambda: journal.append(next(entries)), trials))
        journal.close()
    return rows


def _arguments(record: bytes) -> msgspec.Raw:
    return wire.RECORD.decode(record).arguments


def _breaches(many: int) -> Sequence[JournalEntry]:
    bench = Bench(positions=1, most=1)
    envelope = bench.envelope(fill(10_000, contract(0), 1))
    commands = bench.core.step(envelope).commands
    return [
        JournalEntry(envelope=msgspec.structs.replace(envelope, seq=number), commands=commands)
        for number in range(1, many + 1)
    ]


def main(trials: Annotated[int, typer.Option(help="Steps per row.")] = 2000) -> None:
    """Print what a step costs."""
    spare_what_stays()
    show("One step of the core", steps(trials), places=1)
    show("Around it", around(trials), places=1)


if __name__ == "__main__":
    typer.run(main)
