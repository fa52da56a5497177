"""Contract months and trading hours."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from riskd.simulator.exchange.contracts import ContractBook
from riskd.simulator.exchange.hours import CHICAGO, phase_at
from riskd.simulator.exchange.model import Phase
from riskd.simulator.exchange.products import PRODUCTS, Hours

_AUGUST = datetime(2026, 8, 17, 12, tzinfo=UTC)


def test_the_catalogue_has_every_market_once() -> None:
    """Codes and roots are unique; a point of each is worth what the tick says."""
    assert len(PRODUCTS) == 51
    assert len({each.root for each in PRODUCTS}) == 51
    by_code = {each.code: each.tick_value / each.tick_size for each in PRODUCTS}
    assert [by_code[each] for each in ("MNQ", "ES", "CL")] == [2, 50, 1000]


@pytest.mark.parametrize(
    ("code", "front"),
    [
        ("MNQ", "CON.F.US.MNQ.U26"),
        ("ES", "CON.F.US.EP.U26"),
        ("CL", "CON.F.US.CLE.V26"),
        ("NG", "CON.F.US.NGE.U26"),
        ("GC", "CON.F.US.GCE.Z26"),
        ("SI", "CON.F.US.SIE.U26"),
        ("MBT", "CON.F.US.MBT.Q26"),
        ("ZS", "CON.F.US.ZSE.X26"),
        ("LE", "CON.F.US.GLE.V26"),
    ],
)
def test_the_front_months_are_those_the_broker_listed(code: str, front: str) -> None:
    """In August 2026 these months were listed."""
    assert ContractBook().front(code, _AUGUST).id == front


@pytest.mark.parametrize("name", ["MNQ", "MNQU6", "MNQU26", "CON.F.US.MNQ.U26"])
def test_a_contract_has_several_names(name: str) -> None:
    """Product, ticker with one or two digits of the year, and id name the same month."""
    contract = ContractBook().named(name, _AUGUST)

    assert (contract.id, contract.name, contract.display_name) == (
        "CON.F.US.MNQ.U26",
        "MNQU6",
        "MNQU26",
    )
    assert contract.description == "Micro E-mini Nasdaq-100: September 2026"


@pytest.mark.parametrize("name", ["", "XYZ", "MNQA6", "CON.F.US.MNQ.F26", "CON.F.US.MNQ.", "CON.F.US.MNQ.Uxx"])
def test_what_is_not_listed_has_no_name(name: str) -> None:
    """A month that a product does not have, or a product that nobody has, is not found."""
    with pytest.raises(KeyError, match="is listed"):
        ContractBook().named(name, _AUGUST)


def test_past_and_far_months_can_be_found_by_id() -> None:
    """An expired month is known and inactive, a far one known and active."""
    book = ContractBook()

    past, far = book.past("MNQ", _AUGUST), book.find("CON.F.US.MNQ.Z26")

    assert past.id == "CON.F.US.MNQ.M26"
    assert far is not None
    assert (book.is_active(past, _AUGUST), book.is_active(far, _AUGUST)) == (False, True)


def test_front_months_roll_with_time() -> None:
    """After the roll the next month is in front, and the old one expires some days later."""
    book = ContractBook()
    before, after = datetime(2026, 9, 14, 21, tzinfo=UTC), datetime(2026, 9, 14, 22, tzinfo=UTC)

    assert book.front("MNQ", before).id == "CON.F.US.MNQ.U26"
    assert book.front("MNQ", after).id == "CON.F.US.MNQ.Z26"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nq", ["NQU6", "MNQU6"]),
        ("micro gold", ["MGCZ6"]),
        ("MNQZ6", ["MNQZ6"]),
        ("CON.F.US.EP.H27", ["ESH7"]),
        ("nothing", []),
    ],
)
def test_a_search_finds_front_months_and_else_far_ones(text: str, names: list[str]) -> None:
    """Searching NQ finds NQ and MNQ; a far month is found when no front one fits."""
    found = [each.name for each in ContractBook().search(text, _AUGUST)]

    assert found == names


def test_prices_lie_on_the_grid() -> None:
    """A price is tradable when it is a whole number of ticks."""
    contract = ContractBook().front("ZN", _AUGUST)

    assert contract.is_on_grid(Decimal("113.015625"))
    assert not contract.is_on_grid(Decimal("113.02"))


@pytest.mark.parametrize(
    ("hours", "when", "phase"),
    [
        (Hours.GLOBEX, "2026-03-16 15:59:59", Phase.OPEN),
        (Hours.GLOBEX, "2026-03-16 16:00", Phase.CLOSED),
        (Hours.GLOBEX, "2026-03-16 16:45", Phase.PRE_OPEN),
        (Hours.GLOBEX, "2026-03-16 17:00", Phase.OPEN),
        (Hours.GLOBEX, "2026-03-20 16:50", Phase.CLOSED),  # Friday
        (Hours.GLOBEX, "2026-03-21 12:00", Phase.CLOSED),
        (Hours.GLOBEX, "2026-03-22 15:59", Phase.CLOSED),
        (Hours.GLOBEX, "2026-03-22 16:00", Phase.PRE_OPEN),
        (Hours.GLOBEX, "2026-03-22 17:00", Phase.OPEN),
        (Hours.GRAINS, "2026-03-16 07:44", Phase.OPEN),
        (Hours.GRAINS, "2026-03-16 07:45", Phase.CLOSED),
        (Hours.GRAINS, "2026-03-16 08:00", Phase.PRE_OPEN),
        (Hours.GRAINS, "2026-03-16 08:30", Phase.OPEN),
        (Hours.GRAINS, "2026-03-16 13:20", Phase.CLOSED),
        (Hours.GRAINS, "2026-03-22 19:00", Phase.OPEN),
        (Hours.GRAINS, "2026-03-20 19:00", Phase.CLOSED),
        (Hours.LIVESTOCK, "2026-03-16 08:15", Phase.PRE_OPEN),
        (Hours.LIVESTOCK, "2026-03-16 08:30", Phase.OPEN),
        (Hours.LIVESTOCK, "2026-03-16 13:05", Phase.CLOSED),
        (Hours.LIVESTOCK, "2026-03-21 09:00", Phase.CLOSED),
    ],
)
def test_markets_open_and_close_by_chicago_time(hours: Hours, when: str, phase: Phase) -> None:
    """Each timetable's borders, in winter and summer alike by the wall clock of Chicago."""
    local = datetime.fromisoformat(when).replace(tzinfo=CHICAGO)

    assert phase_at(hours, local.astimezone(UTC)) is phase
