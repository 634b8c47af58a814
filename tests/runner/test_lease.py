from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from restart.errors import Exit, Held
from restart.model.event import Outcome, Woke
from restart.runner import lease as rooms
from restart.runner.journal import Journal, rows
from restart.runner.lease import Holder, leader, take
from restart.runner.store import Store
from tests.runner.toy import HOLDER, create, started

BOB = Holder(user="bob", controller="laptop", pid=77)

LEADER = """
import sys
from pathlib import Path
from restart.errors import Held
from restart.runner.lease import Holder, take
from restart.runner.store import Store
path, run, ttl_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
sys.stdin.readline()
with Store.open(path) as store:
    try:
        with take(store, fleet="shop", run=run, holder=Holder(user="ann", controller="desk"), ttl_s=ttl_s) as lease:
            print("taken", flush=True)
            sys.stdin.readline()
            print(lease.lost() or "still leads", flush=True)
    except Held as error:
        print("held", error, flush=True)
"""


class Process:
    """Another process that takes the lease when told to `go`, and holds it until told again."""

    def __init__(self, path: Path, run: str, ttl_s: float = 30.0) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", LEADER, str(path), run, str(ttl_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def go(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def said(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline()

    def end(self) -> None:
        self.popen.kill()
        self.popen.communicate()


@pytest.fixture
def process(store: Store) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(run: str, ttl_s: float = 30.0) -> Process:
        started.append(Process(store.path, run, ttl_s))
        return started[-1]

    yield start
    for one in started:
        one.end()


def eventually(what: Callable[[], object], within_s: float = 20.0) -> None:
    give_up_s = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < give_up_s, "it never happened"
        time.sleep(0.02)


def test_a_second_run_is_told_who_leads_since_when_and_the_way_out(store: Store) -> None:
    with take(store, fleet="shop", run="r1", holder=HOLDER), pytest.raises(Held) as met:
        take(store, fleet="shop", run="r2", holder=BOB)
    found = leader(store, "shop")
    assert found is None
    assert met.value.exit_code is Exit.HELD
    message = str(met.value)
    assert message.startswith("fleet shop is held by ann@desk (pid 1234) with run r1 since 20")
    assert "`restart status r1`" in message
    assert "`restart resume r1`" in message


def test_a_lease_let_go_is_free_at_once_and_its_token_never_comes_again(store: Store) -> None:
    tokens = []
    for run in ("r1", "r2", "r3"):
        with take(store, fleet="shop", run=run, holder=HOLDER) as held:
            tokens.append(held.token)
            assert held.lost() is None
            held.release()
    assert tokens == [1, 2, 3]


def test_fleets_do_not_share_a_lease(store: Store) -> None:
    with (
        take(store, fleet="shop", run="r1", holder=HOLDER),
        take(store, fleet="shop.eu", run="r2", holder=HOLDER),
        take(store, fleet="../shop", run="r3", holder=HOLDER),
        take(store, fleet="s" * 500, run="r4", holder=HOLDER),
        pytest.raises(Held, match="with run r1"),
    ):
        take(store, fleet="shop", run="r5", holder=BOB)


def test_the_lease_of_a_killed_leader_can_be_taken_at_once(store: Store, process: Callable[..., Process]) -> None:
    other = process("r1")
    other.go()
    assert other.said() == "taken\n"
    found = leader(store, "shop")
    assert found is not None
    assert found.leads
    assert (found.run, found.holder) == ("r1", Holder(user="ann", controller="desk", pid=other.popen.pid))
    with pytest.raises(Held, match=f"held by ann@desk \\(pid {other.popen.pid}\\) with run r1"):
        take(store, fleet="shop", run="r2", holder=BOB)
    other.popen.send_signal(signal.SIGKILL)
    other.popen.wait()
    found = leader(store, "shop")
    assert found is not None
    assert not found.alive
    with take(store, fleet="shop", run="r1", holder=BOB) as held:
        assert held.token == 2


def test_of_processes_that_race_for_the_lease_one_gets_it(process: Callable[..., Process]) -> None:
    racing = [process(f"r{number}") for number in range(5)]
    for one in racing:
        one.go()
    said = sorted(one.said() for one in racing)
    assert [line.split()[0] for line in said] == ["held"] * 4 + ["taken"]
    winner = next(line for line in said if line.startswith("held")).split(" with run ")[1].split()[0]
    assert all(f"with run {winner} since" in line for line in said[:4])


def test_the_lease_of_a_stopped_process_is_taken_after_the_ttl_and_it_finds_out(
    store: Store, process: Callable[..., Process]
) -> None:
    other = process("r1", ttl_s=0.6)
    other.go()
    assert other.said() == "taken\n"
    other.popen.send_signal(signal.SIGSTOP)
    taken = []

    def take_it() -> bool:
        try:
            taken.append(take(store, fleet="shop", run="r1", holder=BOB))
        except Held:
            return False
        return True

    eventually(take_it)
    other.popen.send_signal(signal.SIGCONT)
    # It may hear it from its own clock or from the row; it must not go on.
    other.go()
    assert "lease" in other.said()
    with taken[0] as held:
        assert held.lost() is None


def test_an_old_leader_cannot_append_after_a_takeover(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    old = take(store, fleet="shop", run="r1", holder=HOLDER)
    create(store)
    written = Journal(store, "r1", old.fence)
    written.append(started("r1"))
    # As if its process were gone: nobody holds its lock.
    monkeypatch.setattr(rooms, "_is_locked", lambda file: False)
    with Store.open(store.path) as others, take(others, fleet="shop", run="r1", holder=BOB):
        for write in (
            lambda: written.append(Woke(at_s=1.0)),
            lambda: written.finish(Outcome(state="done", exit_code=0, why=""), ()),
        ):
            with pytest.raises(
                Held, match=r"lost its lease on fleet shop: bob@laptop \(pid 77\) took it with run r1"
            ) as met:
                write()
            assert met.value.exit_code is Exit.HELD
        assert [row["event"] for row in rows(store, "r1")] == ["started"]
        old.release()
        found = leader(store, "shop")
        assert found is not None
        assert found.holder == BOB


def test_a_leader_that_renews_keeps_its_lease_past_two_thirds_of_the_ttl(store: Store) -> None:
    with take(store, fleet="shop", run="r1", holder=HOLDER, ttl_s=2.1) as held:
        first_s = store.read("SELECT renewed_s FROM lease")[0][0]
        eventually(lambda: store.read("SELECT renewed_s FROM lease")[0][0] > first_s + 1.4)
        assert held.lost() is None


def test_a_leader_that_cannot_renew_stops_itself_at_two_thirds_of_the_ttl(store: Store) -> None:
    held = take(store, fleet="shop", run="r1", holder=HOLDER, ttl_s=300.0)
    # Nothing can be written any more.
    store.read("PRAGMA query_only = 1")
    assert not held._renew()
    held._renewed_s -= 199.0
    assert held.lost() is None
    held._renewed_s -= 2.0
    assert "lease on fleet shop could not be renewed for 201 s: journal lost" in str(held.lost())
    assert "readonly" in str(held.lost())
    # It stays lost, though it could renew again: the engine has been told.
    store.read("PRAGMA query_only = 0")
    assert held._renew()
    assert held.lost() is not None
    held.release()


def test_steps_of_the_wall_clock_decide_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "utc_now", lambda: "2001-01-01T00:00:00.000Z")
    with take(store, fleet="shop", run="r1", holder=HOLDER):
        monkeypatch.setattr(rooms, "utc_now", lambda: "2099-01-01T00:00:00.000Z")
        with pytest.raises(Held, match="since 2001-01-01"):
            take(store, fleet="shop", run="r2", holder=BOB)


def test_where_somebody_tidied_the_lock_away_the_clock_alone_decides(store: Store) -> None:
    held = take(store, fleet="shop", run="r1", holder=HOLDER)
    for file in store.path.parent.rglob("*.lock"):
        file.unlink()
    with pytest.raises(Held, match="held by ann@desk"):
        take(store, fleet="shop", run="r2", holder=BOB)
    with store.writing() as execute:
        execute("UPDATE lease SET renewed_s = renewed_s - 31")
    with take(store, fleet="shop", run="r1", holder=BOB) as later:
        assert later.token == 2
    held.release()


def test_a_lease_leaves_no_lock_behind(store: Store) -> None:
    take(store, fleet="shop", run="r1", holder=HOLDER).release()
    assert list(store.path.parent.rglob("*.lock")) == []


def test_a_leader_that_ends_with_a_store_that_cannot_be_written_is_known_to_be_gone(store: Store) -> None:
    held = take(store, fleet="shop", run="r1", holder=HOLDER)
    # A full disk: the row cannot say that the lease was let go.
    store.read("PRAGMA query_only = 1")
    held.release()
    store.read("PRAGMA query_only = 0")
    found = leader(store, "shop")
    assert found is not None
    assert not found.alive
    with take(store, fleet="shop", run="r1", holder=BOB) as later:
        assert later.token == 2
