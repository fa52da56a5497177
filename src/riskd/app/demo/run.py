"""One demo from beginning to end; whatever it opens it closes, however it ends."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from riskd.app.demo.daemon import Daemon
from riskd.app.demo.daemon_log import Heard
from riskd.app.demo.desk import Desk
from riskd.app.demo.limits import Limits
from riskd.app.demo.prices import Prices
from riskd.app.demo.scene import Scene, Show
from riskd.app.demo.setup_files import daemon_command, environment, gateway_settings, write_config
from riskd.app.demo.stage import Stage
from riskd.app.demo.story import Story
from riskd.app.demo.summary import Report, report
from riskd.simulator import SimulatedGateway

FOLDER_PREFIX = "riskd-demo-"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo was asked for."""

    limits: Limits
    seed: int
    fast: bool


async def run_demo(asked: Asked, show: Show) -> Report:
    """Play the day and return what it has shown.

    Errors: DemoFailed when something did not happen that should have; OSError when this machine refuses a folder, a
    port or a process.
    """
    prices = Prices(asked.seed)
    # The folder is the outermost: the daemon must be gone before its files can be removed, on Windows above all.
    with TemporaryDirectory(prefix=FOLDER_PREFIX) as folder:
        async with SimulatedGateway(gateway_settings(prices.opening, asked.seed)) as gateway:
            scene = Scene(desk=Desk(gateway, prices), heard=Heard(), limits=asked.limits, seed=asked.seed)
            stage = Stage(scene, gateway, show, fast=asked.fast)
            config = write_config(Path(folder), gateway, asked.limits)
            async with Daemon(
                daemon_command(config, Path(folder, "state")),
                environment(gateway),
                on_line=stage.hear,
                on_end=stage.daemon_ended,
            ) as daemon:
                stage.use(daemon)
                outcome = await Story(stage).play()
            return report(scene.heard, scene.desk, outcome, limits=asked.limits, seed=asked.seed)
