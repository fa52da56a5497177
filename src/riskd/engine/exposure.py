"""How much is held, seen carefully: the smaller reading sizes closes, what is being closed already counts as gone."""

from typing import Final

import msgspec

from riskd.domain.account import AccountState, Position

_replace: Final = msgspec.structs.replace


def smaller(state: AccountState, contract: str) -> int:
    """Return the signed quantity that both the fills and the broker vouch for; 0 where they contradict each other."""
    folded = state.quantity(contract)
    reported = state.reported.get(contract)
    if reported is None or reported.disagrees_since is None:
        return folded
    if folded * reported.quantity <= 0:
        return 0
    return min(folded, reported.quantity, key=abs)


def projected(state: AccountState) -> AccountState:
    """Return the account as it will be when the closes under way succeed, by the smaller reading of each position.

    Shape: the same object where nothing is under way and no reading differs.
    """
    doubted = state.reported and any(r.disagrees_since is not None for r in state.reported.values())
    if not (state.closes or doubted):
        return state
    positions: dict[str, Position] = {}
    changed = False
    for contract, position in state.positions.items():
        close = state.closes.get(contract)
        going = max(close.quantity - close.filled, 0) if close and close.held * position.quantity > 0 else 0
        keep = max(abs(smaller(state, contract)) - going, 0)
        if keep >= abs(position.quantity):
            positions[contract] = position
            continue
        changed = True
        if keep:
            positions[contract] = kept(position, keep)
    return _replace(state, positions=positions) if changed else state


def kept(position: Position, keep: int) -> Position:
    """Return a position cut to ``keep`` contracts by taking the newest lots away first."""
    lots = []
    left = keep
    for lot in position.lots:
        size = min(abs(lot.quantity), left)
        if size:
            lots.append(_replace(lot, quantity=size if lot.quantity > 0 else -size))
            left -= size
    return _replace(position, lots=tuple(lots), quantity=sum(lot.quantity for lot in lots))
