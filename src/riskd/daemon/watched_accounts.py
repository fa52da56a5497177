"""The accounts that riskd watches: which they are, under which rules, and armed as soon as they can be."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from riskd.adapters.tasks import Tasks
from riskd.daemon.arming import SelfTestFailed, preview, self_test
from riskd.daemon.configuration import Wanted, proposals, watched, with_unlisted
from riskd.daemon.life import first_armed
from riskd.daemon.telling import Teller
from riskd.domain.commands import Severity
from riskd.domain.events import AccountArmed
from riskd.engine.account_fold import LOST
from riskd.engine.core import Core
from riskd.ports import Clock, Publish
from riskd.rules.registry import compile_rulebook

Confirm = Callable[[str, Sequence[str]], bool]
"""Asks a person whether to arm an account, given what arming would do now."""


class Login(Protocol):
    """A broker's login, which may show more accounts than are watched."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Return the accounts that are watched and that the login shows."""
        ...

    @property
    def unnamed_accounts(self) -> tuple[str, ...]:
        """Return the other accounts that the login shows."""
        ...

    def also_watch(self, accounts: tuple[str, ...]) -> None:
        """Watch these accounts as well."""
        ...


class WatchedAccounts:
    """The accounts of one login."""

    def __init__(
        self,
        core: Core,
        wanted: Wanted,
        *,
        publish: Publish,
        clock: Clock,
        teller: Teller,
        tasks: Tasks,
        confirm: Confirm | None,
    ) -> None:
        """Watch what the configuration wants; ``confirm`` is None where nobody can be asked about arming."""
        self._core = core
        self._states = core.state_manager.accounts
        self._wanted = wanted
        self._publish = publish
        self._clock = clock
        self._teller = teller
        self._confirm = confirm
        self._login: Login | None = None
        self._unlisted: dict[str, None] = {}
        self._tasks = tasks
        self.to_arm: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the accounts that the configuration names and those that are still enforced, ordered."""
        return watched(self._rules, self._states)

    @property
    def _rules(self) -> Mapping[str, str]:
        return with_unlisted(self._wanted.rules, self._wanted.unlisted, self._unlisted, self._states)

    def propose_rules(self) -> None:
        """Let the core know what rules the configuration wants, where it does not know yet."""
        for proposal in tuple(proposals(self._rules, self._states)):
            self._publish(proposal)

    def want(self, wanted: Wanted, *, begun: bool) -> None:
        """Take over a changed configuration; before the core has ``begun`` its rules are proposed when it does."""
        before = self.names
        self._wanted = wanted
        if begun:
            self.propose_rules()
        self._watch_new(tuple(account for account in self.names if account not in before))

    # --- who is there ------------------------------------------------------------------------------------------

    def logged_in(self, login: Login) -> None:
        """Follow a login from now on: accounts that it shows and nobody named, and those that are added."""
        self._login = login
        self.meet_unlisted()

    def meet_unlisted(self) -> None:
        """Report accounts of the login that the configuration does not name, or take them under its rules for such."""
        if self._login is None:
            return
        visible, known = (*self._login.accounts, *self._login.unnamed_accounts), {*self.names, *self._unlisted}
        new = tuple(account for account in visible if account not in known)
        self._unlisted.update(dict.fromkeys(new))
        if self._wanted.unlisted is not None and new:
            self.propose_rules()
            self._watch_new(new)
        for account in new:
            what = "riskd does not protect it" if self._wanted.unlisted is None else "it gets the rules for such"
            text = f"account {account} of this login is not in the configuration: {what}"
            self._teller.log.warning("unlisted", account=account, text=text)
            self._teller.notify(account, "unlisted", text, Severity.WARNING)

    def _watch_new(self, accounts: tuple[str, ...]) -> None:
        if self._login is None:
            return
        states = self._states
        unarmed = (a for a in self._rules if a not in accounts and a in states and not states[a].armed)
        self.to_arm |= {*accounts, *unarmed}
        if accounts:
            self._login.also_watch(accounts)
        self.arm_reconciled()

    # --- arming ------------------------------------------------------------------------------------------------

    @property
    def armed(self) -> tuple[str, ...]:
        """Return the accounts that are enforced, or watched in shadow, by what the broker has told."""
        states = self._states
        return tuple(a for a in self.names if a in states and states[a].armed and states[a].reconciled)

    def arm_reconciled(self) -> None:
        """Arm those that wait for being reconciled and have been."""
        states = self._states
        for account in sorted(a for a in self.to_arm if a in states and states[a].reconciled):
            self.to_arm.discard(account)
            self._tasks.once(f"arming of {account}", self.arm(account))

    async def arm(self, account: str) -> None:
        """Test an account's protection and arm it; one that cannot be armed is told of."""
        try:
            self_test(self._core, account, compile_rulebook, self._clock.now())
        except SelfTestFailed as error:
            self._not_armed(account, str(error))
            return
        state = self._states[account]
        if state.armed and not state.shadow:
            self._teller.log.info("armed", account=account, mode="enforce", resumed=True)
            return
        shadow = not await self._may_enforce(account)
        self._publish(AccountArmed(account=account, shadow=shadow))
        if not state.armed:
            self._teller.notify(account, "first_armed", first_armed(account, shadow=shadow), Severity.WARNING)
        self._teller.log.warning(
            "armed",
            account=account,
            mode="shadow" if shadow else "enforce",
            resumed=False,
            text='shadow mode: riskd watches and tells but does nothing; set "arming": "enforce" to have it act'
            if shadow
            else "riskd enforces from now on",
        )

    def _not_armed(self, account: str, why: str) -> None:
        self._teller.log.error("not armed", account=account, text=why)
        self._teller.notify(account, "not_armed", why)
        known = self._states.get(account)
        if known is None or not known.reconciled:
            # A fill during the first reading makes it void; the next one arms the account.
            self.to_arm.add(account)

    async def _may_enforce(self, account: str) -> bool:
        if any(cause.cause == LOST for cause in self._states[account].no_new_risk):
            return True  # it was enforced before, and losing what riskd wrote is no way out of that
        if self._confirm is None:
            return self._wanted.arming == "enforce"
        consequences = preview(self._core, account, compile_rulebook, self._clock.now())
        # A person takes minutes to answer, and the connections must be kept alive meanwhile.
        return await asyncio.to_thread(self._confirm, account, consequences)

    def stop(self) -> None:
        """Let go of the login."""
        self._login = None
