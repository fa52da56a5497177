"""The console script `riskd-gateway`: a simulated broker to point any ProjectX client at."""

import asyncio
import signal
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from riskd.simulator.exchange.books import ExchangeOptions
from riskd.simulator.exchange.model import Account
from riskd.simulator.exchange.products import PRODUCTS
from riskd.simulator.faults.rules import FaultFile, FaultFileError, read_faults
from riskd.simulator.gateway.settings import FIRST_PRICE, GatewaySettings, account
from riskd.simulator.market.recordings import PriceFileError
from riskd.simulator.market.tape import Walk
from riskd.simulator.simulated_gateway import SimulatedGateway

_DEFAULT_ACCOUNTS = "practice:101:50000,combine:102:50000"
_DEFAULT_MARKETS = "MNQ,NQ,MES,ES,MCL,CL,MGC,GC"
_CODES = frozenset(product.code for product in PRODUCTS)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def gateway(  # noqa: PLR0913 - one per option
    *,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Say where it is in one JSON line.")] = False,
    accounts: Annotated[
        str, typer.Option(help="Accounts: KIND:ID[:BALANCE], with commas between.")
    ] = _DEFAULT_ACCOUNTS,
    markets: Annotated[
        str, typer.Option(help="Products whose prices are generated, with commas between.")
    ] = _DEFAULT_MARKETS,
    prices: Annotated[
        list[str] | None,
        typer.Option(help="Recorded prices to play: PRODUCT=FILE.csv[.gz]. May be repeated."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Simulated start: a time such as 2026-03-16T14:30:00Z, or 'first price'."),
    ] = None,
    speed: Annotated[str, typer.Option(help="Simulated seconds in a real one; 0: by hand.")] = "1",
    hours: Annotated[bool, typer.Option("--hours", help="Keep the exchange's trading hours.")] = False,
    faults: Annotated[Path | None, typer.Option(help="A file of faults to suffer; see docs/gateway.md.")] = None,
    seed: Annotated[int, typer.Option(help="Decides the prices and every other chance.")] = 1,
) -> None:
    """Run a simulated ProjectX gateway on this machine until Ctrl+C.

    Any ProjectX client can log in, trade and listen there. The control URL moves the market,
    injects orders and fills, and breaks things on demand.
    """
    recorded = dict(_price_file(each) for each in prices or ())
    generated = [each for each in markets.split(",") if each and each not in recorded]
    settings = GatewaySettings(
        port=port,
        accounts=_accounts(accounts),
        seed=seed,
        start=_moment(start),
        speed=_speed(speed),
        walks={_product(name): Walk() for name in generated},
        price_files=recorded,
        options=ExchangeOptions(exchange_hours=hours),
        faults=_faults(faults),
    )
    try:
        asyncio.run(_serve(settings, as_json=json))
    except (PriceFileError, OSError) as error:
        typer.echo(f"riskd-gateway: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:  # where the loop cannot take the signal, as on Windows
        pass


def main() -> None:
    """Run the console script."""
    app()


async def _serve(settings: GatewaySettings, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    async with SimulatedGateway(settings) as running:
        for oddity in running.oddities:
            typer.echo(f"riskd-gateway: {oddity}", err=True)
        typer.echo(_ready_line(running) if as_json else _ready_text(running))
        await stop.wait()


def _ready_line(running: SimulatedGateway) -> str:
    listed = [{"id": each.id, "name": each.name, "kind": each.kind} for each in running.accounts]
    ready = {
        "rest_url": running.rest_url,
        "user_hub_url": running.user_hub_url,
        "market_hub_url": running.market_hub_url,
        "control_url": running.control_url,
        "username": running.username,
        "api_key": running.api_key,
        "accounts": listed,
    }
    return msgspec.json.encode(ready).decode()


def _ready_text(running: SimulatedGateway) -> str:
    accounts = "\n".join(f"            {each.id}  {each.kind:9} {each.name}" for each in running.accounts)
    return (
        f"Simulated gateway ready; Ctrl+C ends it.\n"
        f"  REST      {running.rest_url}\n"
        f"  hubs      {running.user_hub_url}\n            {running.market_hub_url}\n"
        f"  control   {running.control_url}\n"
        f"  login     {running.username} / {running.api_key}\n"
        f"  accounts\n{accounts}"
    )


def _accounts(text: str) -> tuple[Account, ...]:
    accounts = tuple(_account(part) for part in text.split(","))
    if len({each.id for each in accounts}) < len(accounts):
        raise typer.BadParameter(f"accounts {text!r}: an id is given twice")
    return accounts


def _account(text: str) -> Account:
    kind, _, rest = text.partition(":")
    number, _, balance = rest.partition(":")
    try:
        return account(int(number), kind, balance or "50000.00")
    except (ValueError, msgspec.ValidationError):
        raise typer.BadParameter(
            f"account {text!r} is not KIND:ID[:BALANCE]; kinds are practice, combine, funded, live, leader, follower"
        ) from None


def _product(name: str) -> str:
    if name not in _CODES:
        raise typer.BadParameter(f"no product {name!r}; there are {', '.join(sorted(_CODES))}")
    return name


def _price_file(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not separator:
        raise typer.BadParameter(f"prices {text!r} is not PRODUCT=FILE, such as ES=ticks.csv.gz")
    return _product(name), Path(path)


def _faults(path: Path | None) -> FaultFile:
    if path is None:
        return FaultFile(faults=())
    try:
        return read_faults(path.read_bytes(), str(path))
    except OSError as error:
        raise typer.BadParameter(f"faults {path}: {error.strerror}") from None
    except FaultFileError as error:
        raise typer.BadParameter(str(error)) from None


def _moment(text: str | None) -> datetime | Literal["first price"] | None:
    if text is None:
        return None
    if text == FIRST_PRICE:
        return FIRST_PRICE
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"start {text!r} is not a time such as 2026-03-16T14:30:00Z, nor 'first price'"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _speed(text: str) -> Decimal:
    with suppress(InvalidOperation):
        speed = Decimal(text)
        if speed.is_finite() and speed >= 0:
            return speed
    raise typer.BadParameter(f"speed {text!r} is not a number from 0 up")
