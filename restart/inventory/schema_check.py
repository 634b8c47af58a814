"""Check entries in the schema: the gates' own schemas, and the keys that every check takes beside or inside of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.inventory.schema_parts import duration, listing, text
from restart.model.world import Gate

COMMON = ("timeout", "every", "healthy_for", "within", "service")
"""Keys that every check takes, whatever its kind."""


def checks(description: str) -> dict[str, Any]:
    """A list of checks."""
    return listing(description, {"$ref": "#/$defs/check"})


def check(gates: Mapping[str, Gate]) -> dict[str, Any]:
    """One check, of one of the kinds in `gates`."""
    kinds = {kind: gate.schema for kind, gate in gates.items()}
    return {
        "description": "One health question: its kind with what it needs, and how long and how often it is asked.",
        "type": "object",
        "properties": {**{kind: with_common(dict(held)) for kind, held in sorted(kinds.items())}, **_common()},
        "additionalProperties": False,
        "minProperties": 1,
        "x-expects": "a check such as `tcp: 5432` or `ssh: {}`",
        "x-noun": "check or key",
        "x-whole": True,
    }


def _common() -> dict[str, Any]:
    return {
        "timeout": duration("One question is given up after this. Default: 5s", positive=True),
        "every": duration("Asked again after this. Default: 2s", positive=True),
        "healthy_for": duration("Must keep passing for this long. Default: 10s"),
        "within": duration("Has failed for good after this. Default: 5m", positive=True),
        "service": text("The service of this inventory that the question travels through."),
    }


def with_common(held: dict[str, Any]) -> dict[str, Any]:
    """A gate's schema that also takes the common keys inside of its object form; keys of its own win."""
    for keyword in ("oneOf", "anyOf"):
        if keyword in held:
            held[keyword] = [with_common(dict(part)) for part in held[keyword]]
    if "properties" in held or held.get("type") == "object":
        held["properties"] = {**_common(), **held.get("properties", {})}
    if held.get("type") == "object" and not held.get("required"):
        held["type"] = ["object", "null"]
    return held


def comparing(gates: Mapping[str, Gate]) -> dict[str, Any]:
    """`same_as_before` as `defaults` take it."""
    gate = gates.get("same_as_before")
    return (
        {"description": "Read and not asked: no such gate is installed."}
        if gate is None
        else with_common(dict(gate.schema))
    )
