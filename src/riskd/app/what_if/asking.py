"""One question about one order, and its answer for people and for programs."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from riskd.app.what_if.on_disk import Known
from riskd.domain.account_view import AccountView
from riskd.domain.calendar import CHICAGO
from riskd.domain.instruments import PRODUCTS, contract_of_symbol, root_of_symbol, symbol_of_contract
from riskd.domain.money import to_cents
from riskd.domain.orders import Side
from riskd.engine.reports import action_text
from riskd.engine.risk_engine import Finding
from riskd.engine.what_if import WhatIf, what_if
from riskd.rules.registry import suggestion


class Question(msgspec.Struct, frozen=True):
    """An order somebody thinks of; ``price`` None is the market's. ``symbol`` is a root or a month of it."""

    side: Side
    quantity: int
    symbol: str
    price: Decimal | None = None


class UnknownSymbol(Exception):
    """There is no such product; says what is near."""


class Firing(msgspec.Struct, frozen=True):
    """A rule that the order would fire, and what it would do."""

    rule: str
    mode: str
    message: str
    action: str


class Room(msgspec.Struct, frozen=True):
    """How far a limit is in USD, now and after the order."""

    now: Decimal
    after: Decimal


class Answer(msgspec.Struct, frozen=True):
    """What the order would lead to on one account; ``written_at`` is when riskd last wrote anything."""

    account: str
    side: str
    quantity: int
    symbol: str
    price: Decimal
    written_at: datetime
    position_after: int
    harmless: bool
    fires: tuple[Firing, ...]
    closed_by: tuple[str, ...]
    headroom: Mapping[str, Room]

    def lines(self) -> Iterator[str]:
        """Give the answer as people read it."""
        when = f"{self.written_at.astimezone(CHICAGO):%Y-%m-%d %H:%M:%S} CT"
        order = f"{self.side} {self.quantity} {self.symbol} at {self.price}"
        yield f"{self.account}: {order}, position {self.position_after:+d} afterwards (riskd last wrote {when})"
        yield from (f"  closed again, {reason}" for reason in self.closed_by)
        for firing in self.fires:
            would = "would fire" if firing.mode == "enforce" else "would only tell (shadow)"
            yield f"  {firing.rule} {would}: {firing.message} -> {firing.action}"
        if not self.fires and not self.closed_by:
            yield "  no rule would fire"
        for rule, room in self.headroom.items():
            yield f"  headroom of {rule}: {to_cents(room.after)} USD (now {to_cents(room.now)})"


def contract_for(view: AccountView, symbol: str, front: str) -> str:
    """Return the contract meant by a symbol: the month that is held or quoted where only the product is named.

    Errors: UnknownSymbol.
    """
    wanted = symbol.upper()
    if wanted not in PRODUCTS:
        root = root_of_symbol(wanted)
        if root not in PRODUCTS:
            raise UnknownSymbol(f'there is no product "{symbol}"{suggestion(wanted, PRODUCTS)}')
        return contract_of_symbol(wanted)
    known = [*view.positions, *sorted(view.market, key=lambda c: view.market[c].at, reverse=True)]
    return next((contract for contract in known if view.root(contract) == wanted), front)


def asked(known: Known, account: str, question: Question, *, front: str) -> Answer:
    """Ask one account's rules; ``front`` is the month that a product means when nothing of it is held or quoted.

    Errors: NoPrice when none is known; UnknownSymbol.
    """
    view = known.core.state_manager.view(account, known.at)
    contract = contract_for(view, question.symbol, front)
    found = what_if(
        view,
        known.core.rulebooks[account],
        contract=contract,
        side=question.side,
        quantity=question.quantity,
        price=question.price,
    )
    return Answer(
        account=account,
        side=str(question.side),
        quantity=question.quantity,
        symbol=symbol_of_contract(contract),
        price=found.price,
        written_at=known.written_at,
        position_after=found.position,
        harmless=found.harmless,
        fires=tuple(_firing(finding, found, view) for finding in found.fires),
        closed_by=found.closed_by,
        headroom={rule: Room(found.now.get(rule, room), room) for rule, room in found.after.items()},
    )


def _firing(finding: Finding, found: WhatIf, view: AccountView) -> Firing:
    return Firing(
        rule=finding.entry.rule_id,
        mode="shadow" if finding.entry.rule_id in found.shadow else "enforce",
        message=finding.violation.message,
        action=action_text(finding.action, view),
    )
