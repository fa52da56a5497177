import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.adapters.projectx import event_normalizer as normalizer
from riskd.adapters.projectx.event_normalizer import Malformed, Stamped
from riskd.domain.events import AccountReported, Fill, OrderReported, PositionReported, QuoteReported
from riskd.domain.orders import OrderStatus, OrderType, Side, WorkingOrder

ARRIVED = datetime(2026, 11, 20, 15, 5, 1, tzinfo=UTC)

TRADE = {
    "id": 3000000201,
    "accountId": 101,
    "contractId": "CON.F.US.MNQ.Z26",
    "creationTimestamp": "2026-11-20T15:05:00.1234567+00:00",
    "price": 20020.25,
    "profitAndLoss": 20.5,
    "fees": 0.36,
    "commissions": 0.25,
    "side": 1,
    "size": 1,
    "voided": False,
    "orderId": 3000000102,
}
ORDER = {
    "id": 3000000103,
    "accountId": 101,
    "contractId": "CON.F.US.MNQ.Z26",
    "symbolId": "F.US.MNQ",
    "creationTimestamp": "2026-11-20T15:00:00.1+00:00",
    "updateTimestamp": "2026-11-20T15:00:01.25Z",
    "status": 8,
    "type": 4,
    "side": 1,
    "size": 2,
    "stopPrice": 19980.0,
    "fillVolume": 0,
    "customTag": "entry-SL",
    "parentOrderId": 3000000101,
    "linkedOrderId": 3000000104,
}
POSITION = {
    "id": 77,
    "accountId": 101,
    "contractId": "CON.F.US.MNQ.Z26",
    "contractDisplayName": "MNQZ6",
    "creationTimestamp": "2026-11-20T15:00:00.12345+00:00",
    "type": 2,
    "size": 3,
    "averagePrice": 28446.375,
}
ACCOUNT = {"id": 101, "name": "PRAC-X", "balance": 49989.34, "canTrade": True, "isVisible": True, "simulated": True}


def wire(*arguments: object) -> bytes:
    """Return the arguments of a hub event as the hub sends them."""
    return json.dumps(arguments).encode()


def read(target: str, *arguments: object) -> list[object]:
    """Return the events of a user-hub event, without their stamps."""
    readings = normalizer.read_user_event(target, wire(*arguments), ARRIVED)
    return [r.event if isinstance(r, Stamped) else r for r in readings]


def without(payload: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a payload that lacks some keys."""
    return {key: value for key, value in payload.items() if key not in keys}


def test_a_closing_trade_becomes_a_fill_with_its_money() -> None:
    """A half-turn carries its gross P&L, its fees and its commission as exact decimals."""
    expected = Fill(
        account="101",
        trade_id="3000000201",
        contract="CON.F.US.MNQ.Z26",
        side=Side.SELL,
        quantity=1,
        price=Decimal("20020.25"),
        at=datetime(2026, 11, 20, 15, 5, 0, 123456, tzinfo=UTC),
        fees=Decimal("0.36"),
        commission=Decimal("0.25"),
        pnl=Decimal("20.5"),
        order_id="3000000102",
    )
    assert expected == read("GatewayUserTrade", TRADE)[0]


def test_what_rest_sends_as_null_and_the_hub_leaves_out_is_the_same() -> None:
    """A missing key and a null say the same, and an opening half-turn has no P&L of its own."""
    left_out = read("GatewayUserTrade", without(TRADE, "profitAndLoss", "commissions", "orderId", "voided"))
    null = read(
        "GatewayUserTrade", TRADE | {"profitAndLoss": None, "commissions": None, "orderId": None, "voided": None}
    )
    assert left_out == null
    assert isinstance(null[0], Fill)
    assert (null[0].pnl, null[0].commission, null[0].order_id, null[0].voided) == (None, None, None, False)


def test_a_suspended_bracket_child_keeps_its_family() -> None:
    """A bracket's stop names its parent and its sibling, and its tag is carried along."""
    expected = OrderReported(
        account="101",
        order=WorkingOrder(
            order_id="3000000103",
            contract="CON.F.US.MNQ.Z26",
            side=Side.SELL,
            type=OrderType.STOP,
            status=OrderStatus.SUSPENDED,
            size=2,
            filled=0,
            stop_price=Decimal("19980.0"),
            parent="3000000101",
            linked="3000000104",
            tag="entry-SL",
            created_at=datetime(2026, 11, 20, 15, 0, 0, 100000, tzinfo=UTC),
        ),
    )
    assert expected == read("GatewayUserOrder", ORDER)[0]


def test_an_order_is_dated_by_its_last_change() -> None:
    """The broker's stamp of an order is its update, or its creation where nothing has changed yet."""
    (changed,) = normalizer.read_user_event("GatewayUserOrder", wire(ORDER), ARRIVED)
    (new,) = normalizer.read_user_event("GatewayUserOrder", wire(without(ORDER, "updateTimestamp")), ARRIVED)
    assert isinstance(changed, Stamped)
    assert isinstance(new, Stamped)
    assert datetime(2026, 11, 20, 15, 0, 1, 250000, tzinfo=UTC) == changed.broker_at
    assert datetime(2026, 11, 20, 15, 0, 0, 100000, tzinfo=UTC) == new.broker_at


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, OrderStatus.UNKNOWN),
        (1, OrderStatus.WORKING),
        (2, OrderStatus.FILLED),
        (3, OrderStatus.CANCELLED),
        (4, OrderStatus.EXPIRED),
        (5, OrderStatus.REJECTED),
        (6, OrderStatus.PENDING),
        (7, OrderStatus.WORKING),
        (8, OrderStatus.SUSPENDED),
        (9, OrderStatus.UNKNOWN),
        (None, OrderStatus.UNKNOWN),
    ],
)
def test_every_order_status_number_is_understood(number: int | None, expected: OrderStatus) -> None:
    """An order whose cancel is pending may still fill; a status that nobody has seen yet is unknown, not an error."""
    (event,) = read("GatewayUserOrder", ORDER | {"status": number})
    assert isinstance(event, OrderReported)
    assert expected is event.order.status


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, OrderType.UNKNOWN),
        (1, OrderType.LIMIT),
        (2, OrderType.MARKET),
        (3, OrderType.STOP_LIMIT),
        (4, OrderType.STOP),
        (5, OrderType.TRAILING_STOP),
        (6, OrderType.JOIN_BID),
        (7, OrderType.JOIN_ASK),
        (99, OrderType.UNKNOWN),
    ],
)
def test_every_order_type_number_is_understood(number: int, expected: OrderType) -> None:
    """A type that nobody has seen yet is unknown, not an error."""
    (event,) = read("GatewayUserOrder", ORDER | {"type": number})
    assert isinstance(event, OrderReported)
    assert expected is event.order.type


def test_a_short_position_is_negative() -> None:
    """The direction of a position lies in its type, and its average price may lie off the tick grid."""
    expected = PositionReported(
        account="101", contract="CON.F.US.MNQ.Z26", quantity=-3, average_price=Decimal("28446.375")
    )
    assert expected == read("GatewayUserPosition", POSITION)[0]


@pytest.mark.parametrize("kind", [0, 1, 2, 7, None])
def test_a_size_of_zero_is_flat_whatever_the_rest_says(kind: int | None) -> None:
    """A closed position keeps its average price and may keep its type; only the size counts."""
    (event,) = read("GatewayUserPosition", {"action": 2, "data": POSITION | {"size": 0, "type": kind}})
    assert isinstance(event, PositionReported)
    assert event.quantity == 0


def test_a_flat_position_needs_no_price() -> None:
    """A position of zero contracts may come without its average price."""
    (event,) = read("GatewayUserPosition", without(POSITION, "averagePrice") | {"size": 0})
    assert isinstance(event, PositionReported)
    assert (0, Decimal(0)) == (event.quantity, event.average_price)


def test_an_account_reports_its_balance_and_standing() -> None:
    """The balance is exact to the cent."""
    expected = AccountReported(account="101", name="PRAC-X", balance=Decimal("49989.34"), can_trade=True)
    assert expected == read("GatewayUserAccount", ACCOUNT)[0]


@pytest.mark.parametrize(
    "arguments",
    [
        (POSITION,),
        ({"action": 1, "data": POSITION},),
        ([POSITION],),
        ([{"action": 1, "data": POSITION}],),
        ({"action": 1, "data": [POSITION]},),
        ({"data": POSITION},),
        (POSITION | {"somethingNew": {"nested": [1, 2]}},),
    ],
    ids=["bare", "wrapped", "list", "list of wrapped", "wrapped list", "no action", "extra keys"],
)
def test_wrapped_bare_and_listed_payloads_say_the_same(arguments: tuple[object, ...]) -> None:
    """The hub may wrap what it says in an action, in a list, in both or in neither."""
    assert [e.quantity for e in read("GatewayUserPosition", *arguments) if isinstance(e, PositionReported)] == [-3]


def test_several_payloads_keep_their_order() -> None:
    """A list of trades is read first to last."""
    second = TRADE | {"id": 3000000202}
    events = read("GatewayUserTrade", [{"action": 0, "data": TRADE}, second], TRADE | {"id": 3000000203})
    assert [e.trade_id for e in events if isinstance(e, Fill)] == ["3000000201", "3000000202", "3000000203"]


def test_an_empty_list_says_nothing() -> None:
    """A batch may be empty."""
    assert read("GatewayUserTrade", []) == []


@pytest.mark.parametrize("target", ["GatewayDepth", "GatewayUserSomethingNew", ""])
def test_unknown_targets_say_nothing(target: str) -> None:
    """What riskd does not know is not an error."""
    assert read(target, {"price": 1}) == []


@pytest.mark.parametrize(
    ("target", "payload", "clause"),
    [
        ("GatewayUserTrade", without(TRADE, "price"), "price is missing"),
        ("GatewayUserTrade", TRADE | {"price": None}, "price is missing"),
        ("GatewayUserTrade", without(TRADE, "id"), "id is missing"),
        ("GatewayUserTrade", TRADE | {"side": 2}, "side 2 is neither buy (0) nor sell (1)"),
        ("GatewayUserTrade", TRADE | {"size": 0}, "size 0 is no number of contracts"),
        ("GatewayUserTrade", TRADE | {"size": -1}, "size -1 is no number of contracts"),
        ("GatewayUserTrade", TRADE | {"size": 10**9}, "size 1000000000 is no number of contracts"),
        ("GatewayUserTrade", TRADE | {"size": 1.5}, "$.size"),
        ("GatewayUserTrade", TRADE | {"price": "NaN"}, "NaN is no amount of money and no price"),
        ("GatewayUserTrade", TRADE | {"price": "Infinity"}, "Infinity is no amount"),
        ("GatewayUserTrade", TRADE | {"price": 1e300}, "1E+300 is no amount"),
        ("GatewayUserTrade", TRADE | {"price": 1e-300}, "1E-300 is no amount"),
        ("GatewayUserOrder", without(ORDER, "contractId"), "contractId is missing"),
        ("GatewayUserOrder", ORDER | {"contractId": ""}, "contractId is missing"),
        ("GatewayUserOrder", ORDER | {"size": None}, "size is missing"),
        ("GatewayUserOrder", ORDER | {"side": None}, "side is missing"),
        ("GatewayUserOrder", ORDER | {"status": "Open"}, "$.status"),
        ("GatewayUserOrder", ORDER | {"fillVolume": -2}, "fillVolume -2 is no number of contracts"),
        ("GatewayUserPosition", POSITION | {"type": 0}, "type 0 says neither long (1) nor short (2) for 3 contracts"),
        ("GatewayUserPosition", without(POSITION, "averagePrice"), "averagePrice is missing"),
        ("GatewayUserPosition", POSITION | {"size": -3}, "size -3 is no number of contracts"),
        ("GatewayUserAccount", without(ACCOUNT, "balance"), "balance is missing"),
        ("GatewayUserAccount", without(ACCOUNT, "canTrade"), "canTrade is missing"),
        ("GatewayUserAccount", ACCOUNT | {"balance": "plenty"}, "$.balance"),
        ("GatewayUserTrade", 5, "Expected `object`, got `int`"),
        ("GatewayUserTrade", None, "Expected `object`, got `null`"),
        ("GatewayUserTrade", {"action": 1, "data": None}, "accountId is missing"),
    ],
)
def test_a_payload_that_cannot_be_true_becomes_one_clear_sentence(target: str, payload: object, clause: str) -> None:
    """A half or impossible payload is told apart by what is wrong with it, and nothing is guessed."""
    (said,) = read(target, payload)
    assert isinstance(said, Malformed)
    assert clause in said.why
    assert said.why.startswith("the broker sent a")
    assert "\n" not in said.why


def test_a_malformed_payload_says_whose_it_was() -> None:
    """The account is named where that much can be read, so that it can be read again by REST."""
    (said,) = read("GatewayUserTrade", {"action": 0, "data": without(TRADE, "price")})
    assert isinstance(said, Malformed)
    assert (said.what, said.account) == ("trade", "101")
    assert '"accountId": 101' in said.payload


def test_one_bad_payload_does_not_take_its_neighbours_along() -> None:
    """The good trades of a batch are booked although one of them cannot be read."""
    first, second, third = read("GatewayUserTrade", [TRADE, without(TRADE, "size"), TRADE | {"id": 7}])
    assert isinstance(first, Fill)
    assert isinstance(second, Malformed)
    assert isinstance(third, Fill)


def test_a_trade_without_a_readable_time_counts_from_its_arrival() -> None:
    """The fill did happen, so a broken stamp does not hide it."""
    for stamp in (None, "", "yesterday", "0001-01-01T00:00:00+14:00"):
        (fill,) = read("GatewayUserTrade", TRADE | {"creationTimestamp": stamp})
        assert isinstance(fill, Fill)
        assert fill.at == ARRIVED


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-11-20T15:05:00Z", 0),
        ("2026-11-20T15:05:00.1Z", 100000),
        ("2026-11-20T15:05:00.348+00:00", 348000),
        ("2026-11-20T09:05:00.12345-06:00", 123450),
        ("2026-11-20T15:05:00.123456+00:00", 123456),
        ("2026-11-20T15:05:00.1234569+00:00", 123456),
        ("2026-11-20T15:05:00.1234569", 123456),
    ],
)
def test_time_stamps_of_every_precision_are_read(text: str, microsecond: int) -> None:
    """Stamps have none to seven fractional digits and any offset; what is finer than a microsecond is cut."""
    assert datetime(2026, 11, 20, 15, 5, 0, microsecond, tzinfo=UTC) == normalizer.moment(text)


def quote(*arguments: object) -> QuoteReported | Malformed:
    """Return what a quote says."""
    return normalizer.read_quote(wire(*arguments), ARRIVED)


def test_a_quote_carries_only_what_changed() -> None:
    """A partial quote leaves the other prices open."""
    expected = QuoteReported(
        contract="CON.F.US.MNQ.Z26",
        at=datetime(2026, 11, 20, 15, 5, 0, 348000, tzinfo=UTC),
        bid=Decimal(29547),
        ask=Decimal("29547.50"),
    )
    patch = {"symbol": "F.US.MNQ", "bestBid": 29547, "bestAsk": 29547.5, "timestamp": "2026-11-20T15:05:00.348Z"}
    assert expected == quote("CON.F.US.MNQ.Z26", patch)


def test_a_quote_without_its_own_time_is_dated_by_its_arrival() -> None:
    """A quote falls back to its update time and then to when it came."""
    updated = quote("CON.F.US.MNQ.Z26", {"lastPrice": 1, "lastUpdated": "2026-11-20T15:05:00.5Z"})
    bare = quote("CON.F.US.MNQ.Z26", {"lastPrice": 1})
    assert isinstance(updated, QuoteReported)
    assert isinstance(bare, QuoteReported)
    assert (ARRIVED - timedelta(milliseconds=500), ARRIVED) == (updated.at, bare.at)


def test_a_quote_of_volume_alone_has_no_price() -> None:
    """It shows that the feed lives, and there is nothing in it to judge."""
    stamp = datetime(2026, 11, 20, 15, 5, tzinfo=UTC)
    expected = QuoteReported(contract="CON.F.US.MNQ.Z26", at=stamp)
    assert quote("CON.F.US.MNQ.Z26", {"volume": 5, "timestamp": "2026-11-20T15:05:00Z"}) == expected


@pytest.mark.parametrize(
    "arguments", [(), ("CON.F.US.MNQ.Z26",), ("CON.F.US.MNQ.Z26", None), (1, {}), ("C", {"lastPrice": "x"})]
)
def test_a_broken_quote_is_malformed(arguments: tuple[object, ...]) -> None:
    """A half quote is told, never guessed."""
    assert isinstance(quote(*arguments), Malformed)


def test_prices_keep_every_digit_of_the_wire() -> None:
    """A price never passes through a float on its way to Decimal."""
    said = normalizer.read_quote(
        b'["CON.F.US.ZT.Z26",{"lastPrice":103.91796875,"bestBid":0.1,"bestAsk":2192.200000000}]', ARRIVED
    )
    assert isinstance(said, QuoteReported)
    assert (str(said.last), str(said.bid), str(said.ask)) == ("103.91796875", "0.1", "2192.200000000")


def test_a_batch_of_prints_keeps_its_extremes_and_its_latest() -> None:
    """Market trades come in batches; the latest by its stamp is the last price."""
    prints = [
        {"price": 10.5, "timestamp": "2026-11-20T15:05:00.2Z"},
        {"price": 9.75, "timestamp": "2026-11-20T15:05:00.9Z"},
        {"price": 11.25, "timestamp": "2026-11-20T15:05:00.4Z"},
    ]
    said = normalizer.read_tape(wire("CON.F.US.MNQ.Z26", prints), ARRIVED)
    assert isinstance(said, QuoteReported)
    assert (Decimal("9.75"), Decimal("9.75"), Decimal("11.25")) == (
        said.last,
        said.low_last,
        said.high_last,
    )


@pytest.mark.parametrize("data", [[], None, [{"volume": 3}]])
def test_a_batch_without_prices_has_no_price(data: object) -> None:
    """An empty batch of prints is no price."""
    expected = QuoteReported(contract="CON.F.US.MNQ.Z26", at=ARRIVED)
    assert normalizer.read_tape(wire("CON.F.US.MNQ.Z26", data), ARRIVED) == expected


def test_a_contract_record_that_contradicts_the_table_is_quarantined() -> None:
    """The broker's tick value is checked against the built-in one; ENQ is the exchange's NQ."""
    record = {"id": "CON.F.US.ENQ.Z26", "name": "NQZ6", "tickSize": 0.25, "tickValue": 5, "activeContract": True}
    good = normalizer.read_instrument(msgspec.Raw(json.dumps(record).encode()))
    odd = normalizer.read_instrument(msgspec.Raw(json.dumps(record | {"tickValue": 0.5}).encode()))
    assert not isinstance(good, Malformed)
    assert not isinstance(odd, Malformed)
    assert ("NQZ6", "NQ", Decimal(20), False) == (
        good.instrument.symbol,
        good.instrument.root,
        good.instrument.point_value,
        good.instrument.quarantined,
    )
    assert odd.instrument.quarantined


def test_a_simulated_clock_is_read() -> None:
    """A simulated gateway says its time and its speed."""
    said = normalizer.read_simulated_time(wire({"now": "2026-11-20T15:05:01Z", "speed": 60}))
    assert said == (ARRIVED, 60.0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*TRADE, *ORDER, "action", "data", "lastPrice"]), inner, max_size=8)
    ),
    max_leaves=12,
)
user_targets = st.sampled_from(sorted(normalizer.USER_TARGETS))


@settings(max_examples=25)
@given(target=user_targets, arguments=st.lists(json_values, max_size=3))
def test_no_json_makes_the_user_events_raise(target: str, arguments: list[object]) -> None:
    """Whatever JSON arrives is either events or sentences."""
    for said in normalizer.read_user_event(target, wire(*arguments), ARRIVED):
        assert isinstance(said, Stamped | Malformed)


@settings(max_examples=25)
@given(target=user_targets, base=st.sampled_from([TRADE, ORDER, POSITION, ACCOUNT]), data=st.data())
def test_no_spoilt_field_makes_the_user_events_raise(target: str, base: dict[str, Any], data: st.DataObject) -> None:
    """A real payload with some of its fields replaced by anything is either events or sentences."""
    spoilt = data.draw(st.dictionaries(st.sampled_from(sorted(base)), json_values, max_size=3))
    for said in normalizer.read_user_event(target, wire({"action": 1, "data": base | spoilt}), ARRIVED):
        assert isinstance(said, Stamped | Malformed)


@given(raw=st.binary(max_size=200))
def test_no_bytes_make_any_reader_raise(raw: bytes) -> None:
    """Not even text that is no JSON, or no text, gets past the readers as an error."""
    for target in normalizer.USER_TARGETS:
        normalizer.read_user_event(target, raw, ARRIVED)
    normalizer.read_quote(raw, ARRIVED)
    normalizer.read_tape(raw, ARRIVED)
    normalizer.read_simulated_time(raw)


def test_nesting_beyond_reason_is_a_sentence_too() -> None:
    """A payload of a hundred thousand brackets stops nothing."""
    for bomb in (b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'[{"data":' * 100_000):
        for target in normalizer.USER_TARGETS:
            normalizer.read_user_event(target, bomb, ARRIVED)
        assert isinstance(normalizer.read_quote(bomb, ARRIVED), Malformed)
