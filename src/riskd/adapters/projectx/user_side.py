"""The user hub's tenant: what happens on the accounts, and which contracts that makes matter."""

from collections.abc import Awaitable, Callable, Iterable
from time import monotonic

import msgspec

from riskd.adapters.projectx import event_normalizer as normalizer
from riskd.adapters.projectx.context import Context
from riskd.adapters.projectx.event_normalizer import Malformed, Stamped
from riskd.adapters.projectx.hubs import Call
from riskd.adapters.projectx.reads import key
from riskd.adapters.projectx.roster import Roster
from riskd.domain.events import Fill, OrderReported, PositionReported, SnapshotReported

_PER_ACCOUNT = ("SubscribeOrders", "SubscribePositions", "SubscribeTrades")


class UserSide:
    """Listens to accounts, orders, positions and trades."""

    def __init__(
        self,
        context: Context,
        roster: Roster,
        *,
        on_contract: Callable[[str], None],
        on_all_read: Callable[[float], None],
        on_control: Callable[[str, msgspec.Raw], None],
        on_doubt: Callable[[str | None], None],
        catch_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._context = context
        self._roster = roster
        self._on_contract = on_contract
        self._on_all_read = on_all_read
        self._read_real: dict[str, float] = {}
        self._on_control = on_control
        self._on_doubt = on_doubt
        self._catch_up = catch_up
        self.malformed = 0

    def invoked(self, target: str, arguments: msgspec.Raw) -> None:
        """Publish facts inside the read that brought them."""
        if target not in normalizer.USER_TARGETS:
            self._on_control(target, arguments)
            return
        for said in normalizer.read_user_event(target, arguments, self._context.clock.now()):
            if isinstance(said, Malformed):
                self._unreadable(said)
            else:
                self._publish(said)

    def garbled(self, why: str) -> None:
        """Read all accounts again: nobody knows what the record would have said."""
        self.malformed += 1
        self._context.log.error("user_record_unreadable", why=why)
        self._on_doubt(None)

    def subscriptions(self) -> tuple[Call, ...]:
        """Return the subscription of the accounts, and three for each watched one."""
        return (("SubscribeAccounts", ()), *self.of_accounts(self._roster.watched()))

    @staticmethod
    def of_accounts(accounts: Iterable[str]) -> tuple[Call, ...]:
        """Return the subscriptions of single accounts."""
        return tuple((method, (key(account),)) for account in accounts for method in _PER_ACCOUNT)

    async def catch_up(self) -> None:
        """Read what was missed."""
        await self._catch_up()

    def came_back(self) -> None:
        """Look once more: what was read before the hub was back may be older than its first events, and is told now."""
        self._on_doubt(None)

    def reconciled(self, snapshot: SnapshotReported) -> None:
        """Publish a snapshot, watch what it holds, and tell since when every account has been looked at."""
        self._read_real[snapshot.account] = monotonic()
        self._context.publish(snapshot)
        contracts = [p.contract for p in snapshot.positions] + [o.contract for o in snapshot.orders]
        for contract in dict.fromkeys(contracts):
            self._on_contract(contract)
        never = float("-inf")
        self._on_all_read(min((self._read_real.get(each, never) for each in self._roster.watched()), default=never))

    def _publish(self, said: Stamped) -> None:
        event = said.event
        # The hub sends every account of the login; those that nobody asked riskd to watch are no business of its.
        if not self._roster.watches(event.account):
            return
        self._context.publish(event, broker_at=said.broker_at)
        if isinstance(event, Fill | PositionReported):
            self._on_contract(event.contract)
        elif isinstance(event, OrderReported):
            self._on_contract(event.order.contract)

    def _unreadable(self, said: Malformed) -> None:
        self.malformed += 1
        self._context.log.error("user_event_unreadable", why=said.why, account=said.account, payload=said.payload)
        if said.account is None or self._roster.watches(said.account):
            self._on_doubt(said.account)
