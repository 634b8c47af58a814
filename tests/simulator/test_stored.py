"""Simulated runs whose journal is a real store: production's append, lease, resume and replay carry them through every crash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from restart.engine import Engine
from restart.errors import Refused
from restart.model.event import Resumed
from restart.model.plan import Plan
from restart.model.simulation import Result
from restart.planner import make_plan, plan_from_json
from restart.runner import journal, runs
from restart.runner.store import Store
from restart.simulator.faults import Fault
from restart.simulator.play import play
from restart.simulator.referee import Referee
from restart.simulator.stored import StoredJournal
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import Drawn, draw
from tests.simulator.test_faults import site


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.db") as opened:
        yield opened


def both(store: Store, drawn: Drawn, plan: Plan, seed: int) -> tuple[Result, Result, str]:
    """The same play with its journal in memory and in the store, and the run's name there."""

    def played(kept: StoredJournal | None) -> Result:
        return play(
            plan, drawn.physics, seed, gates=GATES, faults=drawn.faults, referee=Referee, journal=kept, horizon_s=1e6
        )

    kept = StoredJournal(store, plan)
    try:
        return played(None), played(kept), kept.run
    finally:
        kept.close()


def without_wall_time(result: Result) -> list[dict[str, object]]:
    return [{key: value for key, value in row.items() if key != "at"} for row in result.rows]


@pytest.mark.parametrize("seed", range(200, 212))
def test_a_run_is_the_same_through_the_real_store_whatever_goes_wrong(store: Store, seed: int) -> None:
    drawn = draw(seed, faults=True)
    deaths = tuple(
        Fault(kind="controller_dies", event=event + seed % 7, moment=moment)
        for event, moment in ((3, "appending"), (21, "appended"), (60, "begun"), (140, "appended"), (141, "appending"))
    )
    drawn = Drawn(inventory=drawn.inventory, physics=drawn.physics, faults=(*drawn.faults, *deaths))
    try:
        plan = make_plan(drawn.inventory, made_at="")
    except Refused:
        return
    memory, stored, run = both(store, drawn, plan, seed)
    assert stored.violations == ()
    assert stored.resumes == memory.resumes > 0
    assert stored.outcome == memory.outcome
    assert stored.restarts == memory.restarts
    assert without_wall_time(stored) == without_wall_time(memory)
    found = runs.find(store, run)
    if stored.outcome is not None:
        assert (found.state, found.exit_code) == (stored.outcome.state, stored.outcome.exit_code)


def test_what_the_store_holds_of_a_run_brings_a_fresh_engine_to_the_same_end(store: Store) -> None:
    drawn = Drawn(
        inventory=site(),
        physics=draw(1, faults=False).physics,
        faults=tuple(Fault(kind="controller_dies", event=event) for event in (10, 50, 90)),
    )
    _, stored, run = both(store, drawn, make_plan(drawn.inventory, made_at=""), 1)
    engine = Engine(plan_from_json(runs.plan(store, run)))
    events = journal.events(store, run)
    assert sum(isinstance(event, Resumed) for event in events) == 3
    for event in events:
        engine.handle(event)
    assert engine.outcome == stored.outcome
    assert stored.outcome is not None
    assert stored.outcome.exit_code == 0
