"""NoStopLossGrace: a position without a stop does not stay open for long."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator

from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent
from riskd.domain.orders import OrderType
from riskd.domain.violations import EnforcementAction, RuleViolation, RuleWarning
from riskd.rules.actions import close_whole
from riskd.rules.contract import Category
from riskd.rules.durations import PositiveDuration, show_duration
from riskd.rules.params import NOT_EMPTY, ConfiguredRule, PositiveAmount, RuleParams, list_to_tuple, with_examples
from riskd.rules.sizing import to_zero
from riskd.rules.stop_coverage import Protection
from riskd.rules.tightness import FEWER, LOWER, SHORTER, or_none

DEFAULT_GRACE: Final = timedelta(seconds=30)
_MILLISECOND: Final = timedelta(milliseconds=1)
Stop = Literal["stop", "stop_limit", "trailing_stop"]


MOST_LOSSES: Final = 5
"""How often a position may be left without enough stops before people hear of it."""


class NoStopLossGraceParams(RuleParams):
    """How soon a position needs a stop, and what counts as one.

    Shape: `accept` names the kinds of order that protect. With `max_stop_risk` the stops may not lose more than that;
    one whose price the broker does not give cannot be judged and does not count then.
    Units: `max_stop_risk` positive USD for the whole position, from its entry to its stops.
    """

    model_config = with_examples({"grace_period": "30s"}, {"grace_period": "10s", "max_stop_risk": "250.00"})

    grace_period: Annotated[PositiveDuration, SHORTER] = DEFAULT_GRACE
    accept: Annotated[tuple[Stop, ...], NOT_EMPTY, BeforeValidator(list_to_tuple), FEWER] = (
        "stop",
        "trailing_stop",
    )
    max_stop_risk: Annotated[PositiveAmount | None, or_none(LOWER)] = None


class NoStopLossGraceRule(ConfiguredRule):
    """Close a position that has gone without enough working stops for the whole grace period.

    The clock starts when a position is no longer covered in full, because it opened, grew, or lost a stop, and stops
    when it is. Stops that a bracket holds back count from the moment they work. The broker is asked for its orders
    before anything is closed.
    """

    name: ClassVar[str] = "NoStopLossGrace"
    category: ClassVar[Category] = Category.PER_POSITION
    Params: ClassVar[type[RuleParams]] = NoStopLossGraceParams
    hears_quotes = False

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        checked = NoStopLossGraceParams.model_validate(params)
        self._grace = checked.grace_period
        accepted = frozenset(OrderType(kind) for kind in checked.accept)
        self._protection = Protection(accepted, checked.max_stop_risk)

    def remember(self, memory: Mapping[str, str], event: AnyEvent | None, state: AccountView) -> Mapping[str, str]:
        """Remember, by contract, since when its position has gone without enough stops.

        Shape: ``<opening seq> <time>``; a flip begins anew, since it opens another position. Under the contract and
        ``lost`` stands ``<opening seq> <times>``: how often the position was left without.
        """
        covers, quantities = self._protection.covers, state.quantities
        bare = [c for c, quantity in quantities.items() if quantity and not covers(state, c, quantity)]
        if not bare and not memory:
            return memory
        unprotected = {contract: self._since(memory, state, contract) for contract in sorted(bare)}
        return {**unprotected, **_losses(memory, unprotected, state)}

    def warnings(self, state: AccountView) -> Iterable[RuleWarning]:
        """Return one for each position that loses its stop again and again: the grace begins anew each time."""
        memory = self.memory(state)
        for contract, quantity in sorted(state.quantities.items()) if memory else ():
            opening, times = _lost(memory, contract)
            if quantity and times > MOST_LOSSES:
                text = f"{state.root(contract)} {quantity:+d} was left without a sufficient stop {times} times"
                yield RuleWarning(key=f"stops {contract} {opening}", message=f"{text}; the grace begins anew each time")

    def _since(self, memory: Mapping[str, str], state: AccountView, contract: str) -> str:
        position, since = state.positions.get(contract), memory.get(contract)
        opening = position.opening_seq if position else 0
        if since is not None and since.startswith(f"{opening} "):
            return since
        return f"{opening} {state.at.isoformat()}"

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation of the first contract, by name, whose grace has run out."""
        return next(iter(self.violations(event, state)), None)

    def violations(self, event: AnyEvent | None, state: AccountView) -> tuple[RuleViolation, ...]:
        """Return one violation for each position whose grace has run out, keyed by contract."""
        due = self._due(state)
        return tuple([self._violation(state, contract) for contract, at in due if at <= state.at])

    def _due(self, state: AccountView) -> list[tuple[str, datetime]]:
        """Return when the grace of each unprotected position that is held runs out."""
        memory = self.memory(state)
        if not memory:
            return []
        return [
            (contract, datetime.fromisoformat(since.partition(" ")[2]) + self._grace)
            for contract, since in sorted(memory.items())
            if state.quantities.get(contract, 0)
        ]

    def _violation(self, state: AccountView, contract: str) -> RuleViolation:
        quantity, grace = state.quantities[contract], self._grace // _MILLISECOND
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            key=contract,
            current_value=grace,
            limit_value=grace,
            exceeded_by=Decimal(0),
            message=f"{state.root(contract)} {quantity:+d} has had no sufficient stop for {show_duration(self._grace)}",
            headline=f"NoStopLossGrace violated: {state.root(contract)} {quantity:+d} without a stop",
            reductions=(to_zero(contract, quantity),),
        )

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the close, to be confirmed with the broker's own list of orders."""
        return close_whole(violation, confirm_orders=True)

    def next_deadline(self, state: AccountView) -> datetime | None:
        """Return when the next grace runs out."""
        return min((at for _, at in self._due(state) if at > state.at), default=None)


def _lost(memory: Mapping[str, str], contract: str) -> tuple[str, int]:
    """Return which position was last left without enough stops, and how often."""
    opening, _, times = memory.get(f"{contract} lost", "").partition(" ")
    return opening, int(times or 0)


def _losses(memory: Mapping[str, str], unprotected: Mapping[str, str], state: AccountView) -> Mapping[str, str]:
    """Return how often each position that is held was left without enough stops."""
    found: dict[str, str] = {}
    for contract, position in state.account.positions.items():
        opening, times = _lost(memory, contract)
        times = times if opening == str(position.opening_seq) else 0
        begins = contract in unprotected and unprotected[contract] != memory.get(contract)
        if times or begins:
            found[f"{contract} lost"] = f"{position.opening_seq} {times + begins}"
    return found
