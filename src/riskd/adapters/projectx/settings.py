"""What the ProjectX adapter must be told: where the gateway is, who logs in, and how patient to be."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectXSettings:
    """One login at one gateway.

    Shape: ``accounts`` are the ids to watch, empty for every account that the login can see. The hub URLs may be
    http(s) or ws(s). ``api_key`` is left out of the repr.
    Units: everything that ends in ``_s`` is real seconds.
    """

    rest_url: str
    user_hub_url: str
    market_hub_url: str
    username: str
    api_key: str = field(repr=False)
    accounts: tuple[str, ...] = ()

    command_timeout_s: float = 2.0
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 10.0
    # How long a request may wait for a free connection before it is given up unsent.
    send_patience_s: float = 1.0

    # ASP.NET's own default closes an idle connection after 130 s; a network in between may forget it in 60.
    warm_connections: int = 3
    warm_every_s: float = 20.0

    # Reconnects come at once, then ever slower. Fixed, so that a test and a reader can count on them.
    retry_delays_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)

    # SignalR's generic numbers: a ping every 15 s each way, a peer silent for 30 s is lost.
    hub_ping_s: float = 15.0
    hub_silence_s: float = 30.0

    renew_before_s: float = 1800.0
    refused_login_retry_s: float = 60.0
    stale_after_s: float = 10.0
    safety_poll_s: float = 15.0
    # Trades can show up in reads a little after they happened; each read goes back over that time again.
    trades_overlap_s: float = 120.0
    # What is traded again is often traded soon; what is not (an expired month) would count as silent for ever.
    let_go_after_s: float = 3600.0

    @property
    def on_this_machine(self) -> bool:
        """Tell whether the gateway is on this machine, the only one whose simulated time is believed."""
        host = urlsplit(self.rest_url).hostname or ""
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def retry_delay(self, failures: int) -> float:
        """Return the seconds to wait before trying again, after so many failures in a row."""
        return self.retry_delays_s[min(failures, len(self.retry_delays_s)) - 1]
