"""Measure what writing costs: a journal line before its command, and a snapshot of the state.

Run `python -m benchmarks.journal --trials 3000`. With a pause between two appends the thread that syncs gets to run
after each, and the processor's caches go cold, as between two events of a real day; without one, many appends share a
sync. The rows without sync show what of the difference is the pause and what is the disk.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.figures import Figures, show
from riskd.domain.account import AccountState
from riskd.domain.commands import ClosePosition
from riskd.domain.events import Envelope, Fill
from riskd.domain.orders import Side
from riskd.ports import JournalEntry
from riskd.storage.journal import FileJournal, verify
from riskd.storage.journal_lines import GENESIS, LineEncoder, line_hash
from riskd.storage.state_store import JsonStateStore

OPEN = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
MNQ = "CON.F.US.MNQ.H26"
PAUSE_S = 0.001


def fill(number: int) -> Fill:
    """Return a fill as the broker reports it."""
    return Fill(
        account="101",
        trade_id=str(number),
        contract=MNQ,
        side=Side.BUY,
        quantity=1,
        price=Decimal("18000.25"),
        at=OPEN + timedelta(milliseconds=number),
        commission=Decimal("0.37"),
        order_id=str(number),
    )


def entry(number: int) -> JournalEntry:
    """Return a fill that breaches, with the close that follows."""
    close = ClosePosition(
        account="101",
        command_id=f"{number}-0",
        contract=MNQ,
        quantity=1,
        held=5,
        left=4,
        rule="MaxContracts",
        reason="MaxContracts limit exceeded: 5 contracts held, limit 4",
    )
    event = fill(number)
    return JournalEntry(envelope=Envelope(seq=number, at=event.at, event=event, broker_at=event.at), commands=(close,))


def account(fills: int) -> AccountState:
    """Return an account late on a day with so many fills."""
    return AccountState(
        account="101",
        trading_day=date(2026, 3, 10),
        day_ends_at=OPEN + timedelta(hours=8),
        fills={str(number): fill(number) for number in range(fills)},
    )


def timed(name: str, call: Callable[[int], object], trials: int, *, pause_s: float = 0) -> Figures:
    """Measure one call, the pause left out."""
    samples = []
    for number in range(1, trials + 1):
        began = time.perf_counter_ns()
        call(number)
        samples.append(time.perf_counter_ns() - began)
        if pause_s:
            time.sleep(pause_s)
    return Figures(name, samples)


def parts(trials: int) -> list[Figures]:
    """Measure what an append consists of, the write itself left out."""
    encode = LineEncoder().encode
    step = entry(1)
    line = bytes(encode(step, GENESIS))
    return [
        timed("encode the line", lambda _: encode(step, GENESIS), trials),
        timed(f"hash the line ({len(line)} bytes)", lambda _: line_hash(line), trials),
    ]


def append(journal: FileJournal, entries: Sequence[JournalEntry], number: int) -> None:
    """Append one of the entries."""
    journal.append(entries[number])
    journal.sync()


def appends(directory: Path, trials: int) -> list[Figures]:
    """Measure the append that precedes a command."""
    entries = [entry(number) for number in range(trials + 1)]
    rows = []
    for durable, pause_s in ((False, 0.0), (True, 0.0), (False, PAUSE_S), (True, PAUSE_S)):
        name = f"append, {'synced' if durable else 'not synced'}, {'1 ms apart' if pause_s else 'at once'}"
        journal = FileJournal(directory / name, durable=durable)
        rows.append(timed(name, partial(append, journal, entries), trials, pause_s=pause_s))
        journal.close()
    return rows


def snapshots(directory: Path, fills: Sequence[int], trials: int) -> list[Figures]:
    """Measure what a snapshot costs the caller, and how long it is until the disk has it."""
    rows = []
    for many in fills:
        state = account(many)
        store = JsonStateStore(directory / f"kept-{many}")
        rows.append(timed(f"save() of {many} fills", partial(store.save, state), trials, pause_s=PAUSE_S))
        store.close()
        rows.append(written(directory / f"written-{many}", state, trials // 10))
    return rows


def written(directory: Path, state: AccountState, trials: int) -> Figures:
    """Measure one snapshot from the call until it is durable."""
    samples = []
    for number in range(trials):
        store = JsonStateStore(directory)
        began = time.perf_counter_ns()
        store.save(state, number)
        store.close()
        samples.append(time.perf_counter_ns() - began)
    return Figures(f"{len(state.fills)} fills on the disk", samples)


def check(directory: Path, trials: int) -> None:
    """Show how long it takes to check the journal that was just written."""
    began = time.perf_counter()
    found = verify(next(directory.glob("append, synced, at once")))
    took = time.perf_counter() - began
    if found.lines != trials or found.breaks:
        raise SystemExit(f"the journal does not hold what was appended: {found}")
    print(f"checking {found.lines:,} lines: {took * 1000:,.0f} ms")


def main(trials: Annotated[int, typer.Option(help="Appends per row.")] = 3000) -> None:
    """Measure the journal and the state files in a temporary directory."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        show("A journal line", [*parts(trials), *appends(directory, trials)])
        show("A snapshot of the state", snapshots(directory, (0, 50, 500), trials // 10))
        check(directory, trials)


if __name__ == "__main__":
    typer.run(main)
