"""The table of markets: every product of the broker's catalogue.

Roots, codes, tick sizes and tick values are those the broker lists (2026-08). The roll calendar is
an approximation by day of month that gives the months the broker listed then; typical prices only
start the generator.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

MONTH_CODES = "FGHJKMNQUVXZ"
QUARTERLY = "HMUZ"


class Hours(StrEnum):
    """Which weekly timetable a product trades by."""

    GLOBEX = "globex"
    GRAINS = "grains"
    LIVESTOCK = "livestock"


class Roll(msgspec.Struct, frozen=True):
    """When a month stops being the front one: a day, so many months before the contract month."""

    months_before: int
    day: int


INDEX_ROLL = Roll(0, 14)
METAL_ROLL = Roll(1, 27)
OIL_ROLL = Roll(1, 15)
GAS_ROLL = Roll(1, 24)
CRYPTO_ROLL = Roll(0, 25)
CROP_ROLL = Roll(1, 26)
MEAT_ROLL = Roll(0, 1)


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """One market: what all its months share. Fees and commission are USD per contract and side."""

    code: str
    root: str
    tick_size: Decimal
    tick_value: Decimal
    title: str
    typical_price: Decimal
    cycle: str = QUARTERLY
    roll: Roll = INDEX_ROLL
    hours: Hours = Hours.GLOBEX
    fee: Decimal = Decimal("1.40")
    commission: Decimal = Decimal("0.50")

    @property
    def symbol_id(self) -> str:
        """Return the broker's id of the market."""
        return f"F.US.{self.root}"


def _product(line: str) -> Product:
    code, root, size, value, price, kind, title = line.split(None, 6)
    cycle, roll, hours = _KINDS[kind.split("/")[0]]
    if "/" in kind:
        cycle = kind.split("/")[1]
    fee, commission = _FEES.get(code) or (_MICRO_FEES if "icro" in title else _FULL_FEES)
    return Product(
        code=code,
        root=root,
        tick_size=Decimal(size),
        tick_value=Decimal(value),
        title=title,
        typical_price=Decimal(price),
        cycle=cycle,
        roll=roll,
        hours=hours,
        fee=Decimal(fee),
        commission=Decimal(commission),
    )


_KINDS: dict[str, tuple[str, Roll, Hours]] = {
    "index": (QUARTERLY, INDEX_ROLL, Hours.GLOBEX),
    "fx": (QUARTERLY, INDEX_ROLL, Hours.GLOBEX),
    "bond": (QUARTERLY, METAL_ROLL, Hours.GLOBEX),
    "oil": (MONTH_CODES, OIL_ROLL, Hours.GLOBEX),
    "gas": (MONTH_CODES, GAS_ROLL, Hours.GLOBEX),
    "metal": (QUARTERLY, METAL_ROLL, Hours.GLOBEX),
    "coin": (MONTH_CODES, CRYPTO_ROLL, Hours.GLOBEX),
    "crop": ("HKNZ", CROP_ROLL, Hours.GRAINS),
    "meat": ("GJMQVZ", MEAT_ROLL, Hours.LIVESTOCK),
}
# Observed per side on live and exported trades: micros 0.36 + 0.25, full-size indices 1.40,
# MYM 0.37, ZB 0.89 + 0.50, MCL 0.51. The rest is filled in alike.
_MICRO_FEES = ("0.36", "0.25")
_FULL_FEES = ("1.40", "0.50")
_FEES = {
    "MYM": ("0.37", "0.25"),
    "MCL": ("0.51", "0.25"),
    "ZB": ("0.89", "0.50"),
    "M6E": ("0.26", "0.25"),
    "M6A": ("0.26", "0.25"),
    "M6B": ("0.26", "0.25"),
}

# code  root  tick size  tick value  a typical price  kind[/cycle]  title
_TABLE = """
ES   EP    0.25       12.50   6700      index          E-Mini S&P 500
MES  MES   0.25       1.25    6700      index          Micro E-mini S&P 500
NQ   ENQ   0.25       5.00    25000     index          E-mini NASDAQ-100
MNQ  MNQ   0.25       0.50    25000     index          Micro E-mini Nasdaq-100
RTY  RTY   0.10       5.00    2450      index          E-mini Russell 2000
M2K  M2K   0.10       0.50    2450      index          Micro E-mini Russell 2000
YM   YM    1          5.00    47000     index          E-mini Dow ($5)
MYM  MYM   1          0.50    47000     index          Micro E-mini Dow $0.50
NKD  NKD   5          25.00   50000     index          Nikkei 225 (Globex)
CL   CLE   0.01       10.00   60        oil            Crude Light (Globex)
QM   NQM   0.025      12.50   60        oil            E-Mini Crude Oil
MCL  MCLE  0.01       1.00    60        oil            Micro WTI Crude Oil
NG   NGE   0.001      10.00   4         gas            Natural Gas (Globex)
QG   NQG   0.005      12.50   4         gas            E-Mini Natural Gas
MNG  MNG   0.001      1.00    4         gas            Micro Henry Hub Natural Gas
RB   RBE   0.0001     4.20    1.9       oil            RBOB Gasoline (Globex)
HO   HOE   0.0001     4.20    2.4       oil            NY Harbor ULSD
GC   GCE   0.10       10.00   4000      metal/GJMQZ    Gold (Globex)
MGC  MGC   0.10       1.00    4000      metal/GJMQZ    Micro Gold
SI   SIE   0.005      25.00   50        metal/HKNUZ    Silver (Globex)
SIL  SIL   0.005      5.00    50        metal/HKNUZ    Micro Silver
HG   CPE   0.0005     12.50   5         metal/HKNUZ    Copper (Globex)
MHG  MHG   0.0005     1.25    5         metal/HKNUZ    Micro Copper
PL   PLE   0.10       5.00    1550      metal/FJNV     Platinum (Globex)
ZB   USA   0.03125    31.25   117       bond           30yr US Treasury Bonds (Globex)
UB   ULA   0.03125    31.25   121       bond           Ultra T-Bond (Globex)
ZN   TYA   0.015625   15.625  113       bond           10yr US Treasury Notes (Globex)
TN   TNA   0.015625   15.625  116       bond           Ultra 10yr Treasury Note (Globex)
ZF   FVA   0.0078125  7.8125  109       bond           5 Year US Treasury Notes (Globex)
ZT   TUA   0.00390625 7.8125  104       bond           2 Year US Treasury Note (Globex)
6E   EU6   0.00005    6.25    1.16      fx             Euro FX (Globex)
E7   EEU   0.0001     6.25    1.16      fx             E-mini Euro FX
M6E  M6E   0.0001     1.25    1.16      fx             E-Micro EUR/USD
6B   BP6   0.0001     6.25    1.31      fx             British Pound (Globex)
M6B  M6B   0.0001     0.625   1.31      fx             E-Micro GBP/USD
6J   JY6   0.0000005  6.25    0.0065    fx             Japanese Yen (Globex)
6A   DA6   0.00005    5.00    0.65      fx             Australian Dollar (Globex)
M6A  M6A   0.0001     1.00    0.65      fx             E-Micro AUD/USD
6C   CA6   0.00005    5.00    0.71      fx             Canadian Dollar (Globex)
6S   SF6   0.00005    6.25    1.25      fx             Swiss Franc (Globex)
6N   NE6   0.00005    5.00    0.56      fx             New Zealand Dollar (Globex)
6M   MX6   0.00001    5.00    0.054     fx             Mexican Peso (Globex)
MBT  MBT   5          0.50    95000     coin           Micro Bitcoin
MET  GMET  0.5        0.05    3000      coin           Micro Ether
ZC   ZCE   0.25       12.50   430       crop           Corn (Globex)
ZW   ZWA   0.25       12.50   530       crop           Wheat (Globex)
ZS   ZSE   0.25       12.50   1120      crop/FHKNX     Soybeans (Globex)
ZM   ZME   0.10       10.00   320       crop/FHKNZ     Soybean Meal (Globex)
ZL   ZLE   0.01       6.00    50        crop/FHKNZ     Soybean Oil (Globex)
LE   GLE   0.025      10.00   230       meat           Live Cattle (Globex)
HE   HE    0.025      10.00   80        meat/GJMNQVZ   Lean Hogs (Globex)
"""
PRODUCTS: tuple[Product, ...] = tuple(_product(line) for line in _TABLE.strip().splitlines())
