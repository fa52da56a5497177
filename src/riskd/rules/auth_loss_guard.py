"""AuthLossGuard: say so when the broker cannot be seen, and never do anything else about it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, ClassVar, Final, Literal

from riskd.domain.account_view import AccountView
from riskd.domain.events import AnyEvent, ConnectionChanged
from riskd.domain.violations import EnforcementAction, RuleViolation
from riskd.rules.actions import alert
from riskd.rules.contract import Category
from riskd.rules.durations import Duration
from riskd.rules.params import ConfiguredRule, RuleParams
from riskd.rules.tightness import FIXED, SHORTER

NOW: Final = timedelta(0)


class AuthLossGuardParams(RuleParams):
    """When to say that the connection or the login is lost.

    Shape: `alert_only` can only be true: a position nobody can see is not closed on a guess. `after` waits that long,
    so that a short interruption is not told.
    """

    alert_only: Annotated[Literal[True], FIXED] = True
    after: Annotated[Duration, SHORTER] = NOW


class AuthLossGuardRule(ConfiguredRule):
    """Alert when the connection or the login to the broker is lost; never flatten."""

    name: ClassVar[str] = "AuthLossGuard"
    category: ClassVar[Category] = Category.ALERT
    Params: ClassVar[type[RuleParams]] = AuthLossGuardParams

    def __init__(self, params: Mapping[str, object]) -> None:
        """Read the parameters."""
        self._after = AuthLossGuardParams.model_validate(params).after

    def applies_to(self, event: AnyEvent) -> bool:
        """Hear connections only."""
        return isinstance(event, ConnectionChanged)

    def evaluate(self, event: AnyEvent | None, state: AccountView) -> RuleViolation | None:
        """Return the violation when a connection is reported lost."""
        if not isinstance(event, ConnectionChanged) or event.up:
            return None
        detail = f": {event.detail}" if event.detail else ""
        return RuleViolation(
            rule_name=self.name,
            account=state.account.account,
            key=event.link,
            current_value=0,
            limit_value=1,
            exceeded_by=1,
            message=f"the connection to the broker is lost ({event.link.value}){detail}",
            headline="AuthLossGuard: the broker cannot be seen",
        )

    def get_enforcement_action(self, violation: RuleViolation) -> EnforcementAction:
        """Return the alert."""
        return alert(violation)
