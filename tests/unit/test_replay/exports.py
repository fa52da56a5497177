"""Made-up exports in the shape of the platform's."""

from collections.abc import Mapping

ORDERS_HEADER = (
    "Id,AccountName,ContractName,Status,Type,Size,Side,CreatedAt,TradeDay,FilledAt,CancelledAt,StopPrice,LimitPrice,"
    "ExecutePrice,PositionDisposition,CreationDisposition,RejectionReason,ExchangeOrderId,PlatformOrderId"
)
TRADES_HEADER = (
    "Id,ContractName,EnteredAt,ExitedAt,EntryPrice,ExitPrice,Fees,PnL,Size,Type,TradeDay,TradeDuration,Commissions"
)


def order_row(**given: str) -> str:
    """Return one row of an Orders export, a filled market order unless it is said otherwise."""
    usual = {
        "Id": "1",
        "AccountName": "ACCT-A",
        "ContractName": "MNQH6",
        "Status": "Filled",
        "Type": "Market",
        "Size": "2",
        "Side": "Bid",
        "CreatedAt": "03/10/2026 15:31:00 +01:00",
        "TradeDay": "03/10/2026 00:00:00 -05:00",
        "FilledAt": "03/10/2026 15:31:00 +01:00",
        "ExecutePrice": "18000.000000000",
    }
    return _row(ORDERS_HEADER, {**usual, **given})


def trade_row(**given: str) -> str:
    """Return one row of a Trades export, a long trade in MNQ unless it is said otherwise."""
    usual = {
        "Id": "7",
        "ContractName": "MNQH6",
        "EnteredAt": "03/10/2026 09:31:00 -05:00",
        "ExitedAt": "03/10/2026 09:35:00 -05:00",
        "EntryPrice": "18000.000000000",
        "ExitPrice": "18010.000000000",
        "Fees": "1.48000",
        "PnL": "40.000000000",
        "Size": "2",
        "Type": "Long",
        "TradeDay": "03/10/2026 00:00:00 -05:00",
    }
    return _row(TRADES_HEADER, {**usual, **given})


def _row(header: str, cells: Mapping[str, str]) -> str:
    return ",".join(cells.get(name, "") for name in header.split(","))


def orders(*rows: str, header: str = ORDERS_HEADER) -> bytes:
    """Return an Orders export."""
    return "\r\n".join([header, *rows, ""]).encode()


def trades(*rows: str) -> bytes:
    """Return a Trades export."""
    return "\r\n".join([TRADES_HEADER, *rows, ""]).encode()
