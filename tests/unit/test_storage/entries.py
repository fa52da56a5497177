"""Journal entries and accounts to store, at times that a test chooses."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from riskd.domain.account import AccountState, Lockout, Lot, Position
from riskd.domain.commands import ClosePosition
from riskd.domain.events import Envelope, Fill
from riskd.domain.market import Quote
from riskd.domain.orders import Side
from riskd.ports import JournalEntry
from riskd.storage.journal import FileJournal

MORNING = datetime(2026, 3, 10, 14, 31, tzinfo=UTC)
MNQ = "CON.F.US.MNQ.H26"


def entry(seq: int, *, at: datetime | None = None) -> JournalEntry:
    """Return a step with an event, a price and a command."""
    at = at or MORNING + timedelta(seconds=seq)
    fill = Fill(
        account="101",
        trade_id=f"T{seq}",
        contract=MNQ,
        side=Side.BUY,
        quantity=1,
        price=Decimal("18000.25"),
        at=at,
        commission=Decimal("0.37"),
    )
    close = ClosePosition(
        account="101",
        command_id=f"c{seq}",
        contract=MNQ,
        quantity=1,
        held=5,
        left=4,
        rule="MaxContracts",
        reason="5 > 4",
    )
    return JournalEntry(
        envelope=Envelope(seq=seq, at=at, event=fill, broker_at=at),
        market=(Quote(contract=MNQ, at=at, mark=Decimal("18000.50")),),
        commands=(close,),
    )


def write(directory: Path, *entries: JournalEntry) -> str:
    """Append entries to the journal in a directory and return its head."""
    journal = FileJournal(directory, now=lambda: MORNING)
    for each in entries:
        journal.append(each)
    journal.close()
    return journal.head


def account(account_id: str = "101", *, seq: int = 7) -> AccountState:
    """Return a locked account with a position."""
    lot = Lot(quantity=2, price=Decimal("18000.25"), opened_at=MORNING, seq=3)
    return AccountState(
        account=account_id,
        trading_day=date(2026, 3, 10),
        day_ends_at=datetime(2026, 3, 10, 22, tzinfo=UTC),
        seq=seq,
        balance=Decimal("50000.00"),
        realized=Decimal("-512.50"),
        earlier=frozenset({"T9", "T1", "T5"}),
        positions={MNQ: Position(contract=MNQ, quantity=2, lots=(lot,), opening_seq=3, opened_at=MORNING)},
        lockouts=(
            Lockout(
                cause="DailyRealizedLoss",
                until=datetime(2026, 3, 10, 22, tzinfo=UTC),
                since=MORNING,
                seq=6,
                reason="-512.50 is past -500.00",
            ),
        ),
    )
