"""How a host's power is switched, in the schema: the methods' own schemas, one of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from restart.model.world import Power

NO_SHELF: Mapping[str, Power] = MappingProxyType({})
"""Where no methods are at hand, a host's power control is read as it is written; to switch with it, its method must be there."""


def power(powers: Mapping[str, Power]) -> dict[str, Any]:
    """A host's `power`: one of the methods in `powers`."""
    methods: dict[str, Any] = {name: dict(held.schema) for name, held in sorted(powers.items())}
    for held in methods.values():
        if not held.get("required") and not held.get("minProperties"):
            held["type"] = ["object", "null"]
    return {
        "description": "How its power is switched: one method. Secrets are named here, never written.",
        "type": "object",
        "properties": methods,
        "additionalProperties": False if powers else {"type": "object"},
        "minProperties": 1,
        "maxProperties": 1,
        "x-noun": "power method",
    }
