"""In which order the user hub tells what happens: a table, over a real socket.

A row says what stood before, what then happens, and what the hub tells of it in short: an order by its status, `SL` or
`TP` in front where it is a child of a bracket; a trade by its profit, `in` for an opening half-turn; a position by its
size; the account. The rows marked `seen` are known of the real broker, the others follow from them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest

from riskd.simulator import ExchangeOptions, GatewaySettings, SimulatedGateway, account
from tests.integration.gateway_client import BareClient

PLAIN, OCO, DOLLARS, LEADER, FOLLOWER = 101, 102, 103, 104, 105
MNQ: Final = "CON.F.US.MNQ.Z26"
STATUSES: Final = {1: "open", 2: "filled", 3: "cancelled", 4: "expired", 5: "rejected", 6: "pending", 8: "suspended"}
BRACKETS: Final[dict[str, Any]] = {
    "stopLossBracket": {"ticks": -40, "type": 4},
    "takeProfitBracket": {"ticks": 80, "type": 1},
}
START: Final = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)

Act = Callable[[BareClient], Awaitable[object]]


@pytest.fixture
async def client() -> AsyncIterator[BareClient]:
    """Open a gateway with an account of each sort, and log in."""
    accounts = (
        account(PLAIN),
        account(OCO, "combine", brackets="auto_oco"),
        account(DOLLARS, position_stop_usd="50", position_target_usd="100"),
        account(LEADER, "leader"),
        account(FOLLOWER, "follower", leader_id=LEADER, copy_ratio=2),
    )
    settings = GatewaySettings(
        start=START,
        speed=Decimal(0),
        quotes={"MNQ": Decimal(20000)},
        accounts=accounts,
        options=ExchangeOptions(repeat_accounts=(0, 0)),
        limits=None,
    )
    async with SimulatedGateway(settings) as gateway, BareClient(gateway) as connected:
        yield connected


def place(owner: int, side: int, size: int, kind: int = 2, **terms: Any) -> Act:
    """Return the placing of an order by REST."""
    body = {"accountId": owner, "contractId": MNQ, "type": kind, "side": side, "size": size, **terms}
    return lambda client: client.call("Order/place", **body)


def price(*path: str) -> Act:
    """Return a walk of the market."""

    async def move(client: BareClient) -> None:
        for each in path:
            client.gateway.control.price("MNQ", Decimal(each))

    return move


def close(owner: int, size: int | None = None) -> Act:
    """Return the closing of a position or a part of it."""
    if size is None:
        return lambda client: client.call("Position/closeContract", accountId=owner, contractId=MNQ)
    return lambda client: client.call("Position/partialCloseContract", accountId=owner, contractId=MNQ, size=size)


def on_order(call: str, number: int = 0, **terms: Any) -> Act:
    """Return a call on one of the plain account's open orders."""

    async def act(client: BareClient) -> None:
        orders = (await client.call("Order/searchOpen", accountId=PLAIN))["orders"]
        await client.call(f"Order/{call}", accountId=PLAIN, orderId=orders[number]["id"], **terms)

    return act


async def expire(client: BareClient) -> None:
    """Let the contract expire."""
    client.gateway.control.expire("MNQ")


async def void(client: BareClient) -> None:
    """Bust the newest trade."""
    control = client.gateway.control
    control.void_trade(control.state().trades[-1].id)


def short(target: str, payload: dict[str, Any], tags: dict[int, str]) -> str:
    """Return an event in a few words."""
    data = payload["data"]
    match target:
        case "GatewayUserOrder":
            tag = str(data.get("customTag", ""))
            tags.setdefault(data["id"], tag[-2:] if tag.endswith(("-SL", "-TP")) else "")
            return f"{tags[data['id']]} {STATUSES[data['status']]}".strip()
        case "GatewayUserTrade":
            profit = "in" if data.get("profitAndLoss") is None else f"{data['profitAndLoss']:g}"
            return f"trade {'voided' if data['voided'] else profit}"
        case "GatewayUserPosition":
            return f"position {data['size']}"
        case _:
            return "account"


async def told(client: BareClient, act: Act, owner: int, count: int) -> list[str]:
    """Act, and return what the hub tells of an account: so many events, and what comes before a mark after them."""
    subscriptions = [(f"Subscribe{kind}", owner) for kind in ("Orders", "Positions", "Trades")]
    hub = await client.hub("user", ("SubscribeAccounts",), *subscriptions)
    await act(client)
    found: list[str] = []
    tags: dict[int, str] = {}
    marked = False
    while True:
        if len(found) >= count and not marked:
            client.gateway.control.logout("user")
            marked = True
        record = await hub.record()
        if record["target"] == "GatewayLogout":
            return found
        payload = record["arguments"][0]
        if record["target"] != "GatewayUserAccount" or payload["data"]["id"] == owner:
            found.append(short(record["target"], payload, tags))


ENTRY = ["pending", "trade in", "filled"]
TABLE: Final[dict[str, tuple[int, list[Act], Act, list[str]]]] = {
    "a market entry (seen)": (PLAIN, [], place(PLAIN, 0, 2), [*ENTRY, "position 2", "account"]),
    "a rejected order (seen)": (PLAIN, [], place(PLAIN, 0, 1, 1, limitPrice=19990.1), ["pending", "rejected"]),
    "a closing fill, with the opening trade again (seen)": (
        PLAIN,
        [place(PLAIN, 0, 2)],
        close(PLAIN),
        ["pending", "filled", "trade -1", "trade in", "position 0", "account"],
    ),
    "a partial close": (
        PLAIN,
        [place(PLAIN, 0, 2)],
        close(PLAIN, 1),
        ["pending", "filled", "trade -0.5", "trade in", "position 1", "account"],
    ),
    "scaling in": (PLAIN, [place(PLAIN, 0, 2)], place(PLAIN, 0, 1), [*ENTRY, "position 3", "account"]),
    "an order that rests": (PLAIN, [], place(PLAIN, 0, 1, 1, limitPrice=19990.0), ["pending", "open"]),
    "its change": (
        PLAIN,
        [place(PLAIN, 0, 1, 1, limitPrice=19990.0)],
        on_order("modify", limitPrice=19980.0),
        ["open"],
    ),
    "its cancel": (PLAIN, [place(PLAIN, 0, 1, 1, limitPrice=19990.0)], on_order("cancel"), ["cancelled"]),
    "its fill": (
        PLAIN,
        [place(PLAIN, 0, 1, 1, limitPrice=19990.0)],
        price("19989"),
        ["trade in", "filled", "position 1", "account"],
    ),
    "a stop that ends a long": (
        PLAIN,
        [place(PLAIN, 0, 1), place(PLAIN, 1, 1, 4, stopPrice=19990.0)],
        price("19990"),
        ["filled", "trade -20.5", "trade in", "position 0", "account"],
    ),
    "a stop-limit order, reached and then filled": (
        PLAIN,
        [place(PLAIN, 0, 1, 3, stopPrice=20010.0, limitPrice=20005.0)],
        price("20010", "20005"),
        ["open", "trade in", "filled", "position 1", "account"],
    ),
    "a trailing stop, led up and then reached": (
        PLAIN,
        [place(PLAIN, 0, 1), place(PLAIN, 1, 1, 5, trailPrice=19990.0)],
        price("20005", "19994"),
        ["open", "filled", "trade -12.5", "trade in", "position 0", "account"],
    ),
    "a bracketed entry: children suspended, entry, children open (seen)": (
        OCO,
        [],
        place(OCO, 0, 1, customTag="a", **BRACKETS),
        ["SL suspended", "TP suspended", *ENTRY, "position 1", "account", "SL open", "TP open"],
    ),
    "a target that cancels its stop (seen)": (
        OCO,
        [place(OCO, 0, 1, customTag="a", **BRACKETS)],
        price("20020.5"),
        ["TP filled", "trade 40", "trade in", "position 0", "account", "SL cancelled"],
    ),
    "a position's own brackets in dollars": (
        DOLLARS,
        [],
        place(DOLLARS, 0, 1),
        [*ENTRY, "position 1", "account", "open", "open"],
    ),
    "a leader's fill, copied": (FOLLOWER, [], place(LEADER, 0, 1), [*ENTRY, "position 2", "account"]),
    "a turn": (
        PLAIN,
        [place(PLAIN, 0, 1)],
        place(PLAIN, 1, 3),
        ["pending", "filled", "trade -0.5", "trade in", "position 0", "trade in", "position 2", "account"],
    ),
    "an expired contract": (PLAIN, [place(PLAIN, 0, 1, 1, limitPrice=19990.0)], expire, ["expired"]),
    "a busted trade": (PLAIN, [place(PLAIN, 0, 1)], void, ["trade voided", "position 0", "account"]),
}


@pytest.mark.parametrize("row", TABLE)
async def test_events_come_in_the_brokers_order(client: BareClient, row: str) -> None:
    """What the row says, neither more nor less."""
    owner, before, act, expected = TABLE[row]
    for each in before:
        await each(client)

    assert await told(client, act, owner, len(expected)) == expected
