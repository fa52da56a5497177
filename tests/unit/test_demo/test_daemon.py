import asyncio
import os
import signal
import sys

import pytest

from riskd.app.demo.daemon import Daemon


@pytest.mark.skipif(sys.platform == "win32", reason="there a process is ended in another way")
async def test_asking_a_dying_daemon_to_stop_loses_no_exit() -> None:
    """Asked again and again while it dies, the daemon's end is still the one that it came to."""
    command = (sys.executable, "-S", "-E", "-c", "import time; time.sleep(60)")
    for _ in range(2):
        async with Daemon(command, {}, on_line=lambda _: None, on_end=lambda: None) as daemon:
            await daemon.start()
            assert daemon.pid is not None
            os.kill(daemon.pid, signal.SIGKILL)
            await asyncio.gather(*(daemon.stop() for _ in range(500)))
            assert daemon.exit_code == -signal.SIGKILL
