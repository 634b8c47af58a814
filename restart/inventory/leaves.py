"""Validation of single values by a JSON Schema: types, words, patterns, bounds, each with what to say and the way out."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from restart.inventory.problems import Path, Problems, Source, clipped, shown
from restart.inventory.tree import Block, Listing

Checker = Callable[[Any, Path, "Report"], bool]
"""Looks at a value; False when it must be taken out. What is wrong inside of it has been told and taken out by then."""

KIND: Mapping[type, str] = {
    Block: "object",
    Listing: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
NOUN = {
    "object": "keys and values",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "nothing",
}
_BOUNDS: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
    ("minimum", "at least", operator.ge),
    ("maximum", "at most", operator.le),
    ("exclusiveMinimum", "more than", operator.gt),
    ("exclusiveMaximum", "less than", operator.lt),
)
_BOOLEANS_OF_OLD = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


class Report:
    """Where a checker tells what is wrong in one file; a silent one only counts (for trying alternatives)."""

    __slots__ = ("count", "problems", "source")

    def __init__(self, problems: Problems, source: Source | None) -> None:
        self.problems = problems
        self.source = source
        self.count = 0

    def __call__(self, path: Path, what: str, way_out: str = "", *, key: bool = False) -> None:
        self.count += 1
        if self.source is not None:
            self.problems.at(self.source, path, what, way_out, key=key)

    def nearest(self, word: str, candidates: list[str]) -> str | None:
        """What was probably meant."""
        return self.problems.nearest(word, candidates) if self.source is not None else None


class AtKey(Report):
    """Tells what is wrong at the key, not at the value under it."""

    __slots__ = ("_outer",)

    def __init__(self, outer: Report) -> None:
        super().__init__(outer.problems, outer.source)
        self._outer = outer

    def __call__(self, path: Path, what: str, way_out: str = "", *, key: bool = False) -> None:
        self._outer(path, what, way_out, key=True)


def pattern_of(schema: Mapping[str, Any]) -> re.Pattern[str] | None:
    r"""The schema's pattern as ECMA 262 means it: `\d` and `\w` are ASCII, `$` is the end and not before a last newline."""
    text: str | None = schema.get("pattern")
    if text is None:
        return None
    return re.compile(re.sub(r"(?<!\\)\$\Z", r"\\Z", text), re.ASCII)


def typed(schema: Mapping[str, Any]) -> Checker:
    types = types_of(schema["type"])
    expected = schema.get("x-expects") or " or ".join(NOUN[kind] for kind in types if kind != "null")
    accepted = frozenset((*types, "integer")) if "number" in types else frozenset(types)
    pattern = pattern_of(schema)
    classes = frozenset(cls for cls, kind in KIND.items() if kind in accepted)

    def check(value: Any, path: Path, report: Report) -> bool:
        if type(value) in classes:
            return True
        way_out = ""
        if (
            "boolean" in types
            and isinstance(value, str)
            and value.lower() in _BOOLEANS_OF_OLD | {"true": "", "false": ""}
        ):
            way_out = f"write {_BOOLEANS_OF_OLD.get(value.lower(), value.lower())}, without quotes"
        elif "string" in types and type(value) in (int, float, bool):
            way_out = _as_text(value, pattern)
        elif "integer" in types and isinstance(value, str) and value.isdecimal():
            way_out = f"write {clipped(value)}, without quotes"
        report(path, f"{expected} expected, not {shown(value)}", way_out)
        return False

    return check


def one_of(schema: Mapping[str, Any]) -> Checker:
    words = list(schema["enum"]) if "enum" in schema else [schema["const"]]

    def check(value: Any, path: Path, report: Report) -> bool:
        if any(value == word and type(value) is type(word) for word in words):
            return True
        *others, last = (str(word) for word in words)
        known = f"{', '.join(others)} or {last}" if others else last
        near = report.nearest(value, [str(word) for word in words]) if isinstance(value, str) else None
        report(path, f"{known} expected, not {shown(value)}", f"did you mean {near}?" if near else "")
        return False

    return check


def text(schema: Mapping[str, Any]) -> Checker:
    pattern = pattern_of(schema)
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    expected = schema.get("x-expects")
    wanted = str(schema.get("description", f"text of the form {schema.get('pattern')}")).split(". ")[0]

    def check(value: Any, path: Path, report: Report) -> bool:
        if type(value) is not str:
            return True
        if len(value) < least:
            report(path, "an empty text" if not value else f"at least {least} characters expected", "write something")
            return False
        if most is not None and len(value) > most:
            report(path, f"a text of {len(value)} characters; at most {most} expected")
            return False
        if pattern is not None and not pattern.search(value):
            what = f"{expected} expected, not {shown(value)}" if expected else f"{shown(value)} does not fit: {wanted}"
            report(path, what, _with_unit(value, pattern))
            return False
        return True

    return check


def _as_text(value: int | float, pattern: re.Pattern[str] | None) -> str:
    """The way out for a number, or a boolean, where a text is needed."""
    text = str(value).lower()
    if pattern is None or pattern.search(text):
        return f'write "{text}", in quotes'
    return "" if isinstance(value, bool) else _with_unit(text, pattern)


def _with_unit(text: str, pattern: re.Pattern[str]) -> str:
    """The way out for a number without the unit that it needs: `30` -> `write 30s`, `0.1` -> `write 10%`."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        return ""
    share = f"{float(text) * 100:g}%"
    candidates = (f"{text}s", share if float(text) < 1 else f"{text}%", f"{text}/min")
    return next((f"write {candidate}" for candidate in candidates if pattern.search(candidate)), "")


def bounded(schema: Mapping[str, Any]) -> Checker:
    rules = [(words, schema[keyword], holds) for keyword, words, holds in _BOUNDS if keyword in schema]

    def check(value: Any, path: Path, report: Report) -> bool:
        if type(value) not in (int, float):
            return True
        for words, bound, holds in rules:
            if not holds(value, bound):
                report(path, f"{words} {bound} expected, not {value}")
                return False
        return True

    return check


def types_of(types: str | list[str]) -> tuple[str, ...]:
    """The JSON types of a schema's `type`."""
    return (types,) if isinstance(types, str) else tuple(types)
