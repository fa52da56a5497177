"""What a configuration file may say."""

from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from riskd.rules.pnl_settings import PnlParams

DEFAULT_PROFILE: Final = "default"
ALERT: Final = "alert"
"""What `unlisted_accounts` says for accounts that are only to be reported."""

Mode = Literal["enforce", "shadow"]
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_ENCRYPTED: Final = frozenset({"https", "wss"})
_PLAIN: Final = frozenset({"http", "ws"})


class Section(BaseModel):
    """Base of every section: unknown keys are errors, nothing is converted in silence, no error repeats a value."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


def _parts(value: str) -> SplitResult | None:
    """Return the parts of an address, None where no connection could be made to it."""
    try:
        parts = urlsplit(value)
        (parts.hostname or "").encode("idna")
        _ = parts.port
    except ValueError:
        return None
    return None if " " in value else parts


def _url(value: str) -> str:
    parts = _parts(value)
    if parts is None or parts.scheme not in _ENCRYPTED | _PLAIN or not parts.hostname:
        raise PydanticCustomError("url", 'must be an address such as "https://api.example.com"')
    if parts.scheme in _PLAIN and parts.hostname not in _LOOPBACK:
        raise PydanticCustomError(
            "url",
            "must begin with https: unencrypted addresses are for this machine only, since the key goes over them",
        )
    return value.rstrip("/")


def _secret_url(value: SecretStr) -> SecretStr:
    _url(value.get_secret_value())
    return value


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Url = Annotated[str, AfterValidator(_url)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class BrokerConfig(Section):
    """The broker's addresses and the login; the key itself belongs in the environment, `.env` or the secret store."""

    kind: Literal["projectx"] = "projectx"
    rest_url: Url
    user_hub_url: Url
    market_hub_url: Url
    username: Name
    api_key: SecretStr

    @model_validator(mode="after")
    def _one_broker(self) -> "BrokerConfig":
        here = {urlsplit(url).hostname in _LOOPBACK for url in (self.rest_url, self.user_hub_url, self.market_hub_url)}
        if len(here) > 1:
            raise PydanticCustomError(
                "one_broker", "one address is on this machine and another is not: they belong to one broker"
            )
        return self


class RuleEntryConfig(Section):
    """One rule of a profile; `id` tells two entries of one rule apart."""

    rule: Name
    id: Name | None = None
    enabled: bool = True
    mode: Mode = "enforce"
    params: dict[str, object] = Field(default_factory=dict)

    @property
    def rule_id(self) -> str:
        """Return its own id, or the rule's name."""
        return self.id or self.rule


class OverrideConfig(Section):
    """A change to one rule for one account; what it does not say stays as the profile has it."""

    rule: Name
    id: Name | None = None
    enabled: bool | None = None
    mode: Mode | None = None
    params: dict[str, object] = Field(default_factory=dict)


class AccountConfig(Section):
    """One account of the login and what applies to it."""

    id: Name
    name: str = ""
    profile: Name = DEFAULT_PROFILE
    mode: Mode = "enforce"
    overrides: Annotated[tuple[OverrideConfig, ...], BeforeValidator(_as_tuple)] = ()


class ProfileConfig(Section):
    """A set of rules that accounts share.

    Shape: `preset` names the firm's account size that it is meant for, so that limits looser than the firm's are
    noticed.
    """

    preset: Name | None = None
    rules: Annotated[tuple[RuleEntryConfig, ...], BeforeValidator(_as_tuple)] = ()


class ChannelConfig(Section):
    """One way to reach people: an Apprise address and what goes there.

    Shape: without `accounts` it hears of all of them.
    """

    name: Name
    url: SecretStr
    severity: Literal["info", "warning", "critical"] = "warning"
    accounts: Annotated[tuple[Name, ...] | None, BeforeValidator(_as_tuple)] = None


class NotificationsConfig(Section):
    """Who is told, and what is pinged so that somebody notices when riskd itself is gone."""

    channels: Annotated[tuple[ChannelConfig, ...], BeforeValidator(_as_tuple)] = ()
    dead_man_ping: Annotated[SecretStr, AfterValidator(_secret_url)] | None = None


class ApiConfig(Section):
    """Where live commands reach the daemon on this machine; port 0 takes any free one."""

    port: Annotated[int, Field(ge=0, le=65535)] = 5555


class PathsConfig(Section):
    """Where riskd keeps its files; relative ones are relative to the configuration file.

    Shape: `logs` is a folder, else the one of that name in the state directory.
    """

    state: str | None = None
    logs: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _together(cls, value: object) -> object:
        apart = [key for key in ("journal", "outbox") if isinstance(value, dict) and key in value]
        if apart:
            raise PydanticCustomError(
                "together",
                "the {key} has no place of its own: it stays in the state directory, which is moved as a whole; "
                "remove this, and use paths.state to move all of it",
                {"key": apart[0]},
            )
        return value


class Config(Section):
    """All of it. A file that only gives rules may leave out `broker` and `accounts`."""

    schema_url: Annotated[str | None, Field(alias="$schema")] = None
    version: Literal[1]
    broker: BrokerConfig | None = None
    accounts: Annotated[tuple[AccountConfig, ...], BeforeValidator(_as_tuple)] = ()
    unlisted_accounts: Name = ALERT
    universal: ProfileConfig = ProfileConfig()
    profiles: dict[Name, ProfileConfig] = Field(default_factory=dict)
    pnl: PnlParams = PnlParams()
    loosening: Literal["next_day", "immediate"] = "next_day"
    arming: Literal["shadow", "enforce"] = "shadow"
    admin_under_lockout: Literal["refuse", "allow"] = "refuse"
    notifications: NotificationsConfig = NotificationsConfig()
    api: ApiConfig = ApiConfig()
    paths: PathsConfig = PathsConfig()
