"""The demo's summary does not believe riskd: it compares."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from riskd.app.demo.daemon_log import CloseSent, Heard, Locked
from riskd.app.demo.desk import Desk
from riskd.app.demo.limits import Limits
from riskd.app.demo.prices import Mood, Prices
from riskd.app.demo.setup_files import gateway_settings
from riskd.app.demo.story import Outcome
from riskd.app.demo.summary import Report, report
from riskd.simulator import SimulatedGateway

LOSS = Decimal("-1012.36")
CLOSE = CloseSent(rule="DailyRealizedLoss", symbol="MNQM6", quantity=None, held=1, left=0)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """Open a broker that was asked for nothing."""
    prices = Prices(1)
    async with SimulatedGateway(gateway_settings(prices.opening, 1)) as gateway:
        found = Desk(gateway, prices)
        for quote in found.move(Mood.CALM):
            found.show(quote)
        yield found


def heard(*closes: CloseSent, loss: Decimal = LOSS) -> Heard:
    """Return the log of a day with one lock."""
    found = Heard()
    reason = f"daily loss {loss} USD is past limit -1000.00 USD"
    found.take(Locked(rule="DailyRealizedLoss", until=datetime(2026, 3, 17, 22, tzinfo=UTC), reason=reason))
    for close in closes:
        found.take(close)
    return found


def ended(log: Heard, desk: Desk) -> Report:
    """Return the report of a story in which everything else went well."""
    outcome = Outcome(
        brokers_loss=LOSS, lock_survived_kill=True, reset_at_17=True, left_alone=True, stopped_in_order=True
    )
    return report(log, desk, outcome, limits=Limits(), seed=1)


def failed(found: Report) -> list[str]:
    """Return what was not as it should be."""
    return [check.text for check in found.checks if not check.good]


async def test_a_day_that_agrees_is_good(desk: Desk) -> None:
    """Nothing asked, nothing logged, the loss the same on both sides."""
    found = ended(heard(), desk)
    assert failed(found) == []
    assert found.good


async def test_a_close_that_never_arrived_is_found(desk: Desk) -> None:
    """Riskd's log alone is no proof of a close."""
    found = ended(heard(CLOSE), desk)
    assert failed(found) == ["the broker received 0 closes and 0 cancels: not the 1 in riskd's log"]
    assert not found.summary.closes_match


async def test_a_lock_at_another_figure_is_found(desk: Desk) -> None:
    """A cent of difference between riskd and the broker's books fails the demo."""
    found = ended(heard(loss=LOSS - Decimal("0.01")), desk)
    assert len(failed(found)) == 1
    assert "the broker's books say -1,012.36 USD at the breach" in failed(found)[0]


async def test_what_is_left_open_is_found(desk: Desk) -> None:
    """A position at the end of the day is told with its side and size."""
    desk.at_market("sell", 2, "MNQ")
    found = ended(heard(), desk)
    assert failed(found) == ["at the end the account is short 2 MNQ"]
    assert found.summary.final_positions == {"MNQ": -2}


async def test_the_brokers_books_count_cash_and_fees(desk: Desk) -> None:
    """The broker's figure for the day is what was paid and received, what is held at its last price, and the fees."""
    desk.at_market("buy", 1, "ES")
    bought, last = desk.quotes["ES"].ask, desk.quotes["ES"].last
    assert desk.net_today() == (last - bought) * 50 - Decimal("1.90")
