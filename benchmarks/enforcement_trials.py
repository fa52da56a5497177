"""What the trader and the market do in the enforcement benchmark: one breach after the other, three kinds of them.

Each message comes as the broker sends it, in its order: the pending order, the trade, the filled order, the position,
the account. One trial: send what goes before, let riskd fall asleep, send the one frame that breaches, wait until the
whole close request is here, take the time between the two on this side's clock, answer, send what follows.
"""

import socket
import time
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Final

import msgspec

from benchmarks.enforcement_broker import ES, MNQ, Asked, Broker, CloseRequest, quote, user_event
from benchmarks.pinning import pin_to
from riskd.adapters.projectx.settings import ProjectXSettings

CALM: Final = Decimal("21000.00")
LOSING: Final = Decimal("20970.00")
RUINOUS: Final = Decimal("19700.00")
"""Of one MNQ: 60 USD down, and 2,600 USD down."""

_PENDING, _FILLED = 6, 2
_BUY, _SELL = 0, 1


class Kind(StrEnum):
    """What breaches."""

    FILL = "a fill exceeds MaxContracts"
    QUOTE = "a quote reaches UnrealizedLoss"
    LOCK = "a quote reaches DailyRealizedLoss"


class Plan(msgspec.Struct, frozen=True):
    """How many trials, after how many to warm up, on which accounts in turn; the pause is the silence before each."""

    trials: int
    warm_up: int
    accounts: tuple[int, ...]
    pause_s: float


def serve(results: Connection, kind: Kind, plan: Plan, core: int | None) -> None:
    """Serve one riskd: say where, wait until told that it is armed, report the latencies in nanoseconds."""
    pin_to(core)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        accounts = tuple(map(str, plan.accounts))
        results.send(
            ProjectXSettings(
                rest_url=url,
                user_hub_url=f"{url}/hubs/user",
                market_hub_url=f"{url}/hubs/market",
                username="bench",
                api_key="bench",
                accounts=accounts,
            )
        )
        broker = Broker(listener, plan.accounts)
        try:
            while not results.poll():  # until riskd is armed
                broker.serve(lambda: False, for_s=0.02)
            day = Day(broker, plan.pause_s)
            trial = day.begin(kind)
            samples = [trial(plan.accounts[n % len(plan.accounts)]) for n in range(plan.warm_up + plan.trials)]
            results.send(samples[plan.warm_up :])
        finally:
            broker.close()


class Day:
    """A day of trading on several accounts."""

    def __init__(self, broker: Broker, pause_s: float) -> None:
        """Trade at this broker."""
        self._broker = broker
        self._pause_s = pause_s

    def begin(self, kind: Kind) -> Callable[[int], int]:
        """Bring the accounts to where a day of this kind begins; return what makes one trial on an account."""
        self._quote(MNQ, CALM)
        if kind is Kind.FILL:
            for account in self._broker.accounts:
                self._trade(account, MNQ, 2)
            return self._fill_too_many
        return self._lose if kind is Kind.QUOTE else self._ruin

    def _fill_too_many(self, account: int) -> int:
        """Hold 2 MNQ and be filled on 3 ES where 4 contracts are allowed: one ES is closed."""
        order = self._order(account, ES, 3)
        took_ns, asked = self._timed("user", self._filled(account, ES, 3, order))
        self._settle(account, ES, 3, order)
        self._closed(account, asked, ES, 1)
        self._trade(account, ES, -2)
        return took_ns

    def _lose(self, account: int) -> int:
        """Hold 1 MNQ that loses 60 USD where 50 are allowed: it is closed."""
        return self._fall(account, LOSING)

    def _ruin(self, account: int) -> int:
        """Hold 1 MNQ that loses 2,600 USD where 2,500 are allowed in a day: it is closed and the account locked."""
        return self._fall(account, RUINOUS)

    def _fall(self, account: int, price: Decimal) -> int:
        self._quote(MNQ, CALM)
        self._rest()  # else the position could be opened, on the other hub, at the price of the trial before
        self._trade(account, MNQ, 1)
        took_ns, asked = self._timed("market", quote(MNQ, price, self._broker.stamp()))
        self._closed(account, asked, MNQ, 1, pnl=(price - CALM) * 2)
        return took_ns

    def _rest(self) -> None:
        self._broker.serve(lambda: False, for_s=self._pause_s)

    def _timed(self, hub: str, frame: bytes) -> tuple[int, Asked]:
        broker = self._broker
        self._rest()
        seen = len(broker.asked)
        began_ns = time.perf_counter_ns()
        broker.send(hub, frame)
        if not broker.serve(lambda: len(broker.asked) > seen):
            raise TimeoutError("riskd was sent a breach and has not asked for a close")
        asked = broker.asked[seen]
        return asked.at_ns - began_ns, asked

    def _closed(self, account: int, asked: Asked, contract: str, size: int, *, pnl: Decimal = Decimal(0)) -> None:
        """Accept a close and carry it out, if it is the one that was due."""
        wanted = msgspec.json.decode(asked.body, type=CloseRequest)
        if (wanted.account_id, wanted.contract_id, wanted.size or size) != (account, contract, size):
            raise ValueError(f"not the close that was due: {asked.body!r}")
        self._broker.accept_close(asked)
        self._trade(account, contract, -size, pnl=pnl)

    # --- the broker's words for it -----------------------------------------------------------------------------

    def _quote(self, contract: str, price: Decimal) -> None:
        self._broker.send("market", quote(contract, price, self._broker.stamp()))

    def _trade(self, account: int, contract: str, size: int, *, pnl: Decimal | None = None) -> None:
        order = self._order(account, contract, size)
        self._broker.send("user", self._filled(account, contract, size, order, pnl=pnl))
        self._settle(account, contract, size, order)

    def _order(self, account: int, contract: str, size: int) -> int:
        order = self._broker.next_id()
        self._broker.send("user", self._order_event(account, contract, size, order, _PENDING))
        return order

    def _settle(self, account: int, contract: str, size: int, order: int) -> None:
        gone = 1 if self._broker.held[account, contract] else 2
        self._broker.send(
            "user",
            self._order_event(account, contract, size, order, _FILLED)
            + user_event("Position", gone, self._broker.position(account, contract))
            + user_event("Account", 1, self._broker.account(account)),
        )

    def _order_event(self, account: int, contract: str, size: int, order: int, status: int) -> bytes:
        stamp = self._broker.stamp()
        data: dict[str, object] = {
            "id": order,
            "accountId": account,
            "contractId": contract,
            "creationTimestamp": stamp,
            "updateTimestamp": stamp,
            "status": status,
            "type": 2,
            "side": _BUY if size > 0 else _SELL,
            "size": abs(size),
            "fillVolume": abs(size) if status == _FILLED else 0,
        }
        return user_event("Order", 2 if status == _FILLED else 1, data)

    def _filled(self, account: int, contract: str, size: int, order: int, *, pnl: Decimal | None = None) -> bytes:
        held = self._broker.held
        held[account, contract] = held.get((account, contract), 0) + size
        data: dict[str, object] = {
            "id": self._broker.next_id(),
            "accountId": account,
            "contractId": contract,
            "creationTimestamp": self._broker.stamp(),
            "price": CALM,
            "profitAndLoss": pnl,
            "fees": Decimal("0.37") * abs(size),
            "commissions": Decimal("0.25") * abs(size),
            "side": _BUY if size > 0 else _SELL,
            "size": abs(size),
            "voided": False,
            "orderId": order,
        }
        return user_event("Trade", 0, data)
