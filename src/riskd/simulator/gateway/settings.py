"""What a simulated gateway is started with."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from riskd.simulator.exchange.books import ExchangeOptions
from riskd.simulator.exchange.model import Account, AccountKind
from riskd.simulator.faults.rules import FaultFile
from riskd.simulator.gateway.api import Shape
from riskd.simulator.gateway.limits import BARS, GENERAL, Window
from riskd.simulator.market.tape import Walk

FIRST_PRICE: Literal["first price"] = "first price"

_NAMES = {
    AccountKind.PRACTICE: "PRAC-V2-000000-{:08}",
    AccountKind.COMBINE: "50KTC-V2-DLL-000000-{:08}",
    AccountKind.FUNDED: "EXPRESS-V2-000000-{:08}",
    AccountKind.LIVE: "LIVE-000000-{:08}",
    AccountKind.LEADER: "50KTC-V2-LEAD-000000-{:08}",
    AccountKind.FOLLOWER: "50KTC-V2-COPY-000000-{:08}",
}


def account(account_id: int, kind: str = "practice", balance: str = "50000.00", **more: object) -> Account:
    """Return an account named as the broker names its kind; `more` are fields of Account."""
    known = AccountKind(kind)
    named = Account(id=account_id, name=_NAMES[known].format(account_id), kind=known)
    return msgspec.convert(msgspec.to_builtins(named) | {"balance": balance} | more, Account)


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a gateway is set up; all of it has a default that suits a test.

    `start` None is real time; "first price" is where the price files begin.
    `quotes` gives contracts a first price (a bid; the ask is a tick above it), `walks` lets a
    generator move prices on from there, `price_files` plays recorded ones; all by product code.
    A file's path may end in #INSTRUMENT_ID.
    `user_events` is how user payloads are wrapped. `limits` None turns rate limits off.
    """

    port: int = 0
    username: str = "trader"
    api_key: str = "simulated-api-key"
    accounts: tuple[Account, ...] = (account(101),)
    seed: int = 1
    start: datetime | Literal["first price"] | None = None
    speed: Decimal = Decimal(1)
    quotes: Mapping[str, Decimal] = {}
    walks: Mapping[str, Walk] = {}
    price_files: Mapping[str, Path] = {}
    options: ExchangeOptions = ExchangeOptions()
    shape: Shape = Shape()
    user_events: Literal["wrapped", "bare", "flat", "list"] = "wrapped"
    limits: tuple[Window, Window] | None = (BARS, GENERAL)
    faults: FaultFile = FaultFile(faults=())
    token_life: timedelta = timedelta(hours=24)
    handshake_within: float = 15.0
