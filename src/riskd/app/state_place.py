"""Where riskd keeps its state, for commands that read it and need no more of a configuration than that."""

import json
from pathlib import Path

from platformdirs import user_config_path, user_state_path

from riskd.config.json_values import at


def default_state_dir() -> Path:
    """Return the user's own place for riskd's state."""
    return user_state_path("riskd", appauthor=False)


def notes_about(config: Path, *, simulated: bool) -> tuple[Path, ...]:
    """Return the folders with notes of which state directory was used: the configuration's, and the user's settings.

    Shape: a simulated broker on this machine is noted beside the configuration only, so that a practice account can
    begin anew with another folder.
    """
    beside = config.absolute().parent
    return (beside,) if simulated else (beside, user_config_path("riskd", appauthor=False))


def state_dir_of(config: Path) -> Path:
    """Return the state directory that a configuration names, else the user's own.

    Shape: nothing else of the file is looked at, so it need not be one that riskd could start with.
    """
    try:
        found = at(json.loads(config.read_text(encoding="utf-8-sig")), "paths", "state")
    except (OSError, ValueError):
        found = None
    return config.parent / found if isinstance(found, str) else default_state_dir()
