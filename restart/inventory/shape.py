"""Validation of a tree by a JSON Schema: every problem with its place, and what is wrong taken out of the tree.

Schemas are compiled once into closures, which keeps 10,000 hosts well under a second. The keywords are those that our own
schema and the gates use; any other raises `ValueError` when it is compiled, so that no rule is silently skipped. Beside the
standard's, three are ours and mean nothing to editors: `x-expects` (what to say that is expected), `x-duration` (a bare
number gets its way out) and `x-noun` (what to call a key in "unknown ...").
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from restart.inventory.problems import Path, Problems, Source, clipped, shown
from restart.inventory.tree import Block, Listing

Checker = Callable[[Any, Path, "Report"], bool]
"""Looks at a value; False when it must be taken out. What is wrong inside of it has been told and taken out by then."""

_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "format", "deprecated"}
    | {"x-expects", "x-duration", "x-noun"}
)
_KEYWORDS = frozenset(
    {"$ref", "type", "enum", "const", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum"}
    | {"exclusiveMaximum", "properties", "additionalProperties", "required", "propertyNames", "minProperties"}
    | {"maxProperties", "items", "minItems", "maxItems", "uniqueItems", "anyOf", "oneOf", "allOf", "dependentRequired"}
)
_KIND: Mapping[type, str] = {
    Block: "object",
    Listing: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_NOUN = {
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

    def meant(self, word: str, candidates: list[str]) -> str:
        """`did you mean ...?`"""
        return self.problems.meant(word, candidates) if self.source is not None else ""


def compiled(schema: Mapping[str, Any]) -> Checker:
    """A checker for `schema`, whose `$ref`s are all of the form `#/$defs/NAME`. Raises `ValueError` for other keywords."""
    return _Compiler(schema.get("$defs", {})).compile(schema)


class _Compiler:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._done: dict[str, Checker] = {}

    def compile(self, schema: Any) -> Checker:
        if schema is True:
            return lambda value, path, report: True
        unknown = set(schema) - _KEYWORDS - _ANNOTATIONS
        if unknown:
            raise ValueError(f"this JSON Schema uses {', '.join(sorted(unknown))}, which is not supported here")
        checkers: list[Checker] = []
        if "$ref" in schema:
            checkers.append(self._reference(schema["$ref"]))
        if "type" in schema:
            checkers.append(_typed(schema))
        if "enum" in schema or "const" in schema:
            checkers.append(_one_of(schema))
        if schema.keys() & {"pattern", "minLength", "maxLength"}:
            checkers.append(_text(schema))
        if schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}:
            checkers.append(_bounded(schema))
        if schema.keys() & {"properties", "additionalProperties", "required", "propertyNames"} or (
            schema.keys() & {"minProperties", "maxProperties", "dependentRequired"}
        ):
            checkers.append(self._object(schema))
        if schema.keys() & {"items", "minItems", "maxItems", "uniqueItems"}:
            checkers.append(self._array(schema))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                checkers.append(self._alternatives(schema[keyword], schema))
        checkers.extend(self.compile(part) for part in schema.get("allOf", ()))
        return checkers[0] if len(checkers) == 1 else _all(tuple(checkers))

    def _reference(self, reference: str) -> Checker:
        name = reference.removeprefix("#/$defs/")

        def check(value: Any, path: Path, report: Report) -> bool:
            if name not in self._done:
                self._done[name] = self.compile(self._definitions[name])
            return self._done[name](value, path, report)

        return check

    def _object(self, schema: Mapping[str, Any]) -> Checker:
        properties = {key: self.compile(held) for key, held in schema.get("properties", {}).items()}
        additional = schema.get("additionalProperties", True)
        other = self.compile(additional) if additional not in (True, False) else None
        names = self.compile(schema["propertyNames"]) if "propertyNames" in schema else None
        noun = schema.get("x-noun", "key")

        def check(value: Any, path: Path, report: Report) -> bool:
            if type(value) is not Block:
                return True
            for key in list(value):
                here = (*path, key)
                checker = properties.get(key, other)
                if checker is None and additional is False:
                    way_out = report.meant(key, [*properties]) or f"known: {_listed([*properties])}"
                    report(here, f"unknown {noun} {clipped(key)}", way_out, key=True)
                    value.drop(key)
                elif (names is not None and not _name(names, key, value, here, report)) or (
                    checker is not None and not checker(value[key], here, report)
                ):
                    value.drop(key)
            return _counted(schema, value, path, report)

        return check

    def _array(self, schema: Mapping[str, Any]) -> Checker:
        items = self.compile(schema["items"]) if "items" in schema else None
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        unique = schema.get("uniqueItems", False)

        def check(value: Any, path: Path, report: Report) -> bool:
            if type(value) is not Listing:
                return True
            if len(value) < least or (most is not None and len(value) > most):
                bound = f"at least {least}" if len(value) < least else f"at most {most}"
                report(path, f"{len(value)} items; {bound} expected")
                return False
            if unique and len({str(item) for item in value}) < len(value):
                report(path, "an item is here twice", "keep one")
            if items is not None:
                wrong = [index for index, item in enumerate(value) if not items(item, (*path, index), report)]
                for index in reversed(wrong):
                    value.drop(index)
            return True

        return check

    def _alternatives(self, alternatives: list[Any], schema: Mapping[str, Any]) -> Checker:
        """Any of them. Where none fits, the problems of the one whose type fits are told, for they say most."""
        checkers = [(self.compile(held), _types(held, self._definitions)) for held in alternatives]

        def check(value: Any, path: Path, report: Report) -> bool:
            kind = _KIND[type(value)]
            fitting = [checker for checker, types in checkers if types is None or kind in types]
            if not fitting:
                wanted = [kind for _, types in checkers for kind in types or ()]
                expected = schema.get("x-expects") or " or ".join(dict.fromkeys(_NOUN[kind] for kind in wanted))
                report(path, f"{expected} expected, not {shown(value)}")
                return False
            for checker in fitting if len(fitting) > 1 else ():
                silent = Report(report.problems, None)
                if checker(_copied(value), path, silent) and not silent.count:
                    return True
            return fitting[0](value, path, report)

        return check


def _all(checkers: tuple[Checker, ...]) -> Checker:
    def check(value: Any, path: Path, report: Report) -> bool:
        return all(checker(value, path, report) for checker in checkers)

    return check


def _typed(schema: Mapping[str, Any]) -> Checker:
    types = _as_tuple(schema["type"])
    expected = schema.get("x-expects") or " or ".join(_NOUN[kind] for kind in types if kind != "null")
    accepted = frozenset((*types, "integer")) if "number" in types else frozenset(types)
    classes = frozenset(cls for cls, kind in _KIND.items() if kind in accepted)

    def check(value: Any, path: Path, report: Report) -> bool:
        if type(value) in classes:
            return True
        way_out = ""
        if schema.get("x-duration") and type(value) in (int, float):
            report(path, f"{value} has no unit", f"write {value}s")
            return False
        if (
            "boolean" in types
            and isinstance(value, str)
            and value.lower() in _BOOLEANS_OF_OLD | {"true": "", "false": ""}
        ):
            way_out = f"write {_BOOLEANS_OF_OLD.get(value.lower(), value.lower())}, without quotes"
        elif "string" in types and type(value) in (int, float, bool):
            way_out = f'write "{str(value).lower()}", in quotes'
        report(path, f"{expected} expected, not {shown(value)}", way_out)
        return False

    return check


def _one_of(schema: Mapping[str, Any]) -> Checker:
    words = list(schema["enum"]) if "enum" in schema else [schema["const"]]

    def check(value: Any, path: Path, report: Report) -> bool:
        if any(value == word and type(value) is type(word) for word in words):
            return True
        known = " or ".join(str(word) for word in words)
        meant = report.meant(value, [str(word) for word in words]) if isinstance(value, str) else ""
        report(path, f"{known} expected, not {shown(value)}", meant)
        return False

    return check


def _text(schema: Mapping[str, Any]) -> Checker:
    pattern = re.compile(schema["pattern"]) if "pattern" in schema else None
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    expected = schema.get("x-expects") or f"text of the form {schema.get('pattern')}"

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
            way_out = f"write {value}s" if schema.get("x-duration") and value.isdecimal() else ""
            report(path, f"{expected} expected, not {shown(value)}", way_out)
            return False
        return True

    return check


def _bounded(schema: Mapping[str, Any]) -> Checker:
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


def _name(names: Checker, key: str, block: Block, path: Path, report: Report) -> bool:
    """Whether a key may be a name: of the right form, and not something that YAML reads as a number or as nothing."""
    if block.numeric_keys and key in block.numeric_keys:
        what = "an empty name" if not key else f"the name {clipped(key)} reads as a number or a word of YAML"
        report(path, what, f'write "{clipped(key)}", in quotes' if key else "write a name", key=True)
        return False
    return names(key, path, _AtKey(report))


class _AtKey(Report):
    """Tells what is wrong at the key, not at the value under it."""

    __slots__ = ("_outer",)

    def __init__(self, outer: Report) -> None:
        super().__init__(outer.problems, outer.source)
        self._outer = outer

    def __call__(self, path: Path, what: str, way_out: str = "", *, key: bool = False) -> None:
        self._outer(path, what, way_out, key=True)


def _counted(schema: Mapping[str, Any], value: Block, path: Path, report: Report) -> bool:
    missing = [key for key in schema.get("required", ()) if key not in value]
    for trigger, needs in schema.get("dependentRequired", {}).items():
        if trigger in value:
            missing.extend(key for key in needs if key not in value)
    if missing:
        report(path, f"{' and '.join(missing)} missing")
        return False
    least, most = schema.get("minProperties", 0), schema.get("maxProperties")
    if len(value) < least or (most is not None and len(value) > most):
        some = _listed([*schema.get("properties", {})])
        bound = f"at least {least}" if len(value) < least else f"at most {most}"
        report(
            path, f"{bound} key{'s' if least > 1 else ''} expected, not {len(value)}", f"known: {some}" if some else ""
        )
        return False
    return True


def _types(schema: Any, definitions: Mapping[str, Any]) -> frozenset[str] | None:
    """The JSON types that `schema` allows, None where it does not say."""
    if schema is True:
        return None
    if "$ref" in schema:
        return _types(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    if "type" not in schema:
        return None
    types = _as_tuple(schema["type"])
    return frozenset((*types, "integer")) if "number" in types else frozenset(types)


def _as_tuple(types: str | list[str]) -> tuple[str, ...]:
    return (types,) if isinstance(types, str) else tuple(types)


def _copied(value: Any) -> Any:
    """A copy deep enough that trying an alternative on it takes nothing out of the original."""
    if isinstance(value, Block):
        block = Block(value.place)
        block.update({key: _copied(held) for key, held in value.items()})
        block.places, block.numeric_keys = list(value.places), value.numeric_keys
        return block
    if isinstance(value, Listing):
        listing = Listing(value.place)
        listing.extend(_copied(held) for held in value)
        listing.places = list(value.places)
        return listing
    return value


def _listed(words: list[str]) -> str:
    return ", ".join(words)
