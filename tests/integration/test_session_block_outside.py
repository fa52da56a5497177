from riskd.rules.registry import compile_rulebook
from riskd.rules.session_block_outside import SessionBlockOutsideRule
from tests.support.rule_builders import closed_per_root, ct, fill, view


def test_session_block_outside_allowed_hours() -> None:
    """Session Monday to Friday 08:30-15:00: what is bought on Friday at 16:00 is closed."""
    rule = SessionBlockOutsideRule(
        params={
            "allowed_days": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
            "allowed_times": [{"start": "08:30", "end": "15:00"}],
        }
    )
    at = ct("2025-10-17 16:00:00")
    event = fill("MNQ", 2, at=at)
    state = view(at=at).including(event)

    violation = rule.evaluate(event, state)

    assert violation is not None
    assert "outside allowed session" in violation.message
    assert closed_per_root(violation) == {"MNQ": 2}
    assert rule.get_enforcement_action(violation).action_type == "close_position"


def test_the_session_is_heard_first() -> None:
    """Loaded through the registry, the session stands before the lockouts and the size limits."""
    spec = """{"rules": [
        {"rule": "MaxContracts", "params": {"max_contracts": 4}},
        {"rule": "DailyRealizedLoss", "params": {"limit": "-500.00"}},
        {"rule": "SessionBlockOutside", "params": {"preset": "RTH"}}]}"""

    rulebook = compile_rulebook("A1", spec)

    assert rulebook.faults == ()
    assert [entry.rule_id for entry in rulebook.entries] == ["SessionBlockOutside", "DailyRealizedLoss", "MaxContracts"]
