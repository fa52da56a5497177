"""Random days: every rule that goes by trades and prices against its plain-spoken twin in `naive.py`."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from riskd.domain.account_view import AccountView
from tests.support.rule_builders import contract, remembering
from tests.unit.test_rules.naive import FAMILY, Book
from tests.unit.test_rules.random_days import ROOTS, Day, amount, closed, make, text

Check = Callable[[Day, AccountView, Book], None]


def check_size(day: Day, look: AccountView, book: Book) -> None:
    """MaxContracts, in contracts and in minis, held and resting."""
    most = day.dice.randint(0, 8)
    for unit in ("contracts", "minis"):
        held = make("MaxContracts", max_contracts=most, unit=unit, count_working=False).evaluate(None, look)
        assert closed(held) == book.too_many(Fraction(most), minis=unit == "minis")
    going = book.too_many(Fraction(most), minis=False)
    found = {v.key: v for v in make("MaxContracts", max_contracts=most).violations(None, look)}
    resting = list(found["resting"].cancels) if "resting" in found else []
    assert resting == book.resting_surplus(most, going)


def check_each_size(day: Day, look: AccountView, book: Book) -> None:
    """MaxContractsPerInstrument."""
    limits = {root: day.dice.randint(0, 4) for root in ROOTS if day.dice.random() < 0.5}
    default = day.dice.choice([None, 0, 2])
    if not limits and default is None:
        return
    found = {
        v.key: closed(v)
        for v in make("MaxContractsPerInstrument", limits=limits, default=default).violations(None, look)
    }
    wanted = {}
    for root in ROOTS:
        limit = limits.get(root, default)
        excess = abs(book.quantity(root)) - limit if limit is not None else 0
        if excess > 0:
            wanted[root] = {root: excess}
    assert found == wanted


def check_day(day: Day, look: AccountView, book: Book) -> None:
    """DailyRealizedLoss and DailyRealizedProfit by every basis, with a reserve."""
    basis = day.dice.choice(["combined", "realized", "worst"])
    reserve = day.dice.choice(["0", "12.50", {"ticks": 3}])
    early = book.reserve_of(reserve, ROOTS)
    lost, won = book.basis(basis, loss=True), book.basis(basis, loss=False)
    limit = amount(day, lost - early, won + early)
    loss = make("DailyRealizedLoss", limit=text(-limit), basis=basis, reserve=reserve)
    profit = make("DailyRealizedProfit", limit=text(limit), basis=basis, reserve=reserve)

    assert (loss.evaluate(None, look) is not None) == (lost <= -limit + early)
    assert (profit.evaluate(None, look) is not None) == (won >= limit - early)
    assert loss.headroom(look) == Decimal(text(lost + limit - early))


def check_open(day: Day, look: AccountView, book: Book) -> None:
    """UnrealizedLoss and UnrealizedProfit by every scope."""
    scope = day.dice.choice(["position", "group", "account"])
    held = [root for root in ROOTS if book.quantity(root)]
    units = {
        "position": [[root] for root in held],
        "group": [[r for r in held if FAMILY[r] == family] for family in dict.fromkeys(FAMILY[r] for r in held)],
        "account": [held] if held else [],
    }[scope]
    limit = amount(day, *(book.open_result(unit) for unit in units))
    losing = make("UnrealizedLoss", limit=text(-limit), scope=scope).violations(None, look)
    winning = make("UnrealizedProfit", limit=text(limit), scope=scope).violations(None, look)

    assert _sorted(closed(v) for v in losing) == _sorted(
        _all_of(book, u) for u in units if book.open_result(u) <= -limit
    )
    assert _sorted(closed(v) for v in winning) == _sorted(
        _all_of(book, u) for u in units if book.open_result(u) >= limit
    )


def _all_of(book: Book, roots: list[str]) -> dict[str, int]:
    return {root: abs(book.quantity(root)) for root in roots}


def _sorted(found: object) -> list[str]:
    assert hasattr(found, "__iter__")
    return sorted(str(sorted(one.items())) for one in found)


def check_frequency(day: Day, look: AccountView, book: Book) -> None:
    """TradeFrequencyLimit, rolling and daily."""
    most = day.dice.randint(1, 4)
    window, length = day.dice.choice([("daily", None), ("30s", timedelta(seconds=30)), ("5min", timedelta(minutes=5))])
    rule = make("TradeFrequencyLimit", max_trades=most, window=window)
    found = {v.key: v for v in rule.violations(None, remembering(rule, look))}
    kept = {cut.contract: cut.left for cut in found[""].reductions} if "" in found else {}
    assert kept == {contract(root): left for root, left in book.beyond_the_count(most, length).items()}


def check_cooldown(day: Day, look: AccountView, book: Book) -> None:
    """CooldownAfterLoss with tiers."""
    mild, severe = sorted([amount(day, *(made for _, _, made in book.closings)), Fraction(day.dice.randint(1, 300))])
    if mild == severe:
        return
    tiers = [(text(-mild), 60), (text(-severe), 600)]
    rule = make("CooldownAfterLoss", tiers=[{"threshold": t, "duration": f"{s}s"} for t, s in tiers])
    ends = sorted(v.until for v in rule.violations(None, look) if v.until is not None)
    assert ends == book.pauses([(Fraction(t), timedelta(seconds=s)) for t, s in tiers])


CHECKS: tuple[Check, ...] = (check_size, check_each_size, check_day, check_open, check_frequency, check_cooldown)


def live(seed: int, *, steps: int, look_every: int = 1) -> None:
    """Live one random day, and hold every rule against its twin after each step or some of them."""
    day = Day(seed)
    for number in range(1, steps + 1):
        day.step()
        if number % look_every == 0:
            look, book = day.look(), day.book()
            for check in CHECKS:
                check(day, look, book)


@pytest.mark.parametrize("seed", range(12))
def test_random_days_are_judged_alike(seed: int) -> None:
    """Size, day, open P&L, frequency and cooldown rules say what the plain-spoken ones say."""
    live(seed, steps=8)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_random_days_are_judged_alike() -> None:
    """The same for 20,000 days; the seed of a day that differs is in the failure."""
    for seed in range(1_000, 21_000):
        live(seed, steps=9, look_every=9)
