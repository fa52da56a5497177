"""How a configuration says that P&L is to be reckoned."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from riskd.domain.account import PnlSettings
from riskd.rules.durations import PositiveDuration
from riskd.rules.params import RuleParams
from riskd.rules.tightness import FIXED, SHORTER

_MILLISECOND = timedelta(milliseconds=1)


class PnlParams(RuleParams):
    """How P&L is reckoned: which price, which matching, with or without fees.

    Units: `price_band` in ticks beyond bid and ask within which a price is believed at once.
    """

    price_source: Annotated[Literal["last", "bid_ask"], FIXED] = "last"
    matching: Annotated[Literal["fifo", "lifo", "average"], FIXED] = "fifo"
    fees: Annotated[Literal["included", "excluded"], FIXED] = "included"
    price_band: Annotated[int, Field(ge=0, le=1000), FIXED] = 8
    stale_after: Annotated[PositiveDuration, SHORTER] = timedelta(seconds=10)

    @property
    def settings(self) -> PnlSettings:
        """Return them as the core uses them."""
        return PnlSettings(
            price_source=self.price_source,
            matching=self.matching,
            fees=self.fees,
            price_band=self.price_band,
            stale_after_ms=self.stale_after // _MILLISECOND,
        )
