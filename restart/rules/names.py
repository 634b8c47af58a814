"""Names: ranges in host keys, and selections of hosts (design: rule 14)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import cached_property

from restart.model.inventory import Host

RANGE = re.compile(r"\[([0-9]+)-([0-9]+)\]")
EXPANSION_MAX = 200_000
_NUMBER_LENGTH_MAX = 18
_WILDCARD = re.compile(r"[*?]")


def expand(text: str) -> tuple[str, ...]:
    """Every text that the ranges of `text` stand for, zero padding kept; several ranges run in step.

    `app-[08-10]` gives app-08, app-09, app-10. Raises `ValueError` on a range that runs backwards, on ranges of unequal
    length and above `EXPANSION_MAX` values in all.
    """
    if not span(text):
        return (text,)
    found = RANGE.findall(text)
    columns = [_range(first, last) for first, last in found]
    pieces = RANGE.split(text)[::3]
    return tuple(
        "".join(piece + value for piece, value in zip(pieces, (*row, ""), strict=True))
        for row in zip(*columns, strict=True)
    )


def span(text: str) -> int:
    """How many texts `text` stands for; 0 where it holds no range. Raises as `expand` does, and costs no memory."""
    found = RANGE.findall(text)
    lengths = [_length(first, last) for first, last in found]
    if len(set(lengths)) > 1:
        raise ValueError(f"{text!r}: its ranges have {' and '.join(map(str, lengths))} values; they run in step")
    if sum(lengths) > EXPANSION_MAX:
        raise ValueError(f"the ranges of {text!r} are longer than {EXPANSION_MAX} values")
    return lengths[0] if lengths else 0


def _length(first: str, last: str) -> int:
    if max(len(first), len(last)) > _NUMBER_LENGTH_MAX:
        raise ValueError(f"the range [{first[:20]}-{last[:20]}] is longer than {EXPANSION_MAX} values")
    if int(last) < int(first):
        raise ValueError(f"the range [{first}-{last}] runs backwards")
    return int(last) - int(first) + 1


def _range(first: str, last: str) -> list[str]:
    width = len(first) if first.startswith("0") else 0
    return [str(number).zfill(width) for number in range(int(first), int(last) + 1)]


class Names:
    """The hosts of an inventory, by position, prefix and label, so that a selection costs what it finds, not the fleet."""

    def __init__(self, hosts: Mapping[str, Host]) -> None:
        self.hosts = hosts

    @cached_property
    def _position(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.hosts)}

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.hosts)

    @cached_property
    def _labelled(self) -> dict[str, dict[str, list[str]]]:
        found: dict[str, dict[str, list[str]]] = {}
        for name, host in self.hosts.items():
            for key, value in host.labels.items():
                found.setdefault(key, {}).setdefault(value, []).append(name)
        return found

    def in_order(self, names: Iterable[str]) -> tuple[str, ...]:
        """`names`, each once, in inventory order."""
        return tuple(sorted(set(names), key=self._position.__getitem__))

    def matching(self, term: str, services: Mapping[str, Iterable[str]]) -> set[str]:
        """The hosts of one term without its `!`. Raises `ValueError` where it matches none."""
        if term.startswith("service:"):
            wanted = _glob(term.removeprefix("service:"))
            found = {host for name, members in services.items() if wanted.fullmatch(name) for host in members}
        elif term.startswith("label:"):
            key, _, value = term.removeprefix("label:").partition("=")
            wanted = _glob(value)
            values = self._labelled.get(key, {})
            found = {name for held, names in values.items() if wanted.fullmatch(held) for name in names}
        else:
            found = set()
            if span(term) > len(self.hosts):
                raise ValueError(f"{term!r} stands for {span(term)} names, there are {len(self.hosts)} hosts")
            for name in expand(term):
                if name in self.hosts:
                    found.add(name)
                elif _WILDCARD.search(name):
                    found.update(self._globbed(name))
                else:
                    raise ValueError(f"{name!r} is not a host")
        if not found:
            raise ValueError(f"{term!r} matches no host")
        return found

    def _globbed(self, glob: str) -> list[str]:
        """Hosts that match; only those that begin with what stands before the first wildcard are looked at."""
        prefix = _WILDCARD.split(glob, maxsplit=1)[0]
        names = self._sorted
        first = bisect_left(names, prefix)
        last = bisect_left(names, prefix + chr(0x10FFFF)) if prefix else len(names)
        matches = _glob(glob).fullmatch
        return [name for name in names[first:last] if matches(name)]


def select(
    expression: str | Iterable[str],
    hosts: Mapping[str, Host] | Names,
    services: Mapping[str, Iterable[str]],
) -> tuple[str, ...]:
    """Names of the hosts that `expression` selects, in inventory order. `services` maps a service to its hosts.

    Terms are joined by commas: a name, a glob (`app-*`), a range (`app-[1-3]`), `service:NAME`, `label:KEY=VALUE` (both may
    be globs), and any of these after `!` to exclude. Only exclusions: out of all. A term that matches nothing raises
    `ValueError`. For many selections from one inventory hand in `Names(hosts)`.
    """
    names = hosts if isinstance(hosts, Names) else Names(hosts)
    chosen: set[str] = set()
    excluded: set[str] = set()
    wanted = terms(expression)
    if not wanted:
        raise ValueError("an empty selection")
    if all(term.startswith("!") for term in wanted):
        chosen = set(names.hosts)
    for term in wanted:
        (excluded if term.startswith("!") else chosen).update(names.matching(term.removeprefix("!"), services))
    chosen -= excluded
    if not chosen:
        raise ValueError(f"{', '.join(wanted)} leaves no host")
    return names.in_order(chosen)


def terms(expression: str | Iterable[str]) -> list[str]:
    """The terms of a selection, trimmed."""
    parts = [expression] if isinstance(expression, str) else expression
    return [term.strip() for part in parts for term in part.split(",") if term.strip()]


def _glob(text: str) -> re.Pattern[str]:
    """`*` any characters, `?` one; nothing else is special."""
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in text.split("*"))
    if not rest:
        return re.compile(first, re.DOTALL)
    # Atomic groups: a glob of many stars must not take exponential time on a name that does not match.
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)
