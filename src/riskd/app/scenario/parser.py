"""A scenario file, read line by line. Every line that cannot be read is reported, not only the first."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Final

from riskd.app.scenario.clock import ScenarioClock, read_date
from riskd.app.scenario.expectations import read_expectation
from riskd.app.scenario.facts import read_fact, read_rule
from riskd.app.scenario.language import (
    Alerts,
    Anything,
    Expected,
    Fact,
    Happening,
    Judgement,
    Nothing,
    RuleLine,
    Scenario,
    Step,
    Violates,
)
from riskd.app.scenario.words import Unreadable, Words, parts, split
from riskd.domain.instruments import root_of_symbol

_TITLE: Final = re.compile(r'^"([^"]+)"$')


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be read."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        """Return it as one line that an editor can jump to."""
        return f"{self.file}:{self.line}: {self.why}"


class UnreadableScenario(Exception):
    """A scenario file has lines that cannot be read."""

    def __init__(self, bad: tuple[BadLine, ...]) -> None:
        super().__init__("\n".join(str(line) for line in bad))
        self.bad = bad


def parse(file: str, text: str, *, default_rules: bool = False) -> tuple[Scenario, ...]:
    """Read all scenarios of a file.

    Shape: ``default_rules`` says that an account without a rules line has rules all the same.
    Errors: UnreadableScenario with every line that cannot be read.
    """
    reader = _Reader(file, default_rules)
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        reader.read(number, line)
    return reader.finish()


@dataclass(slots=True)
class _Draft:
    """A scenario while it is being read."""

    line: int
    name: str
    clock: ScenarioClock = field(default_factory=ScenarioClock)
    day: date | None = None
    manual: bool = False
    fees: dict[str, Decimal] = field(default_factory=dict)
    rules: dict[str, tuple[RuleLine, ...] | str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    beginning: list[tuple[int, str, Fact]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    reading: int = 0


class _Reader:
    """Reads one file; the current draft is the scenario that its lines belong to."""

    def __init__(self, file: str, default_rules: bool) -> None:  # noqa: FBT001 - private, named at its one call
        self._file = file
        self._default_rules = default_rules
        self._draft: _Draft | None = None
        self._done: list[Scenario] = []
        self._bad: list[BadLine] = []

    def read(self, number: int, line: str) -> None:
        """Read one line."""
        try:
            words = Words(split(line))
            if words.rest:
                self._line(number, line.strip(), words)
        except Unreadable as why:
            self._bad.append(BadLine(self._file, number, str(why)))

    def finish(self) -> tuple[Scenario, ...]:
        """Return the scenarios, or everything that is wrong with them."""
        self._close_draft()
        if not self._done and not self._bad:
            self._bad.append(BadLine(self._file, 1, 'expected a line that begins a scenario: scenario "its name"'))
        if self._bad:
            raise UnreadableScenario(tuple(sorted(self._bad, key=lambda bad: bad.line)))
        return tuple(self._done)

    def _line(self, number: int, text: str, words: Words) -> None:
        if words.took("scenario"):
            self._begin(number, words)
            return
        draft = self._draft
        if draft is None:
            if self._bad:
                return  # no scenario file at all, or one whose first line is broken: said once
            raise words.fail('scenario "its name" before anything else')
        if words.next.startswith("->"):
            draft.steps.append(self._judgement(number, text, words, draft))
        elif draft.clock.starts_with_time(words):
            at = draft.clock.read(words)
            fact = read_fact(words, self._knows) if words.rest else None
            draft.steps.append(Happening(number, text, at, fact))
        elif draft.clock.now is None and _is_beginning(words):
            draft.beginning.append((number, text, read_fact(words, self._knows)))
        else:
            self._header(number, words, draft)

    def _judgement(self, number: int, text: str, words: Words, draft: _Draft) -> Judgement:
        first = words.take("->").removeprefix("->")
        if draft.clock.now is None:
            raise Unreadable("expected a line with a time before the first ->")
        each = parts([first, *words.rest] if first else words.rest)
        return Judgement(number, text, tuple(self._expected(part, draft) for part in each))

    def _expected(self, part: list[str], draft: _Draft) -> Expected:
        text = " ".join(part)
        what = read_expectation(Words(part), draft.clock)
        if not isinstance(what, Nothing | Anything | Alerts | Violates) and not self._knows(what.account):
            raise Unreadable(f"expected an account that has a rules line, found {what.account!r}")
        return Expected(text, what)

    def _begin(self, number: int, words: Words) -> None:
        self._close_draft()
        self._draft = _Draft(number, "")
        title = _TITLE.match(words.next)
        if title is None:
            raise words.fail("the scenario's name in quotation marks")
        words.take("a name")
        words.end()
        self._draft.name = title.group(1)

    def _header(self, number: int, words: Words, draft: _Draft) -> None:
        if words.next not in _HEADERS:
            raise words.fail(f"a time such as 09:31, -> and what must hold, or one of {', '.join(_HEADERS)}")
        if draft.clock.now is not None:
            raise words.fail(f"{words.next} before the first line with a time")
        draft.reading = number
        _HEADERS[words.take("a setting")](words, draft)

    def _knows(self, account: str) -> bool:
        draft = self._draft
        if draft is None:
            return False
        if self._default_rules:
            draft.rules.setdefault(account, ())
        return account in draft.rules

    def _close_draft(self) -> None:
        draft, self._draft = self._draft, None
        if draft is None:
            return
        first = next((step for step in draft.steps if isinstance(step, Happening)), None)
        if first is None or draft.clock.day is None:
            if not any(bad.line >= draft.line for bad in self._bad):
                self._bad.append(BadLine(self._file, draft.line, "expected a line with a time in this scenario"))
            return
        beginning = tuple(Happening(line, text, first.at, fact) for line, text, fact in draft.beginning)
        self._done.append(
            Scenario(
                file=self._file,
                line=draft.line,
                name=draft.name,
                date=draft.day or draft.clock.day,
                manual=draft.manual,
                fees=draft.fees,
                rules=draft.rules,
                settings=draft.settings,
                steps=(*beginning, *draft.steps),
            )
        )


def _is_beginning(words: Words) -> bool:
    """Tell whether a line without a time says how things stand when the scenario begins."""
    return words.rest[1:2] in (["holds"], ["balance"], ["cantrade"]) or words.next == "market"


def _broker(words: Words, draft: _Draft) -> None:
    words.one_of(("manual",))
    words.end()
    draft.manual = True


def _date(words: Words, draft: _Draft) -> None:
    draft.day = draft.clock.day = read_date(words)
    words.end()


def _fees(words: Words, draft: _Draft) -> None:
    if words.took("none"):
        words.end()
        draft.fees.clear()
        return
    while words.rest:
        root = words.symbol()
        draft.fees[root_of_symbol(root)] = words.number("USD per contract and side such as 0.61")


def _rules(words: Words, draft: _Draft) -> None:
    account = words.name("an account")
    known = draft.rules.get(account, ())
    if words.took("file"):
        file = words.take("the name of a rules file")
        words.end()
        if known:
            raise Unreadable(f"expected one file or a list of rules for {account}, found both")
        draft.rules[account] = file.strip('"')
        return
    if isinstance(known, str):
        raise Unreadable(f"expected one file or a list of rules for {account}, found both")
    draft.rules[account] = (*known, *(_rule(part, draft.reading) for part in parts(words.rest)))


def _rule(part: list[str], line: int) -> RuleLine:
    words = Words(part)
    rule = read_rule(words)
    words.end()
    return replace(rule, line=line)


def _set(words: Words, draft: _Draft) -> None:
    found = words.settings()
    if not found:
        raise words.fail("a setting such as pnl.price_source=bid_ask")
    words.end()
    draft.settings.update(found)


_HEADERS: Final[Mapping[str, Callable[[Words, _Draft], None]]] = {
    "broker": _broker,
    "date": _date,
    "fees": _fees,
    "rules": _rules,
    "set": _set,
}
