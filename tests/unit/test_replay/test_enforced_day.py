from datetime import UTC, datetime
from decimal import Decimal

from riskd.app.exports.fills import read_export
from riskd.app.replay.book import make_book
from riskd.app.replay.day_run import DayRun
from riskd.app.replay.enforced_day import Enforced, EnforcedDay
from riskd.domain.events import QuoteReported
from riskd.domain.violations import ActionType
from riskd.rules.registry import canonical, compile_rulebook
from tests.unit.test_replay.exports import trade_row, trades
from tests.unit.test_replay.test_day_run import day_of, filled, price


def spec(name: str, **params: object) -> str:
    """Return the text of one rule."""
    return canonical({"rules": [{"rule": name, "params": params}]})


LOSS_500 = spec("DailyRealizedLoss", limit="-500.00")


def enforced(rules: str, *rows: str, prices: tuple[QuoteReported, ...] = ()) -> Enforced:
    """Return how these orders would have gone under rules."""
    return EnforcedDay(day_of(*rows), compile_rulebook, rules).play(prices)


def at(clock: str) -> datetime:
    """Return a Chicago time of 2026-03-10."""
    return datetime.fromisoformat(f"2026-03-10T{clock}-05:00").astimezone(UTC)


def test_what_follows_a_lockout_is_not_traded() -> None:
    """A loss of 560 locks; the trades of the afternoon, good or bad, do not happen."""
    day = enforced(
        LOSS_500,
        filled(1, "09:31:00", "Bid", "18000"),
        filled(2, "09:32:00", "Ask", "17860"),
        filled(3, "09:33:00", "Bid", "18000"),
        filled(4, "09:34:00", "Ask", "18200"),
    )
    assert (day.net, day.not_made) == (Decimal(-560), 2)
    assert day.first is not None
    assert (day.first.rule, day.first.at, day.first.action) == (
        "DailyRealizedLoss",
        at("09:32:00"),
        ActionType.SET_LOCKOUT,
    )
    assert day.locked is not None
    assert (day.locked.at, day.locked.until) == (at("09:32:00"), at("17:00:00"))


def test_a_flatten_fills_at_the_price_that_broke_the_limit() -> None:
    """An open loss of 500 is closed there; the recorded exit closes nothing any more."""
    day = enforced(
        LOSS_500,
        filled(1, "09:31:00", "Bid", "18000"),
        filled(2, "10:00:00", "Ask", "18010"),
        prices=(price("09:40:00", "17875.25"), price("09:41:00", "17875.00")),
    )
    assert (day.net, day.not_made) == (Decimal(-500), 1)


def test_an_exit_closes_what_is_left_and_the_rest_goes_on() -> None:
    """Six bought against a limit of four: two are closed at once, the recorded exit of six sells the other four."""
    day = enforced(
        spec("MaxContracts", max_contracts=4),
        filled(1, "09:31:00", "Bid", "18000", size=6),
        filled(2, "09:32:00", "Ask", "18010", size=6),
        filled(3, "09:33:00", "Ask", "18010"),
        filled(4, "09:34:00", "Bid", "18000"),
    )
    assert (day.net, day.not_made, day.locked) == (Decimal(80 + 40), 1, None)


def test_a_flip_is_traded_as_far_as_it_can_be() -> None:
    """Long 6 that was trimmed to 4 is turned into short 3: four are sold to flat, three more open the short."""
    day = enforced(
        spec("MaxContracts", max_contracts=4),
        filled(1, "09:31:00", "Bid", "18000", size=6),
        filled(2, "09:32:00", "Ask", "18010", size=9),
        filled(3, "09:33:00", "Bid", "18000", size=3),
    )
    assert (day.net, day.not_made) == (Decimal(4 * 20 + 3 * 20), 1)


def test_a_cooldown_lets_nothing_be_opened_until_it_ends() -> None:
    """A loss of 200 starts fifteen minutes: the trade at five minutes is not made, the one at sixteen is."""
    day = enforced(
        spec("CooldownAfterLoss", loss_threshold="-100.00", cooldown_duration="15min"),
        filled(1, "09:31:00", "Bid", "18000"),
        filled(2, "09:32:00", "Ask", "17950"),
        filled(3, "09:37:00", "Bid", "18000"),
        filled(4, "09:38:00", "Ask", "18100"),
        filled(5, "09:48:00", "Bid", "18000"),
        filled(6, "09:49:00", "Ask", "18005"),
    )
    assert (day.net, day.not_made) == (Decimal(-200 + 20), 2)


def test_a_rule_in_shadow_mode_does_nothing() -> None:
    """What only tells changes nothing, and is not the first thing done."""
    rules = canonical({"rules": [{"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}, "mode": "shadow"}]})
    day = enforced(rules, filled(1, "09:31:00", "Bid", "18000"), filled(2, "09:32:00", "Ask", "17000"))
    assert (day.net, day.first, day.locked, day.not_made) == (Decimal(-4000), None, None, 0)


def test_a_close_pays_the_fee_of_the_fill_before_it() -> None:
    """Two MNQ at 0.37 a side: entry 0.74, and the close of riskd another 0.74."""
    day = make_book([read_export("t.csv", trades(trade_row(ExitPrice="17000", PnL="-4000")))]).days[0]
    stopped = EnforcedDay(day, compile_rulebook, LOSS_500).play([price("09:32:00", "17875.00")])
    assert stopped.net == Decimal("-501.48")


def test_rules_that_never_fire_leave_the_day_as_it_was() -> None:
    """The same fills in the same core come to the same cent, fees and platform's figures included."""
    book = make_book([read_export("t.csv", trades(trade_row(), trade_row(Id="8", Type="Short", PnL="-40")))])
    far = spec("DailyRealizedLoss", limit="-90000.00")
    for day in book.days:
        under = EnforcedDay(day, compile_rulebook, far).play(())
        assert under.net == DayRun(day, compile_rulebook, None).play(()).net_marked


def test_a_lock_in_the_last_second_of_the_day_is_kept_in_it() -> None:
    """What riskd looks up after 17:00 does not turn the day's result into the next one's."""
    day = enforced(
        LOSS_500, filled(1, "16:59:58", "Bid", "18000", size=9), filled(2, "16:59:59", "Ask", "17900", size=4)
    )
    assert day.net == Decimal(-1800)
    assert day.locked is not None
