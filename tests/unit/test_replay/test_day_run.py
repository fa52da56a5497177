from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from riskd.app.exports.fills import read_export
from riskd.app.replay.book import CountedTwice, Day, make_book
from riskd.app.replay.day_run import DayResult, DayRun
from riskd.domain.events import QuoteReported
from riskd.domain.violations import ActionType
from riskd.rules.registry import canonical, compile_rulebook
from tests.unit.test_replay.exports import order_row, orders, trade_row, trades

LOSS_500 = canonical({"rules": [{"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}}], "mode": "shadow"})


def filled(number: int, clock: str, side: str, price: str, size: int = 2) -> str:
    """Return a filled order of 2026-03-10 at a Chicago time."""
    return order_row(
        Id=str(number), FilledAt=f"03/10/2026 {clock} -05:00", Side=side, ExecutePrice=price, Size=str(size)
    )


def day_of(*rows: str) -> Day:
    """Return the one day of these orders."""
    return make_book([read_export("orders.csv", orders(*rows))]).days[0]


def run(day: Day, spec: str | None = LOSS_500, *quotes: QuoteReported) -> DayResult:
    """Run a day with a daily loss limit of 500."""
    return DayRun(day, compile_rulebook, spec).play(quotes)


def price(clock: str, last: str) -> QuoteReported:
    """Return a last price of 2026-03-10 at a Chicago time."""
    at = datetime.fromisoformat(f"2026-03-10T{clock}-05:00").astimezone(UTC)
    return QuoteReported(contract="CON.F.US.MNQ.H26", at=at, last=Decimal(last))


def test_a_day_is_reckoned_to_the_cent() -> None:
    """Gross, water marks and the most that was held follow from the fills."""
    result = run(
        day_of(
            filled(1, "09:31:00", "Bid", "18000"),
            filled(2, "09:32:00", "Ask", "17990"),
            filled(3, "09:33:00", "Ask", "18000", size=3),
            filled(4, "09:34:00", "Bid", "17975.25", size=3),
        )
    )
    assert (result.gross, result.fees, result.net) == (Decimal("108.50"), None, Decimal("108.50"))
    assert (result.low_water, result.high_water) == (Decimal(-40), Decimal("108.50"))
    assert (result.max_contracts, result.open_at_end) == (3, {})


def test_a_contract_that_does_not_come_to_flat_is_named() -> None:
    """What is still held when the day ends is listed by its symbol, with its sign."""
    assert run(day_of(filled(1, "09:31:00", "Ask", "18000"))).open_at_end == {"MNQH6": -2}


def test_the_first_action_of_a_rule_is_listed_with_the_day_at_that_moment() -> None:
    """The lock comes at the fill that breaks the limit; the fills after it are still counted."""
    result = run(
        day_of(
            filled(1, "09:31:00", "Bid", "18000"),
            filled(2, "09:32:00", "Ask", "17860"),
            filled(3, "09:33:00", "Bid", "18000"),
            filled(4, "09:34:00", "Ask", "18200"),
        )
    )
    (action,) = result.actions
    assert (action.rule, action.action) == ("DailyRealizedLoss", ActionType.SET_LOCKOUT)
    assert action.at == datetime(2026, 3, 10, 14, 32, tzinfo=UTC)
    assert (action.day_if_stopped, result.net) == (Decimal(-560), Decimal(240))


def test_prices_between_the_fills_judge_what_is_held() -> None:
    """With prices, an open loss breaks the limit before it is realized, and the account would have been flattened."""
    day = day_of(filled(1, "09:31:00", "Bid", "18000"), filled(2, "10:00:00", "Ask", "18010"))
    (action,) = run(day, LOSS_500, price("09:40:00", "17875.25"), price("09:41:00", "17875.00")).actions
    assert (action.action, action.at.minute) == (ActionType.FLATTEN_ACCOUNT, 41)


def test_a_rule_of_time_fires_between_the_fills() -> None:
    """A position held over the end of the session is found at that time, although nothing is traded then."""
    session = {"allowed_days": ["Tuesday"], "allowed_times": [{"start": "08:30", "end": "15:00"}]}
    spec = canonical({"rules": [{"rule": "SessionBlockOutside", "params": session}], "mode": "shadow"})
    day = day_of(filled(1, "14:00:00", "Bid", "18000"), filled(2, "15:30:00", "Ask", "18000"))
    (action,) = run(day, spec).actions
    assert action.at == datetime(2026, 3, 10, 20, 0, tzinfo=UTC)


def test_without_rules_a_day_is_only_reckoned() -> None:
    """No rules, no actions, the same figures."""
    result = run(day_of(filled(1, "09:31:00", "Bid", "18000"), filled(2, "09:32:00", "Ask", "17000")), None)
    assert (result.gross, result.actions) == (Decimal(-4000), ())


def test_an_entry_fee_counts_when_it_is_charged() -> None:
    """The low-water mark of a day that only rose is its first entry's fee."""
    result = run(make_book([read_export("trades.csv", trades(trade_row()))]).days[0])
    assert (result.gross, result.fees, result.net) == (Decimal(40), Decimal("1.48"), Decimal("38.52"))
    assert (result.low_water, result.high_water) == (Decimal("-0.74"), Decimal("38.52"))


def test_a_fee_table_charges_exports_that_have_no_fees() -> None:
    """A fee is charged per contract and side; an export with fees of its own keeps them."""
    table = {"MNQ": Decimal("0.61")}
    bought = read_export("orders.csv", orders(filled(1, "09:31:00", "Bid", "18000")))
    traded = read_export(
        "trades.csv", trades(trade_row(EnteredAt="03/11/2026 09:31:00 -05:00", ExitedAt="03/11/2026 09:32:00 -05:00"))
    )
    first, second = (run(day) for day in make_book([bought, traded], table).days)
    assert (first.fees, second.fees) == (Decimal("1.22"), Decimal("1.48"))


def test_days_begin_at_17_00_in_chicago_and_each_from_flat() -> None:
    """A fill at 17:00 belongs to the next TradingDay, which knows nothing of what was held before."""
    book = make_book([read_export("o", orders(filled(1, "16:59:59", "Bid", "1"), filled(2, "17:00:00", "Ask", "1")))])
    assert [day.trading_day for day in book.days] == [date(2026, 3, 10), date(2026, 3, 11)]
    assert [run(day).open_at_end for day in book.days] == [{"MNQH6": 2}, {"MNQH6": -2}]


def test_accounts_are_reckoned_apart() -> None:
    """Fills of two accounts on one day are two days."""
    book = make_book([read_export("o", orders(order_row(), order_row(Id="2", AccountName="ACCT-B")))])
    assert [day.account for day in book.days] == ["ACCT-A", "ACCT-B"]


def test_a_fill_in_two_files_counts_once() -> None:
    """Two exports that overlap give each fill once, and say how many came twice."""
    export = read_export("orders.csv", orders(order_row()))
    book = make_book([export, export])
    assert ([len(day.fills) for day in book.days], book.repeated) == ([1], 1)


def test_orders_and_trades_of_one_day_are_refused() -> None:
    """Orders and trades number the same fills differently, so together they would count twice."""
    exports = [read_export("o.csv", orders(order_row())), read_export("t.csv", trades(trade_row()))]
    with pytest.raises(CountedTwice, match=r"o\.csv .* and t\.csv .* both have fills of 2026-03-10"):
        make_book(exports)


def test_files_that_contradict_each_other_are_said() -> None:
    """One Id with other figures in a second file: the first counts, and the file is named."""
    exports = [read_export("a.csv", orders(order_row())), read_export("b.csv", orders(order_row(Size="3")))]
    assert [row.file for row in make_book(exports).unread] == ["b.csv"]
