"""Whoever else is told: nobody is taken off the list without hearing of it, and under a lockout nobody at all."""

from collections.abc import Mapping
from pathlib import Path

from riskd.daemon.configuration import UnderLockout, channel_changes, kept_under_lockout
from riskd.daemon.telling import Teller
from riskd.daemon.witnesses import remember, remembered
from riskd.domain.account import AccountState
from riskd.notifications.channels import Channel
from riskd.notifications.service import NotificationService

Channels = tuple[Channel, ...]


class SecondPerson:
    """The notification channels in force, and those that the configuration wants."""

    def __init__(
        self,
        notifier: NotificationService,
        teller: Teller,
        states: Mapping[str, AccountState],
        *,
        directory: Path,
        channels: Channels,
        admin_under_lockout: UnderLockout,
    ) -> None:
        """Tell through these channels; who was told before is written in the directory."""
        self._notifier = notifier
        self._teller = teller
        self._states = states
        self._directory = directory
        self._before = remembered(directory)
        self._channels = channels
        self._policy = admin_under_lockout
        self._wanted: tuple[Channels, UnderLockout] | None = None

    @property
    def waiting(self) -> bool:
        """Tell whether a change waits for the end of every lockout."""
        return self._wanted is not None

    @property
    def _locked(self) -> tuple[str, ...]:
        return tuple(sorted(account for account, state in self._states.items() if state.locked))

    def begin(self) -> None:
        """Tell whom the run before told and this one does not; what it refused under a lockout stays refused."""
        if self._locked and self._before.admin_under_lockout != self._policy:
            self._wanted, self._policy = (self._channels, self._policy), self._before.admin_under_lockout
        elif self._before.admin_under_lockout != self._policy:
            self._tell(f"admin_under_lockout changed: {self._before.admin_under_lockout} → {self._policy}")
        missing = self._before.missing(self._channels)
        if missing:
            locked = f" while {_named(self._locked)} locked" if self._locked else ""
            self._tell(f"since the last run the list of those who are told was changed{locked}: {', '.join(missing)}")
        self._write()

    def want(self, channels: Channels, policy: UnderLockout) -> None:
        """Take over what a changed configuration says, as far as it may apply now."""
        locked = self._locked
        if not locked or self._policy == "allow":
            if policy != self._policy:
                self._tell(f"admin_under_lockout changed: {self._policy} → {policy}")
            self._wanted, self._policy = None, policy
            self._use(channels)
            return
        kept = kept_under_lockout(self._channels, channels)
        waiting, before = channel_changes(kept, channels), self._wanted
        self._wanted = (channels, policy) if waiting or policy != self._policy else None
        if waiting and self._wanted != before:
            text = f"{', '.join(waiting)}: that waits while {_named(locked)} locked (admin_under_lockout)"
            self._tell(f"somebody tried to change who is told: {text}")
        self._use(kept)

    def settle(self) -> None:
        """Let what waits apply once no lockout is left."""
        if self._wanted is not None and not self._locked:
            self.want(*self._wanted)

    def _use(self, channels: Channels) -> None:
        said = channel_changes(self._channels, channels)
        if said:
            # Those who hear no more are the ones who must hear of it.
            self._tell(f"notification channels changed: {', '.join(said)}")
            self._notifier.use(channels)
        self._channels = channels
        self._write()

    def _tell(self, text: str) -> None:
        self._teller.log.warning("configuration", text=text)
        self._teller.notify("", "config", text)

    def _write(self) -> None:
        try:
            remember(self._directory, self._channels, self._policy)
        except OSError as error:
            self._teller.log.error("storage", text=f"who is told cannot be written down: {error}")  # noqa: TRY400 - the sentence says it all


def _named(accounts: tuple[str, ...]) -> str:
    return f"account {accounts[0]} is" if len(accounts) == 1 else f"accounts {', '.join(accounts)} are"
