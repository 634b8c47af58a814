"""Dataclasses to JSON and back, canonical bytes and digests.

The JSON of a dataclass is an object with its fields by name; a field equal to its default is left out of the compact
form, so that a plan for 10,000 hosts stays small. A union's member is told apart by a `type` key holding its class name.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, Union

T = TypeVar("T")


def as_json(value: Any) -> Any:
    """`value` as dictionaries, lists, strings, numbers, booleans and None. Fields that hold their default are left out."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    # The commonest first: a large plan is made of these.
    if kind is tuple or kind is list:
        return [held if type(held) in _PLAIN else as_json(held) for held in value]
    if dataclasses.is_dataclass(kind):
        return _object(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: held if type(held) in _PLAIN else as_json(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [held if type(held) in _PLAIN else as_json(held) for held in value]
    raise TypeError(f"no JSON form for {type(value).__name__}")


_PLAIN = frozenset((str, int, float, bool, type(None)))
"""Types that are JSON as they are. Told apart before the call: a plan for 10,000 hosts holds a million of them."""


def _object(value: Any) -> dict[str, Any]:
    """A dataclass's fields, without those that hold their default."""
    found: dict[str, Any] = {}
    kind: Any = type(value)
    rows, get = _fields(kind)
    for (name, default, is_union), held in zip(rows, get(value), strict=True):
        if held is default or held == default:
            continue
        if is_union:
            found[name] = tagged(held)
        else:
            found[name] = held if type(held) in _PLAIN else as_json(held)
    return found


def tagged(value: Any) -> Any:
    """`as_json(value)` with the class name under `type`, for values of a union."""
    return {"type": type(value).__name__, **as_json(value)}


def from_json(kind: Callable[..., T], value: Any) -> T:
    """A value of dataclass `kind` from its JSON. Unknown keys and wrong types raise `ValueError` that names the place."""
    return typing.cast(T, _reader(kind)(value, kind.__name__))


def from_tagged(kinds: Any, value: Any) -> Any:
    """A value of one of the union `kinds`, chosen by the `type` key. Raises `ValueError`."""
    if not isinstance(value, dict) or "type" not in value:
        raise ValueError("no type")
    for kind in typing.get_args(kinds):
        if kind.__name__ == value["type"]:
            return from_json(kind, {key: held for key, held in value.items() if key != "type"})
    raise ValueError(f"unknown type {value['type']!r}")


def canonical(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """`sha256:` and the hexadecimal digest of the canonical JSON of `value` (a JSON value, not a dataclass)."""
    return digest_of(canonical(value))


def digest_of(encoded: bytes) -> str:
    """The digest of a value whose canonical JSON is `encoded`."""
    return "sha256:" + hashlib.sha256(encoded).hexdigest()


_NOTHING = object()


@cache
def _fields(kind: type) -> tuple[tuple[tuple[str, Any, bool], ...], Callable[[Any], tuple[Any, ...]]]:
    """Name, default and is-a-union of each field, and what gets them all; a field without a default never equals `_NOTHING`."""
    hints = typing.get_type_hints(kind)
    rows = []
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        else:
            default = _NOTHING
        members = [member for member in typing.get_args(hints[field.name]) if dataclasses.is_dataclass(member)]
        rows.append((field.name, default, len(members) > 1))
    names = [name for name, _, _ in rows]
    if len(names) > 1:
        return tuple(rows), attrgetter(*names)
    return tuple(rows), lambda value: tuple(getattr(value, name) for name in names)


@cache
def _reader(kind: Any) -> Callable[[Any, str], Any]:
    """A function (JSON value, place) -> value of `kind`."""
    origin = typing.get_origin(kind)
    if kind is Any:
        return lambda value, place: value
    if origin in (Union, types.UnionType):
        return _union_reader(typing.get_args(kind))
    if origin is tuple:
        inner = _reader(typing.get_args(kind)[0])
        return lambda value, place: tuple(
            inner(held, f"{place}[{index}]") for index, held in enumerate(_is(value, list, place))
        )
    if isinstance(origin, type) and issubclass(origin, Mapping):
        inner = _reader(typing.get_args(kind)[1])
        return lambda value, place: {
            key: inner(held, f"{place}.{key}") for key, held in _is(value, dict, place).items()
        }
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(typing.cast(type, kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return lambda value, place: kind(value)
    if kind is float:
        return lambda value, place: _number(value, place)
    return lambda value, place: _is(value, kind, place)


def _union_reader(members: tuple[Any, ...]) -> Callable[[Any, str], Any]:
    real = [member for member in members if member is not type(None)]
    if len(real) == 1:
        inner = _reader(real[0])
        return lambda value, place: None if value is None else inner(value, place)
    return lambda value, place: from_tagged(Union[tuple(real)], value)  # noqa: UP007 - built at run time


def _dataclass_reader(kind: type) -> Callable[[Any, str], Any]:
    hints = typing.get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}

    def read(value: Any, place: str) -> Any:
        given = {}
        for key, held in _is(value, dict, place).items():
            if key not in readers:
                raise ValueError(f"{place}: unknown key {key!r}")
            given[key] = readers[key](held, f"{place}.{key}")
        try:
            return kind(**given)
        except TypeError as error:
            raise ValueError(f"{place}: {error}") from None

    return read


def _is(value: Any, kind: type, place: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{place}: {kind.__name__} expected, not {type(value).__name__}")
    return value


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{place}: number expected, not {type(value).__name__}")
    return float(value)
