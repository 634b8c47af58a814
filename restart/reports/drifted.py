"""Where the world was found to have moved away from the plan in the middle of a run: which host, planned for as what, found how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from restart.reports.prose import printable, wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One host that is not as the plan takes it to be, though the run did nothing to it. `service`: of which it is not ready; None: it was not reached."""

    host: str
    service: str | None
    planned: str
    found: str


def differences_json(found: Iterable[Difference]) -> list[dict[str, Any]]:
    """As plain data."""
    return [
        {"host": one.host, "service": one.service, "planned": one.planned, "found": one.found} for one in found
    ]  # fmt: skip


def differences_lines(found: Iterable[Difference], width: int) -> Iterator[str]:
    """A block for people."""
    listed = list(found)
    if not listed:
        return
    yield "Not as planned"
    for one in listed:
        text = f"{one.host}: planned for as {one.planned}; found: {one.found}"
        yield from wrapped(printable(text), width=width, first="  ", rest="    ")
