"""SessionBlockOutside: no position and no entry order outside the hours a trader allows."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field

from riskd.domain.account_view import AccountView
from riskd.domain.calendar import CHICAGO
from riskd.domain.events import AnyEvent
from riskd.domain.exchange_days import schedule_of
from riskd.domain.violations import EnforcementAction, RuleViolation, RuleWarning
from riskd.rules.actions import close_or_cancel
from riskd.rules.contract import Category
from riskd.rules.durations import show_duration
from riskd.rules.params import ConfiguredRule, RuleParams, with_examples
from riskd.rules.session_inside import inside
from riskd.rules.session_params import SessionHours
from riskd.rules.sizing import to_zero
from riskd.rules.tightness import FIXED
from riskd.rules.timetable import Timetable

WARN_BEFORE: Final = (timedelta(minutes=15), timedelta(minutes=5))
"""How long before a forced close a trader is told."""


class SessionBlockOutsideParams(SessionHours):
    """When positions and entry orders are allowed.

    Shape: `instruments` maps a product root to hours of its own, which replace the general ones for it.
    """

    model_config = with_examples(
        {"preset": "RTH"},
        {
            "allowed_days": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
            "allowed_times": [{"start": "08:30", "end": "15:00"}],
            "instruments": {"GC": {"allowed_times": [{"start": "07:20", "end": "12:30"}], "flat_lead": "5min"}},
        },
    )

    instruments: Annotated[dict[str, SessionHours], Field(default_factory=dict), FIXED]

    def as_strict_as(self, other: Self) -> bool:
        """Compare the hours themselves, for every product."""
        roots = dict.fromkeys((*self.instruments, *other.instruments))
        return inside(self, other) and all(inside(self.hours_of(root), other.hours_of(root)) for root in roots)

    def hours_of(self, root: str) -> SessionHours:
        """Return the hours of a product."""
        return self.instruments.get(root, self)


class SessionBlockOutsideRule(ConfiguredRule):
    """Cancel entries and close positions outside the allowed hours."""

    name: ClassVar[str] = "SessionBlockOutside"
    category: ClassVar[Category] = Category.SESSION
    Params: ClassVar[type[RuleParams]] = SessionBlockOutsideParams
    hears_quotes = False

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        self._params = SessionBlockOutsideParams.model_validate(params)
        self._tables: dict[str, Timetable] = {}

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation while anything is held or could be entered outside the hours."""
        blocked = [contract for contract in state.in_play if self._timetable(state, contract).blocked(state.at)]
        if not blocked:
            return None
        held = {c: state.quantities[c] for c in blocked if state.quantities.get(c, 0)}
        entering = [order for contract in blocked for order in state.entry_orders(contract)]
        if not held and not entering:
            return None
        count = sum(map(abs, held.values())) + sum(order.remaining for order in entering)
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            current_value=count,
            limit_value=0,
            exceeded_by=count,
            message=self._message(state, list(held) or [order.contract for order in entering]),
            headline="SessionBlockOutside violated: outside allowed session",
            reductions=tuple(to_zero(contract, quantity) for contract, quantity in held.items()),
            cancels=tuple(order.order_id for order in entering),
        )

    def _timetable(self, state: AccountView, contract: str) -> Timetable:
        root = state.root(contract)
        table = self._tables.get(root)
        if table is None:
            hours = self._params.hours_of(root)
            # Made once for each product: what a session looks like does not change, where the exchange closes does.
            table = self._tables[root] = Timetable(hours.times, hours.flat_lead, schedule_of(root))
        return table

    def _message(self, state: AccountView, contracts: list[str]) -> str:
        roots = ", ".join(dict.fromkeys(state.root(contract) for contract in contracts))
        local = state.at.astimezone(CHICAGO)
        times = self._timetable(state, contracts[0]).times
        return f"{roots} at {local:%a %H:%M:%S} Chicago time is outside allowed session {times}"

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the close of what is held, or the cancels where nothing is."""
        return close_or_cancel(violation)

    def next_deadline(self, state: AccountView) -> datetime | None:
        """Return the next warning or change of verdict for anything held or working, None while there is nothing."""
        found = [self._next(self._timetable(state, contract), state.at) for contract in state.in_play]
        return min((at for at in found if at is not None), default=None)

    def _next(self, timetable: Timetable, at: datetime) -> datetime | None:
        flat_by = timetable.stretch(at).flat_by
        warnings = [flat_by - lead for lead in WARN_BEFORE if flat_by - lead > at] if flat_by is not None else []
        return min(warnings, default=timetable.next_verdict(at))

    def warnings(self, state: AccountView) -> Iterable[RuleWarning]:
        """Return how long until what is held or working must be gone, 15 and 5 minutes before."""
        return tuple([warning for contract in state.in_play for warning in self._closing_soon(state, contract)])

    def _closing_soon(self, state: AccountView, contract: str) -> Iterator[RuleWarning]:
        flat_by = self._timetable(state, contract).stretch(state.at).flat_by
        if flat_by is None or flat_by <= state.at:
            return
        near = [lead for lead in WARN_BEFORE if flat_by - lead <= state.at]
        if near:
            root, local = state.root(contract), flat_by.astimezone(CHICAGO)
            yield RuleWarning(
                key=f"{root} {flat_by:%Y-%m-%dT%H:%M:%S} {show_duration(min(near))}",
                message=f"{root} will be closed at {local:%H:%M} Chicago time, in {show_duration(flat_by - state.at)}",
            )
