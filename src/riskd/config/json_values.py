"""Looking into JSON that may be of any shape: what is not there, or not of its kind, is empty."""

from collections.abc import Mapping


def table(value: object) -> Mapping[str, object]:
    """Return an object of JSON, empty where there is none."""
    return value if isinstance(value, dict) else {}


def entries(value: object) -> list[Mapping[str, object]]:
    """Return the objects of a list, each at its index; what is no object is an empty one."""
    return [table(item) for item in value] if isinstance(value, list) else []


def at(value: object, *path: str) -> object:
    """Return what stands under these keys, None where nothing does."""
    for key in path:
        value = table(value).get(key)
    return value
