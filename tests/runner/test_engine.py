"""The real engine through the real journal: what a toy engine cannot show."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from restart.engine import ENGINE_VERSION, Engine
from restart.model.event import Resumed, Started, Word
from restart.runner import journal
from restart.runner.lease import take
from restart.runner.resume import carry_out, replay, resume
from restart.runner.store import Store
from tests.engine.test_run import site
from tests.runner.toy import HOLDER, PLAN, create

STARTED = Started(at_s=0.0, engine=ENGINE_VERSION, run="r1", plan_digest=PLAN["digest"])

HERE = Path(__file__).parents[2]

WRITE = """
import sys
from pathlib import Path
from restart.engine import Engine
from restart.runner.lease import take
from restart.runner.resume import carry_out
from restart.runner.store import Store
from tests.runner.test_engine import STARTED, create, site
toy, plan = site()
with Store.open(Path(sys.argv[1])) as store, take(store, fleet="shop", run="r1") as lease:
    create(store)
    print(carry_out(store, lease, Engine(plan), toy, STARTED).state)
"""


def in_another_process(path: Path, hash_seed: int) -> str:
    """Sets of names have another order in each process; the seed makes that repeatable."""
    env = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(path)], cwd=HERE, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_engine_in_another_process_does_the_same_again(tmp_path: Path) -> None:
    _, plan = site()
    stories = []
    for seed in (1, 2, 3, 5):
        path = tmp_path / f"{seed}.db"
        assert in_another_process(path, seed) == "done"
        with Store.open(path) as store:
            recorded = journal.entries(store, "r1")
            replay(Engine(plan), recorded, version=ENGINE_VERSION)
            stories.append([replace(entry, at="") for entry in recorded])
    assert all(story == stories[0] for story in stories)


def test_a_stopped_run_is_resumed_to_its_end(store: Store) -> None:
    toy, plan = site()
    toy.words = [(100.0, Word(at_s=0.0, word="stop", by="ann"))]
    with take(store, fleet="shop", run="r1", holder=HOLDER) as lease:
        create(store)
        assert carry_out(store, lease, Engine(plan), toy, STARTED).state == "stopped"
    with take(store, fleet="shop", run="r1", holder=HOLDER) as lease:
        engine = Engine(plan)
        at_s = resume(store, "r1", engine, version=ENGINE_VERSION).at_s
        resumed = Resumed(at_s=at_s, engine=ENGINE_VERSION)
        assert carry_out(store, lease, engine, toy, resumed).state == "done"
    assert toy.trouble == []
    assert {host.reboots for host in toy.hosts.values()} == {1}


class Dead(BaseException):
    """The process ends here."""


class Dying:
    """A watcher that sees the process die after this many events."""

    def __init__(self, events: int) -> None:
        self._left = events

    def see(self, event: object, facts: object) -> None:
        self._left -= 1
        if not self._left:
            raise Dead


@pytest.mark.parametrize("every", [7, 12])
def test_a_run_that_dies_again_and_again_restarts_every_host_exactly_once(store: Store, every: int) -> None:
    toy, plan = site()
    state = ""
    lives = 0
    while not state:
        lives += 1
        with take(store, fleet="shop", run="r1", holder=HOLDER) as lease:
            engine = Engine(plan)
            if lives == 1:
                create(store)
                first: Started | Resumed = STARTED
            else:
                last_s = resume(store, "r1", engine, version=ENGINE_VERSION).at_s
                first = Resumed(at_s=max(last_s, toy.now_s), engine=ENGINE_VERSION)
            try:
                state = carry_out(store, lease, engine, toy, first, [Dying(every * lives)]).state
            except Dead:
                toy.crash()
    assert lives > 2
    assert state == "done"
    assert toy.trouble == []
    assert {host.reboots for host in toy.hosts.values()} == {1}
    moved = [row["host"] for row in journal.rows(store, "r1") if row["event"] == "move_done"]
    assert sorted(moved) == sorted(toy.hosts)
