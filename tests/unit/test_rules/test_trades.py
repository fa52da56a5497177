from datetime import timedelta

import msgspec
import pytest

from riskd.domain.account import Execution
from riskd.rules.trades import Count, Window, allowances, frees_at, grouped, told_apart
from tests.support.rule_builders import NOON, contract, fill, traded

TWO_SECONDS = timedelta(seconds=2)
MINUTE = Window(timedelta(minutes=1))
DAY = Window(None)


def at(seconds: str) -> timedelta:
    """Return so many seconds as a length."""
    return timedelta(milliseconds=int(seconds) * 1000)


def executions(*trades: tuple[str, str, int, str | None]) -> tuple[Execution, ...]:
    """Return what fills at so many seconds did: time, product, signed quantity, order."""
    fills = [fill(root, quantity, at=NOON + at(second), order_id=order) for second, root, quantity, order in trades]
    return traded(*fills, at=NOON + timedelta(hours=1)).account.executions


SCALED_OUT = (("0", "MNQ", 5, "A"), ("10", "MNQ", -2, "B"), ("20", "MNQ", -2, "C"), ("30", "MNQ", -1, "D"))


@pytest.mark.parametrize(("count", "trades"), [("entries", 1), ("round_trips", 1), ("orders", 4), ("fills", 4)])
def test_in_with_five_and_out_in_three(count: Count, trades: int) -> None:
    """One entry, one round trip, four orders, four fills."""
    assert len(grouped(executions(*SCALED_OUT), count, TWO_SECONDS)) == trades


@pytest.mark.parametrize(("count", "trades"), [("entries", 2), ("round_trips", 1), ("orders", 2), ("fills", 4)])
def test_partial_fills_belong_to_their_order(count: Count, trades: int) -> None:
    """Two entry orders of two fills each, the second half a minute after its first."""
    fills = (("0", "MNQ", 1, "A"), ("1", "MNQ", 1, "A"), ("20", "MNQ", 1, "B"), ("50", "MNQ", 1, "B"))

    assert len(grouped(executions(*fills), count, TWO_SECONDS)) == trades


@pytest.mark.parametrize(
    ("second", "trades"),
    [
        (("2", "MNQ", 1, "B"), 1),
        (("3", "MNQ", 1, "B"), 2),
        (("1", "ES", 1, "B"), 2),
        (("1", "MNQ", -3, "B"), 2),
    ],
    ids=["two seconds", "three seconds", "another contract", "the other side"],
)
def test_one_click_may_become_several_orders(second: tuple[str, str, int, str | None], trades: int) -> None:
    """Opening orders of one contract and side within two seconds of the first are one trade."""
    assert len(grouped(executions(("0", "MNQ", 1, "A"), second), "entries", TWO_SECONDS)) == trades


def test_merging_counts_from_the_first_not_from_the_last() -> None:
    """At 0, 2 and 4 seconds: the third is a trade of its own."""
    fills = (("0", "MNQ", 1, "A"), ("2", "MNQ", 1, "B"), ("4", "MNQ", 1, "C"))

    assert [len(trade.executions) for trade in grouped(executions(*fills), "entries", TWO_SECONDS)] == [2, 1]


def test_a_flip_is_an_entry_and_another_round_trip() -> None:
    """Long 1, sell 3: a second entry, a second round trip, and no third when the short is added to."""
    fills = (("0", "MNQ", 1, "A"), ("10", "MNQ", -3, "B"), ("20", "MNQ", -1, "C"))

    assert len(grouped(executions(*fills), "entries", TWO_SECONDS)) == 3
    assert len(grouped(executions(*fills), "round_trips", TWO_SECONDS)) == 2


def test_what_riskd_did_is_no_trade() -> None:
    """Its own closes are in no count."""
    own = tuple(msgspec.structs.replace(e, own=True) for e in executions(*SCALED_OUT))

    assert grouped(own, "orders", TWO_SECONDS) == []


@pytest.mark.parametrize(
    ("starts", "excess"),
    [
        ((0, 10, 20, 30), [30]),
        ((0, 10, 20, 60), []),
        ((0, 10, 20, 30, 60), [30]),
        ((0, 10, 20, 30, 40, 50, 60, 65), [30, 40, 50, 65]),
    ],
)
def test_three_a_minute(starts: tuple[int, ...], excess: list[int]) -> None:
    """The fourth inside a minute is excess and does not count; one exactly a minute after the first is fine."""
    fills = [(str(second), "MNQ", 1, f"O{second}") for second in starts]

    found = told_apart(grouped(executions(*fills), "entries", TWO_SECONDS), 3, MINUTE)

    assert [trade.started_at for trade in found.excess] == [NOON + at(str(second)) for second in excess]


def test_exits_count_where_orders_count_and_are_never_excess() -> None:
    """Two orders a minute: in, out, out; the next way in is one too many."""
    fills = (("0", "MNQ", 2, "A"), ("10", "MNQ", -1, "B"), ("20", "MNQ", -1, "C"), ("30", "MNQ", 1, "D"))

    found = told_apart(grouped(executions(*fills), "orders", TWO_SECONDS), 2, MINUTE)

    assert [trade.executions[0].order_id for trade in found.excess] == ["D"]


@pytest.mark.parametrize(
    ("fills", "kept"),
    [
        ([("0", "MNQ", 2, "A"), ("10", "MNQ", 1, "B")], {"MNQ": 2}),
        ([("0", "MNQ", 2, "A"), ("10", "MNQ", 1, "B"), ("11", "MNQ", -1, "X")], {}),
        ([("0", "MNQ", 2, "A"), ("10", "MNQ", 3, "B"), ("11", "MNQ", -1, "X")], {"MNQ": 2}),
        ([("0", "MNQ", 2, "A"), ("10", "MNQ", -5, "B")], {"MNQ": 0}),
        ([("0", "MNQ", 2, "A"), ("5", "MNQ", -2, "X"), ("10", "MNQ", 1, "B")], {"MNQ": 0}),
        ([("0", "MNQ", 2, "A"), ("10", "ES", 1, "B")], {"ES": 0}),
        ([("0", "MNQ", -2, "A"), ("10", "MNQ", -1, "B")], {"MNQ": -2}),
    ],
    ids=["added", "closed again", "partly closed", "flipped", "from flat", "elsewhere", "short"],
)
def test_what_may_stay_when_the_second_order_is_excess(
    fills: list[tuple[str, str, int, str | None]], kept: dict[str, int]
) -> None:
    """What order B opened goes; a close takes of that first; what was there before stays."""
    done = executions(*fills)
    held: dict[str, int] = {}
    for execution in done:
        held[execution.contract] = held.get(execution.contract, 0) + execution.side.sign * (
            execution.opened + execution.closed
        )
    beyond = [t for t in grouped(done, "entries", TWO_SECONDS) if "B" in t.order_ids]

    assert allowances(done, beyond, held) == {contract(root): quantity for root, quantity in kept.items()}


def test_what_was_held_before_the_first_fill_stays() -> None:
    """A position from a snapshot, of which no fill is known, is nobody's excess."""
    done = executions(("0", "MNQ", 1, "B"))
    beyond = grouped(done, "entries", TWO_SECONDS)

    assert allowances(done, beyond, {contract("MNQ"): 4}) == {contract("MNQ"): 3}


def test_when_a_place_is_free_again() -> None:
    """One in 15 minutes at 12:00: free at 12:15; with a place left, or by the day, there is no such time."""
    counted = grouped(executions(("0", "MNQ", 1, "A")), "entries", TWO_SECONDS)
    quarter = Window(timedelta(minutes=15))

    assert frees_at(counted, 1, quarter, NOON + at("60")) == NOON + timedelta(minutes=15)
    assert frees_at(counted, 2, quarter, NOON + at("60")) is None
    assert frees_at(counted, 1, DAY, NOON + at("60")) is None
