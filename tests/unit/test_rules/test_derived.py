from riskd.domain.account import Execution
from riskd.rules.derived import FromExecutions
from tests.support.rule_builders import NOON, fill, traded


def test_it_is_reckoned_once_for_the_same_fills() -> None:
    """The same executions are not looked at again; others are."""
    looked: list[int] = []

    def count(executions: tuple[Execution, ...]) -> int:
        looked.append(len(executions))
        return len(executions)

    derived, one = FromExecutions(count), traded(fill("MNQ", 1), at=NOON).account.executions

    assert [derived.of(one), derived.of(one), derived.of(()), derived.of(one)] == [1, 1, 0, 1]
    assert looked == [1, 0, 1]
