"""Names: ranges in host keys, and selections of hosts (design: rule 14)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from restart.model.inventory import Host

RANGE = re.compile(r"\[(\d+)-(\d+)\]")
EXPANSION_MAX = 1_000_000


def expand(text: str) -> tuple[str, ...]:
    """Every text that the ranges of `text` stand for, zero padding kept; several ranges run in step.

    `app-[08-10]` gives app-08, app-09, app-10. Raises `ValueError` on a range that runs backwards, on ranges of unequal
    length and above `EXPANSION_MAX` names.
    """
    found = RANGE.findall(text)
    if not found:
        return (text,)
    columns = [_range(first, last) for first, last in found]
    if len({len(column) for column in columns}) > 1:
        raise ValueError(
            f"{text!r}: its ranges have {' and '.join(str(len(c)) for c in columns)} values; they run in step"
        )
    pieces = RANGE.split(text)[::3]
    return tuple(
        "".join(piece + value for piece, value in zip(pieces, (*row, ""), strict=True))
        for row in zip(*columns, strict=True)
    )


def _range(first: str, last: str) -> list[str]:
    low, high = int(first), int(last)
    if high < low:
        raise ValueError(f"the range [{first}-{last}] runs backwards")
    if high - low >= EXPANSION_MAX:
        raise ValueError(f"the range [{first}-{last}] is longer than {EXPANSION_MAX} names")
    width = len(first) if first.startswith("0") else 0
    return [str(number).zfill(width) for number in range(low, high + 1)]


def select(
    expression: str | Iterable[str], hosts: Mapping[str, Host], services: Mapping[str, Iterable[str]]
) -> tuple[str, ...]:
    """Names of the hosts that `expression` selects, in inventory order. `services` maps a service to its hosts.

    Terms are joined by commas: a name, a glob (`app-*`), a range (`app-[1-3]`), `service:NAME`, `label:KEY=VALUE` (both may
    be globs), and any of these after `!` to exclude. Only exclusions: out of all. A term that matches nothing raises `ValueError`.
    """
    terms = [
        term.strip()
        for part in ([expression] if isinstance(expression, str) else expression)
        for term in part.split(",")
        if term.strip()
    ]
    if not terms:
        raise ValueError("an empty selection")
    chosen: set[str] = set() if any(not term.startswith("!") for term in terms) else set(hosts)
    excluded: set[str] = set()
    for term in terms:
        (excluded if term.startswith("!") else chosen).update(_term(term.removeprefix("!"), hosts, services))
    chosen -= excluded
    if not chosen:
        raise ValueError(f"{', '.join(terms)} leaves no host")
    return tuple(name for name in hosts if name in chosen)


def _term(term: str, hosts: Mapping[str, Host], services: Mapping[str, Iterable[str]]) -> set[str]:
    if term.startswith("service:"):
        wanted = term.removeprefix("service:")
        found = {host for name, members in services.items() if fnmatchcase(name, wanted) for host in members}
    elif term.startswith("label:"):
        key, _, value = term.removeprefix("label:").partition("=")
        found = {name for name, host in hosts.items() if key in host.labels and fnmatchcase(host.labels[key], value)}
    else:
        found = set()
        for name in expand(term):
            if name in hosts:
                found.add(name)
            elif "*" in name or "?" in name:
                found.update(match for match in hosts if fnmatchcase(match, name))
            else:
                raise ValueError(f"{name!r} is not a host")
    if not found:
        raise ValueError(f"{term!r} matches no host")
    return found
