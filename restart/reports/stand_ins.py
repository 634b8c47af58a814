"""Stand-ins in the account of a run: which were put up, which are removed, and which are left in place, with the command that takes each out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from restart.engine import facts as names
from restart.model.event import Fact
from restart.reports.prose import printable, wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """One stand-in of a host for `provider`. `state` is `up` (the run goes on), `removed` or `left`; `undo` takes it out on `on`."""

    host: str
    service: str
    provider: str
    undo: str
    on: str
    state: str = "up"


_STATES = {names.STAND_IN: "up", names.STAND_IN_REMOVED: "removed", names.STAND_IN_LEFT: "left"}


def stand_ins(facts: Iterable[Fact]) -> tuple[StandIn, ...]:
    """Every stand-in that the run put up, in that order, as it stands now."""
    found: dict[tuple[str, str, str], StandIn] = {}
    for fact in facts:
        state = _STATES.get(fact.fact)
        if state is None:
            continue
        key = (fact.host or "", fact.service or "", str(fact.data.get("provider", "")))
        before = found.get(key)
        found[key] = StandIn(
            host=key[0],
            service=key[1],
            provider=key[2],
            undo=str(fact.data.get("undo", before.undo if before else fact.evidence or "")),
            on=str(fact.data.get("on", before.on if before else key[0])),
            state=state,
        )
    return tuple(found.values())


def stand_ins_json(found: Iterable[StandIn]) -> list[dict[str, Any]]:
    """As plain data."""
    return [
        {"host": one.host, "service": one.service, "provider": one.provider, "state": one.state, "undo": one.undo, "on": one.on}
        for one in found
    ]  # fmt: skip


def stand_ins_lines(found: Iterable[StandIn], width: int) -> Iterator[str]:
    """A block for people; what is left in place first."""
    listed = sorted(found, key=lambda one: ("left", "up", "removed").index(one.state))
    if not listed:
        return
    yield "Stand-ins"
    for one in listed:
        said = {
            "left": f"LEFT IN PLACE: on {one.on} take it out with `{one.undo}`, then restart {one.host}",
            "up": "in place, a second pass takes it out",
            "removed": "removed",
        }[one.state]
        text = f"{one.host}: for {one.provider}, which {one.service} requires: {said}"
        yield from wrapped(printable(text), width=width, first="  ", rest="    ")
