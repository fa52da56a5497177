import pytest
from pydantic import ValidationError

from riskd.domain.account import PnlSettings
from riskd.rules.pnl_settings import PnlParams


def test_the_defaults_are_those_of_the_core() -> None:
    """An empty section changes nothing."""
    assert PnlParams().settings == PnlSettings()


def test_every_key_reaches_the_core() -> None:
    """What is written is what is reckoned with."""
    written = {"price_source": "bid_ask", "matching": "lifo", "fees": "excluded", "price_band": 4, "stale_after": "30s"}

    assert PnlParams.model_validate(written).settings == PnlSettings(
        price_source="bid_ask", matching="lifo", fees="excluded", price_band=4, stale_after_ms=30_000
    )


@pytest.mark.parametrize("wrong", [{"stale_after": "0s"}, {"stale_after": 10}, {"price_band": -1}, {"source": "last"}])
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    """A feed is never stale at once, a band is never negative, a key is never ignored."""
    with pytest.raises(ValidationError):
        PnlParams.model_validate(wrong)
