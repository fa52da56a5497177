import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskd.adapters.projectx import signalr
from riskd.adapters.projectx.signalr import END, RecordTooLong, Splitter


def test_a_frame_may_carry_several_records() -> None:
    """All records of a frame come out, oldest first."""
    assert Splitter().feed(b"{}" + END + b'{"type":6}' + END) == [b"{}", b'{"type":6}']


def test_a_record_may_go_on_in_the_next_frame() -> None:
    """A half record waits for its rest."""
    splitter = Splitter()
    assert splitter.feed(b'{"ty') == []
    assert splitter.feed(b'pe":6}') == []
    assert splitter.feed(END + b"{") == [b'{"type":6}']
    assert splitter.feed(b"}" + END) == [b"{}"]


@given(
    records=st.lists(st.binary(max_size=20).filter(lambda record: END not in record), max_size=8),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_records_come_out_whole_however_the_frames_are_cut(records: list[bytes], cuts: list[int]) -> None:
    """Where the frames begin and end makes no difference."""
    stream = b"".join(record + END for record in records)
    splitter, found, start = Splitter(), [], 0
    for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        found += splitter.feed(stream[start:cut])
        start = cut
    assert found == records


def test_a_record_without_an_end_is_given_up() -> None:
    """A peer that never ends its record cannot fill the memory."""
    splitter = Splitter()
    splitter.feed(b"x" * signalr.MAX_RECORD_BYTES)
    with pytest.raises(RecordTooLong, match="without ending the record"):
        splitter.feed(b"x")


def test_a_call_is_rendered_as_one_record() -> None:
    """An invocation names its method, its arguments and an id that the answer will repeat."""
    record = signalr.invocation("SubscribeOrders", (101,), "7")
    assert record.endswith(END)
    assert json.loads(record[:-1]) == {
        "type": 1,
        "invocationId": "7",
        "target": "SubscribeOrders",
        "arguments": [101],
    }
