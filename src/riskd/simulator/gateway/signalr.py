"""The SignalR JSON protocol as text: records in, records out, no sockets."""

import msgspec

from riskd.simulator.gateway.wire import encode

SEPARATOR = b"\x1e"
INVOCATION, COMPLETION, PING, CLOSE = 1, 3, 6, 7
HANDSHAKE_ACCEPTED = b"{}" + SEPARATOR
PING_RECORD = b'{"type":6}' + SEPARATOR
MAX_RECORD_BYTES = 32 * 1024
KNOWN_VERSIONS = frozenset({0, 1})


class ProtocolFailed(Exception):
    """The client sent something that ends its connection; the text goes to it."""


class Handshake(msgspec.Struct):
    """A client's first record."""

    protocol: str
    version: int


class Message(msgspec.Struct, rename="camel"):
    """Any later record of a client."""

    type: int
    target: str = ""
    arguments: list[object] = msgspec.field(default_factory=list)
    invocation_id: str | None = None


_handshakes = msgspec.json.Decoder(Handshake)
_messages = msgspec.json.Decoder(Message)


class RecordReader:
    """Cuts frames into records; a record may arrive in several frames."""

    def __init__(self) -> None:
        """Start with nothing received."""
        self._rest = b""

    def feed(self, frame: bytes) -> list[bytes]:
        """Return the records that a frame completes; ProtocolFailed when one grows too long."""
        *records, self._rest = (self._rest + frame).split(SEPARATOR)
        if any(len(record) > MAX_RECORD_BYTES for record in (*records, self._rest)):
            raise ProtocolFailed(f"The maximum message size of {MAX_RECORD_BYTES}B was exceeded.")
        return records


def read_handshake(record: bytes) -> None:
    """Check a client's first record; ProtocolFailed says what is wrong with it."""
    try:
        handshake = _handshakes.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ProtocolFailed("Handshake was canceled: the handshake is not valid.") from None
    if handshake.protocol != "json":
        raise ProtocolFailed(f"The protocol '{handshake.protocol}' is not supported.")
    if handshake.version not in KNOWN_VERSIONS:
        raise ProtocolFailed(f"The server does not support version {handshake.version}.")


def read_message(record: bytes) -> Message:
    """Return a client's record; ProtocolFailed when it cannot be read."""
    try:
        return _messages.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ProtocolFailed("Connection closed with an error.") from None


def event(target: str, *arguments: object) -> bytes:
    """Return the record that calls a client's handler."""
    return encode({"type": INVOCATION, "target": target, "arguments": arguments}) + SEPARATOR


def completion(invocation_id: str, error: str | None = None) -> bytes:
    """Return the answer to a call that carried an id."""
    outcome: dict[str, object] = {"result": None} if error is None else {"error": error}
    record = {"type": COMPLETION, "invocationId": invocation_id, **outcome}
    return encode(record) + SEPARATOR


def close(error: str | None, *, allow_reconnect: bool) -> bytes:
    """Return the record that announces the end of a connection."""
    record: dict[str, object] = {"type": CLOSE}
    if error is not None:
        record["error"] = error
    if allow_reconnect:
        record["allowReconnect"] = True
    return encode(record) + SEPARATOR


def handshake_refused(error: str) -> bytes:
    """Return the answer to a handshake that fails."""
    return encode({"error": error}) + SEPARATOR
