"""``riskd check``: what an order would lead to."""

import sys
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

_FIRES = 1
_REFUSED = 2


def check_command(
    side: Annotated[str, typer.Argument(help="buy or sell", metavar="buy|sell")],
    quantity: Annotated[int, typer.Argument(min=1, help="Contracts.")],
    symbol: Annotated[str, typer.Argument(help="A product such as MNQ, or a month of it such as MNQH6.")],
    *,
    account: Annotated[str | None, typer.Option(help="The account to ask about [every account with rules].")] = None,
    price: Annotated[str | None, typer.Option(help="What it would fill at [the last known price].")] = None,
    config: Annotated[Path, typer.Option(help="The configuration, for where the state is.")] = Path("config.json"),
    state_dir: Annotated[
        Path | None, typer.Option(help="Where journal and accounts are kept [paths.state, else the user's own].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> None:
    """Say which rules an order would fire, and the headroom after it, from what riskd last wrote down.

    Exit with 1 if anything would be done about the order, 2 if the question cannot be answered. Nothing is sent.
    """
    import msgspec

    from riskd.app.state_place import state_dir_of
    from riskd.app.what_if.answers import CannotAnswer, answers

    try:
        found = answers(
            state_dir or state_dir_of(config),
            side=side,
            quantity=quantity,
            symbol=symbol,
            price=_price(price),
            account=account,
            now=datetime.now(UTC),
        )
    except CannotAnswer as error:
        typer.echo(f"riskd check: {error}", err=True)
        raise typer.Exit(_REFUSED) from None
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        for answer in found:
            for line in answer.lines():
                typer.echo(line)
    if not all(answer.harmless for answer in found):
        raise typer.Exit(_FIRES)


def _price(text: str | None) -> Decimal | None:
    try:
        found = None if text is None else Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if found is not None and not found.is_finite():
        raise typer.BadParameter(f'"{text}" is no price', param_hint="--price")
    return found
