"""Adding dependencies to an inventory's text, so that comments, order and layout stay: for `restart discover --write`.

The text is changed where the YAML parser says the service stands, and nowhere else. No such change is trusted: the files as they would be
are read anew, and must give the inventory that was, with these edges and nothing else changed, or the change is not made. So whatever
layout somebody thinks of, it is either edited rightly or refused by name.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from restart.errors import Drift, InventoryInvalid, RestartError, UsageMistake
from restart.inventory.compose import scalar
from restart.inventory.files import files
from restart.inventory.problems import Problems
from restart.inventory.reader import read
from restart.inventory.schema_power import NO_SHELF
from restart.model.inventory import Dependency, Inventory
from restart.model.world import Gate, Power

COMMENT_MAX = 100
"""Characters of a comment behind an edge that was added."""

_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """Service `consumer` is to depend on `edge.provider`; `why` goes behind it as a comment where the layout has room for one."""

    consumer: str
    edge: Dependency
    why: str = ""

    def line(self) -> str:
        """The edge as it is written below `depends_on:`."""
        held = {"kind": self.edge.kind} | ({"at": self.edge.at} if self.edge.at != "both" else {})
        return f"{_key(self.edge.provider)}: {{{', '.join(f'{key}: {value}' for key, value in held.items())}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMade:
    """An addition that the text does not take, and why. `place` is `file:line` of the service, empty where it was not found."""

    addition: Addition
    why: str
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What was made of the additions. `texts` are the files that change: as they are, and as they would be."""

    texts: Mapping[Path, tuple[bytes, bytes]] = field(default_factory=dict)
    made: tuple[Addition, ...] = ()
    not_made: tuple[NotMade, ...] = ()


class _Refused(Exception):
    """This layout cannot be edited; the text is why."""


def with_edges(
    paths: Sequence[Path],
    inventory: Inventory,
    additions: Sequence[Addition],
    gates: Mapping[str, Gate],
    powers: Mapping[str, Power] = NO_SHELF,
) -> Edited:
    """The inventory's files with `additions` in them, as far as they take them. Nothing is written.

    `inventory` is what `paths` hold. All at once is tried first; only where that does not come out, one service after the other, so
    that each refusal is its own.
    """
    if not additions:
        return Edited()
    book = _Book(paths, inventory, gates, powers)
    if not book.is_current():
        changed = "the files were changed while the hosts were looked at: discover again"
        return Edited(not_made=tuple(NotMade(addition=addition, why=changed) for addition in additions))
    by_service: dict[str, list[Addition]] = {}
    for addition in additions:
        by_service.setdefault(addition.consumer, []).append(addition)
    if book.take(additions) is None:
        return Edited(texts=book.texts(), made=tuple(additions))
    made: list[Addition] = []
    not_made: list[NotMade] = []
    for consumer, wanted in by_service.items():
        if len(by_service) > 1 and book.take(wanted) is None:
            made += wanted
            continue
        for addition in wanted:
            why = book.take([addition])
            if why is None:
                made.append(addition)
            else:
                not_made.append(NotMade(addition=addition, why=why, place=book.place(consumer)))
    return Edited(texts=book.texts(), made=tuple(made), not_made=tuple(not_made))


def write(edited: Edited) -> None:
    """Write the files, each whole or not at all, with the mode and the owner that it had.

    Raises `Drift` where one was changed since it was read, before any is written, and `UsageMistake` where one cannot be written.
    """
    parts: list[tuple[Path, Path]] = []
    try:
        for path, (before, after) in edited.texts.items():
            # The file itself, where the name is a link to it.
            target = path.resolve()
            if target.read_bytes() != before:
                raise Drift(f"{path} was changed while the hosts were looked at", remedy="discover again")
            stat = target.stat()
            part = target.with_name(f".{target.name}.{os.getpid()}.part")
            parts.append((part, target))
            with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(after)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(part, stat.st_mode & 0o7777)
            if (stat.st_uid, stat.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(part, stat.st_uid, stat.st_gid)
        for part, target in parts:
            part.replace(target)
    except OSError as error:
        raise UsageMistake(f"{error.filename or 'the inventory'} cannot be written: {error.strerror}") from error
    finally:
        for part, _ in parts:
            part.unlink(missing_ok=True)


class _Book:
    """The files, with what was added to them so far."""

    def __init__(
        self, paths: Sequence[Path], inventory: Inventory, gates: Mapping[str, Gate], powers: Mapping[str, Power]
    ) -> None:
        self._paths = paths
        self._gates = gates
        self._powers = powers
        self._inventory = inventory
        try:
            self._before = {file: file.read_bytes() for file in files(paths, Problems())}
        except OSError as error:
            raise UsageMistake(f"{error.filename} cannot be read: {error.strerror}") from error
        self._now = dict(self._before)

    def is_current(self) -> bool:
        """Whether the files still hold the inventory."""
        try:
            found = read(self._paths, self._gates, powers=self._powers, edited=self._now)
        except RestartError:
            return False
        return found == self._inventory

    def texts(self) -> dict[Path, tuple[bytes, bytes]]:
        return {file: (data, self._now[file]) for file, data in self._before.items() if self._now[file] != data}

    def place(self, consumer: str) -> str:
        """`file:line` of the service."""
        for file in self._now:
            try:
                found = self._found(file, consumer)
            except _Refused:
                continue
            if found is not None:
                return f"{file}:{found[1][0].start_mark.line + 1}"
        return ""

    def take(self, additions: Sequence[Addition]) -> str | None:
        """Add them all. None: done; else why not, and then nothing of them is."""
        tried = dict(self._now)
        wanted: dict[str, list[Addition]] = {}
        for addition in additions:
            wanted.setdefault(addition.consumer, []).append(addition)
        try:
            for consumer, added in wanted.items():
                file, data = self._edited(tried, consumer, added)
                tried[file] = data
        except _Refused as refused:
            return str(refused)
        expected = _expected(self._inventory, additions)
        try:
            found = read(self._paths, self._gates, powers=self._powers, cycles_are_problems=True, edited=tried)
        except InventoryInvalid as error:
            return f"the inventory would not be valid: {error.problems[0].what}"
        except RestartError as error:
            return f"the inventory could not be read: {error}"
        if found != expected:
            return "written there it would mean something else: an alias, an anchor or a layout that is not known here"
        self._now, self._inventory = tried, expected
        return None

    def _edited(self, tried: dict[Path, bytes], consumer: str, added: Sequence[Addition]) -> tuple[Path, bytes]:
        for file, data in tried.items():
            found = self._found(file, consumer, data)
            if found is not None:
                text, (key, node) = found
                at, inserted = _insertion(text, key, node, added)
                return file, (text[:at] + inserted + text[at:]).encode()
        raise _Refused(f"the service {consumer} was not found in the files")

    def _found(self, file: Path, consumer: str, data: bytes | None = None) -> tuple[str, tuple[Any, Any]] | None:
        """The file's text, and the nodes of the service's key and value; None where it is not in this file."""
        import yaml

        data = self._now[file] if data is None else data
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise _Refused(f"{file} is not written in UTF-8") from None
        if text.startswith("\ufeff"):
            raise _Refused(f"{file} begins with a byte order mark")
        # Depth, size and aliases were bounded when it was read (compose.py); this gives the places.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        root = yaml.compose(text, Loader=loader)
        services = dict(_entries(root)).get("services")
        for key, value in _entries(services[1]) if services else ():
            if key == consumer:
                return text, value
        return None


def _expected(inventory: Inventory, additions: Sequence[Addition]) -> Inventory:
    services = dict(inventory.services)
    for addition in additions:
        service = services[addition.consumer]
        services[addition.consumer] = replace(service, depends_on=(*service.depends_on, addition.edge))
    return replace(inventory, services=services)


def _entries(node: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Each key of a mapping with its node and its value's."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key.value, (key, value)


def _insertion(text: str, key: Any, node: Any, added: Sequence[Addition]) -> tuple[int, str]:
    """Where in `text` what is inserted, so that the service at `node` has the edges."""
    import yaml

    entries = dict(_entries(node))
    if not isinstance(node, yaml.MappingNode) or not entries:
        raise _Refused("the service is not written as a mapping")
    flow = ", ".join(addition.line() for addition in added)
    held = entries.get("depends_on")
    if held is None:
        if node.flow_style:
            return _end(text, list(entries.values())[-1][1]), f", depends_on: {{{flow}}}"
        indent = node.start_mark.column
        step = max(1, indent - key.start_mark.column)
        after = entries.get("hosts") or list(entries.values())[-1]
        return _below(text, after[1], [f"{' ' * indent}depends_on:", *_lines(added, indent + step)])
    depends = held[1]
    if not isinstance(depends, yaml.MappingNode):
        raise _Refused("depends_on is not written as a mapping")
    if not depends.value:
        return depends.start_mark.index + 1, flow
    last = depends.value[-1][1]
    if depends.flow_style:
        return _end(text, last), f", {flow}"
    return _below(text, last, _lines(added, depends.value[0][0].start_mark.column))


def _lines(added: Sequence[Addition], indent: int) -> list[str]:
    lines = []
    for addition in added:
        why = "".join(mark if " " <= mark <= "~" else "?" for mark in addition.why)[:COMMENT_MAX].rstrip()
        lines.append(f"{' ' * indent}{addition.line()}" + (f"  # {why}" if why else ""))
    return lines


def _end(text: str, node: Any) -> int:
    """Just behind the last character of the value; what comes after a block is not part of it."""
    import yaml

    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    at = int(node.end_mark.index)
    while isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and at and text[at - 1] in " \t\r\n":
        at -= 1
    return at


def _below(text: str, node: Any, lines: Sequence[str]) -> tuple[int, str]:
    """`lines` as lines of their own, below the one on which the value ends."""
    at = _end(text, node)
    rest = _REST_OF_LINE.match(text, at)
    if rest is None:
        raise _Refused("something else stands on the line behind it")
    line_end = "\r\n" if rest[0].endswith("\r\n") else "\n"
    body = line_end.join(lines)
    if rest[0].endswith("\n"):
        return rest.end(), body + line_end
    return rest.end(), line_end + body


def _key(name: str) -> str:
    """A name as a key, in quotes where YAML would read it as something else."""
    return name if _PLAIN_KEY.fullmatch(name) and scalar(name) is name else json.dumps(name, ensure_ascii=False)
