import json

from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.config.positions import Duplicate, JsonPath, positions, show_path

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def paths(value: object, at: JsonPath = ()) -> list[JsonPath]:
    """Return every place in a value."""
    match value:
        case dict():
            return [at, *(path for key, item in value.items() for path in paths(item, (*at, key)))]
        case list():
            return [at, *(path for index, item in enumerate(value) for path in paths(item, (*at, index)))]
        case _:
            return [at]


@settings(max_examples=25)
@given(value=VALUES, ascii_only=st.booleans())
def test_every_place_of_any_json_has_its_line(value: object, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever the text holds, no place is missed and none is invented."""
    text = json.dumps(value, indent=1, ensure_ascii=ascii_only)

    found = positions(text)

    assert sorted(found.lines, key=str) == sorted(paths(value), key=str)
    assert found.duplicates == ()


def test_lines_are_counted_from_one() -> None:
    """A key has the line of the key, an item the line on which it begins."""
    found = positions('{\n "a": [\n  1,\n  {"b": "x\\"{"}\n ],\n "c":\n  2}')

    assert found.lines == {(): 1, ("a",): 2, ("a", 0): 3, ("a", 1): 4, ("a", 1, "b"): 4, ("c",): 6}


def test_a_place_that_is_not_there_has_the_line_of_what_holds_it() -> None:
    """A missing key is reported where it is missing."""
    found = positions('{\n "a": {\n  "b": 1}}')

    assert found.line_of(("a", "nothing", "below")) == 2
    assert found.line_of(("x",)) == 1


def test_keys_that_come_twice_are_noted() -> None:
    """With both lines."""
    assert positions('{"a": 1,\n "b": {"c": 1,\n "c": 2}, "a": 3}').duplicates == (
        Duplicate(("b", "c"), 3, 2),
        Duplicate(("a",), 3, 1),
    )


def test_a_path_is_shown_as_people_write_it() -> None:
    """Dots for keys, brackets for places in a list."""
    assert show_path(("profiles", "default", "rules", 1, "params", "limit")) == "profiles.default.rules[1].params.limit"
    assert show_path(()) == ""
