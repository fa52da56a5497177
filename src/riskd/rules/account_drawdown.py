"""AccountDrawdown: the line below which an account is over, until a person decides otherwise."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal, assert_never

import msgspec
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from riskd.domain.account_view import AccountView
from riskd.domain.drawdowns import Restart
from riskd.domain.events import AnyEvent
from riskd.domain.money import show
from riskd.domain.violations import EnforcementAction, RuleViolation, RuleWarning
from riskd.rules.actions import flatten_and_lock
from riskd.rules.changes import replaced_by
from riskd.rules.contract import Category
from riskd.rules.params import Amount, ConfiguredRule, PositiveAmount, RuleParams, with_examples
from riskd.rules.tightness import FIXED, HIGHER, LOWER, Tightness
from riskd.rules.warning_levels import near_of, nearly_used

ZERO: Final = Decimal(0)
Kind = Literal["static", "eod_trailing", "intraday_trailing"]


def _cap_rises(old: object, new: object) -> bool:
    return new is None or (old is not None and HIGHER.holds(old, new))


class AccountDrawdownParams(RuleParams):
    """How far an account may fall, and from where.

    Shape: the floor is `drawdown` below `start_balance` ("static"), below the highest closed balance of any day's end
    ("eod_trailing"), or below the highest equity, open P&L included ("intraday_trailing"). It never falls, and stops
    rising at `lock_at`. `buffer` acts that much above the floor, before the firm itself does. When an admin releases
    the account, all of it is counted anew: the balance at the release takes the place of `start_balance`.
    Units: USD; `drawdown` and `buffer` are distances and positive.
    """

    model_config = with_examples(
        {
            "kind": "eod_trailing",
            "start_balance": "50000.00",
            "drawdown": "2000.00",
            "lock_at": "50000.00",
            "buffer": "50.00",
        }
    )

    kind: Annotated[Kind, FIXED]
    start_balance: Annotated[PositiveAmount, HIGHER]
    drawdown: Annotated[PositiveAmount, LOWER]
    lock_at: Annotated[
        PositiveAmount | None, Tightness("a higher value is tighter; none is the tightest", _cap_rises)
    ] = None
    buffer: Annotated[Amount, HIGHER] = ZERO

    @model_validator(mode="after")
    def _consistent(self) -> "AccountDrawdownParams":
        if self.drawdown >= self.start_balance:
            raise PydanticCustomError("drawdown", "drawdown is as large as start_balance; check for a missing digit")
        if self.lock_at is not None and self.lock_at < self.start_balance - self.drawdown:
            raise PydanticCustomError("drawdown", "lock_at lies below the floor that the account starts with")
        return self


class _Limits(msgspec.Struct, frozen=True):
    kind: Kind
    start: Decimal
    drawdown: Decimal
    lock_at: Decimal | None
    buffer: Decimal


class AccountDrawdownRule(ConfiguredRule):
    """Flatten the account and lock it until an admin releases it.

    Breached while balance and open P&L together are at the floor or below, counting the buffer.
    """

    name: ClassVar[str] = "AccountDrawdown"
    category: ClassVar[Category] = Category.LOCKOUT
    Params: ClassVar[type[RuleParams]] = AccountDrawdownParams

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        checked = AccountDrawdownParams.model_validate(params)
        self._limits = _Limits(
            kind=checked.kind,
            start=checked.start_balance,
            drawdown=checked.drawdown,
            lock_at=checked.lock_at,
            buffer=checked.buffer,
        )
        self._near = near_of(checked.drawdown - checked.buffer)

    @property
    def watches_equity(self) -> bool:
        """Tell that the highest equity moves this floor, where it trails during the day."""
        return self._limits.kind == "intraday_trailing"

    def floor(self, state: AccountView) -> Decimal:
        """Return the balance (USD) at which the account is over, the buffer not counted."""
        floor = self._highest(state) - self._limits.drawdown
        return floor if self._limits.lock_at is None else min(floor, self._limits.lock_at)

    def _highest(self, state: AccountView) -> Decimal:
        since = self._since(state)
        match self._limits.kind:
            case "static":
                return since.balance
            case "eod_trailing":
                return max(since.balance, since.highest_close)
            case "intraday_trailing":
                return max(since.balance, since.highest_equity)
            case _:
                assert_never(self._limits.kind)

    def _since(self, state: AccountView) -> Restart:
        """Return from where the drawdown counts: the account's beginning, or its last release."""
        account, own = state.account, self.rule_id or self.name
        for rule_id in (own, replaced_by(own)) if account.restarts else ():
            if rule_id in account.restarts:
                return account.restarts[rule_id]
        return Restart(self._limits.start, account.highest_close or ZERO, account.highest_equity or ZERO)

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation while equity is at the floor or below; none while no balance is known."""
        equity, floor = state.equity, self.floor(state)
        if equity is None or equity > floor + self._limits.buffer:
            return None
        where = "at or below" if equity <= floor else f"within {show(self._limits.buffer)} USD of"
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            current_value=equity,
            limit_value=floor,
            exceeded_by=floor - equity,
            message=f"equity {show(equity)} USD is {where} the floor {show(floor)} USD",
            headline=f"AccountDrawdown violated: {show(equity)} <= {show(floor + self._limits.buffer)}",
            lock=True,
        )

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the flatten, with a lockout that only an admin ends."""
        return flatten_and_lock(violation)

    def headroom(self, state: AccountView) -> Decimal | None:
        """Return how much more (USD) may be lost before this rule acts, None while no balance is known."""
        equity = state.equity
        return None if equity is None else equity - self.floor(state) - self._limits.buffer

    def warnings(self, state: AccountView) -> Iterable[RuleWarning]:
        """Return a warning when most of the drawdown is used."""
        room = self.headroom(state)
        return () if room is None else nearly_used("drawdown", room, self._near)
