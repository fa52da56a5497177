"""Arming: prove that everything between a fill and a close works for an account, and say what arming would do now."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from riskd.domain.commands import AnyCommand, CancelOrder, ClosePosition, LockAccount
from riskd.domain.events import AccountArmed, AnyEvent, DaemonStarted, Envelope, Fill, RulesApplied, SnapshotReported
from riskd.domain.instruments import contract_of_symbol, symbol_of_contract
from riskd.domain.orders import Side
from riskd.engine.core import Core
from riskd.engine.step import Step
from riskd.rules.contract import Compile
from riskd.rules.registry import canonical

_PROBE: Final = "self-test"
_PROBE_RULES: Final = canonical({"rules": [{"rule": "MaxContracts", "params": {"max_contracts": 0}}]})


class SelfTestFailed(Exception):
    """An account cannot be armed; the text says why and what to do."""


def self_test(core: Core, account: str, compile_rules: Compile, at: datetime) -> None:
    """Prove that this account's rules answer, and that a synthetic breach leads to a close.

    Shape: works on copies; nothing is sent and nothing remembered.
    Errors: SelfTestFailed with a sentence for people.
    """
    state = core.state_manager.accounts.get(account)
    if state is None or not state.reconciled:
        raise SelfTestFailed(
            f"account {account} was not reconciled: the broker's login does not show it; check accounts[].id"
        )
    rulebook = core.rulebooks.get(account)
    if rulebook is None:
        raise SelfTestFailed(f"account {account} has no rules")
    if rulebook.faults:
        raise SelfTestFailed(f"account {account} has rules that cannot be loaded: {'; '.join(rulebook.faults)}")
    trial, _ = _armed(core, account, compile_rules, at)
    stuck = [cause.reason for cause in trial.state_manager.accounts[account].no_new_risk if "fault" in cause.cause]
    if stuck:
        raise SelfTestFailed(f"account {account} has a rule that fails: {'; '.join(stuck)}")
    _synthetic_breach(compile_rules, at)


def _copy(core: Core, account: str, compile_rules: Compile) -> Core:
    """Return a core of its own that knows what this one knows of one account."""
    copy = Core(compile_rules)
    manager = core.state_manager
    copy.restore({account: manager.accounts[account]})
    copy.state_manager.market.update(manager.market)
    copy.state_manager.instruments.update(manager.instruments)
    return copy


def _armed(core: Core, account: str, compile_rules: Compile, at: datetime) -> tuple[Core, Step]:
    copy = _copy(core, account, compile_rules)
    seq = core.state_manager.accounts[account].seq + 1
    return copy, copy.step(Envelope(seq=seq, at=at, event=AccountArmed(account=account)))


def _synthetic_breach(compile_rules: Compile, at: datetime) -> None:
    core = Core(compile_rules)
    contract = contract_of_symbol("MNQZ5")
    snapshot = SnapshotReported(account=_PROBE, asked_seq=1, positions=(), orders=(), fills=())
    fill = Fill(account=_PROBE, trade_id="1", contract=contract, side=Side.BUY, quantity=1, price=Decimal(1), at=at)
    events: tuple[AnyEvent, ...] = (
        DaemonStarted(),
        RulesApplied(account=_PROBE, spec=_PROBE_RULES),
        snapshot,
        AccountArmed(account=_PROBE),
        fill,
    )
    steps = [core.step(Envelope(seq=seq, at=at, event=event)) for seq, event in enumerate(events, start=1)]
    if not any(isinstance(command, ClosePosition) for command in steps[-1].commands):
        raise SelfTestFailed("the self-test's breach led to no close: riskd is broken and must not be armed")


def preview(core: Core, account: str, compile_rules: Compile, at: datetime) -> tuple[str, ...]:
    """Return one sentence for each thing that arming this account now would do at the broker or lock."""
    _, step = _armed(core, account, compile_rules, at)
    return tuple(_sentences(step.commands))


def _sentences(commands: Iterable[AnyCommand]) -> Iterable[str]:
    for command in commands:
        match command:
            case LockAccount():
                yield f"lock the account: {command.reason}"
            case ClosePosition():
                amount = "all" if command.quantity is None else str(command.quantity)
                yield f"close {amount} of {command.held} {symbol_of_contract(command.contract)}: {command.reason}"
            case CancelOrder():
                yield f"cancel order {command.order_id} in {symbol_of_contract(command.contract)}: {command.reason}"
            case _:
                pass
