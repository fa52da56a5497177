"""The day's P&L as the daily limits judge it: which figure, and how much earlier than the limit to act."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal, assert_never

import msgspec
from pydantic import Discriminator, Field, Tag, WithJsonSchema

from riskd.domain.account_view import AccountView
from riskd.domain.money import charge_for
from riskd.rules.params import Amount, RuleParams
from riskd.rules.tightness import Tightness

ZERO: Final = Decimal(0)

Basis = Literal["combined", "realized", "worst"]
"""``combined`` is N (realized and open together), ``realized`` is R, ``worst`` whichever is nearer to the limit."""


class TickReserve(RuleParams):
    """A reserve of so many ticks for each contract held, plus what closing it will cost in fees."""

    ticks: Annotated[int, Field(ge=0, le=10_000)]


def _kind(value: object) -> str:
    return "ticks" if isinstance(value, dict | TickReserve) else "usd"


def _reserve_grows(old: object, new: object) -> bool:
    match old, new:
        case (Decimal() as a, Decimal() as b):
            return b >= a
        case (TickReserve() as c, TickReserve() as d):
            return d.ticks >= c.ticks
        case (Decimal() as none, TickReserve()):
            return not none
        case _:
            return old == new


_SCHEMA: Final = WithJsonSchema(
    {
        "description": 'USD as decimal text, or {"ticks": k} per contract held plus exit fees',
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"ticks": {"type": "integer", "minimum": 0}},
                "required": ["ticks"],
                "additionalProperties": False,
            },
        ],
    }
)
RESERVE_TIGHTNESS: Final = Tightness("a larger reserve is tighter", _reserve_grows)

Reserve = Annotated[
    Annotated[Amount, Tag("usd")] | Annotated[TickReserve, Tag("ticks")],
    Discriminator(_kind),
    _SCHEMA,
    RESERVE_TIGHTNESS,
]
"""How much earlier than its limit a rule acts, since market orders slip."""


class CompiledReserve(msgspec.Struct, frozen=True):
    """A reserve ready to be reckoned; ``ticks`` is zero where it is an amount, ``any`` tells whether there is one."""

    usd: Decimal
    ticks: int
    any: bool

    def amount(self, state: AccountView) -> Decimal:
        """Return the reserve (USD, zero or more) for everything that is held."""
        return self.for_held(state, state.quantities) if self.ticks else self.usd

    def for_held(self, state: AccountView, held: Mapping[str, int]) -> Decimal:
        """Return the reserve (USD, zero or more) for these signed quantities."""
        if not self.ticks:
            return self.usd
        return sum((self._of_position(state, contract, abs(quantity)) for contract, quantity in held.items()), ZERO)

    def _of_position(self, state: AccountView, contract: str, count: int) -> Decimal:
        instrument = state.instruments.get(contract)
        tick_value = instrument.tick_value if instrument else ZERO
        exit_fee = state.account.commission_rates.get(state.root(contract), ZERO)
        return count * self.ticks * tick_value + charge_for(count, exit_fee)


def compiled_reserve(reserve: Decimal | TickReserve) -> CompiledReserve:
    """Return a reserve ready to be reckoned."""
    match reserve:
        case TickReserve():
            return CompiledReserve(usd=ZERO, ticks=reserve.ticks, any=True)
        case Decimal():
            return CompiledReserve(usd=reserve, ticks=0, any=bool(reserve))
        case _:
            assert_never(reserve)


def day_pnl(state: AccountView, basis: Basis, *, worst: Callable[[Decimal, Decimal], Decimal]) -> Decimal:
    """Return the figure (USD) that a daily limit judges; ``worst`` chooses between N and R."""
    match basis:
        case "combined":
            return state.net_pnl
        case "realized":
            return state.realized_pnl_today
        case "worst":
            return worst(state.net_pnl, state.realized_pnl_today)
        case _:
            assert_never(basis)
