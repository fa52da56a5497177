"""The rules of one account, as the judge reads them, and as riskd is given them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from decimal import Decimal
from random import Random
from typing import Final, TypeVar

START_BALANCE: Final = Decimal(50_000)
MARKETS: Final = ("MNQ", "ES", "MES", "MCL", "MGC")
_Rule = Mapping[str, object]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Count:
    """So many trades within a stretch of time, or within the TradingDay where there is none."""

    most: int
    window: timedelta | None


@dataclass(frozen=True, slots=True)
class Pause:
    """How long a loss of this much on one position, in USD below zero, keeps an account from new risk."""

    loss: Decimal
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Drawdown:
    """How far in USD an account may fall, and from where."""

    kind: str
    distance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an account may do; None or empty for a rule that it does not have.

    Units: USD, losses below zero; ``hours`` in Chicago time. ``per_root`` is contracts by product root.
    """

    max_contracts: int
    count_working: bool = True
    loss: Decimal | None = None
    basis: str = "combined"
    hours: tuple[time, time] | None = None
    per_root: Mapping[str, int] = field(default_factory=dict)
    other_roots: int | None = None
    profit: Decimal | None = None
    open_loss: Decimal | None = None
    open_profit: Decimal | None = None
    scope: str = "position"
    trades: Count | None = None
    pause: Pause | None = None
    grace: timedelta | None = None
    blocked: frozenset[str] = frozenset()
    guards_login: bool = False
    drawdown: Drawdown | None = None

    def of_root(self, root: str) -> int | None:
        """Return how many contracts of a product may be held, None for any number."""
        return self.per_root.get(root, self.other_roots)

    @property
    def lowest_floor(self) -> Decimal | None:
        """Return the balance at which an account is over from the start; one that trails is never lower."""
        return None if self.drawdown is None else START_BALANCE - self.drawdown.distance

    def spec(self) -> str:
        """Return the canonical text that riskd is given."""
        rules = [_rule(name, params) for name, params in self._rules().items() if params is not None]
        return json.dumps({"rules": rules}, sort_keys=True, separators=(",", ":"))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the account's rules."""
        return tuple(name for name, params in self._rules().items() if params is not None)

    def _rules(self) -> Mapping[str, _Rule | None]:
        return {
            "MaxContracts": {"max_contracts": self.max_contracts, "count_working": self.count_working},
            "MaxContractsPerInstrument": self._per_instrument(),
            "DailyRealizedLoss": _money(self.loss, basis=self.basis),
            "DailyRealizedProfit": _money(self.profit, basis=self.basis),
            "UnrealizedLoss": _money(self.open_loss, scope=self.scope),
            "UnrealizedProfit": _money(self.open_profit, scope=self.scope),
            "TradeFrequencyLimit": self._frequency(),
            "CooldownAfterLoss": self._cooldown(),
            "NoStopLossGrace": None if self.grace is None else {"grace_period": _seconds(self.grace)},
            "SessionBlockOutside": self._session(),
            "SymbolBlock": {"blocked_symbols": sorted(self.blocked)} if self.blocked else None,
            "AuthLossGuard": {"alert_only": True} if self.guards_login else None,
            "AccountDrawdown": self._drawdown(),
        }

    def _per_instrument(self) -> _Rule | None:
        if not self.per_root and self.other_roots is None:
            return None
        return {"limits": dict(self.per_root), "default": self.other_roots}

    def _frequency(self) -> _Rule | None:
        if self.trades is None:
            return None
        window = "daily" if self.trades.window is None else _seconds(self.trades.window)
        return {"max_trades": self.trades.most, "window": window}

    def _cooldown(self) -> _Rule | None:
        if self.pause is None:
            return None
        return {"loss_threshold": str(self.pause.loss), "cooldown_duration": _seconds(self.pause.duration)}

    def _session(self) -> _Rule | None:
        if self.hours is None:
            return None
        start, end = (f"{clock:%H:%M}" for clock in self.hours)
        return {"allowed_times": [{"start": start, "end": end}]}

    def _drawdown(self) -> _Rule | None:
        if self.drawdown is None:
            return None
        return {
            "kind": self.drawdown.kind,
            "start_balance": str(START_BALANCE),
            "drawdown": str(self.drawdown.distance),
        }


def _rule(name: str, params: _Rule) -> _Rule:
    return {"rule": name, "params": dict(params)}


def _money(limit: Decimal | None, **more: str) -> _Rule | None:
    return None if limit is None else {"limit": str(limit), **more}


def _seconds(duration: timedelta) -> str:
    return f"{duration // timedelta(seconds=1)}s"


def draw(rng: Random, more: Random) -> Limits:
    """Draw an account's rules: the three oldest, and by a stream of their own some or all of the others."""
    share = more.choice((0.0, 0.25, 0.5, 1.0))
    return Limits(
        max_contracts=rng.choice((1, 2, 3, 4, 6)),
        count_working=rng.random() < 0.5,
        loss=Decimal(rng.choice((-150, -300, -600, -1200))) if rng.random() < 0.8 or share == 1 else None,
        basis=rng.choice(("combined", "combined", "realized", "worst")),
        hours=rng.choice((None, None, (time(8, 30), time(15)), (time(17), time(15, 10)))) or _all_day(share),
        per_root={root: more.choice((1, 2, 3)) for root in MARKETS if more.random() < share / 2},
        other_roots=_perhaps(more, share, (1, 2, 4)),
        profit=_usd(more, share, (200, 400, 900)),
        open_loss=_usd(more, share, (-60, -120, -300)),
        open_profit=_usd(more, share, (80, 200, 500)),
        scope=more.choice(("position", "position", "account")),
        trades=_perhaps(
            more, share, (Count(3, timedelta(minutes=1)), Count(6, timedelta(minutes=15)), Count(12, None))
        ),
        pause=_perhaps(
            more, share, (Pause(Decimal(-50), timedelta(minutes=1)), Pause(Decimal(-150), timedelta(minutes=5)))
        ),
        grace=_perhaps(more, share, (timedelta(seconds=10), timedelta(seconds=30), timedelta(seconds=60))),
        blocked=frozenset(_perhaps(more, share, (("ES",), ("MGC",), ("MCL", "MNQ"))) or ()),
        guards_login=more.random() < share,
        drawdown=_perhaps(more, share, _DRAWDOWNS),
    )


_DRAWDOWNS: Final = (
    Drawdown("static", Decimal(1000)),
    Drawdown("eod_trailing", Decimal(1000)),
    Drawdown("intraday_trailing", Decimal(1500)),
)


def _all_day(share: float) -> tuple[time, time] | None:
    return (time(17), time(15, 10)) if share == 1 else None


def _perhaps(rng: Random, share: float, options: tuple[_T, ...]) -> _T | None:
    drawn, has = rng.choice(options), rng.random() < share
    return drawn if has else None


def _usd(rng: Random, share: float, options: tuple[int, ...]) -> Decimal | None:
    drawn = _perhaps(rng, share, options)
    return None if drawn is None else Decimal(drawn)
