"""Instruments: what a contract is worth and which family it belongs to.

The broker's contract record is the truth for tick size and tick value; the table here is the independent second opinion
that it is checked against. ProjectX names some products differently from the exchange (``ENQ`` is NQ, ``EP`` is ES),
so a root is never derived from a prefix.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec

MONTH_CODES: Final = "FGHJKMNQUVXZ"
_SYMBOL: Final = re.compile(rf"^([A-Z0-9]{{1,5}}?)([{MONTH_CODES}])(\d{{1,2}})$")
_CONTRACT_ID: Final = re.compile(rf"^CON\.F\.[A-Z]+\.([A-Z0-9]+)\.([{MONTH_CODES}])(\d\d)$")


class Product(msgspec.Struct, frozen=True):
    """One product family of the built-in table.

    Units: ``tick_size`` in price points, ``tick_value`` in USD per tick and contract; ``minis`` is the share of one
    standard (mini) contract that one contract of this product stands for.
    """

    root: str
    code: str
    tick_size: Decimal
    tick_value: Decimal
    group: str
    minis: Decimal


class Instrument(msgspec.Struct, frozen=True):
    """One tradable contract.

    Units: ``point_value`` is USD per price point and contract, always ``tick_value / tick_size``.
    """

    contract: str
    symbol: str
    root: str
    tick_size: Decimal
    tick_value: Decimal
    point_value: Decimal
    group: str
    minis: Decimal
    may_be_negative: bool = False
    quarantined: bool = False


# root, ProjectX code, tick size, tick value, group, share of a mini.
# Source: contract list recorded live on TopstepX in August 2026; micro shares from the exchange's contract sizes.
_ROWS: Final = """
ES EP 0.25 12.50 SP500 1
MES MES 0.25 1.25 SP500 0.1
NQ ENQ 0.25 5.00 NASDAQ100 1
MNQ MNQ 0.25 0.50 NASDAQ100 0.1
RTY RTY 0.10 5.00 RUSSELL2000 1
M2K M2K 0.10 0.50 RUSSELL2000 0.1
YM YM 1 5.00 DOW 1
MYM MYM 1 0.50 DOW 0.1
NKD NKD 5 25.00 NIKKEI 1
CL CLE 0.01 10.00 CRUDE 1
QM NQM 0.025 12.50 CRUDE 0.5
MCL MCLE 0.01 1.00 CRUDE 0.1
NG NGE 0.001 10.00 NATGAS 1
QG NQG 0.005 12.50 NATGAS 0.25
MNG MNG 0.001 1.00 NATGAS 0.1
RB RBE 0.0001 4.20 GASOLINE 1
HO HOE 0.0001 4.20 HEATINGOIL 1
GC GCE 0.10 10.00 GOLD 1
MGC MGC 0.10 1.00 GOLD 0.1
SI SIE 0.005 25.00 SILVER 1
SIL SIL 0.005 5.00 SILVER 0.2
HG CPE 0.0005 12.50 COPPER 1
MHG MHG 0.0005 1.25 COPPER 0.1
PL PLE 0.10 5.00 PLATINUM 1
ZB USA 0.03125 31.25 BOND30 1
UB ULA 0.03125 31.25 BONDULTRA 1
ZN TYA 0.015625 15.625 NOTE10 1
TN TNA 0.015625 15.625 NOTE10ULTRA 1
ZF FVA 0.0078125 7.8125 NOTE5 1
ZT TUA 0.00390625 7.8125 NOTE2 1
6E EU6 0.00005 6.25 EURO 1
E7 EEU 0.0001 6.25 EURO 0.5
M6E M6E 0.0001 1.25 EURO 0.1
6B BP6 0.0001 6.25 POUND 1
M6B M6B 0.0001 0.625 POUND 0.1
6J JY6 0.0000005 6.25 YEN 1
6A DA6 0.00005 5.00 AUSSIE 1
M6A M6A 0.0001 1.00 AUSSIE 0.1
6C CA6 0.00005 5.00 CANADIAN 1
6S SF6 0.00005 6.25 FRANC 1
6N NE6 0.00005 5.00 KIWI 1
6M MX6 0.00001 5.00 PESO 1
MBT MBT 5 0.50 BITCOIN 1
MET GMET 0.5 0.05 ETHER 1
ZC ZCE 0.25 12.50 CORN 1
ZW ZWA 0.25 12.50 WHEAT 1
ZS ZSE 0.25 12.50 SOYBEANS 1
ZM ZME 0.10 10.00 SOYMEAL 1
ZL ZLE 0.01 6.00 SOYOIL 1
LE GLE 0.025 10.00 CATTLE 1
HE HE 0.025 10.00 HOGS 1
"""

# Crude oil settled at -37.63 in April 2020; refined products and gas are listed with it by the exchange.
_MAY_BE_NEGATIVE: Final = frozenset({"CL", "QM", "MCL", "NG", "QG", "MNG", "RB", "HO"})


def _read(row: str) -> Product:
    root, code, tick_size, tick_value, group, minis = row.split()
    return Product(root, code, Decimal(tick_size), Decimal(tick_value), group, Decimal(minis))


PRODUCTS: Final[dict[str, Product]] = {p.root: p for p in map(_read, _ROWS.strip().splitlines())}
_ROOT_BY_CODE: Final[dict[str, str]] = {p.code: p.root for p in PRODUCTS.values()}


def root_of_symbol(symbol: str) -> str:
    """Return the root of an exchange symbol: ``MNQ`` for ``MNQH6``; a bare root stands for itself."""
    if symbol in PRODUCTS:
        return symbol
    match = _SYMBOL.match(symbol)
    return match.group(1) if match else symbol


@lru_cache(maxsize=1024)
def root_of_contract(contract: str) -> str:
    """Return the exchange root of a ProjectX contract id: ``NQ`` for ``CON.F.US.ENQ.Z26``.

    Shape: a code that the table does not know stands for itself, so that it still counts as a product of its own.
    """
    match = _CONTRACT_ID.match(contract)
    if match is None:
        return root_of_symbol(contract)
    return _ROOT_BY_CODE.get(match.group(1), match.group(1))


@lru_cache(maxsize=1024)
def symbol_of_contract(contract: str) -> str:
    """Return the exchange symbol of a ProjectX contract id: ``NQZ6`` for ``CON.F.US.ENQ.Z26``."""
    match = _CONTRACT_ID.match(contract)
    if match is None:
        return contract
    return f"{root_of_contract(contract)}{match.group(2)}{match.group(3)[-1]}"


def contract_of_symbol(symbol: str) -> str:
    """Return the ProjectX contract id of an exchange symbol: ``CON.F.US.ENQ.Z26`` for ``NQZ6``.

    Errors: ValueError when the text is no symbol with month and year.
    """
    match = _SYMBOL.match(symbol)
    if match is None:
        raise ValueError(f"{symbol!r} is not a contract symbol such as MNQH6")
    root, month, year = match.groups()
    product = PRODUCTS.get(root)
    code = product.code if product else root
    return f"CON.F.US.{code}.{month}{int(year) % 10 + 20}"


def instrument(contract: str, *, tick_size: Decimal, tick_value: Decimal, symbol: str | None = None) -> Instrument:
    """Build an instrument from the broker's contract record.

    Shape: quarantined when the record contradicts the built-in table or cannot be a contract at all.
    Units: ``tick_size`` in points, ``tick_value`` in USD.
    Source: point value = tick value / tick size.
    """
    root = root_of_symbol(symbol) if symbol else root_of_contract(contract)
    product = PRODUCTS.get(root)
    usable = tick_size > 0 and tick_value > 0
    known = product or Product(root, root, tick_size, tick_value, root, Decimal(1))
    agrees = usable and (tick_size, tick_value) == (known.tick_size, known.tick_value)
    size, value = (tick_size, tick_value) if usable else (known.tick_size, known.tick_value)
    return Instrument(
        contract=contract,
        symbol=symbol or symbol_of_contract(contract),
        root=root,
        tick_size=size,
        tick_value=value,
        point_value=value / size if size > 0 else Decimal(0),
        group=known.group,
        minis=known.minis,
        may_be_negative=root in _MAY_BE_NEGATIVE,
        quarantined=not agrees,
    )


def table_instrument(contract: str) -> Instrument | None:
    """Build an instrument from the built-in table alone, where no broker gives a record (replay, scenarios)."""
    product = PRODUCTS.get(root_of_contract(contract))
    if product is None:
        return None
    return instrument(
        contract, tick_size=product.tick_size, tick_value=product.tick_value, symbol=symbol_of_contract(contract)
    )


def unknown_instrument(contract: str) -> Instrument:
    """Stand in for a contract that neither broker nor table describes: its contracts count, its P&L cannot."""
    return Instrument(
        contract=contract,
        symbol=symbol_of_contract(contract),
        root=root_of_contract(contract),
        tick_size=Decimal("0.000000001"),
        tick_value=Decimal(0),
        point_value=Decimal(0),
        group=root_of_contract(contract),
        minis=Decimal(1),
        quarantined=True,
    )
