"""What an administrator may do to a configuration while an account is locked: nothing, unless it says otherwise."""

import json
from datetime import UTC, datetime
from pathlib import Path

from riskd.app.configuration.presets import CannotApply
from riskd.app.state_place import state_dir_of
from riskd.app.what_if.on_disk import NothingWritten, known_accounts
from riskd.config.json_values import at
from riskd.daemon.witnesses import FILE, remembered
from riskd.domain.account import AccountState


def assert_free(config: Path) -> None:
    """Make sure that the file may be changed now.

    Errors: CannotApply while an account is locked and the administrator may do nothing under a lockout.
    """
    state_dir = state_dir_of(config)
    try:
        known = known_accounts(state_dir, datetime.now(UTC))
    except (NothingWritten, OSError):
        return
    states = [known[account].core.state_manager.accounts[account] for account in sorted(known)]
    locked = ", ".join(_sentence(state) for state in states if state.locked)
    if locked and not _allowed(config, state_dir):
        raise CannotApply(f"{config} is not changed: {locked} (admin_under_lockout is refuse); try again afterwards")


def _sentence(state: AccountState) -> str:
    reasons = "; ".join(lockout.reason for lockout in state.lockouts)
    return f"account {state.account} is locked: {reasons}"


def _allowed(config: Path, state_dir: Path) -> bool:
    """Tell what the daemon goes by, which an edit under a lockout does not change; the file where it never ran."""
    if (state_dir / FILE).exists():
        return remembered(state_dir).admin_under_lockout == "allow"
    try:
        said = at(json.loads(config.read_text(encoding="utf-8-sig")), "admin_under_lockout")
    except (OSError, ValueError):
        return False
    return said == "allow"
