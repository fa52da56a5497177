"""Contract months: which are in front, which have expired, and how they are named."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec

from riskd.simulator.exchange.products import MONTH_CODES, PRODUCTS, Product

_MONTH_NAMES = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_EXPIRES_AFTER_ROLL = timedelta(days=5)
_FAR_MONTHS = 2
_ABSURD_PRICE = Decimal(10**15)  # beyond it the remainder of a tick has no digits left


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """One month of one product."""

    id: str
    product: Product
    month: int
    year: int
    rolls_at: datetime
    expires_at: datetime

    @property
    def name(self) -> str:
        """Return the ticker a trader knows, such as MNQZ6."""
        return f"{self.product.code}{MONTH_CODES[self.month - 1]}{self.year % 10}"

    @property
    def display_name(self) -> str:
        """Return the name that positions carry, such as MNQZ26."""
        return f"{self.product.code}{MONTH_CODES[self.month - 1]}{self.year % 100:02}"

    @property
    def description(self) -> str:
        """Return the name in full, such as Micro Gold: December 2026."""
        return f"{self.product.title}: {_MONTH_NAMES[self.month - 1]} {self.year}"

    @property
    def tick_size(self) -> Decimal:
        """Return the smallest price step."""
        return self.product.tick_size

    def is_on_grid(self, price: Decimal) -> bool:
        """Return whether a price is a whole number of ticks."""
        if not price.is_finite() or abs(price) >= _ABSURD_PRICE:
            return False
        return price % self.product.tick_size == 0

    def value(self, move: Decimal) -> Decimal:
        """Return what a price move is worth in USD for one contract."""
        return move * self.product.tick_value / self.product.tick_size


class ContractBook:
    """All months that clients may name: the front ones listed, far and past ones by id."""

    def __init__(self, products: tuple[Product, ...] = PRODUCTS) -> None:
        """Index the products by code and by root."""
        self._by_code = {product.code: product for product in products}
        self._by_root = {product.root: product for product in products}
        self._known: dict[str, Contract | None] = {}
        self._expired: set[str] = set()

    def find(self, contract_id: str) -> Contract | None:
        """Return the contract with this id, whether it trades or not; None if there is none."""
        if contract_id not in self._known:
            self._known[contract_id] = self._parse(contract_id)
        return self._known[contract_id]

    def product(self, code_or_root: str) -> Product | None:
        """Return the product with this ticker or root, such as ES or EP."""
        return self._by_code.get(code_or_root) or self._by_root.get(code_or_root)

    def months(self, product: Product, at: datetime) -> list[Contract]:
        """Return the front month and the next two, nearest first."""
        found: list[Contract] = []
        for contract in self._months_from(product, at.year, at.month):
            if contract.rolls_at > at:
                found.append(contract)
            if len(found) > _FAR_MONTHS:
                break
        return found

    def front(self, code_or_root: str, at: datetime) -> Contract:
        """Return the front month of a product; KeyError names a product that is not listed."""
        product = self.product(code_or_root)
        if product is None:
            raise KeyError(f"no product {code_or_root!r} is listed")
        return self.months(product, at)[0]

    def named(self, name: str, at: datetime) -> Contract:
        """Return a contract by id, by ticker (MNQZ6) or by product (its front month).

        Errors: KeyError names what is not listed.
        """
        contract = self.find(name) or self.find(self._id_of_ticker(name, at.year))
        return contract if contract is not None else self.front(name, at)

    def past(self, code_or_root: str, at: datetime) -> Contract:
        """Return the newest month of a product that has expired."""
        product = self.product(code_or_root)
        if product is None:
            raise KeyError(f"no product {code_or_root!r} is listed")
        earlier = self._months_from(product, at.year - 1, at.month)
        gone: Contract | None = None
        for contract in earlier:
            if contract.expires_at > at:
                break
            gone = contract
        if gone is None:
            raise KeyError(f"no month of {code_or_root!r} has expired")
        return gone

    def fronts(self, at: datetime) -> list[Contract]:
        """Return every product's front month, by id."""
        fronts = [self.months(product, at)[0] for product in self._by_root.values()]
        return sorted(fronts, key=lambda contract: contract.id)

    def search(self, text: str, at: datetime) -> list[Contract]:
        """Return front months whose name or description holds the text, or that id; else far ones."""
        wanted = text.casefold()
        months = [self.months(product, at) for product in self._by_root.values()]
        for rank in range(_FAR_MONTHS + 1):
            found = [row[rank] for row in months if _is_meant(row[rank], wanted)]
            if found:
                return found
        return []

    def is_active(self, contract: Contract, at: datetime) -> bool:
        """Return whether the contract can still be traded."""
        return contract.id not in self._expired and at < contract.expires_at

    def expire(self, contract_id: str) -> None:
        """Make a contract inactive before its date."""
        self._expired.add(contract_id)

    def _id_of_ticker(self, ticker: str, year: int) -> str:
        stem = ticker.rstrip("0123456789")
        digits, product = ticker[len(stem) :], self._by_code.get(stem[:-1])
        if product is None or not digits:
            return ""
        years = int(digits) if len(digits) > 1 else _nearest_year(int(digits), year) % 100
        return f"CON.F.US.{product.root}.{stem[-1]}{years:02}"

    def _parse(self, contract_id: str) -> Contract | None:
        parts = contract_id.split(".")
        if len(parts) != 5 or parts[:3] != ["CON", "F", "US"]:  # noqa: PLR2004 - CON.F.US.ROOT.MYY
            return None
        product, month = self._by_root.get(parts[3]), parts[4]
        if product is None or month[:1] not in tuple(product.cycle) or not month[1:].isdigit():
            return None
        return _contract(product, 2000 + int(month[1:]), MONTH_CODES.index(month[0]) + 1)

    def _months_from(self, product: Product, year: int, month: int) -> Iterator[Contract]:
        for offset in range(36):
            years, zero_based = divmod(month - 1 + offset, 12)
            if MONTH_CODES[zero_based] in product.cycle:
                contract_id = f"CON.F.US.{product.root}.{MONTH_CODES[zero_based]}{(year + years) % 100:02}"
                contract = self.find(contract_id)
                if contract is not None:
                    yield contract


def _contract(product: Product, year: int, month: int) -> Contract:
    roll_year, roll_month = divmod(year * 12 + month - 1 - product.roll.months_before, 12)
    rolls_on = date(roll_year, roll_month + 1, product.roll.day)
    rolls_at = datetime(rolls_on.year, rolls_on.month, rolls_on.day, 22, tzinfo=UTC)
    return Contract(
        id=f"CON.F.US.{product.root}.{MONTH_CODES[month - 1]}{year % 100:02}",
        product=product,
        month=month,
        year=year,
        rolls_at=rolls_at,
        expires_at=rolls_at + _EXPIRES_AFTER_ROLL,
    )


def _is_meant(contract: Contract, wanted: str) -> bool:
    named = f"{contract.name} {contract.description}".casefold()
    return wanted in named or contract.id.casefold().startswith(wanted)


def _nearest_year(digit: int, year: int) -> int:
    """Return the year with a last digit that is nearest to a year."""
    return min(range(year - 5, year + 6), key=lambda each: (each % 10 != digit, abs(each - year)))
