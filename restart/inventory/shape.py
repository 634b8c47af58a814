"""Validation of a tree by a JSON Schema: every problem with its place, and what is wrong taken out of the tree.

Schemas are compiled once into closures, which keeps 10,000 hosts well under a second. The keywords are those that our own
schema and the gates use; any other raises `ValueError` when it is compiled, so that no rule is silently skipped. Beside the
standard's, three are ours and mean nothing to editors: `x-expects` (what to say that is expected), `x-noun` (what to call a
key in "unknown ...") and `x-whole` (with one thing wrong in it, a value is taken out as a whole).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.inventory.leaves import KIND, NOUN, AtKey, Checker, Report, bounded, one_of, text, typed, types_of
from restart.inventory.problems import Path, clipped, shown
from restart.inventory.tree import Block, Listing

_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "format", "deprecated"}
    | {"x-expects", "x-noun", "x-whole"}
)
_KEYWORDS = frozenset(
    {"$ref", "type", "enum", "const", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum"}
    | {"exclusiveMaximum", "properties", "additionalProperties", "required", "propertyNames", "minProperties"}
    | {"maxProperties", "items", "minItems", "maxItems", "uniqueItems", "anyOf", "oneOf", "allOf", "dependentRequired"}
)


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
            checkers.append(typed(schema))
        if "enum" in schema or "const" in schema:
            checkers.append(one_of(schema))
        if schema.keys() & {"pattern", "minLength", "maxLength"}:
            checkers.append(text(schema))
        if schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}:
            checkers.append(bounded(schema))
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
        whole = schema.get("x-whole", False)

        def check(value: Any, path: Path, report: Report) -> bool:
            if type(value) is not Block:
                return True
            told = report.count
            given = list(value)
            excused = set(given)  # a key that is there but wrong, or misspelt, is not told once more as missing
            for key in given:
                here = (*path, key)
                checker = properties.get(key, other)
                if checker is None and additional is False:
                    near = report.nearest(key, [*properties])
                    way_out = f"did you mean {near}?" if near else f"known: {', '.join(properties)}"
                    report(here, f"unknown {noun} {clipped(key)}", way_out, key=True)
                    excused.add(near or key)
                    value.drop(key)
                elif (names is not None and not _name(names, key, value, here, report)) or (
                    checker is not None and not checker(value[key], here, report)
                ):
                    value.drop(key)
            fits = _counted(schema, value, excused, len(given), path, report)
            return fits and not (whole and report.count > told)

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
            kind = KIND[type(value)]
            fitting = [checker for checker, types in checkers if types is None or kind in types]
            if not fitting:
                wanted = [kind for _, types in checkers for kind in types or ()]
                expected = schema.get("x-expects") or " or ".join(dict.fromkeys(NOUN[kind] for kind in wanted))
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


def _name(names: Checker, key: str, block: Block, path: Path, report: Report) -> bool:
    """Whether a key may be a name: of the right form, and not something that YAML reads as a number or as nothing."""
    if block.numeric_keys and key in block.numeric_keys:
        what = "an empty name" if not key else f"the name {clipped(key)} reads as a number or a word of YAML"
        report(path, what, f'write "{clipped(key)}", in quotes' if key else "write a name", key=True)
        return False
    return names(key, path, AtKey(report))


def _counted(
    schema: Mapping[str, Any], value: Block, excused: set[str], given: int, path: Path, report: Report
) -> bool:
    """Whether all keys that must be there are, and no more than may be; `given` were there before wrong ones were taken out."""
    missing = [key for key in schema.get("required", ()) if key not in value]
    for trigger, needs in schema.get("dependentRequired", {}).items():
        if trigger in value:
            missing.extend(key for key in needs if key not in value)
    untold = [key for key in missing if key not in excused]
    if untold:
        report(path, f"{' and '.join(untold)} missing")
    least, most = schema.get("minProperties", 0), schema.get("maxProperties")
    if given < least or (most is not None and given > most):
        some = ", ".join(schema.get("properties", {}))
        bound = f"at least {least}" if given < least else f"at most {most}"
        report(path, f"{bound} of these keys expected, not {given}", some)
        return False
    return not missing and len(value) >= least


def _types(schema: Any, definitions: Mapping[str, Any]) -> frozenset[str] | None:
    """The JSON types that `schema` allows, None where it does not say."""
    if schema is True:
        return None
    if "$ref" in schema:
        return _types(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    if "type" not in schema:
        return None
    types = types_of(schema["type"])
    return frozenset((*types, "integer")) if "number" in types else frozenset(types)


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
