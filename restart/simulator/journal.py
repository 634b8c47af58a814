"""The journal of a simulated run, in memory: what was durable when the controller died is all that the next one knows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from restart.engine import ENGINE_VERSION
from restart.errors import Held
from restart.model.event import Event, Fact, Outcome
from restart.runner.drive import Engine
from restart.runner.journal import Entry, row_of
from restart.runner.resume import replay

DAWN = datetime(2026, 1, 1, tzinfo=UTC)
"""When every simulated run starts: no wall clock is read."""


class Kept(Protocol):
    """A journal of a simulated run: in memory (`MemoryJournal`), or in a real store (`restart.simulator.stored.StoredJournal`)."""

    full: bool
    """Appends fail as on a full disk."""
    stepped_s: float
    """How far the controller's wall clock has been stepped, in seconds."""

    def __len__(self) -> int:
        """Events that are durable."""

    def append(self, event: Event, facts_before: Sequence[Fact] = ()) -> None:
        """Make the event durable. Raises `Held` where that cannot be; then nothing is stored."""

    def finish(self, outcome: Outcome | None, facts: Sequence[Fact]) -> None:
        """The run is over, with the facts of the last event; None: it makes no progress."""

    def resumed(self) -> None:
        """The controller died; another has taken over."""

    def resume(self, engine: Engine) -> bool:
        """Bring a fresh engine to where the run was cut; False: nothing is durable yet."""

    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """The rows, in the form of `restart.runner.journal.rows`."""


def disk_full() -> Held:
    """What an append to a full disk raises."""
    return Held("the journal cannot be written: no space left on device", remedy="make room, then resume the run")


class MemoryJournal:
    """Events as they were appended, each with the facts that came with the next. `full` lets appends fail as a full disk does."""

    def __init__(self) -> None:
        self.full = False
        self.stepped_s = 0.0
        """How far the controller's wall clock has been stepped."""
        self._events: list[tuple[float, Event]] = []
        """Each with the seconds by the controller's wall clock since `DAWN`."""
        self._facts: list[tuple[Fact, ...]] = []
        self._owes_facts = False

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: Event, facts_before: Sequence[Fact] = ()) -> None:
        """Make the event durable. Raises `Held` where the disk is full; then nothing is stored."""
        if self.full:
            raise disk_full()
        if self._owes_facts:
            self._facts.append(tuple(facts_before))
        self._events.append((event.at_s + self.stepped_s, event))
        self._owes_facts = True

    def finish(self, outcome: Outcome | None, facts: Sequence[Fact]) -> None:
        """The facts of the last event."""
        if self._owes_facts:
            self._facts.append(tuple(facts))
            self._owes_facts = False

    def entries(self) -> tuple[Entry, ...]:
        """Every event with its facts, as the journal in the store gives them to a resume."""
        return tuple(
            Entry(
                seq=number,
                at=_wall(after_s),
                event=event,
                facts=self._facts[number - 1] if number <= len(self._facts) else None,
            )
            for number, (after_s, event) in enumerate(self._events, 1)
        )

    def resumed(self) -> None:
        """A resume has replayed all: the facts of the last event are told again with the next."""
        self._owes_facts = len(self._facts) < len(self._events)

    def resume(self, engine: Engine) -> bool:
        """Replay everything to a fresh engine; False: there is nothing."""
        entries = self.entries()
        if entries:
            replay(engine, entries, version=ENGINE_VERSION)
        return bool(entries)

    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """The rows, in the form of `restart.runner.journal.rows`."""
        return tuple(self._rows())

    def lines(self) -> bytes:
        """The rows as JSON lines: the same for the same seed, byte for byte."""
        return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in self._rows())

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        seq = 0
        for number, (after_s, event) in enumerate(self._events):
            seq, at = seq + 1, _wall(after_s)
            yield row_of(seq, at, event)
            for fact in self._facts[number] if number < len(self._facts) else ():
                seq += 1
                yield row_of(seq, at, fact)


def _wall(after_s: float) -> str:
    """What the controller's wall clock shows so long after `DAWN`."""
    return (DAWN + timedelta(seconds=after_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
