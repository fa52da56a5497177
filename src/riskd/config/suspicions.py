"""What a configuration may say but hardly can mean: warnings for whoever checks it, errors for nobody."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Final, TypeVar

import msgspec
from pydantic import ValidationError

from riskd.config.errors import ConfigError
from riskd.config.explain import Issue
from riskd.config.firm_presets import UnknownPreset, find_preset
from riskd.config.loader import Loaded
from riskd.config.models import Config, ProfileConfig, RuleEntryConfig
from riskd.config.positions import JsonPath, show_path
from riskd.domain.calendar import market_open
from riskd.domain.instruments import PRODUCTS
from riskd.domain.money import show
from riskd.rules.account_drawdown import AccountDrawdownParams
from riskd.rules.daily_realized_loss import DailyRealizedLossParams
from riskd.rules.daily_realized_profit import DailyRealizedProfitParams
from riskd.rules.max_contracts import MaxContractsParams
from riskd.rules.max_contracts_per_instrument import MaxContractsPerInstrumentParams
from riskd.rules.no_stop_loss_grace import NoStopLossGraceParams
from riskd.rules.params import RuleParams
from riskd.rules.registry import RuleNotLoaded, rule_class, suggestion
from riskd.rules.session_block_outside import SessionBlockOutsideParams
from riskd.rules.session_params import SessionHours
from riskd.rules.symbol_block import SymbolBlockParams
from riskd.rules.timetable import Timetable
from riskd.rules.unrealized_loss import UnrealizedLossParams
from riskd.rules.unrealized_profit import UnrealizedProfitParams

P = TypeVar("P", bound=RuleParams)
_ONE_TICK: Final = PRODUCTS["MNQ"].tick_value
_SAMPLE_EVERY: Final = timedelta(minutes=5)
_SAMPLE_WEEK: Final = datetime(2026, 3, 16, tzinfo=UTC)
"""A Monday; any week without a clock change tells whether hours open at all."""


class _Rule(msgspec.Struct, frozen=True):
    """One rule that is in force, with its place in the file."""

    entry: RuleEntryConfig
    params: RuleParams
    path: JsonPath

    def says(self, message: str, hint: str = "", *, field: str | None = None) -> Issue:
        return Issue((*self.path, "params", field) if field else self.path, message, hint)


class _Rules(msgspec.Struct, frozen=True):
    """The rules of one profile that are in force, universal ones included."""

    name: str
    path: JsonPath
    profile: ProfileConfig
    rules: tuple[_Rule, ...]

    def of(self, kind: type[P]) -> Iterator[tuple[_Rule, P]]:
        """Give the rules whose parameters are of one kind."""
        for rule in self.rules:
            if isinstance(rule.params, kind):
                yield rule, rule.params


def suspicions(loaded: Loaded, today: date) -> list[ConfigError]:
    """Return everything that looks like a mistake in a configuration that can be used, in the order of the file."""
    profiles = _profiles(loaded.config)
    issues = [issue for check in _CHECKS for rules in profiles for issue in check(rules)]
    issues += _firms(profiles, today)
    issues += _unused(loaded.config)
    issues += _settings(loaded.config)
    found = {
        (issue.path, issue.message): ConfigError(
            show_path(issue.path), loaded.positions.line_of(issue.path), issue.message, issue.hint
        )
        for issue in issues
    }
    return sorted(found.values(), key=lambda error: error.line)


def _profiles(config: Config) -> list[_Rules]:
    shared = _in_force(config.universal, ("universal",))
    return [
        _Rules(name, ("profiles", name), profile, (*shared, *_in_force(profile, ("profiles", name))))
        for name, profile in config.profiles.items()
    ]


def _in_force(profile: ProfileConfig, path: JsonPath) -> tuple[_Rule, ...]:
    found = []
    for index, entry in enumerate(profile.rules):
        params = _params(entry.rule, entry.params) if entry.enabled else None
        if params is not None:
            found.append(_Rule(entry, params, (*path, "rules", index)))
    return tuple(found)


def _params(rule: str, params: Mapping[str, object]) -> RuleParams | None:
    try:
        return rule_class(rule).Params.model_validate(params)
    except (RuleNotLoaded, ValidationError):
        return None  # that is an error, not a suspicion, and has been told


def as_strict(old: RuleParams, new: RuleParams) -> bool:
    """Tell whether parameters are provably at least as strict as others of their kind."""
    return type(old) is type(new) and new.as_strict_as(old)


# --- what one profile says ------------------------------------------------------------------------------------------


def _protects_nothing(rules: _Rules) -> Iterator[Issue]:
    if all(rule.entry.mode == "shadow" for rule in rules.rules):
        yield Issue(rules.path, "this profile enforces nothing", "add rules, or take them out of shadow mode")


def _in_shadow(rules: _Rules) -> Iterator[Issue]:
    for rule in rules.rules:
        if rule.entry.mode == "shadow":
            yield rule.says(f"{rule.entry.rule_id} is in shadow mode: it says what it would do and does nothing")


def _said_twice(rules: _Rules) -> Iterator[Issue]:
    """Find a rule that another one of its kind makes pointless."""
    own = [rule for rule in rules.rules if rule.path[0] == "profiles" and rule.entry.mode == "enforce"]
    for loose, strict in permutations(own, 2):
        if loose.entry.rule != strict.entry.rule or not as_strict(loose.params, strict.params):
            continue
        if not as_strict(strict.params, loose.params) or loose.path > strict.path:
            yield loose.says(f'can never be broken first: "{strict.entry.rule_id}" is at least as strict')


def _never_opens(rules: _Rules) -> Iterator[Issue]:
    for rule, params in rules.of(SessionBlockOutsideParams):
        if not _opens(params):
            yield rule.says("this session never opens while the exchange does", "check days, times and time zone")
        for root, hours in params.instruments.items():
            if not _opens(hours):
                yield rule.says(f"the session of {root} never opens while the exchange does", field="instruments")


def _opens(hours: SessionHours) -> bool:
    table = Timetable(hours.times, hours.flat_lead)
    steps = timedelta(days=7) // _SAMPLE_EVERY
    times = (_SAMPLE_WEEK + step * _SAMPLE_EVERY for step in range(steps))
    return any(market_open(at) and not table.blocked(at) for at in times)


def _unknown_products(rules: _Rules) -> Iterator[Issue]:
    named = [(rule, params.blocked_symbols, "blocked_symbols") for rule, params in rules.of(SymbolBlockParams)]
    named += [(r, tuple(p.limits), "limits") for r, p in rules.of(MaxContractsPerInstrumentParams)]
    named += [(r, tuple(p.instruments), "instruments") for r, p in rules.of(SessionBlockOutsideParams)]
    for rule, roots, field in named:
        for root in roots:
            if root not in PRODUCTS:
                near = suggestion(root, PRODUCTS).removeprefix("; ")
                yield rule.says(f'riskd knows no product "{root}", so this may never match', near, field=field)


def _no_trading(rules: _Rules) -> Iterator[Issue]:
    for rule, params in rules.of(MaxContractsParams):
        if params.max_contracts == 0:
            yield rule.says("allows no contract at all", field="max_contracts")


def _smaller_than_the_whole(rules: _Rules) -> Iterator[Issue]:
    """Find a limit for one product that the limit for everything makes pointless."""
    for _, whole in rules.of(MaxContractsParams):
        for rule, each in rules.of(MaxContractsPerInstrumentParams):
            for root, most in each.limits.items() if whole.unit == "contracts" else ():
                if most >= whole.max_contracts:
                    message = f"{root} can never exceed {most}: all together may hold {whole.max_contracts}"
                    yield rule.says(message, field="limits")


def _less_than_a_tick(rules: _Rules) -> Iterator[Issue]:
    """Find an amount that is reached by the first tick of nearly anything."""
    amounts = [(rule, "limit", params.limit) for rule, params in rules.of(DailyRealizedLossParams)]
    amounts += [(rule, "limit", params.limit) for rule, params in rules.of(DailyRealizedProfitParams)]
    amounts += [(rule, "limit", params.limit) for rule, params in rules.of(UnrealizedLossParams)]
    amounts += [(rule, "limit", params.limit) for rule, params in rules.of(UnrealizedProfitParams)]
    stops = [(rule, grace.max_stop_risk) for rule, grace in rules.of(NoStopLossGraceParams)]
    amounts += [(rule, "max_stop_risk", risk) for rule, risk in stops if risk is not None]
    for rule, field, amount in amounts:
        if abs(amount) < _ONE_TICK:
            message = f"{show(amount)} USD is less than one tick of one MNQ ({show(_ONE_TICK)} USD)"
            yield rule.says(message, field=field)


def _one_stop_ends_it(rules: _Rules) -> Iterator[Issue]:
    """Find a day that ends with the first stop, won or lost."""
    for _, grace in rules.of(NoStopLossGraceParams):
        if grace.max_stop_risk is None:
            continue
        risk = f"one stop may cost {show(grace.max_stop_risk)} USD"
        for rule, profit in rules.of(DailyRealizedProfitParams):
            if profit.limit < grace.max_stop_risk:
                yield rule.says(f"the day ends at {show(profit.limit)} USD of profit, while {risk}", field="limit")
        for rule, loss in rules.of(DailyRealizedLossParams):
            if -loss.limit < grace.max_stop_risk:
                yield rule.says(f"the day ends at {show(loss.limit)} USD, while {risk}", field="limit")


def _comes_too_late(rules: _Rules) -> Iterator[Issue]:
    """Find a limit that another one always reaches first."""
    daily = max((params.limit for _, params in rules.of(DailyRealizedLossParams)), default=None)
    for rule, drawdown in rules.of(AccountDrawdownParams):
        if daily is not None and drawdown.drawdown <= -daily:
            yield rule.says(
                f"the account is over after a loss of {show(drawdown.drawdown)} USD, which the daily limit of "
                f"{show(daily)} USD does not prevent",
                "make the daily limit smaller than the drawdown",
                field="drawdown",
            )
    for rule, params in rules.of(UnrealizedLossParams):
        if daily is not None and params.limit <= daily:
            yield rule.says(
                f"only a day in profit reaches this before the daily limit of {show(daily)} USD", field="limit"
            )


_CHECKS: Final[tuple[Callable[[_Rules], Iterator[Issue]], ...]] = (
    _protects_nothing,
    _in_shadow,
    _said_twice,
    _never_opens,
    _unknown_products,
    _no_trading,
    _smaller_than_the_whole,
    _less_than_a_tick,
    _one_stop_ends_it,
    _comes_too_late,
)

# --- what the firm says ---------------------------------------------------------------------------------------------


def _firms(profiles: list[_Rules], today: date) -> Iterator[Issue]:
    for rules in profiles:
        if rules.profile.preset is None:
            continue
        path = (*rules.path, "preset")
        try:
            firm, preset = find_preset(rules.profile.preset)
        except UnknownPreset as error:
            message, _, hint = str(error).partition("; ")
            yield Issue(path, message, hint)
            continue
        if firm.stale(today):
            hint = "check with the firm before relying on it"
            yield Issue(path, f"{firm.firm}'s rules were last checked on {firm.checked.isoformat()}", hint)
        for wanted in preset.rules:
            yield from _looser_than(wanted, rules, f"{preset.name}, checked {firm.checked.isoformat()}")


def _looser_than(wanted: RuleEntryConfig, rules: _Rules, source: str) -> Iterator[Issue]:
    firms = _params(wanted.rule, wanted.params)
    mine = [rule for rule in rules.rules if rule.entry.rule == wanted.rule and rule.entry.mode == "enforce"]
    if firms is None or any(as_strict(firms, rule.params) for rule in mine):
        return
    place = mine[0].path if mine else rules.path
    what = "is not provably as strict as the firm's" if mine else "is missing, and the firm has one"
    yield Issue(place, f"{wanted.rule} {what} ({source})")


# --- what holds for all of it ---------------------------------------------------------------------------------------


def _unused(config: Config) -> Iterator[Issue]:
    used = {account.profile for account in config.accounts} | {config.unlisted_accounts}
    for name in config.profiles:
        if config.accounts and name not in used:
            yield Issue(("profiles", name), "no account uses this profile")


def _settings(config: Config) -> Iterator[Issue]:
    if config.loosening == "immediate":
        yield Issue(("loosening",), "limits can be raised at once, in the middle of a bad day")
    for index, account in enumerate(config.accounts):
        if account.mode == "shadow":
            path = ("accounts", index, "mode")
            yield Issue(path, f'account "{account.id}" is in shadow mode: nothing is enforced on it')
    if config.accounts and not config.notifications.channels:
        yield Issue(("notifications",), "nobody is told of anything", "add a channel")
