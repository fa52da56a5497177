"""What one demo is set up with: the broker's simulated account, and the daemon's configuration and command."""

import os
import sys
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from riskd.app.demo.limits import Limits
from riskd.app.demo.prices import Opening
from riskd.domain.calendar import chicago
from riskd.simulator import ExchangeOptions, GatewaySettings, SimulatedGateway, account

ACCOUNT: Final = 101
BALANCE: Final = "50000.00"
BEGINS_AT: Final[datetime] = chicago(date(2026, 3, 17), time(9, 30))
"""A Tuesday, so that there is a trading day after 17:00. The same for everybody: the seed decides the rest."""
_USERNAME: Final = "RISKD_DEMO_USERNAME"
_API_KEY: Final = "RISKD_DEMO_API_KEY"


def gateway_settings(opening: Opening, seed: int) -> GatewaySettings:
    """Return a broker with one account whose time stands still until the story moves it."""
    return GatewaySettings(
        accounts=(account(ACCOUNT, "combine", BALANCE),),
        seed=seed,
        start=BEGINS_AT,
        speed=Decimal(0),
        quotes=dict(opening.bids),
        options=ExchangeOptions(exchange_hours=True),
    )


def write_config(folder: Path, gateway: SimulatedGateway, limits: Limits) -> Path:
    """Write the daemon's configuration; the login stays out of it, as it should."""
    path = folder / "config.json"
    config = {
        "version": 1,
        "broker": {
            "kind": "projectx",
            "rest_url": gateway.rest_url,
            "user_hub_url": gateway.user_hub_url,
            "market_hub_url": gateway.market_hub_url,
            "username": f"${{{_USERNAME}}}",
            "api_key": f"${{{_API_KEY}}}",
        },
        "accounts": [{"id": str(ACCOUNT), "name": "demo", "profile": "default"}],
        "profiles": {"default": limits.profile()},
        "arming": "enforce",
        "api": {"port": 0},
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=2))
    return path


def environment(gateway: SimulatedGateway) -> Mapping[str, str]:
    """Return the daemon's environment: ours and the login."""
    return {**os.environ, _USERNAME: gateway.username, _API_KEY: gateway.api_key, "PYTHONUTF8": "1"}


def daemon_command(config: Path, state_dir: Path) -> tuple[str, ...]:
    """Return the command that anybody would type to run the daemon."""
    run = (sys.executable, "-m", "riskd.app.admin", "run")
    return (*run, "--config", str(config), "--state-dir", str(state_dir), "--status-every", "100ms", "--json")
