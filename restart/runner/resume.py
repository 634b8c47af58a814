"""A run carried out under its lease, from its first event or on from its journal.

Replay is resume: the engine is fed the events it has heard before, its requests go nowhere, and it ends where it was.
Then it hears `Resumed` and settles what was in flight. The facts that it tells on the way must be those that the
journal holds: another engine, or one that does not do the same twice, is found out before it acts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from restart.errors import Drift, Held, UsageMistake
from restart.model.document import as_json
from restart.model.event import Answered, Event, Fact, Outcome, Resumed, Started
from restart.model.request import Request
from restart.model.world import Watcher, World
from restart.runner import journal, runs
from restart.runner.drive import Engine, drive
from restart.runner.journal import Entry, Journal
from restart.runner.lease import Lease
from restart.runner.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """Where a run was cut: at `at_s` of its clock, which goes on from there, with these requests without an answer."""

    at_s: float
    in_flight: tuple[Request, ...]


def carry_out(
    store: Store,
    lease: Lease,
    engine: Engine,
    world: World,
    first: Event,
    watchers: Sequence[Watcher] = (),
    lines: Callable[[Sequence[Mapping[str, Any]]], None] | None = None,
) -> Outcome:
    """Drive the lease's run on from `first` (`Started`, or `Resumed` on an engine that `resume` has brought up) to its outcome, and store that.

    `lines` gets the journal's rows as they come, in order and without gaps; like a watcher it is let go where it breaks.
    Raises `Held` where the journal is lost or another has taken the lease. Then nothing more was begun and the run is
    as after a crash: resumable. The world is the caller's to close.
    """
    written = Journal(store, lease.run, lease.fence)
    watching = [*watchers, JournalLines(written, lines)] if lines else watchers
    outcome = engine.outcome
    # Where the crash came between the last event and the end, replay has reached the end, and it is left to store it.
    if outcome is None or outcome.state != "done":
        outcome = drive(engine, world, written.append, first, watching)
    written.finish(outcome, engine.facts)
    return outcome


class JournalLines:
    """A watcher that hands on the journal's rows."""

    def __init__(self, written: Journal, lines: Callable[[Sequence[Mapping[str, Any]]], None]) -> None:
        self._written = written
        self._lines = lines

    def see(self, event: Event, facts: Sequence[Fact]) -> None:
        """The rows since the event before."""
        self._lines(self._written.news(facts))


def resume(store: Store, run: str, engine: Engine, *, version: int) -> Resumption:
    """Bring a fresh `engine` of version `version` to where `run` was cut or stopped. To be called by the fleet's leader.

    Raises `UsageMistake` where it is done or was never begun, `Drift` where a later run has touched the fleet, `Held`
    where journal, plan or engine do not match.
    """
    found = runs.find(store, run)
    if found.state == "done":
        raise UsageMistake(
            f"run {found.id} is done: nothing is left of it", remedy=f"`restart report {found.id}` tells how it went"
        )
    last = runs.latest(store, found.fleet)
    if last is not None and last.id != found.id:
        raise Drift(
            f"after run {found.id} came run {last.id} ({last.started_at}): fleet {found.fleet} is no longer as the journal says",
            remedy="make a new plan with `restart plan`",
        )
    recorded = journal.entries(store, found.id)
    if not recorded:
        raise UsageMistake(f"run {found.id} was never begun", remedy="`restart run` begins a new one")
    first = recorded[0].event
    if isinstance(first, Started) and first.plan_digest != found.plan_digest:
        raise Held(
            f"the journal of run {found.id} belongs to another plan ({first.plan_digest})",
            remedy="put the store's backup in its place",
        )
    in_flight = replay(engine, recorded, version=version)
    return Resumption(at_s=recorded[-1].event.at_s, in_flight=in_flight)


def replay(engine: Engine, recorded: Iterable[Entry], *, version: int) -> tuple[Request, ...]:
    """Feed the journal's events to a fresh engine; the requests that never got an answer, in their order.

    Raises `Held` where the events are those of an engine of another version, where the engine tells other facts than the
    journal holds, or where an answer would go to another request than the one it was given to.
    """
    waiting: dict[str, Request] = {}
    asked: dict[str, str | None] = {}
    for entry in recorded:
        event = entry.event
        if isinstance(event, Started | Resumed) and event.engine != version:
            raise Held(
                f"the journal was written by engine version {event.engine}, this restart has version {version}",
                remedy="resume with the restart that began the run, or make a new plan with `restart plan`",
            )
        if isinstance(event, Resumed):
            waiting.clear()
        elif isinstance(event, Answered):
            waiting.pop(event.request, None)
            now = asked.get(event.request, "nobody")
            if event.request not in asked or (event.host is not None and event.host != now):
                raise _other_engine(
                    f"row {entry.seq} holds {event.host}'s answer to {event.request}, which is asked of {now} now"
                )
        for request in engine.handle(event):
            waiting[request.id] = request
            asked[request.id] = request.host
        if entry.facts is not None:
            _match(engine, entry)
    return tuple(waiting.values())


def _match(engine: Engine, entry: Entry) -> None:
    told = [as_json(fact) for fact in engine.facts]
    held = [as_json(fact) for fact in entry.facts or ()]
    if told == held:
        return
    differing = next(
        (index for index, (one, other) in enumerate(zip(told, held, strict=False)) if one != other),
        min(len(told), len(held)),
    )
    there = held[differing]["fact"] if differing < len(held) else "none"
    now = told[differing]["fact"] if differing < len(told) else "none"
    raise _other_engine(f"fact {differing + 1} behind row {entry.seq}: {there} there, {now} now")


def _other_engine(what: str) -> Held:
    return Held(
        f"replay does not match the journal: {what}",
        remedy="resume with the restart that began the run, or make a new plan with `restart plan`",
    )
