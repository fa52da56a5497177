"""What riskd asks the gateway: accounts, contracts, and one account's orders, trades and positions."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from riskd.adapters.projectx import event_normalizer as normalizer
from riskd.adapters.projectx import wire
from riskd.adapters.projectx.budget import Purpose
from riskd.adapters.projectx.errors import Refused, Unreadable
from riskd.adapters.projectx.event_normalizer import Malformed
from riskd.adapters.projectx.log import Log
from riskd.adapters.projectx.roster import Listed
from riskd.adapters.projectx.session import Session
from riskd.domain.events import Fill, InstrumentReported, OrderReported, PositionReported, QuoteReported
from riskd.domain.orders import ENDED, WorkingOrder

if TYPE_CHECKING:  # see session.py
    from riskd.adapters.projectx.rest import Body

_T = TypeVar("_T")

# Open, pending, about to be cancelled, suspended: what may still fill.
_MAY_FILL: Final = [1, 6, 7, 8]
_PAGE: Final = 500

# The largest answer is not published. An answer as long as this may have been cut, so the older part is asked for.
_MAYBE_CUT: Final = 500
_MOST_PAGES: Final = 40
_OVERLAP: Final = timedelta(milliseconds=1)
_SECONDS: Final = 1
_SECOND: Final = timedelta(seconds=1)
_NO_SUCH_CALL: Final = frozenset({400, 404, 405})


_Report = TypeVar("_Report", OrderReported, Fill, PositionReported)


def _shown(rows: list[msgspec.Raw] | None, what: str) -> list[msgspec.Raw]:
    """Return the list of a successful answer, which is empty where there is nothing to show.

    Errors: Unreadable where it is missing or null, as in the answer to a failure: read as empty, it would pass for an
    account that is flat.
    """
    if rows is None:
        raise Unreadable(f"the gateway says that it succeeded and has no list of {what}")
    return rows


def _asked_for(account: str, reports: Sequence[_Report]) -> Sequence[_Report]:
    """Return the rows if all are the account's that was asked for.

    Errors: Unreadable otherwise, since another account's position would be closed as this one's.
    """
    for report in reports:
        if report.account != account:
            raise Unreadable(f"asked for account {account}, the gateway answered for account {report.account}")
    return reports


class Reads:
    """Typed questions over one session.

    Errors: every method raises GatewayError when the gateway does not answer properly.
    """

    def __init__(self, session: Session, log: Log, now: Callable[[], datetime]) -> None:
        self._session = session
        self._log = log
        self._now = now
        self._has_query = True

    async def accounts(self, purpose: Purpose = Purpose.READ) -> list[Listed]:
        """Return every account that the login can see; one that cannot be read is left out, as if it were not shown."""
        reply = await self._session.call("/api/Account/search", {"onlyActiveAccounts": False}, purpose)
        return self._readable(_shown(reply.accounts, "accounts"), _listed)[0]

    async def contracts(self) -> list[InstrumentReported]:
        """Return the contracts that can be traded now, as far as they can be read; any other is looked up later."""
        reply = await self._session.call("/api/Contract/available", {"live": False})
        return self._readable(reply.contracts or (), normalizer.read_instrument)[0]

    async def contract(self, contract: str) -> InstrumentReported | None:
        """Return one contract's record, expired ones too; None when the gateway does not know it."""
        try:
            reply = await self._session.call("/api/Contract/searchById", {"contractId": contract})
        except Refused as error:
            self._log.warning("contract_unknown", contract=contract, why=str(error))
            return None
        found, _ = self._readable([reply.contract], normalizer.read_instrument)
        return found[0] if found else None

    async def orders(self, account: str, purpose: Purpose) -> tuple[WorkingOrder, ...]:
        """Return the orders of an account that may still fill.

        Shape: the gateway's plain list leaves out pending orders and bracket children that wait for their entry. Its
        newer query has them; where the gateway lacks the query, the history of the last day shows what is pending.

        Errors: also Unreadable when one of them cannot be read: it may be the stop that protects a position.
        """
        rows = await self._queried(account, purpose) if self._has_query else None
        if rows is None:
            rows = [*await self._recent(account, purpose), *await self._open(account, purpose)]
        orders = (report.order for report in self._all(account, "an order", rows, normalizer.read_order))
        return tuple({order.order_id: order for order in orders if order.status not in ENDED}.values())

    async def _queried(self, account: str, purpose: Purpose) -> list[msgspec.Raw] | None:
        body: Body = {
            "filter": {"accountId": key(account), "statuses": _MAY_FILL},
            "pageSize": _PAGE,
            "includeTotalCount": True,
        }
        try:
            reply = await self._session.call("/api/Order/v2/query", body, purpose)
        except Refused as error:
            if error.number not in _NO_SUCH_CALL:
                raise
            self._has_query = False
            self._log.info("order_query_missing", why=str(error))
            return None
        rows = reply.orders
        return rows if rows is not None and (reply.total_count or 0) <= len(rows) else None

    async def _open(self, account: str, purpose: Purpose) -> list[msgspec.Raw]:
        reply = await self._session.call("/api/Order/searchOpen", {"accountId": key(account)}, purpose)
        return _shown(reply.orders, "orders")

    async def _recent(self, account: str, purpose: Purpose) -> list[msgspec.Raw]:
        body: Body = {"accountId": key(account), "startTimestamp": stamp(self._now() - timedelta(days=1))}
        reply = await self._session.call("/api/Order/search", body, purpose)
        return _shown(reply.orders, "orders")

    async def fills(self, account: str, since: datetime, purpose: Purpose) -> tuple[Fill, ...]:
        """Return the account's trades since a time, however many answers that takes.

        Errors: also Unreadable when one of them cannot be read: its loss would be missing from the day's.
        """
        found: dict[str, Fill] = {}
        until: datetime | None = None
        for _ in range(_MOST_PAGES):
            rows = await self._trades(account, since, until, purpose)
            fills = [fill for fill in rows if fill.trade_id not in found]
            found |= {fill.trade_id: fill for fill in fills}
            if len(rows) < _MAYBE_CUT or not fills:
                break
            until = min(fill.at for fill in fills) + _OVERLAP
        return tuple(sorted(found.values(), key=lambda fill: (fill.at, fill.trade_id)))

    async def _trades(self, account: str, since: datetime, until: datetime | None, purpose: Purpose) -> Sequence[Fill]:
        body: Body = {
            "accountId": key(account),
            "startTimestamp": stamp(since),
            "endTimestamp": None if until is None else stamp(until),
        }
        reply = await self._session.call("/api/Trade/search", body, purpose)
        rows = _shown(reply.trades, "trades")
        return self._all(account, "a trade", rows, lambda raw: normalizer.read_fill(raw, self._now()))

    async def positions(self, account: str, purpose: Purpose) -> tuple[PositionReported, ...]:
        """Return the account's open positions.

        Errors: also Unreadable when one of them cannot be read: without it the rest would pass for everything.
        """
        reply = await self._session.call("/api/Position/searchOpen", {"accountId": key(account)}, purpose)
        rows = _shown(reply.positions, "positions")
        return tuple(self._all(account, "a position", rows, normalizer.read_position))

    async def last_second(self, contract: str, since: datetime) -> QuoteReported | None:
        """Return the price of the newest whole second after a time in which the contract traded."""
        body: Body = {
            "contractId": contract,
            "live": False,
            "startTime": stamp(since),
            "endTime": stamp(self._now()),
            "unit": _SECONDS,
            "unitNumber": 1,
            "limit": 1,
            "includePartialBar": False,
        }
        reply = await self._session.call("/api/History/retrieveBars", body, Purpose.BARS)
        found = self._readable(reply.bars or (), lambda raw: normalizer.read_bar(raw, contract, _SECOND))[0]
        return max((bar for bar in found if bar.at > since), key=lambda bar: bar.at, default=None)

    def _all(
        self, account: str, what: str, rows: Sequence[msgspec.Raw], read: Callable[[msgspec.Raw], _Report | Malformed]
    ) -> Sequence[_Report]:
        """Return what all the rows say of the account.

        Errors: Unreadable when one cannot be read, since the rest would pass for everything.
        """
        reports, all_readable = self._readable(rows, read)
        if not all_readable:
            raise Unreadable(f"{what} of account {account} cannot be read")
        return _asked_for(account, reports)

    def _readable(
        self, rows: Sequence[msgspec.Raw], read: Callable[[msgspec.Raw], _T | Malformed]
    ) -> tuple[list[_T], bool]:
        """Return the rows that can be read, and whether these are all; log the others."""
        said = [read(raw) for raw in rows]
        good = [value for value in said if not isinstance(value, Malformed)]
        for value in said:
            if isinstance(value, Malformed):
                self._log.error("row_unreadable", why=value.why, payload=value.payload)
        return good, len(good) == len(said)


def _listed(raw: msgspec.Raw) -> Listed | Malformed:
    report = normalizer.read_account(raw)
    if isinstance(report, Malformed):
        return report
    return Listed(report, wire.ACCOUNT.decode(raw).simulated)


def key(text: str) -> int | str:
    """Return an id as the gateway wants it: its ids are numbers."""
    return int(text) if text.isascii() and text.isdigit() else text


def stamp(at: datetime) -> str:
    """Return a time as the gateway reads it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
