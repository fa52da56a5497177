"""Options that a test run can be given."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make simulate SEEDS=… DAYS=…` say how much to simulate; without it each test knows its own measure."""
    group = parser.getgroup("simulation")
    group.addoption("--seeds", type=int, default=None, metavar="N", help="simulate with N fresh seeds")
    group.addoption("--days", type=int, default=None, metavar="N", help="simulate N days with each seed")
