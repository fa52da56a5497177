"""Make the account what it must be: compare what is wanted with what is, and command only the difference.

Level-triggered: nothing here remembers that something was asked, only what is outstanding. A breach that lasts through
a hundred events leads to one close, because from the second event on that close is under way; a refused close is asked
for again, because what it was for is still wanted.
"""

from collections.abc import Callable

from riskd.domain.events import CloseRequested
from riskd.domain.violations import EnforcementAction
from riskd.engine import enforcements, lockouts
from riskd.engine.commanding import command
from riskd.engine.draft import Draft
from riskd.engine.flatten import flatten_what_appears, follow_flatten
from riskd.engine.snapshots import ask_for_snapshot
from riskd.engine.troubles import tell_troubles
from riskd.engine.wants import all_wants, without_settled


class EnforcementEngine:
    """Turn findings into targets and targets into commands, one account at a time.

    Shape: all state is in the accounts; the counters here are for people and tests.
    """

    def __init__(self, publish: Callable[[CloseRequested], None] | None = None) -> None:
        """Use ``publish`` to put requests of :meth:`close_position` into the queue like any other event."""
        self._publish = publish
        self.actions_executed = 0
        self.last_action: EnforcementAction | None = None

    def close_position(self, account: str, position_id: str, reason: str) -> None:
        """Ask for one position to be closed; asking again while it is being closed changes nothing.

        Shape: ``position_id`` is the contract, since a broker account has one net position per contract.
        Errors: RuntimeError where the engine was given no queue.
        """
        if self._publish is None:
            raise RuntimeError("this EnforcementEngine has no queue to ask through")
        self._publish(CloseRequested(account=account, contract=position_id, reason=reason))

    def enforce(self, draft: Draft) -> None:
        """Go over an account after an event: from findings to commands."""
        if draft.state.lapsed:
            lockouts.lock_again(draft)
        if draft.state.lockouts or draft.state.no_new_risk:
            lockouts.end_what_has_ended(draft)
        if draft.findings:
            lockouts.lock_and_cool_down(draft)
        self._command(draft)
        if draft.state.flatten is not None:
            follow_flatten(draft)
        if draft.state.enforcements:
            enforcements.end_what_has_ended(draft)
        draft.state = without_settled(draft.state)
        self._conclude(draft)

    def hold(self, draft: Draft) -> None:
        """Enforce only what stood before: nothing begins, nothing ends, until the account has been reconciled."""
        self._command(draft)
        self._conclude(draft)

    @staticmethod
    def _command(draft: Draft) -> None:
        if draft.state.no_new_risk:
            lockouts.shrink_allowances(draft)
        if draft.state.lockouts:
            flatten_what_appears(draft)
        if draft.state.can_trade:
            command(draft, all_wants(draft))

    def _conclude(self, draft: Draft) -> None:
        if draft.state.retries or draft.state.closes or draft.state.error_state:
            tell_troubles(draft)
        ask_for_snapshot(draft)
        if draft.begun:
            self.actions_executed += len(draft.begun)
            self.last_action = draft.begun[-1]
