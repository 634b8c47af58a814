"""A simulated run whose journal goes through the real store: production's SQLite file, journal, lease and resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restart.engine import ENGINE_VERSION
from restart.model.event import Event, Fact, Outcome
from restart.model.plan import Plan
from restart.planner import plan_json
from restart.runner import journal, lease, resume, runs
from restart.runner.drive import Engine
from restart.runner.store import Store
from restart.simulator.journal import disk_full


class StoredJournal:
    """The journal of one run of `plan` in `store`, for `restart.simulator.play.play`. The store is the caller's to close, this to `close`.

    A controller that dies lets go of its lease, as the lock of a dead process does; the next takes it anew. Rows carry the wall
    time at which they were stored: they are not the same twice, their events are. Raises `Held` where the fleet has a leader.
    """

    def __init__(self, store: Store, plan: Plan) -> None:
        self.full = False
        self.stepped_s = 0.0
        self.run = runs.new_id(store)
        self._store = store
        self._fleet = plan.fleet
        self._events = 0
        self._lease = lease.take(store, fleet=plan.fleet, run=self.run)
        runs.create(
            store, id=self.run, plan=plan_json(plan), reason="a rehearsal", user="nobody", controller="simulator"
        )
        self._journal = journal.Journal(store, self.run, self._lease.fence)

    def __len__(self) -> int:
        return self._events

    def append(self, event: Event, facts_before: Sequence[Fact] = ()) -> None:
        """Make the event durable, in the store. Raises `Held` where the disk is full."""
        if self.full:
            raise disk_full()
        self._journal.append(event, facts_before)
        self._events += 1

    def finish(self, outcome: Outcome | None, facts: Sequence[Fact]) -> None:
        """The run's end; one that makes no progress has none, and stays to be resumed."""
        if outcome is not None:
            self._journal.finish(outcome, facts)

    def resumed(self) -> None:
        """Another process leads the run now, and knows what is on disk."""
        self._lease.release()
        self._lease = lease.take(self._store, fleet=self._fleet, run=self.run)
        self._journal = journal.Journal(self._store, self.run, self._lease.fence)

    def resume(self, engine: Engine) -> bool:
        """Bring a fresh engine to where the run was cut; False: nothing is durable yet."""
        if not self._events:
            return False
        resume.resume(self._store, self.run, engine, version=ENGINE_VERSION)
        return True

    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """The rows, as `restart report` reads them."""
        return journal.rows(self._store, self.run)

    def close(self) -> None:
        """Let the fleet go."""
        self._lease.release()
