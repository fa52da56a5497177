"""Checks on the source itself that neither the linter nor the type checker makes.

Each check takes one parsed file and returns what is wrong and what to write instead. `test_tidy.py`
runs them over the repository and, so that a check cannot rot into one that always passes, over
snippets that they must refuse.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70

CORE = ("domain", "rules", "engine")
"""The deterministic part: same envelopes in, same commands out, on every machine and every run."""

CORE_LIBRARIES = {"domain": {"msgspec"}, "rules": {"msgspec", "pydantic", "pydantic_core"}, "engine": {"msgspec"}}

BANNED_IN_CORE_IMPORTS = {
    "asyncio": "return commands; the shell awaits",
    "concurrent": "return commands; the shell has the threads",
    "glob": "the shell reads files",
    "http": "return a command; an adapter speaks to the world",
    "io": "the shell reads and writes",
    "logging": "a decision is its own record; the shell logs it",
    "math": "decimal.Decimal, which is exact",
    "multiprocessing": "return commands; the shell has the processes",
    "os": "a parameter; the shell reads the environment",
    "pathlib": "the shell reads files",
    "random": "a value derived from the inputs",
    "secrets": "an id derived from the inputs",
    "shutil": "the shell reads and writes",
    "signal": "an event; the shell hears signals",
    "socket": "return a command; an adapter speaks to the world",
    "subprocess": "return a command",
    "sys": "a parameter",
    "tempfile": "the shell reads and writes",
    "threading": "one event at a time; the shell has the threads",
    "time": "the envelope's `at`",
    "uuid": "an id derived from the inputs",
}

BANNED_IN_CORE_CALLS = {
    "breakpoint": "a test",
    "eval": "a parser",
    "exec": "a function",
    "float": "decimal.Decimal, made from the text",
    "getattr": "an attribute, or match on the type",
    "hasattr": "match on the type",
    "hash": "a key from the inputs; hash() of a text differs from one process to the next",
    "id": "an id from the inputs; id() differs from one process to the next",
    "input": "an event",
    "open": "the shell reads and writes",
    "print": "a decision in the returned value; the shell shows it",
    "round": "domain.money, which rounds half up where money is shown",
    "setattr": "a new value",
    "vars": "the attributes by name",
}

BANNED_IN_CORE_METHODS = {
    "now": "the envelope's `at`",
    "today": "the envelope's `at`",
    "utcnow": "the envelope's `at`",
}

EXCEPTION_MARKER = re.compile(r"#\s*tidy:\s*\S+")
UNREASONED_SUPPRESSION = re.compile(
    r"#\s*(noqa|type:\s*ignore|pragma: no (?:cover|branch))\b(?P<rest>[^#]*)(?P<more>#.*)?"
)
SUPPRESSED_CODES = re.compile(r"^\s*(?::\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*|\[[\w, -]+\])?\s*")
TODO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!.*#\d+)")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing to change."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        """Return it as a line that an editor can jump to."""
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Source:
    """One Python file: its path in the repository and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Return the syntax tree."""
        return ast.parse(self.text, self.path)

    @cached_property
    def lines(self) -> list[str]:
        """Return the lines of the text."""
        return self.text.splitlines()

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        """Return every comment with its line."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT]

    @property
    def layer(self) -> str:
        """Return the package of riskd that the file is in, '' outside of it."""
        parts = PurePosixPath(self.path).parts
        return parts[2] if parts[:2] == ("src", "riskd") and len(parts) > 3 else ""

    @property
    def in_core(self) -> bool:
        """Say whether the file is part of the deterministic core."""
        return self.layer in CORE

    def finding(self, line: int, what: str) -> Finding:
        """Return a finding in this file."""
        return Finding(self.path, line, what)

    def excepted(self, line: int) -> bool:
        """Say whether a line carries the marker that excuses it, with a reason."""
        return EXCEPTION_MARKER.search(self.lines[line - 1]) is not None


def lengths(source: Source) -> dict[str, int]:
    """Return what is too long: the file under its path, a function under path::name."""
    found = {source.path: len(source.lines)} if len(source.lines) > MAX_FILE_LINES else {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > MAX_FUNCTION_LINES:
                found[f"{source.path}::{node.name}"] = size
    return found


def core_imports(source: Source) -> Iterator[Finding]:
    """Find imports that would let the world, or chance, into the core."""
    for node in ast.walk(source.tree):
        for name in _imported(node):
            root = name.split(".", maxsplit=1)[0]
            line = getattr(node, "lineno", 1)
            if root in BANNED_IN_CORE_IMPORTS:
                replacement = BANNED_IN_CORE_IMPORTS[root]
                yield source.finding(line, f"the core may not import {root}; use {replacement}")
            elif not _core_may_import(root, source.layer):
                yield source.finding(
                    line,
                    f"{source.layer} may not import {root}: the standard library and "
                    f"{', '.join(sorted(CORE_LIBRARIES[source.layer]))} only",
                )


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return []


def _core_may_import(root: str, layer: str) -> bool:
    return root in sys.stdlib_module_names or root == "riskd" or root in CORE_LIBRARIES[layer]


def core_calls(source: Source) -> Iterator[Finding]:
    """Find calls in the core that read a clock, guess, or touch the world."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in BANNED_IN_CORE_CALLS and name != "float":
                yield source.finding(node.lineno, f"no {name}() in the core; use {BANNED_IN_CORE_CALLS[name]}")
            case ast.Attribute(attr=name) if name in BANNED_IN_CORE_METHODS:
                yield source.finding(node.lineno, f"no .{name}() in the core; use {BANNED_IN_CORE_METHODS[name]}")
            case _:
                pass


def core_floats(source: Source) -> Iterator[Finding]:
    """Find floats in the core, as literals, calls and annotations."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Constant(value=float() | complex()) | ast.Name(id="float" | "complex"):
                yield source.finding(node.lineno, f"no floats in the core; use {BANNED_IN_CORE_CALLS['float']}")
            case _:
                pass


def core_awaits(source: Source) -> Iterator[Finding]:
    """Find coroutines in the core."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield source.finding(node.lineno, "the core awaits nothing; return commands, their outcomes are events")


def core_any(source: Source) -> Iterator[Finding]:
    """Find the type that switches the type checker off."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "Any" for alias in node.names):
            yield source.finding(node.lineno, "no Any in the core; use the type, object, or a type variable")


def core_set_iteration(source: Source) -> Iterator[Finding]:
    """Find loops over sets, whose order differs between runs.

    Only what one function shows: literals, set() calls, operators on them, local names bound to
    them and parameters annotated as sets. sorted() makes a set fit to loop over.
    """
    for scope in ast.walk(source.tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            names = _names_of_sets(scope)
            for line, looped in _loops(scope):
                if _is_set(looped, names):
                    yield source.finding(line, "a set has no order; loop over sorted(...) or keep a tuple")


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _own_nodes(child)


def _names_of_sets(scope: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in _own_nodes(scope):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as annotation) if _says_set(annotation):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=said) if _says_set(said):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_set(value, names):
                names.add(name)
    return names


def _says_set(annotation: ast.expr) -> bool:
    root = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return isinstance(root, ast.Name) and root.id in {"set", "frozenset", "AbstractSet"}


def _is_set(node: ast.expr, names: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(left=left, right=right):
            return _is_set(left, names) or _is_set(right, names)
        case ast.Name(id=name):
            return name in names
        case _:
            return False


def _loops(scope: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    for node in _own_nodes(scope):
        match node:
            case ast.For(iter=looped) | ast.comprehension(iter=looped):
                yield looped.lineno, looped
            case ast.Call(func=ast.Name(id="list" | "tuple" | "iter" | "next"), args=[looped, *_]):
                yield looped.lineno, looped
            case _:
                pass


def broad_excepts(source: Source) -> Iterator[Finding]:
    """Find handlers that swallow every error, bugs included."""
    for node in ast.walk(source.tree):
        match node:
            case ast.ExceptHandler(type=None):
                yield source.finding(node.lineno, "no bare except; name what can happen here")
            case ast.ExceptHandler(type=ast.expr() as caught) if _is_broad(caught):
                yield source.finding(
                    node.lineno,
                    "except Exception; name what can happen here (test_tidy.py has the places that may)",
                )
            case ast.Call(func=ast.Attribute(attr="suppress") | ast.Name(id="suppress")) if any(
                _is_broad(caught) for caught in node.args
            ):
                yield source.finding(node.lineno, "suppress(Exception); name what can happen here")


def _is_broad(caught: ast.expr) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"} for n in names)


def comments(source: Source) -> Iterator[Finding]:
    """Find work without an issue number and suppressions without a reason."""
    for line, comment in source.comments:
        if TODO.search(comment):
            yield source.finding(line, "a TODO names its issue: TODO #12: what is missing")
        suppression = UNREASONED_SUPPRESSION.search(comment)
        if suppression and not _reason(suppression):
            yield source.finding(
                line,
                f"{suppression[1]} says which check and why: `# noqa: BLE001 - the reason`, "
                "`# type: ignore[arg-type]  # the reason`",
            )


def _reason(suppression: re.Match[str]) -> str:
    after_codes = SUPPRESSED_CODES.sub("", suppression["rest"], count=1)
    return (after_codes + (suppression["more"] or "")).strip(" -#:,")


def defines_rule(source: Source) -> bool:
    """Say whether a file of rules/ defines a rule, as opposed to something that rules share."""
    return PurePosixPath(source.path).stem != "contract" and any(
        isinstance(node, ast.ClassDef) and node.name.endswith("Rule") and not _is_abstract(node)
        for node in source.tree.body
    )


def _is_abstract(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id in {"ABC", "Protocol"} for base in node.bases)


def module_names(source: Source) -> Iterator[Finding]:
    """Find modules named after nothing in particular."""
    stem = PurePosixPath(source.path).stem
    if stem in {"utils", "util", "helpers", "helper", "common", "misc", "data"}:
        yield source.finding(1, f"{stem} says nothing; name the module after the thing it holds")


Check = Callable[[Source], Iterator[Finding]]

CORE_CHECKS: tuple[Check, ...] = (
    core_imports,
    core_calls,
    core_floats,
    core_awaits,
    core_any,
    core_set_iteration,
)
EVERYWHERE: tuple[Check, ...] = (comments, module_names)


def findings(source: Source) -> list[Finding]:
    """Return all findings in one file, but the too long and the too broad, which are registered."""
    checks = EVERYWHERE + (CORE_CHECKS if source.in_core else ())
    found = {finding for check in checks for finding in check(source)}
    return sorted(f for f in found if not source.excepted(f.line))
