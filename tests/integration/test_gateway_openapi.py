"""The gateway against the published description of the API: every call, answer and enum."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest

from riskd.simulator import GatewaySettings, SimulatedGateway, account
from riskd.simulator.exchange import codes
from riskd.simulator.exchange.model import OrderStatus, OrderType, Side
from riskd.simulator.gateway.api import ENDPOINTS
from tests.integration.gateway_client import BareClient

_FILE = Path(__file__).parents[3] / "shared/data/projectx-openapi/TopstepClient.openapi.json"

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not _FILE.exists(), reason=f"no API description at {_FILE}"),
]

_LIMITS = {"int32": 2**31, "int64": 2**63}
_NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC).isoformat()
_MNQ = "CON.F.US.MNQ.Z26"
# A body for every call, good and bad: what it answers must have the shape described.
_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("Account/search", {"onlyActiveAccounts": True}),
    ("Auth/loginKey", {"userName": "trader", "apiKey": "simulated-api-key"}),
    ("Auth/loginKey", {"userName": "trader", "apiKey": "wrong"}),
    (
        "Auth/loginApp",
        dict.fromkeys(("userName", "password", "deviceId", "appId", "verifyKey"), "x"),
    ),
    ("Auth/validate", {}),
    ("Contract/search", {"searchText": "NQ", "live": False}),
    ("Contract/searchById", {"contractId": _MNQ}),
    ("Contract/searchById", {"contractId": "nothing"}),
    ("Contract/available", {"live": False}),
    (
        "History/retrieveBars",
        {
            "contractId": _MNQ,
            "live": False,
            "startTime": "2026-11-18T12:00:00Z",
            "endTime": _NOW,
            "unit": 2,
            "unitNumber": 5,
            "limit": 10,
            "includePartialBar": True,
        },
    ),
    ("Order/place", {"accountId": 101, "contractId": _MNQ, "type": 2, "side": 0, "size": 3}),
    (
        "Order/place",
        {
            "accountId": 101,
            "contractId": _MNQ,
            "type": 1,
            "side": 0,
            "size": 1,
            "limitPrice": 19000.25,
            "customTag": "t",
            "stopLossBracket": {"ticks": -20, "type": 4},
            "takeProfitBracket": {"ticks": 40, "type": 1},
        },
    ),
    ("Order/place", {"accountId": 101, "contractId": _MNQ, "type": 9, "side": 0, "size": 3}),
    ("Order/modify", {"accountId": 101, "orderId": 3_000_000_102, "limitPrice": 19001}),
    ("Order/search", {"accountId": 101, "startTimestamp": "2026-11-18T12:00:00Z"}),
    ("Order/searchOpen", {"accountId": 101}),
    ("Order/cancel", {"accountId": 101, "orderId": 3_000_000_102}),
    ("Order/cancel", {"accountId": 101, "orderId": 5}),
    ("Position/searchOpen", {"accountId": 101}),
    ("Position/partialCloseContract", {"accountId": 101, "contractId": _MNQ, "size": 1}),
    ("Position/partialCloseContract", {"accountId": 101, "contractId": _MNQ, "size": 9}),
    ("Position/closeContract", {"accountId": 101, "contractId": _MNQ}),
    ("Position/closeContract", {"accountId": 101, "contractId": _MNQ}),
    ("Trade/search", {"accountId": 101, "startTimestamp": "2026-11-18T12:00:00Z"}),
    ("Auth/logout", {}),
]


class Description:
    """The published description, and what it says of a value."""

    def __init__(self) -> None:
        self.document: Any = msgspec.json.decode(_FILE.read_bytes())
        self.definitions = self.document["definitions"]

    def answer(self, path: str) -> Any:
        """Return the schema of a call's answer."""
        return self.document["paths"][path]["post"]["responses"]["200"]["schema"]

    def body(self, path: str) -> Any:
        """Return the schema of a call's body; None when it takes none."""
        parameters = self.document["paths"][path]["post"].get("parameters", [])
        return self.resolve(parameters[0]["schema"]) if parameters else None

    def resolve(self, schema: Any) -> Any:
        """Return a schema with its reference followed."""
        reference = schema.get("$ref")
        return self.definitions[reference.rpartition("/")[2]] if reference else schema

    def faults(self, value: Any, schema: Any, where: str = "$", *, nullable: bool) -> list[str]:
        """Return what is wrong with a value."""
        known = self.resolve(schema)
        if value is None:
            return [] if nullable else [f"{where} is null"]
        if "enum" in known:
            return [] if value in known["enum"] else [f"{where}: {value} is not in the enum"]
        if known["type"] == "array" and isinstance(value, list):
            return self._item_faults(value, known["items"], where)
        if known["type"] == "object" and isinstance(value, dict):
            return self._object_faults(value, known, where)
        fits = _is_a(value, known["type"], known.get("format", ""))
        return [] if fits else [f"{where}: {value!r} is no {known['type']}"]

    def _item_faults(self, values: list[Any], schema: Any, where: str) -> list[str]:
        found: list[str] = []
        for index, value in enumerate(values):
            found += self.faults(value, schema, f"{where}[{index}]", nullable=False)
        return found

    def _object_faults(self, value: Any, schema: Any, where: str) -> list[str]:
        required = schema.get("required", [])
        found = [f"{where}.{name} is missing" for name in required if name not in value]
        for name, inner in schema["properties"].items():
            if name in value:
                nullable = name not in required
                found += self.faults(value[name], inner, f"{where}.{name}", nullable=nullable)
        return found


@pytest.fixture
def description() -> Description:
    """Read the description."""
    return Description()


@pytest.fixture
async def client() -> AsyncIterator[BareClient]:
    """Log a client in, on an account that takes brackets."""
    settings = GatewaySettings(
        start=datetime.fromisoformat(_NOW),
        speed=Decimal(0),
        quotes={"MNQ": Decimal(20000)},
        accounts=(account(101, "combine", brackets="auto_oco"),),
    )
    async with SimulatedGateway(settings) as gateway, BareClient(gateway) as connected:
        yield connected


async def test_every_answer_has_the_shape_described(client: BareClient, description: Description) -> None:
    """Required keys, types, ranges and enums of every call, accepted and refused."""
    wrong: list[str] = []
    for path, body in _CALLS:
        answer = await client.call(path, **body)
        schema = description.answer(f"/api/{path}")
        wrong += description.faults(answer, schema, path, nullable=False)

    assert wrong == []
    called = {f"/api/{path}" for path, _ in _CALLS} | {"/api/Status/ping"}
    assert called == set(description.document["paths"])


async def test_every_body_in_the_tests_is_a_described_one(description: Description) -> None:
    """What is sent here has the shape described, so that the answers mean something."""
    wrong: list[str] = []
    for path, body in _CALLS:
        schema = description.body(f"/api/{path}")
        if schema is not None and body.get("type") != 9:
            wrong += description.faults(body, schema, path, nullable=False)

    assert wrong == []


def test_every_described_field_is_read_and_required_alike(description: Description) -> None:
    """The gateway demands what the description demands, save where real clients leave it out."""
    lenient = {("/api/Contract/search", "searchText")}
    different: list[str] = []
    for path, endpoint in ENDPOINTS.items():
        schema = description.body(path) if path in description.document["paths"] else None
        if schema is None:
            continue
        fields = {each.encode_name: each for each in msgspec.structs.fields(endpoint.body)}
        for name in schema["properties"]:
            required = name in schema.get("required", [])
            if (path, name) not in lenient and fields[name].required is not required:
                different.append(f"{path} {name}")

    assert different == []


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("LoginErrorCode", codes.LoginCode),
        ("PlaceOrderErrorCode", codes.PlaceCode),
        ("CancelOrderErrorCode", codes.CancelCode),
        ("ModifyOrderErrorCode", codes.ModifyCode),
        ("ClosePositionErrorCode", codes.CloseCode),
        ("PartialClosePositionErrorCode", codes.PartialCloseCode),
        ("RetrieveBarErrorCode", codes.BarCode),
        ("ValidateErrorCode", codes.SessionCode),
    ],
)
def test_error_numbers_are_those_described(description: Description, name: str, ours: type[IntEnum]) -> None:
    """Every number and its name, none missing and none added."""
    known = description.definitions[name]
    described = dict(zip(known["x-enumNames"], known["enum"], strict=True))

    assert {_camel(each.name): each.value for each in ours} == described


def test_sides_types_and_states_are_those_described(description: Description) -> None:
    """Orders speak with the numbers of the description."""
    types = description.definitions["OrderType"]
    states = description.definitions["OrderStatus"]

    assert {_camel(each.name): each.value for each in OrderType}.items() <= dict(
        zip(types["x-enumNames"], types["enum"], strict=True)
    ).items()
    assert {_camel(each.name): each.value for each in OrderStatus}.items() <= dict(
        zip(states["x-enumNames"], states["enum"], strict=True)
    ).items()
    assert [each.value for each in Side] == description.definitions["OrderSide"]["enum"]


def _is_a(value: Any, kind: str, size: str) -> bool:
    if kind == "integer":
        return type(value) is int and abs(value) < _LIMITS[size]
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, {"boolean": bool, "string": str}.get(kind, ()))


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
