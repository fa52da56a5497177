"""AuthLossGuard: say so when the broker cannot be seen, and never do anything else about it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, Literal

from riskd.domain.account_view import AccountView
from riskd.domain.calendar import CHICAGO
from riskd.domain.events import AnyEvent, Link
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.rules.actions import alert
from riskd.rules.contract import Category
from riskd.rules.durations import Duration
from riskd.rules.params import ConfiguredRule, RuleParams, with_examples
from riskd.rules.tightness import FIXED, SHORTER

NOW: Final = timedelta(0)


class AuthLossGuardParams(RuleParams):
    """When to say that the connection or the login is lost.

    Shape: `alert_only` can only be true: a position nobody can see is not closed on a guess. `after` waits that long,
    so that a short interruption is not told.
    """

    model_config = with_examples({"alert_only": True, "after": "10s"})

    alert_only: Annotated[Literal[True], FIXED] = True
    after: Annotated[Duration, SHORTER] = NOW


class AuthLossGuardRule(ConfiguredRule):
    """Alert when the connection or the login to the broker is lost; never flatten.

    Breached while a connection has been lost for `after`. When it is back, riskd says how long it was gone and what was
    traded meanwhile, whatever this rule says.
    """

    name: ClassVar[str] = "AuthLossGuard"
    category: ClassVar[Category] = Category.ALERT
    Params: ClassVar[type[RuleParams]] = AuthLossGuardParams
    hears_quotes = False

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        self._after = AuthLossGuardParams.model_validate(params).after

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation of the first connection that has been lost for too long."""
        return next(iter(self.violations(event, state)), None)

    def violations(self, event: AnyEvent | None, state: AccountView) -> tuple[RuleViolation, ...]:
        """Return one violation for each connection that has been lost for too long, keyed by connection."""
        if not state.account.down:
            return ()
        lost = sorted(state.account.down.items())
        return tuple(self._violation(state, link, since) for link, since in lost if state.at - since >= self._after)

    def _violation(self, state: AccountView, link: Link, since: datetime) -> RuleViolation:
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            key=link.value,
            current_value=0,
            limit_value=1,
            exceeded_by=1,
            message=f"the connection to the broker ({link.value}) is lost since "
            f"{since.astimezone(CHICAGO):%H:%M:%S} Chicago time; nothing is closed for that",
            headline="AuthLossGuard: the broker cannot be seen",
        )

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the alert."""
        return alert(violation)

    def next_deadline(self, state: AccountView) -> datetime | None:
        """Return when a connection that is lost now will have been lost for too long."""
        due = (since + self._after for since in state.account.down.values())
        return min((at for at in due if at > state.at), default=None)
