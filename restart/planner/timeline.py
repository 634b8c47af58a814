"""What timing is made of and what it gives: the pieces of a plan, the stations that its moves wait for, the timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from restart.planner.guards import Guards
from restart.planner.holds import HoldTable
from restart.planner.scope import Scope
from restart.rules.limits import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Predicted milliseconds from the run's start. `cause`: the move whose end let this one start; none: nothing did.

    `waited_ms`: during how long at least one move that nothing else kept back waited for a slot.
    """

    start_ms: Mapping[str, int]
    finish_ms: Mapping[str, int]
    cause: Mapping[str, str]
    canaries: frozenset[str]
    makespan_ms: int
    waited_ms: Mapping[Slot, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """What a timeline is made of: `waves` with the path's at the end (`path_from` is the index of the first of those)."""

    scope: Scope
    guards: Guards
    waves: Sequence[Sequence[str]]
    path_from: int
    durations_s: Mapping[str, float]
    holds: HoldTable
    mode: str = "rolling"


@dataclass(slots=True)
class Batch:
    """Moves of one wave that wait for the same stations."""

    hosts: list[str] = field(default_factory=list)
    waits: int = 0


@dataclass(slots=True)
class Station:
    """Moves that must have ended, and `delay_ms` passed, before `batches` may start."""

    left: int = 0
    delay_ms: int = 0
    batches: list[Batch] = field(default_factory=list)
    feeds: Station | None = None
    """A station that waits for this one to open."""
