from datetime import date

from riskd.app.configuration.presets import age, rows
from riskd.config.firm_presets import find_preset

FRESH, OLD = date(2026, 10, 15), date(2027, 1, 15)


def test_old_figures_say_so() -> None:
    """After 90 days a firm may have changed its rules several times."""
    firm, _ = find_preset("topstep-50k")

    assert age(firm, FRESH) == "Topstep's rules as of 2026-09-29"
    assert "that is 108 days ago" in age(firm, OLD)
    assert {row.stale for row in rows(FRESH)} == {False}
    assert {row.stale for row in rows(OLD) if row.checked is not None} == {True}
