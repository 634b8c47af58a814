"""The one loop that joins engine and world: live, simulated and resumed alike (design: section 3)."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from restart.model.event import Event, Fact, Outcome
from restart.model.request import Request
from restart.model.world import Watcher, World


class Engine(Protocol):
    """What the loop needs of the pure state machine. Same plan, same events: same requests, same facts."""

    @property
    def deadline(self) -> float | None:
        """When it next wants an event, in run seconds; None: it waits for answers alone."""

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; None while it goes on."""

    @property
    def facts(self) -> Sequence[Fact]:
        """What became true while the last event was handled; none before the first."""

    def handle(self, event: Event) -> Sequence[Request]:
        """The requests that the event leads to."""


Append = Callable[[Event, Sequence[Fact]], None]
"""Makes the event durable, with the facts of the event before it; raises where it cannot."""


class RunClock:
    """The run's clock: seconds since the run's start, monotonic; a resumed run goes on from `start_s`, its last event.

    The time between a crash and the resume does not count: no clock is trusted across the two. The engine takes nothing
    that was seen before a `Resumed` for fresh.
    """

    def __init__(self, start_s: float = 0.0) -> None:
        self._zero_s = time.monotonic() - start_s

    def __call__(self) -> float:
        return time.monotonic() - self._zero_s


def drive(engine: Engine, world: World, append: Append, first: Event, watchers: Iterable[Watcher] = ()) -> Outcome:
    """Carry the run on from `first` until the engine has an outcome. The facts of the last event are left in `engine.facts`.

    An event is on disk before anything is done about it: if we die between the two, replay makes the same requests
    again and `Resumed` settles them. Where `append` raises, nothing has begun.
    """
    watching = list(watchers)
    event = first
    while True:
        append(event, engine.facts)
        requests = engine.handle(event)
        _show(watching, event, engine.facts)
        for request in requests:
            world.begin(request)
        if engine.outcome is not None:
            return engine.outcome
        event = _not_before(event.at_s, world.wait(engine.deadline))


def _not_before(at_s: float, event: Event) -> Event:
    """The engine's time never runs back, though answers from several threads may cross by microseconds."""
    return event if event.at_s >= at_s else dataclasses.replace(event, at_s=at_s)


def _show(watching: list[Watcher], event: Event, facts: Sequence[Fact]) -> None:
    """Watchers see and never steer: one that breaks (a closed pipe, a bug in a view) is let go, told once, and the run goes on."""
    for watcher in tuple(watching):
        try:
            watcher.see(event, facts)
        except Exception as error:  # noqa: BLE001 - the edge of a room that may not stop a run that holds hosts
            watching.remove(watcher)
            _tell(
                f"restart: {type(watcher).__name__} broke and is let go ({type(error).__name__}: {error}); the run goes on\n"
            )


def _tell(line: str) -> None:
    try:
        sys.stderr.write(line)
    except (OSError, ValueError):
        # Standard error may be the very pipe that was closed.
        return
