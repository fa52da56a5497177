"""What a scenario can say, as values: facts that happen, and what riskd must have done about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

from riskd.domain.events import Outcome
from riskd.domain.orders import OrderStatus, OrderType, Side

# --- facts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FillHappens:
    """The broker reports a fill.

    Units: ``fee`` and ``pnl`` USD for the whole fill; ``stamped`` the broker's Chicago time of the same date, where it
    is another than that of the line.
    """

    account: str
    side: Side
    quantity: int
    symbol: str
    price: Decimal
    order: str | None = None
    trade: str | None = None
    fee: Decimal | None = None
    pnl: Decimal | None = None
    stamped: time | None = None


@dataclass(frozen=True, slots=True)
class FillRepeats:
    """The broker reports a fill that it reported before."""

    account: str
    trade: str


@dataclass(frozen=True, slots=True)
class TradeVoided:
    """The broker takes a trade back."""

    account: str
    trade: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAppears:
    """A working order at the broker."""

    account: str
    order: str
    side: Side
    quantity: int
    symbol: str
    type: OrderType
    price: Decimal | None = None
    parent: str | None = None
    oco: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFills:
    """A working order fills, in part or (``quantity`` None) with all that is left of it."""

    account: str
    order: str
    quantity: int | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class OrderEnds:
    """A working order ends without filling any further."""

    account: str
    order: str
    status: OrderStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedIn:
    """A position from the TradingDay before. Units: ``quantity`` signed; ``mark`` its price at 17:00."""

    account: str
    quantity: int
    symbol: str
    price: Decimal
    mark: Decimal


@dataclass(frozen=True, slots=True)
class BalanceIs:
    """The broker reports the account's balance in USD."""

    account: str
    balance: Decimal


@dataclass(frozen=True, slots=True)
class MayTrade:
    """The broker allows the account to trade, or no longer does."""

    account: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class AdminReleases:
    """An admin releases a lockout that only an admin can release."""

    account: str


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Somebody asks what the rules would say to an order, without placing it."""

    account: str
    side: Side
    quantity: int
    symbol: str


CommandKind = Literal["close", "cancel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAnswers:
    """The broker answers the oldest open command of a kind; ``about`` names its symbol or order where it matters."""

    account: str
    kind: CommandKind
    about: str | None
    outcome: Outcome
    code: str = ""


@dataclass(frozen=True, slots=True)
class PriceMoves:
    """New prices of one contract; None where the update did not carry them."""

    symbol: str
    last: Decimal | None
    bid: Decimal | None
    ask: Decimal | None


@dataclass(frozen=True, slots=True)
class PriceGoesSilent:
    """The feed of one contract stops."""

    symbol: str


@dataclass(frozen=True, slots=True)
class MarketSwitches:
    """The exchange opens or closes one product, out of its usual hours."""

    symbol: str
    open: bool


@dataclass(frozen=True, slots=True)
class Crash:
    """riskd's process dies and starts again with what it had written."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Every connection to the broker is lost."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The connections to the broker come back."""


@dataclass(frozen=True, slots=True)
class ClockJumps:
    """The machine's wall clock is set; time itself goes on as before."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule as a scenario writes it: its name, its settings as they were typed, and the line it stands on."""

    rule: str
    settings: Mapping[str, str]
    line: int = 0


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """The trader changes a rule of the running configuration."""

    account: str
    change: RuleLine


Fact = (
    FillHappens
    | FillRepeats
    | TradeVoided
    | OrderAppears
    | OrderFills
    | OrderEnds
    | CarriedIn
    | BalanceIs
    | MayTrade
    | AdminReleases
    | WhatIf
    | BrokerAnswers
    | PriceMoves
    | PriceGoesSilent
    | MarketSwitches
    | Crash
    | Disconnect
    | Reconnect
    | ClockJumps
    | ConfigChanges
)

# --- expectations ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Until:
    """When a lock or cooldown ends: any of ``moments``, or with none of them when an admin says so."""

    text: str
    moments: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """No enforcement."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever enforcement there was besides what else is listed."""


@dataclass(frozen=True, slots=True)
class Locks:
    """A lockout was set."""

    account: str
    until: Until


@dataclass(frozen=True, slots=True)
class CoolsDown:
    """A cooldown was set."""

    account: str
    until: Until


@dataclass(frozen=True, slots=True)
class Closes:
    """A close was sent; ``quantity`` and ``left`` are judged where they are given."""

    account: str
    symbol: str
    quantity: int | None = None
    left: int | None = None


@dataclass(frozen=True, slots=True)
class Cancels:
    """A cancel was sent."""

    account: str
    order: str


@dataclass(frozen=True, slots=True)
class Flattens:
    """A close was sent for everything that was held."""

    account: str


@dataclass(frozen=True, slots=True)
class Unlocks:
    """The last lockout ended."""

    account: str


@dataclass(frozen=True, slots=True)
class Alerts:
    """People were told, with these words in it."""

    text: str


@dataclass(frozen=True, slots=True)
class Violates:
    """A rule found its limit broken."""

    rule: str
    current: Decimal | None = None
    limit: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateIs:
    """How the account stands. Units: ``positions`` signed contracts by symbol, money in USD; None is not judged."""

    account: str
    positions: Mapping[str, int] | None = None
    locked: bool | None = None
    money: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Waits:
    """A change of this rule is waiting for its time."""

    account: str
    rule: str


Enforced = Locks | CoolsDown | Closes | Cancels | Flattens
Expectation = Nothing | Anything | Enforced | Unlocks | Alerts | Violates | StateIs | Waits

# --- the whole -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Happening:
    """One line with a time: everything due by then has fired before ``fact``, if there is one, happens."""

    line: int
    text: str
    at: datetime
    fact: Fact | None


@dataclass(frozen=True, slots=True)
class Expected:
    """One expectation, with the words it was written in."""

    text: str
    what: Expectation


@dataclass(frozen=True, slots=True)
class Judgement:
    """One line with ``->``: what must hold there."""

    line: int
    text: str
    expected: tuple[Expected, ...]


Step = Happening | Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario.

    Shape: ``rules`` by account, as lines or as the name of a file; ``fees`` USD per contract and side by product root.
    """

    file: str
    line: int
    name: str
    date: date
    manual: bool
    fees: Mapping[str, Decimal]
    rules: Mapping[str, tuple[RuleLine, ...] | str]
    settings: Mapping[str, str]
    steps: tuple[Step, ...]

    @property
    def begins_at(self) -> datetime:
        """Return the time of the first line that has one."""
        return next(step.at for step in self.steps if isinstance(step, Happening))

    @property
    def accounts(self) -> tuple[str, ...]:
        """Return the accounts in the order in which they were named."""
        return tuple(self.rules)
