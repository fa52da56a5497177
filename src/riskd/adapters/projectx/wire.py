"""ProjectX payloads as they come off the wire, before anything is believed.

Every field is optional, because the hubs leave out what REST sends as null and the server adds and drops keys without
notice. Numbers of money and price decode to Decimal from their own text. Enumerations stay integers, so that a value
nobody has seen yet does not make a payload unreadable.
"""

from decimal import Decimal
from typing import Final

import msgspec

# A key that is not there; one that is null reads as the text "null".
ABSENT: Final = msgspec.Raw()
NOTHING: Final = (b"", b"null")


class Payload(msgspec.Struct, rename="camel", frozen=True):
    """Base of all payloads: keys in camel case, unknown ones ignored."""


class Account(Payload, frozen=True):
    """An account, by REST and on the user hub."""

    id: int | str | None = None
    name: str | None = None
    balance: Decimal | None = None
    can_trade: bool | None = None
    is_visible: bool | None = None
    simulated: bool | None = None


class Order(Payload, frozen=True):
    """An order, by REST and on the user hub."""

    id: int | str | None = None
    account_id: int | str | None = None
    contract_id: str | None = None
    creation_timestamp: str | None = None
    update_timestamp: str | None = None
    status: int | None = None
    type: int | None = None
    side: int | None = None
    size: int | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    fill_volume: int | None = None
    custom_tag: str | None = None
    parent_order_id: int | str | None = None
    linked_order_id: int | str | None = None


class Position(Payload, frozen=True):
    """A net position; ``type`` carries the direction, ``size`` is never negative."""

    account_id: int | str | None = None
    contract_id: str | None = None
    type: int | None = None
    size: int | None = None
    average_price: Decimal | None = None


class Trade(Payload, frozen=True):
    """A half-turn; REST gives no commissions, the hub leaves out the P&L of an opening one."""

    id: int | str | None = None
    account_id: int | str | None = None
    contract_id: str | None = None
    creation_timestamp: str | None = None
    price: Decimal | None = None
    profit_and_loss: Decimal | None = None
    fees: Decimal | None = None
    commissions: Decimal | None = None
    side: int | None = None
    size: int | None = None
    voided: bool | None = None
    order_id: int | str | None = None


class Contract(Payload, frozen=True):
    """A contract's record."""

    id: str | None = None
    name: str | None = None
    tick_size: Decimal | None = None
    tick_value: Decimal | None = None


class QuotePatch(Payload, frozen=True):
    """The fields of a quote that changed."""

    last_price: Decimal | None = None
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    timestamp: str | None = None
    last_updated: str | None = None


class MarketTrade(Payload, frozen=True):
    """One print of the tape."""

    price: Decimal | None = None
    timestamp: str | None = None


class Bar(Payload, frozen=True):
    """What traded in one unit of time from ``t`` on."""

    t: str | None = None
    c: Decimal | None = None


class Owner(Payload, frozen=True):
    """The account that a payload belongs to, where the rest of it cannot be read."""

    account_id: int | str | None = None


class Wrapped(Payload, frozen=True):
    """A user event as production sends it: ``{"action": n, "data": {…}}``."""

    action: int | None = None
    data: msgspec.Raw = ABSENT


class SimulatedTime(Payload, frozen=True):
    """The clock of a simulated gateway."""

    now: str | None = None
    speed: Decimal | None = None


class Record(
    msgspec.Struct, rename={"invocation_id": "invocationId", "allow_reconnect": "allowReconnect"}, frozen=True
):
    """One SignalR record: 1 invocation, 3 completion, 6 ping, 7 close. The handshake's answer has no type."""

    type: int | None = None
    target: str | None = None
    arguments: msgspec.Raw = ABSENT
    invocation_id: str | None = None
    error: str | None = None
    allow_reconnect: bool | None = None


class Reply(Payload, frozen=True):
    """The envelope of every REST answer; each endpoint fills its own payload key."""

    success: bool | None = None
    error_code: int | None = None
    error_message: str | None = None
    token: str | None = None
    new_token: str | None = None
    accounts: list[msgspec.Raw] | None = None
    contracts: list[msgspec.Raw] | None = None
    contract: msgspec.Raw = ABSENT
    orders: list[msgspec.Raw] | None = None
    positions: list[msgspec.Raw] | None = None
    trades: list[msgspec.Raw] | None = None
    bars: list[msgspec.Raw] | None = None
    total_count: int | None = None


ACCOUNT: Final = msgspec.json.Decoder(Account)
ORDER: Final = msgspec.json.Decoder(Order)
POSITION: Final = msgspec.json.Decoder(Position)
TRADE: Final = msgspec.json.Decoder(Trade)
CONTRACT: Final = msgspec.json.Decoder(Contract)
QUOTE_ARGUMENTS: Final = msgspec.json.Decoder(tuple[str, QuotePatch])
TAPE_ARGUMENTS: Final = msgspec.json.Decoder(tuple[str, list[MarketTrade] | MarketTrade | None])
TIME_ARGUMENTS: Final = msgspec.json.Decoder(tuple[SimulatedTime])
BAR: Final = msgspec.json.Decoder(Bar)
OWNER: Final = msgspec.json.Decoder(Owner)
WRAPPED: Final = msgspec.json.Decoder(Wrapped)
ONE_WRAPPED: Final = msgspec.json.Decoder(tuple[Wrapped])
ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
RECORD: Final = msgspec.json.Decoder(Record)
REPLY: Final = msgspec.json.Decoder(Reply)
ENCODER: Final = msgspec.json.Encoder()
