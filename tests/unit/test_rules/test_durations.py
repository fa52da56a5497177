from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from riskd.rules.durations import Duration, parse_duration, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5min", 300),
        ("1h", 3600),
        ("1h30min", 5400),
        ("1h 30 min", 5400),
        ("15 minutes", 900),
        ("2 hours", 7200),
        ("1 Hour", 3600),
        ("1.5h", 5400),
        ("PT5M", 300),
        ("PT1H30M", 5400),
        ("P1DT1S", 86401),
        ("1d", 86400),
        ("0s", 0),
    ],
)
def test_the_unambiguous_is_read(text: str, seconds: int) -> None:
    """Units as people write them, and ISO 8601."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "has no unit"),
        ("1.5", "has no unit"),
        ("5m", 'minutes or months; write "5min"'),
        ("5 fortnights", "unknown unit"),
        ("half an hour", "not a duration"),
        ("", "not a duration"),
        ("-5min", "not a duration"),
        ("5min,", "not a duration"),
        ("P", "not an ISO 8601"),
        ("P1M", "not an ISO 8601"),
        ("PT", "not an ISO 8601"),
    ],
)
def test_the_ambiguous_is_refused_with_examples(text: str, said: str) -> None:
    """Nothing is guessed, and what to write instead is said."""
    with pytest.raises(ValueError, match=said):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1h30min", "5min", "250ms", "0s", "25h"])
def test_a_duration_is_shown_as_it_is_written(text: str) -> None:
    """What is shown can be read again."""
    assert show_duration(parse_duration(text)) == text


def test_a_duration_that_is_one_already_is_taken() -> None:
    """Python code may give one, but not one that runs backwards."""
    adapter: TypeAdapter[timedelta] = TypeAdapter(Duration)

    assert adapter.validate_python(timedelta(seconds=5)) == timedelta(seconds=5)
    with pytest.raises(ValidationError, match="cannot be negative"):
        adapter.validate_python(timedelta(seconds=-5))
