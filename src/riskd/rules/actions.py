"""The things a rule can ask for, made from a violation alone."""

from riskd.domain.violations import ActionType, EnforcementAction, RuleViolation


def close_or_cancel(violation: RuleViolation) -> EnforcementAction:
    """Ask for the violation's reductions and cancels.

    Shape: a cancel where only orders are in the way; a close otherwise, of as many contracts as the reductions say, or
    as the limit is exceeded by where the violation names none.
    """
    only_cancels = bool(violation.cancels) and not violation.reductions
    quantity = sum(cut.closed for cut in violation.reductions) or int(violation.exceeded_by)
    return EnforcementAction(
        action_type=ActionType.CANCEL_ORDER if only_cancels else ActionType.CLOSE_POSITION,
        account=violation.account,
        rule_id=violation.rule_id,
        reason=violation.message,
        quantity=None if only_cancels else quantity,
        reductions=violation.reductions,
        cancels=violation.cancels,
    )


def close_whole(violation: RuleViolation, *, confirm_orders: bool = False) -> EnforcementAction:
    """Ask for the close of the positions that the violation names; its values are not contracts."""
    return EnforcementAction(
        action_type=ActionType.CLOSE_POSITION,
        account=violation.account,
        rule_id=violation.rule_id,
        reason=violation.message,
        quantity=sum(cut.closed for cut in violation.reductions) or None,
        reductions=violation.reductions,
        confirm_orders=confirm_orders,
    )


def flatten_and_lock(violation: RuleViolation) -> EnforcementAction:
    """Ask for an account that is flat and locked until the violation's time; None means until an admin releases it."""
    return EnforcementAction(
        action_type=ActionType.FLATTEN_ACCOUNT,
        account=violation.account,
        rule_id=violation.rule_id,
        reason=violation.message,
        lock=True,
        lockout_until=violation.until,
    )


def cool_down(violation: RuleViolation) -> EnforcementAction:
    """Ask for no new risk until the violation's time."""
    return EnforcementAction(
        action_type=ActionType.SET_COOLDOWN,
        account=violation.account,
        rule_id=violation.rule_id,
        reason=violation.message,
        lockout_until=violation.until,
    )


def alert(violation: RuleViolation) -> EnforcementAction:
    """Ask for nothing but that people hear of it."""
    return EnforcementAction(
        action_type=ActionType.ALERT,
        account=violation.account,
        rule_id=violation.rule_id,
        reason=violation.message,
    )
