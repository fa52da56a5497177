"""What every part of the adapter works with."""

from collections.abc import Callable
from dataclasses import dataclass

from riskd.adapters.projectx.links import Links
from riskd.adapters.projectx.log import Log
from riskd.adapters.projectx.settings import ProjectXSettings
from riskd.adapters.tasks import Tasks
from riskd.ports import Clock, Publish


@dataclass(frozen=True, slots=True)
class Context:
    """The adapter's surroundings: settings, the way to the core, time, the log, and the tasks it runs."""

    settings: ProjectXSettings
    publish: Publish
    clock: Clock
    last_seq: Callable[[], int]
    log: Log
    links: Links
    tasks: Tasks
