"""The normalizer on payloads recorded from the real gateway."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from riskd.adapters.projectx import event_normalizer as normalizer
from riskd.adapters.projectx.event_normalizer import Malformed, Stamped
from riskd.domain.events import AccountReported, Fill, OrderReported, PositionReported, QuoteReported
from riskd.domain.orders import OrderStatus, OrderType, Side

CAPTURE = Path(__file__).parents[4] / "shared" / "data" / "projectx-live-capture"
ARRIVED = datetime(2026, 8, 20, tzinfo=UTC)

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not CAPTURE.is_dir(), reason="the recorded payloads are not beside the repository"),
]


def rows(name: str) -> list[msgspec.Raw]:
    """Return the rows of a recorded REST answer, each as its own text."""
    return msgspec.json.decode((CAPTURE / f"{name}.json").read_bytes(), type=list[msgspec.Raw])


def sample(kind: str) -> Any:
    """Return the recorded sample of one stream event."""
    samples = json.loads((CAPTURE / "stream_event_samples.json").read_text(encoding="utf-8"))["samples"]
    return next(s["raw_payload"] for s in samples if s["event_type"] == kind)


def hub(target: str, payload: object) -> object:
    """Return the only event of a recorded user-hub payload."""
    (said,) = normalizer.read_user_event(target, json.dumps([payload]).encode(), ARRIVED)
    return said.event if isinstance(said, Stamped) else said


def readable(values: Iterable[object]) -> bool:
    """Tell whether every payload could be read."""
    return not any(isinstance(value, Malformed) for value in values)


def number(text: str | None) -> int | None:
    """Return an id as the wire has it."""
    return None if text is None else int(text)


def test_every_recorded_trade_is_read() -> None:
    """Trades by REST carry fees, no commission, and a P&L on the closing half-turn only."""
    fills = [normalizer.read_fill(raw, ARRIVED) for raw in rows("historical_trades_24h")]
    assert readable(fills)
    plain = json.loads((CAPTURE / "historical_trades_24h.json").read_text(encoding="utf-8"), parse_float=Decimal)
    expected = [(str(t["id"]), Decimal(t["price"]), t["profitAndLoss"], Decimal(t["fees"])) for t in plain]
    assert [(f.trade_id, f.price, f.pnl, f.fees) for f in fills if isinstance(f, Fill)] == expected
    assert {f.commission for f in fills if isinstance(f, Fill)} == {None}


def test_every_recorded_order_is_read() -> None:
    """No recorded order has a type or a status that riskd does not know, and families stay together."""
    orders = [normalizer.read_order(raw) for raw in rows("historical_orders_24h")]
    assert readable(orders)
    read = [o.order for o in orders if isinstance(o, OrderReported)]
    assert len(read) == len(orders)
    assert OrderStatus.UNKNOWN not in {o.status for o in read}
    assert OrderType.UNKNOWN not in {o.type for o in read}
    plain = json.loads((CAPTURE / "historical_orders_24h.json").read_text(encoding="utf-8"))
    family = [(str(o["id"]), o.get("parentOrderId"), o.get("linkedOrderId"), o["customTag"]) for o in plain]
    assert [(o.order_id, number(o.parent), number(o.linked), o.tag) for o in read] == family


def test_every_recorded_contract_agrees_with_the_table() -> None:
    """The built-in table knows every contract that the broker lists, and none is quarantined."""
    records = [normalizer.read_instrument(raw) for raw in rows("contracts_available")]
    assert readable(records)
    names = [c["name"] for c in json.loads((CAPTURE / "contracts_available.json").read_text(encoding="utf-8"))]
    assert [r.instrument.symbol for r in records if not isinstance(r, Malformed)] == names
    assert not [r.instrument for r in records if not isinstance(r, Malformed) and r.instrument.quarantined]


def test_the_recorded_accounts_are_read() -> None:
    """Both recorded accounts may trade."""
    accounts = [normalizer.read_account(raw) for raw in rows("accounts_search")]
    assert [a.balance for a in accounts if isinstance(a, AccountReported)] == [
        Decimal("49989.34"),
        Decimal("149831.92"),
    ]


def test_the_recorded_user_events_are_read() -> None:
    """The hub's own wrapping, left-out nulls and seven-digit stamps are understood."""
    trade = hub("GatewayUserTrade", sample("trade"))
    order = hub("GatewayUserOrder", sample("order"))
    position = hub("GatewayUserPosition", sample("position"))
    account = hub("GatewayUserAccount", sample("account"))
    assert isinstance(trade, Fill)
    assert (trade.side, trade.pnl, trade.fees, trade.commission) == (
        Side.BUY,
        Decimal(-49),
        Decimal("0.36"),
        Decimal("0.25"),
    )
    assert isinstance(order, OrderReported)
    assert (order.order.status, order.order.type) == (OrderStatus.REJECTED, OrderType.MARKET)
    assert isinstance(position, PositionReported)
    assert (position.quantity, position.average_price) == (0, Decimal("29398.5"))
    assert isinstance(account, AccountReported)
    assert account.balance == Decimal("149848.64")


def test_the_recorded_market_events_are_read() -> None:
    """A partial quote keeps what changed; a batch of prints is a last price."""
    wrapped = sample("quote")
    quote = normalizer.read_quote(json.dumps([wrapped["contractId"], wrapped["payload"]]).encode(), ARRIVED)
    assert isinstance(quote, QuoteReported)
    assert (quote.last, quote.bid, quote.ask) == (None, Decimal(29547), Decimal("29547.5"))
    wrapped = sample("market_trade")
    tape = normalizer.read_tape(json.dumps([wrapped["contractId"], wrapped["payload"]]).encode(), ARRIVED)
    assert isinstance(tape, QuoteReported)
    assert tape.last == Decimal("7730.5")
