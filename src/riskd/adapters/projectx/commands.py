"""Commands → requests on the close channel, and their answers → outcomes: exactly one for each command.

A command is never repeated here. Whether to ask again, and when, is the engine's decision.
"""

import asyncio
from functools import partial
from typing import Final

import msgspec

from riskd.adapters.projectx.budget import Budget, Purpose
from riskd.adapters.projectx.capabilities import Call, Support
from riskd.adapters.projectx.close_channel import Answer, CloseChannel, NotSent, Result
from riskd.adapters.projectx.context import Context
from riskd.adapters.projectx.outcomes import NOT_LOGGED_IN, RATE_LIMITED, UNSUPPORTED, Verdict, judge
from riskd.adapters.projectx.reads import key
from riskd.adapters.projectx.roster import Roster
from riskd.adapters.projectx.session import Session
from riskd.domain.commands import BrokerCommand, CancelOrder, ClosePosition, ResizeOrder
from riskd.domain.events import CommandEnded, Outcome
from riskd.domain.exchange_days import schedule_of
from riskd.domain.instruments import root_of_contract

_ENCODER: Final = msgspec.json.Encoder()
_RETRY_AFTER_S: Final = 5.0


class Commands:
    """Carries out commands over one channel."""

    def __init__(
        self,
        context: Context,
        channel: CloseChannel,
        budget: Budget,
        *,
        roster: Roster,
        session: Session,
    ) -> None:
        self._context = context
        self._channel = channel
        self._budget = budget
        self._roster = roster
        self._session = session

    def execute(self, command: BrokerCommand) -> None:
        """Write the request of one command in this very call, or find out that it cannot be."""
        call, body = render(command)
        loop = asyncio.get_running_loop()
        verdict = self._cannot(command.account, call)
        if verdict is None and not self._budget.take(Purpose.ENFORCEMENT, loop.time()):
            verdict = Verdict(Outcome.UNAVAILABLE, "rate_budget", "riskd has used up the gateway's rate limit")
        if verdict is not None:
            # Never from inside execute: the step that gave the command is not over yet.
            loop.call_soon(self._end, command, verdict)
            return
        closing = call in (Call.CLOSE, Call.PARTIAL_CLOSE)
        self._channel.send(call.value, body, partial(self._answered, command, call, self._session.token), first=closing)

    def _cannot(self, account: str, call: Call) -> Verdict | None:
        capabilities = self._roster.capabilities(account)
        if capabilities.of(call) is not Support.NO:
            return None
        return Verdict(Outcome.REJECTED, UNSUPPORTED[call], f"not tried: {capabilities.why}")

    def _answered(self, command: BrokerCommand, call: Call, token: str, result: Result) -> None:
        if isinstance(result, Answer):
            schedule = schedule_of(root_of_contract(command.contract))
            verdict = judge(call, result.status, result.body, self._context.clock.now(), schedule)
            self._learn(command.account, call, result.retry_after_s, verdict)
            if verdict.code == NOT_LOGGED_IN:
                self._context.tasks.once("login", self._session.replace(token))
        elif isinstance(result, NotSent):
            verdict = Verdict(Outcome.UNAVAILABLE, "not_sent", result.why)
        else:
            verdict = Verdict(Outcome.UNKNOWN, "no_answer", result.why)
        self._end(command, verdict)

    def _learn(self, account: str, call: Call, retry_after_s: float | None, verdict: Verdict) -> None:
        if verdict.code == RATE_LIMITED:
            pause_s = _RETRY_AFTER_S if retry_after_s is None else retry_after_s
            self._budget.pause(asyncio.get_running_loop().time() + pause_s)
        elif verdict.unsupported:
            self._roster.refused(account, call, verdict.text)

    def _end(self, command: BrokerCommand, verdict: Verdict) -> None:
        self._context.log.info(
            "command_ended",
            account=command.account,
            command=command.command_id,
            outcome=verdict.outcome.value,
            code=verdict.code,
            text=verdict.text,
        )
        ended = CommandEnded(
            account=command.account,
            command_id=command.command_id,
            outcome=verdict.outcome,
            code=verdict.code,
            text=verdict.text,
        )
        self._context.publish(ended)


def render(command: BrokerCommand) -> tuple[Call, bytes]:
    """Return the call of a command and its body."""
    account = key(command.account)
    match command:
        case ClosePosition():
            return _render_close(account, command)
        case CancelOrder():
            return Call.CANCEL, _ENCODER.encode({"accountId": account, "orderId": key(command.order_id)})
        case ResizeOrder():
            body = {"accountId": account, "orderId": key(command.order_id), "size": command.size}
            return Call.RESIZE, _ENCODER.encode(body)


def _render_close(account: int | str, close: ClosePosition) -> tuple[Call, bytes]:
    if close.quantity is None:
        return Call.CLOSE, _ENCODER.encode({"accountId": account, "contractId": close.contract})
    body = {"accountId": account, "contractId": close.contract, "size": close.quantity}
    return Call.PARTIAL_CLOSE, _ENCODER.encode(body)
