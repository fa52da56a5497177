"""SignalR's JSON protocol, without the socket: how records are cut, called, kept alive.

A record is JSON followed by one 0x1E byte, which JSON text never contains. A frame may carry several records, and a
record may go on in the next frame.
"""

from typing import Final

import msgspec

END: Final = b"\x1e"
HANDSHAKE: Final = b'{"protocol":"json","version":1}' + END
PING: Final = b'{"type":6}' + END

INVOCATION: Final = 1
COMPLETION: Final = 3
CLOSE: Final = 7

# The largest record seen is a 12 KB depth snapshot; a peer that sends this much without an end is not speaking SignalR.
MAX_RECORD_BYTES: Final = 4 * 1024 * 1024

_ENCODER: Final = msgspec.json.Encoder()


class RecordTooLong(Exception):
    """A record went on for longer than any real one does."""


class Splitter:
    """Cuts a stream of frames into records."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the records that are complete now, oldest first, and keep the beginning of the next.

        Errors: RecordTooLong when the kept beginning has outgrown every real record.
        """
        if self._rest:
            data = self._rest + data
        *records, self._rest = data.split(END)
        if len(self._rest) > MAX_RECORD_BYTES:
            raise RecordTooLong(f"the gateway sent {len(self._rest)} bytes without ending the record")
        return records


def invocation(target: str, arguments: tuple[str | int, ...], call_id: str) -> bytes:
    """Render the call of a hub method."""
    call = {"type": INVOCATION, "invocationId": call_id, "target": target, "arguments": arguments}
    return _ENCODER.encode(call) + END
