"""YAML to a tree of plain values.

The tree is built here, from PyYAML's event stream, for three reasons. Hostile files must end in an error: libyaml's
composer recurses and dies on deep nesting, so depth, aliases and size are bounded before anything is built on them. YAML is
read as 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), narrowed to `true` and `false` for booleans. And every
value keeps its line and column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from restart.inventory.events import events, text_of
from restart.inventory.tree import Block, Listing, Place, Unreadable

DEPTH_MAX = 64
ALIASES_MAX = 1000
SCALAR_MAX = 64 * 1024
ENTRIES_MAX = 200_000
"""Keys in one mapping, items in one list."""
VALUES_FREE = 300_000
VALUES_PER_ENTRY = 60
"""Values in one file: `VALUES_FREE`, and this many more for each entry of `ROOMY`. What aliases stand for counts in full."""
ROOMY = frozenset({"hosts", "services"})

Report = Callable[[Place, str, str], None]
"""Called for what is wrong but lets the reading go on: place, what, way out."""

_PLAIN = re.compile(
    r"(?P<null>~|null|Null|NULL|)|(?P<bool>true|false)|(?P<int>[-+]?[0-9]{1,18})|0o(?P<oct>[0-7]{1,18})|0x(?P<hex>[0-9a-fA-F]{1,15})"
    r"|(?P<float>[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,3})?)"
)
_NUMBER_START = frozenset("0123456789+-.")
_WORDS = frozenset({"", "~", "null", "Null", "NULL", "true", "false"})


def read_tree(data: bytes, report: Report, *, pure: bool = False) -> Block:
    """The top mapping of the one YAML document in `data`. Raises `Unreadable`; `pure` leaves libyaml aside."""
    return _Composer(report).composed(events(text_of(data), pure=pure))


def scalar(text: str) -> Any:
    """What an unquoted text stands for: nothing, a boolean, a number, or itself."""
    if text not in _WORDS and text[0] not in _NUMBER_START:
        return text
    match = _PLAIN.fullmatch(text)
    if match is None:
        return text
    kind, held = match.lastgroup, match[match.lastgroup or 0]
    if kind == "null":
        return None
    if kind == "bool":
        return held == "true"
    if kind == "float":
        number = float(held)
        return number if math.isfinite(number) else text
    return int(held, {"int": 10, "oct": 8, "hex": 16}[kind or "int"])


class _Composer:
    """Events in, tree out, with an explicit stack. One use."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stack: list[Block | Listing] = []
        self._key: str | None = None  # of the innermost block: a key that has no value yet
        self._discard = False  # the next value belongs to a key that is not wanted
        self._root: Block | None = None
        self._roomy = False
        self._values = 0
        self._values_max = VALUES_FREE
        self._aliases = 0
        self._anchors: dict[str, tuple[Any, int]] = {}  # what an anchor holds, and how many values that is
        self._open: list[tuple[str | None, int]] = []  # the anchor of each container on the stack, values before it

    def composed(self, stream: Iterable[Any]) -> Block:
        """The tree."""
        import yaml

        documents = 0
        for event in stream:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._start(event, kind is yaml.MappingStartEvent)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                anchor, before = self._open.pop()
                ended = self._stack.pop()
                if anchor is not None:
                    self._anchors[anchor] = (ended, self._values - before)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise Unreadable(_where(event), "a second document", "one file holds one; use a folder of files")
        if self._root is None:
            raise Unreadable(0, "the file is empty", "`restart init` writes a starter to copy from")
        return self._root

    def _scalar(self, event: Any) -> None:
        text, plain, where = event.value, event.implicit[0], _where(event)
        if len(text) > SCALAR_MAX:
            raise Unreadable(where, f"a text of {len(text)} characters", f"at most {SCALAR_MAX} are read")
        if event.tag is not None:
            self._tag(event, where)
        parent = self._stack[-1] if self._stack else None
        if type(parent) is Block and self._key is None and not self._discard:
            self._take_key(parent, text, plain, where)
            return
        value = scalar(text) if plain else text
        if value is not text and type(parent) is Block and self._key is not None:
            if parent.written is None:
                parent.written = {}
            parent.written[self._key] = text
        self._put(value, where)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)

    def _take_key(self, parent: Block, text: str, plain: bool, where: Place) -> None:
        depth = len(self._stack)
        if text == "<<" and plain:
            self._report(where, "merge keys (<<) are not part of YAML 1.2", "write the keys out, or use `defaults`")
            self._discard = True
            return
        if text in parent:
            first = parent.key_place(text)
            self._report(where, f"the key {text[:60]} is here twice, first in line {(first >> 32) + 1}", "keep one")
            self._discard = True
            return
        if len(parent) >= ENTRIES_MAX:
            raise Unreadable(
                where, f"more than {ENTRIES_MAX} keys in one mapping", "use host ranges, such as web-[1-9]"
            )
        if plain and scalar(text) is not text:
            if parent.numeric_keys is None:
                parent.numeric_keys = set()
            parent.numeric_keys.add(text)
        if depth == 1:
            self._roomy = text in ROOMY
        elif depth == 2 and self._roomy:
            self._values_max += VALUES_PER_ENTRY
        parent.places.append(where)
        self._key = text

    def _start(self, event: Any, is_block: bool) -> None:
        where = _where(event)
        if event.tag is not None:
            self._tag(event, where)
        parent = self._stack[-1] if self._stack else None
        if type(parent) is Block and self._key is None and not self._discard:
            raise Unreadable(where, "a list or mapping cannot be a key", "quote a key that starts with [ or {")
        if len(self._stack) >= DEPTH_MAX:
            raise Unreadable(where, f"nested more than {DEPTH_MAX} deep")
        fresh: Block | Listing = Block(where) if is_block else Listing(where)
        if parent is None:
            if not isinstance(fresh, Block):
                raise Unreadable(where, "a list where keys and values are needed", "the file starts with `version: 1`")
            self._root = fresh
        self._open.append((event.anchor, self._values))
        self._put(fresh, where)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._stack.append(fresh)

    def _alias(self, event: Any) -> None:
        where = _where(event)
        self._aliases += 1
        if self._aliases > ALIASES_MAX:
            raise Unreadable(where, f"more than {ALIASES_MAX} aliases (*name)")
        if event.anchor not in self._anchors:
            raise Unreadable(
                where,
                f"the alias *{event.anchor[:60]} has no finished anchor before it",
                "quote a text that starts with *",
            )
        parent = self._stack[-1]
        if type(parent) is Block and self._key is None and not self._discard:
            raise Unreadable(where, "an alias cannot be a key")
        value, weight = self._anchors[event.anchor]
        self._values += weight - 1
        self._put(value, where)

    def _put(self, value: Any, where: Place) -> None:
        self._values += 1
        if self._values > self._values_max:
            raise Unreadable(
                where, f"more than {self._values_max} values", "far more than the hosts and services here need"
            )
        if self._discard:
            self._discard = False
            return
        if not self._stack:
            if not isinstance(value, Block):
                raise Unreadable(
                    where, "a single text where keys and values are needed", "the file starts with `version: 1`"
                )
            return
        parent = self._stack[-1]
        if isinstance(parent, Block):
            parent[self._key or ""] = value
            self._key = None
        else:
            if len(parent) >= ENTRIES_MAX:
                raise Unreadable(where, f"more than {ENTRIES_MAX} items in one list")
            parent.append(value)
        parent.places.append(where)

    def _tag(self, event: Any, where: Place) -> None:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")[:60]
        self._report(where, f"the tag {tag} is not read", "take it away; quote what must be text")


def _where(event: Any) -> Place:
    mark = event.start_mark
    return int(mark.line << 32 | mark.column)
