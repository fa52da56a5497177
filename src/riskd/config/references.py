"""Checking that the names in a configuration point at something: profiles, accounts, ids."""

from collections.abc import Iterable, Iterator

from riskd.config.explain import Issue
from riskd.config.json_values import entries, table
from riskd.config.models import ALERT, DEFAULT_PROFILE
from riskd.config.positions import JsonPath
from riskd.rules.registry import suggestion


def reference_issues(raw: object) -> list[Issue]:
    """Return the names that point nowhere and the ids that stand for two things."""
    return [*_profiles(raw), *_account_ids(raw), *_channel_accounts(raw)]


def _profiles(raw: object) -> Iterator[Issue]:
    known = list(table(table(raw).get("profiles")))
    for index, account in enumerate(entries(table(raw).get("accounts"))):
        wanted = account.get("profile", DEFAULT_PROFILE)
        yield from _unknown_profile(wanted, known, ("accounts", index, "profile"))
    unlisted = table(raw).get("unlisted_accounts", ALERT)
    if unlisted != ALERT:
        yield from _unknown_profile(unlisted, [ALERT, *known], ("unlisted_accounts",))
    if ALERT in known:
        yield Issue(
            ("profiles", ALERT), f'a profile cannot be called "{ALERT}": unlisted_accounts means something else'
        )


def _unknown_profile(wanted: object, known: Iterable[str], path: JsonPath) -> Iterator[Issue]:
    if isinstance(wanted, str) and wanted not in known:
        yield Issue(path, f'there is no profile "{wanted}"', suggestion(wanted, known).removeprefix("; "))


def _account_ids(raw: object) -> Iterator[Issue]:
    seen: dict[str, int] = {}
    for index, account in enumerate(entries(table(raw).get("accounts"))):
        found = account.get("id")
        if isinstance(found, str) and found in seen:
            yield Issue(("accounts", index, "id"), f'account "{found}" is there twice', "keep one of them")
        if isinstance(found, str):
            seen.setdefault(found, index)


def _channel_accounts(raw: object) -> Iterator[Issue]:
    known = [str(account.get("id")) for account in entries(table(raw).get("accounts"))]
    channels = entries(table(table(raw).get("notifications")).get("channels"))
    for index, channel in enumerate(channels):
        wanted = channel.get("accounts")
        for place, account in enumerate(wanted if isinstance(wanted, list) else []):
            if known and isinstance(account, str) and account not in known:
                path = ("notifications", "channels", index, "accounts", place)
                yield Issue(path, f'there is no account "{account}"', suggestion(account, known).removeprefix("; "))
