"""Which limits the demo plays, and which it refuses with a sentence."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from riskd.app.demo.failure import DemoFailed
from riskd.app.demo.limits import Limits, limits_from

CONTRACTS: dict[str, object] = {"rule": "MaxContracts", "params": {"max_contracts": 3}}
LOSS: dict[str, object] = {"rule": "DailyRealizedLoss", "params": {"limit": "-750.00"}}


def file_with(folder: Path, *rules: dict[str, object]) -> Path:
    """Write a file with these rules in its default profile."""
    path = folder / "rules.json"
    path.write_text(json.dumps({"version": 1, "profiles": {"default": {"rules": rules}}}))
    return path


@pytest.mark.parametrize(("most", "first", "second"), [(1, 1, 1), (2, 1, 2), (4, 2, 3), (5, 2, 4)])
def test_the_second_order_is_one_too_many(most: int, first: int, second: int) -> None:
    """Whatever the limit, the first order keeps it and the second breaks it by one."""
    limits = Limits(max_contracts=most)
    assert (limits.first_order, limits.second_order) == (first, second)
    assert first + second == most + 1


def test_a_files_limits_are_taken_and_the_rest_named(tmp_path: Path) -> None:
    """The two limits come from the default profile; rules that the story has no part for are left out and told."""
    path = file_with(tmp_path, CONTRACTS, LOSS, {"rule": "SessionBlockOutside", "params": {"preset": "RTH"}})
    assert limits_from(path) == Limits(
        max_contracts=3, daily_loss=Decimal("-750.00"), source="rules.json", left_out=("SessionBlockOutside",)
    )


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ([LOSS], "has no MaxContracts that is enabled"),
        ([CONTRACTS, LOSS | {"enabled": False}], "has no DailyRealizedLoss that is enabled"),
        ([CONTRACTS | {"params": {"max_contracts": 0}}, LOSS], "plays max_contracts from 1 to 40, not 0"),
        ([CONTRACTS | {"params": {"max_contracts": "2.5", "unit": "minis"}}, LOSS], "plays whole contracts only"),
        ([CONTRACTS, LOSS | {"params": {"limit": "-100.00"}}], "leaves 3 contracts no room to move"),
        ([CONTRACTS, LOSS | {"params": {"limit": "100.00"}}], "limit"),
    ],
)
def test_what_cannot_be_played_is_refused(tmp_path: Path, rules: list[dict[str, object]], complaint: str) -> None:
    """A file without the two limits, or with some that the story cannot show, is refused by name and reason."""
    path = file_with(tmp_path, *rules)
    with pytest.raises(DemoFailed) as refused:
        limits_from(path)
    assert str(path) in str(refused.value)
    assert complaint in str(refused.value)
