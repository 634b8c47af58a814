from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from restart.engine import facts
from restart.errors import Drift, Held, UsageMistake
from restart.model.event import Event, Outcome, Resumed, Started
from restart.model.request import Request
from restart.runner import history, journal, runs, words
from restart.runner.lease import take
from restart.runner.resume import carry_out, replay, resume
from restart.runner.store import Store
from tests.runner.toy import HOLDER, HOSTS, VERSION, Hosts, ToyEngine, ToyWorld, create, started


class Crash(BaseException):
    """The process dies here."""


class Crossings:
    """Dies at the crossing of this number, from 1; counts them all the same."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.count = 0
        self._dies_at = dies_at

    def __call__(self) -> None:
        self.count += 1
        if self.count == self._dies_at:
            raise Crash

    def see(self, event: object, facts: object) -> None:
        """As a watcher: the event is on disk, nothing that it led to has begun."""
        self()


def one_process(path: Path, hosts: Hosts, crossing: Crossings) -> Outcome:
    """What a `run`, and after it each `resume`, does, in a process of its own store, engine and world."""
    with Store.open(path) as store, take(store, fleet="shop", run="r1", holder=HOLDER) as lease:
        # Inside the append's transaction as well: it dies with the row written and not committed.
        fence: Callable[..., None] = lease.fence
        lease.fence = lambda execute: (fence(execute), crossing())[0]  # type: ignore[method-assign]
        engine = ToyEngine()
        if runs.runs(store) and journal.events(store, "r1"):
            at_s = resume(store, "r1", engine, version=VERSION).at_s
            first: Started | Resumed = Resumed(at_s=at_s, engine=VERSION, user="ann")
        else:
            if not runs.runs(store):
                create(store)
            at_s, first = 0.0, started("r1")
        world = ToyWorld(hosts, start_s=at_s, crossing=crossing)
        return carry_out(store, lease, engine, world, first, [crossing])


def crossings_of_a_whole_run(folder: Path) -> int:
    crossing = Crossings()
    one_process(folder / "uncut.db", Hosts(folder / "uncut"), crossing)
    return crossing.count


def assert_as_if_never_cut(path: Path, hosts: Hosts) -> None:
    assert {host: hosts.reboots(host) for host in HOSTS} == dict.fromkeys(HOSTS, 1)
    with Store.open(path) as store:
        rows = journal.rows(store, "r1")
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        for once in (facts.MOVE_STARTED, facts.BOOTED, facts.MOVE_DONE):
            assert sorted(row["host"] for row in rows if row["event"] == once) == sorted(HOSTS)
        assert [row["event"] for row in rows].count(facts.RUN_ENDED) == 1
        assert {host: len(taken) for host, taken in history.samples(store, "shop").items()} == dict.fromkeys(HOSTS, 1)
        assert runs.find(store, "r1").state == "done"


def test_a_run_cut_at_any_point_and_resumed_restarts_every_host_exactly_once(tmp_path: Path) -> None:
    total = crossings_of_a_whole_run(tmp_path)
    assert total > 40
    for number in range(1, total + 1):
        path, hosts = tmp_path / f"{number}.db", Hosts(tmp_path / f"{number}")
        with pytest.raises(Crash):
            one_process(path, hosts, Crossings(number))
        assert one_process(path, hosts, Crossings()).state == "done"
        assert_as_if_never_cut(path, hosts)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.runner.test_resume import Crossings, Hosts, one_process

class Killed(Crossings):
    def __call__(self):
        self.count += 1
        if self.count == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

one_process(Path(sys.argv[1]) / "store.db", Hosts(Path(sys.argv[1]) / "hosts"), Killed())
"""


@pytest.mark.parametrize("dies_at", [1, 8, 15, 22, 29, 36, 43])
def test_a_process_that_is_killed_loses_nothing_and_its_run_is_resumed_at_once(tmp_path: Path, dies_at: int) -> None:
    here = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(dies_at)], cwd=here, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    path, hosts = tmp_path / "store.db", Hosts(tmp_path / "hosts")
    assert one_process(path, hosts, Crossings()).state == "done"
    assert_as_if_never_cut(path, hosts)


@pytest.mark.parametrize("every", [2, 3, 5, 7, 11])
def test_a_run_cut_again_and_again_still_restarts_every_host_exactly_once(tmp_path: Path, every: int) -> None:
    path, hosts = tmp_path / "store.db", Hosts(tmp_path / "hosts")
    dies_at = every
    while True:
        try:
            outcome = one_process(path, hosts, Crossings(dies_at))
            break
        except Crash:
            dies_at += every
    assert outcome.state == "done"
    assert_as_if_never_cut(path, hosts)


def test_nothing_begins_that_is_not_in_the_journal(tmp_path: Path) -> None:
    total = crossings_of_a_whole_run(tmp_path)
    for number in range(1, total + 1):
        path = tmp_path / f"{number}.db"
        with Store.open(path) as store, take(store, fleet="shop", run="r1", holder=HOLDER) as lease:
            create(store)
            crossing = Crossings(number)
            world = ToyWorld(Hosts(tmp_path / f"{number}"), crossing=crossing)
            # Fewer crossings than in `one_process`: the last numbers die after the end.
            with contextlib.suppress(Crash):
                carry_out(store, lease, ToyEngine(), world, started("r1"), [crossing])
            begun = [request.id for request in world.begun]
        with Store.open(path) as store:
            engine = ToyEngine()
            asked = [request.id for event in journal.events(store, "r1") for request in engine.handle(event)]
            assert set(begun) <= set(asked)


def test_the_lines_of_a_run_and_of_its_resume_are_the_journal(store: Store, tmp_path: Path) -> None:
    for dies_at in range(1, 30, 3):
        run, fleet, hosts = f"r{dies_at}", f"shop{dies_at}", Hosts(tmp_path / f"hosts{dies_at}")
        lines: list[Mapping[str, Any]] = []
        with take(store, fleet=fleet, run=run, holder=HOLDER) as lease:
            create(store, run, fleet)
            world = ToyWorld(hosts, crossing=Crossings(dies_at))
            with contextlib.suppress(Crash):
                carry_out(store, lease, ToyEngine(), world, started(run), lines=lines.extend)
        if not runs.find(store, run).ended:
            with take(store, fleet=fleet, run=run, holder=HOLDER) as lease:
                engine = ToyEngine()
                at_s = resume(store, run, engine, version=VERSION).at_s
                world = ToyWorld(hosts, start_s=at_s)
                # What the first process printed last may not have been stored: the second prints it again, the same.
                lines = lines[: runs.find(store, run).rows]
                carry_out(store, lease, engine, world, Resumed(at_s=at_s, engine=VERSION), lines=lines.extend)
        assert tuple(lines) == journal.rows(store, run)


def resumable(store: Store, hosts: Hosts, dies_at: int = 12) -> None:
    with take(store, fleet="shop", run="r1", holder=HOLDER) as lease:
        create(store)
        with pytest.raises(Crash):
            carry_out(store, lease, ToyEngine(), ToyWorld(hosts, crossing=Crossings(dies_at)), started("r1"))


def test_replay_gives_the_requests_that_never_got_an_answer(store: Store, tmp_path: Path) -> None:
    resumable(store, Hosts(tmp_path / "hosts"))
    answered = {row["input"]["request"] for row in journal.rows(store, "r1") if row["event"] == "answered"}
    waiting = replay(ToyEngine(), journal.entries(store, "r1"), version=VERSION)
    assert waiting
    assert not {request.id for request in waiting} & answered


def test_the_journal_of_another_engine_is_not_resumed(store: Store, tmp_path: Path) -> None:
    resumable(store, Hosts(tmp_path / "hosts"))
    with pytest.raises(
        Held, match=r"written by engine version 1, this restart has version 2 \(resume with the restart"
    ):
        resume(store, "r1", ToyEngine(), version=2)


def test_an_engine_that_tells_other_facts_than_the_journal_is_not_resumed(store: Store, tmp_path: Path) -> None:
    resumable(store, Hosts(tmp_path / "hosts"))
    with pytest.raises(
        Held, match=r"replay does not match the journal: fact 2 behind row 1: move_started there, move_started now \("
    ):
        resume(store, "r1", ToyEngine(hosts=("db-9", *HOSTS)), version=VERSION)


def test_an_engine_that_asks_others_under_the_same_names_is_not_resumed(store: Store, tmp_path: Path) -> None:
    class Crossed(ToyEngine):
        """Its requests go by the same ids, to other hosts."""

        def handle(self, event: Event) -> tuple[Request, ...]:
            return tuple(replace(request, host="db-9") for request in super().handle(event))

    resumable(store, Hosts(tmp_path / "hosts"))
    with pytest.raises(Held, match=r"row 4 holds db-1's answer to db-1:1, which is asked of db-9 now \("):
        resume(store, "r1", Crossed(), version=VERSION)


def test_a_run_that_is_done_is_not_resumed(store: Store, tmp_path: Path) -> None:
    one_process(store.path, Hosts(tmp_path / "hosts"), Crossings())
    with pytest.raises(UsageMistake, match="run r1 is done"):
        resume(store, "r1", ToyEngine(), version=VERSION)


def test_a_run_is_not_resumed_once_a_later_one_has_touched_the_fleet(store: Store, tmp_path: Path) -> None:
    resumable(store, Hosts(tmp_path / "hosts"))
    runs.give_up(store, "r1", by="ann", reason="other plan")
    with take(store, fleet="shop", run="r2", holder=HOLDER):
        create(store, "r2")
    with pytest.raises(Drift, match="after run r1 came run r2"):
        resume(store, "r1", ToyEngine(), version=VERSION)


def test_a_stopped_run_goes_on_and_tells_each_fact_once(store: Store, tmp_path: Path) -> None:
    hosts = Hosts(tmp_path / "hosts")
    with take(store, fleet="shop", run="r1", holder=HOLDER) as lease:
        create(store)
        words.say(store, "r1", "stop", by="bob")
        world = ToyWorld(hosts, words=words.Words(store, "r1"))
        assert carry_out(store, lease, ToyEngine(), world, started("r1")).state == "stopped"
    assert runs.find(store, "r1").exit_code == 6
    assert one_process(store.path, hosts, Crossings()).state == "done"
    rows = journal.rows(store, "r1")
    assert [row["event"] for row in rows].count(facts.RUN_ENDED) == 2
    assert sorted(row["host"] for row in rows if row["event"] == facts.MOVE_DONE) == sorted(HOSTS)
    assert {host: hosts.reboots(host) for host in HOSTS} == dict.fromkeys(HOSTS, 1)
