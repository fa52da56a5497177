"""The second world of scenarios: the real daemon on the simulated gateway, over sockets.

Nothing here waits for a while. After each line a marker goes down every connection: an account that belongs to nobody
and a contract that nobody trades. What was sent before a marker has been handled when the marker has, and riskd is at
rest when a round of markers brought nothing new.
"""

import asyncio
import io
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from riskd.app.scenario.language import CarriedIn, ConfigChanges, Fact, WhatIf
from riskd.app.scenario.noticed import Noticed
from riskd.app.scenario.rule_changes import edited
from riskd.app.scenario.symbols import Symbols
from riskd.app.scenario.world import Seen, Setup, Standing
from riskd.daemon.logs import start_logs
from riskd.daemon.runtime import Runtime, RuntimeSettings
from riskd.domain.calendar import day_start, trading_day
from riskd.domain.commands import AnyCommand, CancelOrder, ClosePosition, ResizeOrder
from riskd.domain.events import (
    AccountReported,
    CommandEnded,
    ConnectionChanged,
    Envelope,
    Link,
    QuoteReported,
    RulesProposed,
)
from riskd.engine.step import Step
from riskd.engine.what_if import what_if
from riskd.rules.registry import canonical
from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.exchange.contracts import ContractBook
from riskd.simulator.exchange.products import PRODUCTS, Product
from tests.e2e.gateway_facts import GatewayFacts
from tests.support.daemon import settings_for

WITHIN_S = 10.0
MARKER = "999"
MARKER_PRODUCT = "ZW"
FIRST_ACCOUNT = 101
NO_RULES = canonical({"rules": []})
NEVER_S = 3600.0


class GatewayWorld:
    """A gateway whose time moves by hand, and a daemon on it."""

    def __init__(self, setup: Setup, symbols: Symbols, state_dir: Path) -> None:
        """Prepare; ``start`` opens the sockets."""
        self._setup = setup
        self._symbols = symbols
        self._state_dir = state_dir
        self._configured = dict(setup.rules)
        self._ids = {name: FIRST_ACCOUNT + n for n, name in enumerate(setup.rules)}
        self._names = {str(number): name for name, number in self._ids.items()}
        self._noticed = Noticed()
        self._links: dict[Link, bool] = {}
        self._steps = 0
        self._marks = 0
        self._unanswered: set[str] = set()
        self._stepped = asyncio.Event()
        self._gateway_stack = AsyncExitStack()
        self.gateway: SimulatedGateway
        self.facts: GatewayFacts
        self.runtime: Runtime

    # --- World -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the gateway and the daemon, bring in what is carried, and go to the scenario's first time."""
        begins = self._setup.begins_at
        first = day_start(trading_day(begins)) - timedelta(minutes=1) if self._setup.carried else begins
        balances = {self._ids[name]: str(balance) for name, balance in self._setup.balances.items()}
        numbers = (*self._ids.values(), int(MARKER))
        accounts = tuple(account(number, "practice", balances.get(number, "50000.00")) for number in numbers)
        # A scenario jumps over days in a moment; a login that ends in the middle of one is tested elsewhere.
        settings = GatewaySettings(
            accounts=accounts, start=first, speed=Decimal(0), limits=None, token_life=timedelta(days=30)
        )
        gateway = SimulatedGateway(settings)
        gateway.exchange.books.contracts = ContractBook(tuple(self._charging(product) for product in PRODUCTS))
        self.gateway = await self._gateway_stack.enter_async_context(gateway)
        control = self.gateway.control
        control.matching(on=False, closes_fill=not self._setup.manual)
        if self._setup.manual:
            control.hold()
        control.carry_in(int(MARKER), MARKER_PRODUCT, 1, Decimal(1))
        self.facts = GatewayFacts(self.gateway, self._setup, self._symbols, self._ids)
        await self._start_daemon()
        for carried in self._setup.carried:
            await self._carry_in(carried)
        await self.advance(begins)

    def _charging(self, product: Product) -> Product:
        """Return a product that costs what the scenario says."""
        fee = self._setup.fees.get(product.code, Decimal(0))
        return msgspec.structs.replace(product, fee=fee, commission=Decimal(0))

    async def advance(self, to: datetime) -> None:
        """Let every timer of riskd up to and including ``to`` fire at its own time."""
        while self._connected and (due := self.runtime.core.next_deadline()) is not None and due <= to:
            await self._move_time(due)
        await self._move_time(to)

    async def happen(self, fact: Fact) -> None:
        """Let a fact happen at the broker, and wait until riskd has come to rest."""
        match self.facts.needs(fact):
            case "crash":
                await self.runtime.stop()
                self._unanswered.clear()
                await self._start_daemon()
            case "links down":
                self.facts.cut()
                await self._until(lambda: not any(self._links.values()))
            case "links up":
                self.facts.mend()
                await self._until(lambda: all(self._links.values()))
            case "release":
                self.runtime.release(self.facts.released(fact), by="admin")
            case "what if":
                self._ask(fact)
            case "config":
                self._change_rules(fact)
            case "watching":
                await self._watching()
                self.facts.happen(fact)
            case _:
                self.facts.happen(fact)
        await self._settle()

    def _ask(self, fact: Fact) -> None:
        assert isinstance(fact, WhatIf)
        number, contract = str(self._ids[fact.account]), self._symbols.contract(fact.symbol)
        view = self.runtime.state_manager.view(number, self.runtime.clock.now())
        rulebook = self.runtime.core.rulebooks[number]
        answer = what_if(view, rulebook, contract=contract, side=fact.side, quantity=fact.quantity)
        for finding in answer.fires:
            self._noticed.violation(finding.violation)

    def _change_rules(self, fact: Fact) -> None:
        assert isinstance(fact, ConfigChanges)
        spec = self._configured[fact.account] = edited(self._configured[fact.account], fact.change)
        self.runtime.publish(RulesProposed(account=str(self._ids[fact.account]), spec=spec))

    async def seen(self) -> Seen:
        """Return what riskd did since this was last asked."""
        return self._noticed.taken()

    async def standing(self, account: str) -> Standing:
        """Return how an account stands now."""
        number, now = str(self._ids[account]), self.runtime.clock.now()
        view = self.runtime.state_manager.view(number, now)
        money = {"realized": view.realized_pnl_today, "unrealized": view.total_unrealized_pnl, "net": view.net_pnl}
        headroom = min(self.runtime.core.headroom(number, now).values(), default=None)
        return Standing(
            positions={contract: position.quantity for contract, position in view.account.positions.items()},
            locked=view.account.locked,
            money=money if headroom is None else {**money, "headroom": headroom},
            pending=view.account.pending.rules if view.account.pending is not None else (),
        )

    async def close(self) -> None:
        """Stop the daemon, then the gateway."""
        with suppress(AttributeError):
            await self.runtime.stop()
        await self._gateway_stack.aclose()

    # --- the daemon --------------------------------------------------------------------------------------------

    async def _start_daemon(self) -> None:
        self._links = dict.fromkeys((Link.USER_HUB, Link.MARKET_HUB), False)
        logs = start_logs(now=self.gateway.clock.now, stream=io.StringIO())
        self._gateway_stack.callback(logs.close)
        self.runtime = Runtime(self._settings(), logs.logger)
        self.runtime.listen(self._listen)
        await self.runtime.start()
        async with asyncio.timeout(WITHIN_S):
            await self.runtime.ready.wait()
        await self.gateway.control.wait_subscribed("GatewayQuote", MARKER_PRODUCT)
        await self._settle()

    def _settings(self) -> RuntimeSettings:
        settings = settings_for(self.gateway, self._state_dir, {}, accounts=(*self._names, MARKER))
        rules = {str(self._ids[name]): spec for name, spec in self._configured.items()}
        # The clock on the wall goes on while the scenario's stands still: nothing of real time may matter.
        broker = replace(settings.broker, command_timeout_s=NEVER_S, safety_poll_s=NEVER_S, stale_after_s=NEVER_S)
        return replace(settings, rules={**rules, MARKER: NO_RULES}, broker=broker)

    def _listen(self, envelope: Envelope, step: Step) -> None:
        event = envelope.event
        if isinstance(event, ConnectionChanged) and event.link in self._links:
            self._links[event.link] = event.up
        if isinstance(event, CommandEnded):
            self._unanswered.discard(event.command_id)
        self._steps += not _is_marker(event)
        for violation in step.violations:
            self._noticed.violation(violation)
        held = self._held()
        for command in step.commands:
            if isinstance(command, ClosePosition | CancelOrder | ResizeOrder):
                self._unanswered.add(command.command_id)
            self._noticed.command(envelope.seq, self._named(command), held)
        self._stepped.set()

    def _held(self) -> dict[str, dict[str, int]]:
        accounts = self.runtime.state_manager.accounts
        return {
            name: {c: p.quantity for c, p in accounts[number].positions.items()}
            for number, name in self._names.items()
            if number in accounts
        }

    def _named(self, command: AnyCommand) -> AnyCommand:
        """Return a command in the scenario's own names of accounts and orders."""
        name = self._names.get(command.account, command.account)
        named = msgspec.structs.replace(command, account=name)
        if isinstance(named, CancelOrder | ResizeOrder):
            return msgspec.structs.replace(named, order_id=self.facts.order_name(named.order_id))
        return named

    # --- time and rest -----------------------------------------------------------------------------------------

    @property
    def _connected(self) -> bool:
        return all(self._links.values())

    async def _move_time(self, to: datetime) -> None:
        if to > self.gateway.clock.now():
            self.gateway.control.time(now=to)
        if self._connected:
            await self._until(lambda: self.runtime.clock.now() >= to)
        await self._settle()

    async def _settle(self) -> None:
        """Wait until a round of markers brings nothing new, with every request answered that is not withheld."""
        steps = -1
        while steps != self._steps:
            steps = self._steps
            await self._until(self._at_rest)
            if self._connected:
                await self._mark()

    def _at_rest(self) -> bool:
        accounts = self.runtime.state_manager.accounts
        asking = self._connected and any(accounts[n].asked is not None for n in self._names if n in accounts)
        return len(self._unanswered) == len(self.gateway.control.held()) and not asking

    async def _mark(self) -> None:
        self._marks += 1
        balance, price = Decimal(self._marks), Decimal(self._marks) / 4
        control = self.gateway.control
        control.account(int(MARKER), balance=balance)
        control.price(MARKER_PRODUCT, price)
        manager, contract = self.runtime.state_manager, control.contract_id(MARKER_PRODUCT)

        def arrived() -> bool:
            row = manager.market.get(contract)
            return manager.accounts[MARKER].balance == balance and row is not None and row.last == price

        await self._until(arrived)

    async def _watching(self) -> None:
        """Wait until riskd hears the prices of everything that is held or works."""
        accounts = [self.runtime.state_manager.accounts[number] for number in self._names]
        contracts = {c for a in accounts for c in a.positions} | {
            o.contract for a in accounts for o in a.orders.values()
        }
        for contract in sorted(contracts):
            await self.gateway.control.wait_subscribed("GatewayQuote", contract)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, looking after every step of riskd and every event of the gateway."""
        async with asyncio.timeout(WITHIN_S):
            while not condition():
                self._stepped.clear()
                step = asyncio.ensure_future(self._stepped.wait())
                bell = asyncio.ensure_future(self.gateway.control.wait_until(condition, within=WITHIN_S))
                _, late = await asyncio.wait((step, bell), return_when=asyncio.FIRST_COMPLETED)
                for task in late:
                    task.cancel()
                await asyncio.gather(step, bell, return_exceptions=True)

    async def _carry_in(self, carried: CarriedIn) -> None:
        self.facts.carry_in(carried)
        await self._settle()
        await self._watching()
        self.gateway.control.quote(self._symbols.contract(carried.symbol), last=carried.mark)
        await self._settle()


def _is_marker(event: object) -> bool:
    if isinstance(event, AccountReported):
        return event.account == MARKER
    return isinstance(event, QuoteReported) and MARKER_PRODUCT in event.contract
