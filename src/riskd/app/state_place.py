"""Where riskd keeps its state, for commands that read it and need no more of a configuration than that."""

import json
from pathlib import Path

from platformdirs import user_state_path

from riskd.config.json_values import at


def default_state_dir() -> Path:
    """Return the user's own place for riskd's state."""
    return user_state_path("riskd", appauthor=False)


def state_dir_of(config: Path) -> Path:
    """Return the state directory that a configuration names, else the user's own.

    Shape: nothing else of the file is looked at, so it need not be one that riskd could start with.
    """
    try:
        found = at(json.loads(config.read_text(encoding="utf-8-sig")), "paths", "state")
    except (OSError, ValueError):
        found = None
    return config.parent / found if isinstance(found, str) else default_state_dir()
