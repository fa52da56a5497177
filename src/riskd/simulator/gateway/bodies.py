"""The request bodies of the REST calls, as the published API describes them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Moment = datetime


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """A request body; keys that are not known are ignored."""


class NoBody(Body):
    """A call that needs no body."""


class LoginKey(Body):
    """Auth/loginKey."""

    user_name: str
    api_key: str


class LoginApp(Body):
    """Auth/loginApp."""

    user_name: str
    password: str
    device_id: str
    app_id: str
    verify_key: str


class AccountSearch(Body):
    """Account/search."""

    only_active_accounts: bool


class ContractSearch(Body):
    """Contract/search."""

    live: bool
    search_text: str | None = None


class ContractAvailable(Body):
    """Contract/available."""

    live: bool


class ContractById(Body):
    """Contract/searchById."""

    contract_id: str


class Bars(Body):
    """History/retrieveBars."""

    contract_id: str
    live: bool
    start_time: Moment
    end_time: Moment
    unit: Int32
    unit_number: Int32
    limit: Int32
    include_partial_bar: bool


class OrderSearch(Body):
    """Order/search."""

    account_id: Int32
    start_timestamp: Moment
    end_timestamp: Moment | None = None


class AccountOnly(Body):
    """Order/searchOpen and Position/searchOpen."""

    account_id: Int32


class OneOrder(Body):
    """Order/cancel and Order/searchById."""

    account_id: Int32
    order_id: Int64


class OrderQueryFilter(Body):
    """The filter of Order/v2/query."""

    account_id: Int32
    statuses: list[Int32] | None = None
    contract_id: str | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None


class OrderQuery(Body):
    """Order/v2/query."""

    filter: OrderQueryFilter
    page_size: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    page_offset: Annotated[int, msgspec.Meta(ge=0)] | None = None
    sort_by: Annotated[int, msgspec.Meta(ge=0, le=1)] | None = None
    sort_direction: Annotated[int, msgspec.Meta(ge=0, le=1)] | None = None
    include_total_count: bool | None = None


class BracketLeg(Body):
    """One leg of a bracket."""

    ticks: Int32
    type: Int32


class Place(Body):
    """Order/place."""

    account_id: Int32
    contract_id: str
    type: Int32
    side: Int32
    size: Int32
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    custom_tag: str | None = None
    stop_loss_bracket: BracketLeg | None = None
    take_profit_bracket: BracketLeg | None = None


class Modify(Body):
    """Order/modify."""

    account_id: Int32
    order_id: Int64
    size: Int32 | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None


class CloseContract(Body):
    """Position/closeContract."""

    account_id: Int32
    contract_id: str


class PartialClose(Body):
    """Position/partialCloseContract."""

    account_id: Int32
    contract_id: str
    size: Int32


class TradeSearch(Body):
    """Trade/search."""

    account_id: Int32
    start_timestamp: Moment | None = None
    end_timestamp: Moment | None = None
