"""Ready-made parts of a configuration: trading hours, and account sizes of prop firms with their source and date."""

import json
import os
import tempfile
from collections.abc import Iterator
from datetime import date
from difflib import unified_diff
from pathlib import Path

import msgspec

from riskd.app.configuration.session_presets import SESSIONS, entry_of, hours_of, parameters, with_session
from riskd.config.errors import ConfigErrors
from riskd.config.firm_presets import Firm, FirmPreset, UnknownPreset, find_preset, firms, profile_of, with_preset
from riskd.config.loader import load


class Row(msgspec.Struct, frozen=True):
    """One preset in a list; ``checked`` is when somebody last looked at the firm's own words, None for hours."""

    name: str
    title: str
    checked: date | None = None
    stale: bool = False


class Change(msgspec.Struct, frozen=True):
    """What applying a preset would make of a file; ``note`` is what to know of the preset."""

    file: Path
    old: str
    new: str
    note: str = ""

    def diff(self) -> str:
        """Return what changes as a unified diff, empty where nothing does; how the file is laid out does not count."""
        before = json.dumps(json.loads(self.old), indent=2, ensure_ascii=False)
        names = (str(self.file), f"{self.file} (with the preset)")
        return "\n".join(unified_diff(before.splitlines(), self.new.splitlines(), *names, lineterm=""))


class CannotApply(Exception):
    """A preset does not go into a file; says why."""


def rows(today: date) -> Iterator[Row]:
    """Give every preset, hours first."""
    for session in SESSIONS:
        yield Row(session, f"trading hours: {hours_of(session)}")
    for firm in firms():
        for preset in firm.presets:
            yield Row(preset.name, preset.title, firm.checked, firm.stale(today))


def shown(name: str, today: date) -> str:
    """Return a preset in full, with where it comes from.

    Errors: UnknownPreset.
    """
    if (session := parameters().get(name.lower())) is not None:
        return f"{session}: trading hours {hours_of(session)}\n\n{json.dumps(entry_of(session), indent=2)}"
    firm, preset = _known(name)
    profile = profile_of(preset).model_dump(mode="json", exclude_defaults=True)
    sources = "\n".join(f"  {source}" for source in firm.sources)
    return (
        f"{preset.name}: {preset.title}\n{age(firm, today)}\n{sources}\n{firm.notes}\n\n{json.dumps(profile, indent=2)}"
    )


def age(firm: Firm, today: date) -> str:
    """Say how old a firm's figures are, and what that means."""
    old = (today - firm.checked).days
    text = f"{firm.firm}'s rules as of {firm.checked.isoformat()}"
    if firm.stale(today):
        return f"{text}: that is {old} days ago and firms change their rules every month; check before relying on it"
    return text


def _known(name: str) -> tuple[Firm, FirmPreset]:
    try:
        return find_preset(name)
    except UnknownPreset as error:
        known = ", ".join((*SESSIONS, *(preset.name for firm in firms() for preset in firm.presets)))
        raise UnknownPreset(f"{error}; there are {known}") from None


def change(name: str, file: Path, profile: str, today: date) -> Change:
    """Return what a preset would make of a file's profile; nothing is written.

    Errors: UnknownPreset; CannotApply when the file cannot be read or could not be used afterwards.
    """
    session = parameters().get(name.lower())
    known = None if session is not None else _known(name)
    try:
        old = file.read_text(encoding="utf-8-sig")
        new = with_session(old, session, profile) if session is not None else old
        new = with_preset(old, known[1], profile) if known is not None else new
    except OSError as error:
        raise CannotApply(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise CannotApply(f"{file}: {error}; check it with: riskd-admin config check {file}") from None
    _assert_usable(file, new)
    return Change(file, old, new, age(known[0], today) if known is not None else "")


def _assert_usable(file: Path, text: str) -> None:
    """Read the new text as the daemon would, with the `.env` beside the file."""
    written = _beside(file, text)
    try:
        load(written, for_daemon=False)
    except ConfigErrors as errors:
        found = "; ".join(str(error) for error in errors.errors)
        raise CannotApply(f"{file}: with the preset it could not be used: {found}") from None
    finally:
        written.unlink()


def write(change: Change) -> None:
    """Replace the file by its new text, at once and as a whole.

    Errors: CannotApply when it cannot be written.
    """
    try:
        _beside(change.file, change.new).replace(change.file)
    except OSError as error:
        raise CannotApply(f"{change.file}: cannot be written: {error.strerror}") from None


def _beside(file: Path, text: str) -> Path:
    """Write a text to a new file in the same directory, readable as the other one is."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".new", dir=file.parent)
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    written = Path(name)
    if file.exists():
        written.chmod(file.stat().st_mode)
    return written
