"""What a configuration wants of a daemon, at its start and whenever the file changes: the same change either way."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from riskd.domain.account import AccountState
from riskd.domain.events import RulesProposed
from riskd.engine.rule_changes import FAULT
from riskd.notifications.channels import Channel

Arming = Literal["shadow", "enforce"]
UnderLockout = Literal["refuse", "allow"]
"""Whether people may be taken off the list of those who are told while an account is locked."""


class Wanted(msgspec.Struct, frozen=True):
    """The part of a configuration that a running daemon takes over.

    Shape: ``rules`` maps account id to the canonical text of its rules; ``unlisted`` is that of the login's other
    accounts, None where they are only reported. ``at_start`` maps the names of sections that only a start takes over to
    what they hold, for telling whether they changed and nothing else.
    """

    rules: Mapping[str, str]
    unlisted: str | None = None
    channels: tuple[Channel, ...] = ()
    arming: Arming = "shadow"
    admin_under_lockout: UnderLockout = "refuse"
    at_start: Mapping[str, object] = {}


def with_unlisted(
    rules: Mapping[str, str], unlisted: str | None, found: Iterable[str], states: Mapping[str, AccountState]
) -> Mapping[str, str]:
    """Return the rules of the accounts that are named, and of those that are not: ``found`` at the login, or enforced.

    Shape: where unlisted accounts are only reported nothing is added.
    """
    if unlisted is None:
        return rules
    others = (*found, *(account for account, state in states.items() if state.rules))
    return {**dict.fromkeys(others, unlisted), **rules}


def proposals(rules: Mapping[str, str], states: Mapping[str, AccountState]) -> Iterator[RulesProposed]:
    """Give what must be proposed for the accounts to have these rules, in the order of their ids.

    Shape: nothing for an account that has, or waits for, what is wanted; an account with rules that is not wanted any
    more is proposed to have none. One whose rules have failed is proposed them again, since they may answer now.
    """
    for account in sorted({*rules, *states}):
        spec, state = rules.get(account, ""), states.get(account)
        if state is None or _coming(state) != spec or _faulty(state):
            yield RulesProposed(account=account, spec=spec)


def watched(rules: Mapping[str, str], states: Mapping[str, AccountState]) -> tuple[str, ...]:
    """Return the accounts to watch, ordered: those that are wanted, and those that are still enforced."""
    return tuple(sorted({*rules, *(account for account, state in states.items() if state.rules and state.armed)}))


def _coming(state: AccountState) -> str:
    """Return the rules that an account will have if nothing else happens."""
    return state.rules if state.pending is None else state.pending.spec


def _faulty(state: AccountState) -> bool:
    return any(cause.cause.startswith(FAULT) for cause in state.no_new_risk)


def changed_sections(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the sections that do not hold the same any more."""
    return tuple(name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name))


def channel_changes(old: tuple[Channel, ...], new: tuple[Channel, ...]) -> tuple[str, ...]:
    """Say which notification channels come, go or change, without their addresses."""
    before, after = ({channel.name: channel for channel in channels} for channels in (old, new))
    said = [f"{name} removed" for name in before if name not in after]
    said += [f"{name} added" for name in after if name not in before]
    return (*said, *(f"{name} changed" for name in after if name in before and before[name] != after[name]))


def kept_under_lockout(old: tuple[Channel, ...], new: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """Return the channels to use while an account is locked: whoever is told stays, whoever is new is told as well."""
    names = {channel.name for channel in old}
    return (*old, *(channel for channel in new if channel.name not in names))
