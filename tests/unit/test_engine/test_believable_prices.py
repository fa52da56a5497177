"""Prices that lie: one of them, alone, must not move an account, and the market's true ones must."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from riskd.domain.events import AccountArmed, QuoteReported, RulesApplied
from riskd.domain.instruments import contract_of_symbol, table_instrument
from riskd.domain.market import BEYOND_LIMIT_AFTER, CONFIRM_AFTER, usable
from tests.support.desk import Desk, contract

LOSS500 = {"DailyRealizedLoss": {"limit": "-500.00"}}
INSTANT = timedelta(milliseconds=1)


def reported(desk: Desk, *, last: str | None = None, bid: str | None = None, ask: str | None = None) -> None:
    """Report the fields of MNQ that are given, and no others."""
    fields = {name: Decimal(text) for name, text in (("last", last), ("bid", bid), ("ask", ask)) if text is not None}
    desk.publish(QuoteReported(contract=contract("MNQ"), at=desk.at, **fields))


def reckoned(**settings: object) -> Desk:
    """Return a desk with a loss limit of 500 and these P&L settings."""
    desk = Desk()
    rules = [{"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}}]
    desk.publish(RulesApplied(account="A1", spec=json.dumps({"pnl": settings, "rules": rules})))
    desk.snapshot()
    desk.publish(AccountArmed(account="A1"))
    return desk


def mark(desk: Desk) -> Decimal | None:
    """Return what MNQ is believed to be worth."""
    return desk.core.state_manager.market[contract("MNQ")].mark


@pytest.fixture
def unpriced() -> Desk:
    """Return a desk that holds 2 MNQ from 21000 and has forgotten every price."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "21000")
    desk.core.state_manager.market.clear()
    return desk


@pytest.fixture
def priced() -> Desk:
    """Return a desk that holds 2 MNQ at 21000, where the market is."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "21000")
    desk.quote("MNQ", "21000")
    return desk


def test_a_first_price_that_stands_alone_waits(unpriced: Desk) -> None:
    """With nothing to hold it against, a last price alone locks nobody; after a quarter of a second it counts."""
    reported(unpriced, last="20500")
    assert not unpriced.locks
    unpriced.wait(CONFIRM_AFTER - INSTANT)
    assert not unpriced.locks
    unpriced.wait(INSTANT)
    assert len(unpriced.locks) == 1


def test_a_second_update_confirms_the_first_price(unpriced: Desk) -> None:
    """Two updates that agree are believed at once."""
    reported(unpriced, last="20500")
    reported(unpriced, last="20499")
    assert len(unpriced.locks) == 1


def test_a_first_price_with_bid_and_ask_acts_at_once(unpriced: Desk) -> None:
    """A first quote whose last price lies within its own bid and ask needs no second one."""
    unpriced.quote("MNQ", "20500")
    assert len(unpriced.locks) == 1


def test_a_price_beyond_the_days_limit_is_not_used(priced: Desk) -> None:
    """A frame a tenth of the market, said twice and then taken back, leaves no trace."""
    priced.quote("MNQ", "2100")
    priced.quote("MNQ", "2100")
    assert mark(priced) == 21000
    priced.quote("MNQ", "21000")
    priced.wait(BEYOND_LIMIT_AFTER * 2)
    assert not priced.locks


@pytest.mark.parametrize("said", [3, 2], ids=["three updates", "for a second"])
def test_a_gap_beyond_the_days_limit_is_believed_in_the_end(priced: Desk, said: int) -> None:
    """What the feed keeps saying becomes the price, so that riskd is not blind for ever."""
    for _ in range(said):
        assert not priced.locks
        priced.quote("MNQ", "16000")
    priced.wait(timedelta() if said > 2 else BEYOND_LIMIT_AFTER)
    assert len(priced.locks) == 1


def test_one_price_beyond_the_days_limit_is_never_believed(priced: Desk) -> None:
    """However quiet the feed is afterwards, a single such frame moves nothing."""
    priced.quote("MNQ", "2100")
    priced.wait(timedelta(minutes=1))
    assert not priced.locks


def test_a_price_that_was_doubted_while_nothing_was_held_counts_once_it_has_stood(priced: Desk) -> None:
    """The price strayed while the account was flat; the position opened later is worth what has stood since."""
    priced.fill("sell", 2, "MNQ", "21000")
    reported(priced, last="20900", bid="20950", ask="20950.25")
    priced.wait(timedelta(seconds=5))
    priced.fill("buy", 1, "MNQ", "20950")

    assert mark(priced) == Decimal(20900)


def test_a_conflated_quote_confirms_nothing_by_itself(priced: Desk) -> None:
    """The lowest, highest and last values of one conflated quote are one update, not three."""
    far = Decimal(2100)
    priced.publish(
        QuoteReported(
            contract=contract("MNQ"), at=priced.at, last=far, bid=far, ask=far,
            low_last=far, low_bid=far, low_ask=far, high_last=far, high_bid=far, high_ask=far,
        )
    )  # fmt: skip
    assert not priced.locks


def test_a_real_fall_acts_at_once(priced: Desk) -> None:
    """A price within its own bid and ask needs no confirmation, however many ticks it fell."""
    priced.quote("MNQ", "19000")
    assert len(priced.locks) == 1


@pytest.mark.parametrize("bid", ["2100", "20500"])
def test_a_bid_that_strays_alone_values_nothing(bid: str) -> None:
    """By bid and ask a long is worth the last bid that was believed, until a second one confirms the stray."""
    desk = reckoned(price_source="bid_ask")
    desk.fill("buy", 2, "MNQ", "21000")
    desk.quote("MNQ", "21000")
    reported(desk, bid=bid)
    assert not desk.locks
    reported(desk, bid="20999.75")
    desk.wait(BEYOND_LIMIT_AFTER)
    assert not desk.locks


def test_a_bid_that_is_confirmed_values_a_long() -> None:
    """The bid falls away from the last price and stays there: a long is worth that bid."""
    desk = reckoned(price_source="bid_ask")
    desk.fill("buy", 2, "MNQ", "21000")
    desk.quote("MNQ", "21000")
    reported(desk, bid="20700")
    desk.wait(CONFIRM_AFTER)
    assert len(desk.locks) == 1


@pytest.mark.parametrize(("band", "locked"), [(2, False), (500, True)])
def test_the_configured_band_counts(band: int, locked: bool) -> None:  # noqa: FBT001 - a table's column
    """A last price 400 ticks below the bid is believed at once only where the account allows that many."""
    desk = reckoned(price_band=band)
    desk.fill("buy", 3, "MNQ", "21000")
    desk.quote("MNQ", "21000")
    reported(desk, last="20900")
    assert bool(desk.locks) is locked


@pytest.mark.parametrize("text", ["1E+30", "1E+500", "-1E+500", "NaN", "sNaN", "Infinity", "0", "-5", "21000.1"])
def test_no_price_is_too_absurd_to_be_refused(text: str) -> None:
    """What cannot be a price is said to be none; nothing of it is an error."""
    instrument = table_instrument(contract_of_symbol("MNQH6"))
    assert instrument is not None
    assert not usable(Decimal(text), instrument)


def test_crude_oil_may_fall_through_zero() -> None:
    """Near zero the day's limit is so many ticks, since a share of nothing would doubt every move."""
    desk = Desk({"UnrealizedLoss": {"limit": "-100.00"}})
    desk.fill("buy", 1, "CL", "1.00")
    desk.quote("CL", "1.00")
    desk.quote("CL", "-1.00")
    assert desk.closes == [(contract("CL"), None)]
