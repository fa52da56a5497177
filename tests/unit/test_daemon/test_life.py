from datetime import timedelta

import msgspec

from riskd.daemon.life import sign_of_life
from riskd.domain.account import NoNewRisk
from riskd.engine.lockouts import CONTRADICTION
from tests.support.rule_builders import NOON, account


def test_an_account_with_a_bug_of_riskds_own_is_no_protected_one() -> None:
    """The dead-man's switch must go off: nobody knows what riskd would do there."""
    healthy = msgspec.structs.replace(account(), armed=True, reconciled=True)
    stop = NoNewRisk(cause=CONTRADICTION, until=None, since=NOON, reason="KeyError: a bug")
    doubtful = msgspec.structs.replace(healthy, no_new_risk=(stop,))

    later = NOON + timedelta(hours=1)

    signs = [
        sign_of_life([state.account], {state.account: state}, missing=(), unread={}, head="", seq=1, at=later)
        for state in (healthy, doubtful)
    ]

    assert [sign.protects for sign in signs] == [True, False]
    assert "contradicts itself" in signs[1].text
