"""What a new process knows: exactly what the old one knew when it died."""

from datetime import datetime, timedelta
from decimal import Decimal

from riskd.daemon.restoring import restored
from riskd.domain.account import AccountState
from riskd.domain.events import DaemonStarted, InstrumentReported, QuoteReported
from riskd.domain.instruments import instrument
from riskd.engine.core import Core
from riskd.ports import JournalEntry
from riskd.rules.registry import compile_rulebook
from riskd.storage.state_files import SavedState, decode, encode
from tests.support.desk import Desk, contract

LOSS500 = {"DailyRealizedLoss": {"limit": "-500.00"}}


def written(desk: Desk) -> tuple[AccountState, int]:
    """Return the account as its file has it now."""
    state = desk.core.state_manager.to_write("A1")
    saved = SavedState(state, desk.event_bus.last_seq, datetime.fromisoformat("2026-03-10T00:00:00Z"), "")
    return decode(encode(saved)).state, saved.seq


def journal(desk: Desk) -> list[JournalEntry]:
    """Return the journal's lines, quotes that moved nobody left out."""
    return [
        JournalEntry(envelope=envelope, market=step.market, commands=step.commands)
        for envelope, step in desk.steps
        if step.evaluated or not isinstance(envelope.event, QuoteReported)
    ]


def test_a_restart_judges_by_the_prices_that_were_known() -> None:
    """A position was at +400 when its file was written; what came after it is judged with that, not without a price."""
    desk = Desk(LOSS500)
    desk.fill("buy", 2, "MNQ", "18000")
    desk.fill("sell", 2, "ES", "5800")
    desk.quote("MNQ", "18200")
    desk.quote("ES", "5806")
    assert not desk.state.locked
    file = written(desk)
    desk.forget()
    desk.wait(timedelta(seconds=1))
    desk.fill("buy", 1, "MES", "5800")

    states = restored({"A1": file}, journal(desk), compile_rulebook)
    core = Core(compile_rulebook)
    core.restore(states)

    assert core.state_manager.accounts["A1"] == desk.state
    assert core.state_manager.market == desk.core.state_manager.market


def test_the_first_line_after_a_restart_carries_the_prices() -> None:
    """A quote that moved nobody's rules is in no line; the next run's first line has it, so that a replay has it."""
    desk = Desk(LOSS500)
    desk.quote("MNQ", "18200")
    core = Core(compile_rulebook)
    core.restore({"A1": written(desk)[0]})
    desk.core = core
    desk.forget()

    desk.publish(DaemonStarted())

    assert [row.contract for row in desk.steps[0][1].market] == [contract("MNQ")]


def test_a_restart_counts_what_every_contract_made() -> None:
    """The day's loss was made in a contract that no event after the start names: it counts all the same."""
    desk = Desk(LOSS500)
    desk.fill("buy", 1, "ES", "5800")
    desk.fill("sell", 1, "ES", "5792")
    net = desk.core.state_manager.combined_exposure("A1", desk.at)
    assert net == -400

    core = Core(compile_rulebook)
    core.restore({"A1": written(desk)[0]})

    assert core.state_manager.combined_exposure("A1", desk.at) == net


def test_a_restart_remembers_a_contract_record_that_contradicts_the_table() -> None:
    """A contract that was quarantined before the restart still is, before the broker has said anything."""
    desk = Desk(LOSS500)
    wrong = instrument(contract("MNQ"), tick_size=Decimal("0.25"), tick_value=Decimal("5.00"), symbol="MNQH6")
    desk.publish(InstrumentReported(instrument=wrong))

    core = Core(compile_rulebook)
    core.restore({"A1": written(desk)[0]})

    assert core.state_manager.quarantined == {contract("MNQ")}


def test_lines_older_than_the_file_do_not_bring_their_prices_back() -> None:
    """The journal is read from further back than the file stands: the file's prices are the newer ones."""
    desk = Desk(LOSS500)
    desk.quote("MNQ", "18000")
    desk.fill("buy", 2, "MNQ", "18000")
    desk.quote("MNQ", "17800")
    file = written(desk)

    states = restored({"A1": file}, journal(desk), compile_rulebook)

    assert states["A1"].prices == desk.core.state_manager.market
