"""The control calls over HTTP: POST a JSON object of arguments to the method's name.

The argument names and types are those of the Python methods; the table is made from them.
"""

import inspect
from collections.abc import Callable
from typing import get_type_hints

import msgspec
from aiohttp import web

from riskd.simulator.control.base import ControlError
from riskd.simulator.control.control import Control

ENDPOINTS = [
    "order",
    "working",
    "fill",
    "end_order",
    "resend_trade",
    "void_trade",
    "carry_in",
    "quote",
    "price",
    "walk",
    "stop_prices",
    "market",
    "expire",
    "add_account",
    "account",
    "resend_account",
    "matching",
    "hold",
    "outcome",
    "faults",
    "disconnect",
    "hub_down",
    "hub_up",
    "half_open",
    "rest_down",
    "rest_up",
    "logout",
    "expire_tokens",
    "time",
    "state",
    "requests",
]


class ControlServer:
    """Answers control requests."""

    def __init__(self, control: Control) -> None:
        """Serve one control."""
        self._control = control
        self._calls = {name: _arguments(getattr(Control, name)) for name in ENDPOINTS}

    def routes(self) -> list[web.RouteDef]:
        """Return the control routes."""
        return [
            web.get("/control", self._index),
            web.get("/control/{name}", self._call),
            web.post("/control/{name}", self._call),
        ]

    async def _index(self, request: web.Request) -> web.Response:
        listed = {name: list(fields.__struct_fields__) for name, fields in self._calls.items()}
        return _json(200, {"ok": True, "result": listed | {"options": ["..."]}})

    async def _call(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = await request.read() or b"{}"
        try:
            result = self._invoke(name, body)
        except (ControlError, msgspec.MsgspecError) as error:
            return _json(400, {"ok": False, "error": f"{name}: {error}"})
        return _json(200, {"ok": True, "result": result})

    def _invoke(self, name: str, body: bytes) -> object:
        if name == "options":
            self._control.options(**msgspec.json.decode(body, type=dict[str, object]))
            return None
        fields = self._calls.get(name)
        if fields is None:
            raise ControlError(f"no such call; known: {', '.join((*ENDPOINTS, 'options'))}")
        arguments = msgspec.structs.asdict(msgspec.json.decode(body, type=fields))
        method: Callable[..., object] = getattr(self._control, name)
        return method(**arguments)


def _arguments(method: Callable[..., object]) -> type[msgspec.Struct]:
    """Return a struct with the parameters of a method."""
    hints = get_type_hints(method)
    fields: list[tuple[str, object] | tuple[str, object, object]] = []
    for name, parameter in inspect.signature(method).parameters.items():
        if name == "self":
            continue
        if parameter.default is inspect.Parameter.empty:
            fields.append((name, hints[name]))
        else:
            fields.append((name, hints[name], parameter.default))
    return msgspec.defstruct(
        f"{method.__name__}_arguments",
        fields,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def _json(status: int, value: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")
