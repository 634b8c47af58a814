"""The bricks of the schema: durations, amounts, texts, mappings, each with its description."""

from __future__ import annotations

from typing import Any

DURATION_BODY = r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h|d)){1,5}"
_DURATION = "a duration such as 500ms, 30s, 5m or 1h30m"
_AMOUNT = r"(?:100|\d{1,2})(?:\.\d{1,6})?%"


def mapping(
    description: str,
    properties: dict[str, Any],
    *,
    required: list[str] | None = None,
    nullable: bool = False,
    least: int = 0,
    most: int | None = None,
) -> dict[str, Any]:
    """An object with these keys and no others; `nullable`: may be left empty."""
    built: dict[str, Any] = {
        "description": description,
        "type": ["object", "null"] if nullable else "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        built["required"] = required
    if least:
        built["minProperties"] = least
    if most is not None:
        built["maxProperties"] = most
    return built


def listing(description: str, items: dict[str, Any]) -> dict[str, Any]:
    """A list of at least one."""
    return {"description": description, "type": "array", "items": items, "minItems": 1}


def empty_too(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or nothing: a section may be left with all of its lines commented out."""
    return {**schema, "type": [schema["type"], "null"]}


def text(description: str, *, pattern: str | None = None, expects: str | None = None) -> dict[str, Any]:
    """A text that is not empty."""
    built: dict[str, Any] = {"description": description, "type": "string", "minLength": 1}
    if pattern is not None:
        built |= {"pattern": pattern, "x-expects": expects}
    return built


def one_or_more(description: str) -> dict[str, Any]:
    """A text, or a list of texts."""
    item = {"type": "string", "minLength": 1}
    return {
        "description": description,
        "type": ["string", "array"],
        "minLength": 1,
        "minItems": 1,
        "items": item,
        "x-expects": "a text or a list of texts",
    }


def whole(description: str, least: int, most: int = 1_000_000_000) -> dict[str, Any]:
    """A whole number."""
    return {"description": description, "type": "integer", "minimum": least, "maximum": most}


def flag(description: str) -> dict[str, Any]:
    """`true` or `false`."""
    return {"description": description, "type": "boolean"}


def choice(description: str, *words: str) -> dict[str, Any]:
    """One of these words."""
    return {
        "description": description,
        "type": "string",
        "enum": list(words),
        "x-expects": " or ".join(words),
    }


def duration(description: str, *, positive: bool = False) -> dict[str, Any]:
    """A duration with its unit."""
    return {
        "description": description,
        "type": "string",
        "pattern": rf"^(?=.*[1-9]){DURATION_BODY}$" if positive else f"^{DURATION_BODY}$",
        "x-expects": f"{_DURATION}, above zero," if positive else _DURATION,
    }


def percent(description: str) -> dict[str, Any]:
    """A percentage."""
    return {
        "description": description,
        "type": "string",
        "pattern": f"^{_AMOUNT}$",
        "x-expects": "a percentage such as 10%",
    }


def amount(description: str, *, everyone: bool = False) -> dict[str, Any]:
    """How many members: a number, a percentage or `quorum`; `everyone`: also `all`."""
    words = "quorum|all" if everyone else "quorum"
    return {
        "description": description,
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": 1_000_000_000,
        "pattern": f"^(?:{_AMOUNT}|{words})$",
        "x-expects": f"a number, a percentage such as 25%{', quorum or all' if everyone else ' or quorum'}",
    }


_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
_MOMENT = rf"^(?:\d{{4}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T)?{_TIME}$"
_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def window() -> dict[str, Any]:
    """A maintenance window: one that comes again, or one with its date."""
    moment = "a time such as 23:00, or with its date 2026-11-22T23:00"
    return mapping(
        "A span of time in a time zone.",
        {
            "days": {
                "description": "Days on which it opens. Default: every day",
                "type": ["string", "array"],
                "pattern": f"^({'|'.join(_DAYS)})$",
                "minItems": 1,
                "items": {"type": "string", "enum": _DAYS, "x-expects": "mon to sun"},
                "x-expects": "a day such as sat, or a list of days",
            },
            "from": text("When it opens: a time of day, or one with its date.", pattern=_MOMENT, expects=moment),
            "to": text(
                "When it closes; a time not later than from is on the next day.", pattern=_MOMENT, expects=moment
            ),
            "zone": text("Time zone of both, such as Europe/Berlin; clock changes are kept."),
        },
        required=["from", "to", "zone"],
    )
