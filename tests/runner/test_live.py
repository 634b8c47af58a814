"""The live world: one answer for each request, words and time as events, whatever becomes of the workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from restart.model.answer import Claimed, NoAnswer, RebootDeclined, Released, StepRan, Withheld
from restart.model.event import Answered, Event, LeaseLost, Woke, Word
from restart.model.inventory import Host, Inventory
from restart.model.question import Shell, ShellReply
from restart.model.request import AwaitBoot, Claim, PowerOff, Reboot, Release, RunStep, SwitchPower
from restart.runner import live
from restart.runner.drive import RunClock
from restart.runner.live import Identity, LiveWorld

BOOT = "6b0d1b2e-7c3f-4f0e-9d55-1f2a3b4c5d6e"
HOSTS = {name: Host(name=name, address="127.0.0.1") for name in ("a", "b")}
INVENTORY = Inventory(fleet="t", hosts=HOSTS, services={})
Act = Callable[[Shell], ShellReply | NoAnswer]


class FakeSsh:
    """Stands where the SSH pool stands; `act` answers every command."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.sent: list[Shell] = []
        self.forgotten: list[str] = []
        self.closed = False

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        self.sent.append(shell)
        return self.act(shell)

    def forget(self, host: str) -> None:
        self.forgotten.append(host)

    def close(self) -> None:
        self.closed = True


def ok(_: Shell) -> ShellReply:
    return ShellReply(exit_status=0, stdout="done\n", stderr="")


Make = Callable[..., tuple[LiveWorld, FakeSsh]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes worlds that are closed with the test."""
    worlds: list[LiveWorld] = []

    def world(act: Act = ok, **more: Any) -> tuple[LiveWorld, FakeSsh]:
        ssh = FakeSsh(act)
        settings = {"gates": {}, "clock": RunClock(), "poll_s": 0.02, **more}
        worlds.append(LiveWorld(INVENTORY, identity=Identity(run="r1", controller="c", user="u"), ssh=ssh, **settings))
        return worlds[-1], ssh

    yield world
    for one in worlds:
        one.close()


def step(id: str = "s1", host: str = "a", timeout_s: float = 5) -> RunStep:
    return RunStep(id=id, host=host, on=host, command="true", timeout_s=timeout_s)


def answers(world: LiveWorld, count: int, within_s: float = 10.0) -> dict[str, Any]:
    """The next `count` answers by request; other events are passed over."""
    found: dict[str, Any] = {}
    end_s = time.monotonic() + within_s
    while len(found) < count and time.monotonic() < end_s:
        event = world.wait(0.0)
        if isinstance(event, Answered):
            assert event.request not in found
            found[event.request] = event.answer
        else:
            time.sleep(0.01)
    return found


def test_a_request_is_answered_with_its_host(make: Make) -> None:
    world, _ = make()
    world.begin(step())
    event = world.wait(None)
    assert isinstance(event, Answered)
    assert (event.request, event.host) == ("s1", "a")
    assert event.answer == StepRan(exit_status=0, output="done")


def test_every_request_of_many_is_answered_exactly_once(make: Make) -> None:
    world, _ = make()
    for n in range(300):
        world.begin(step(f"s{n}"))
    assert len(answers(world, 300)) == 300
    assert isinstance(world.wait(0.0), Woke)


def test_a_worker_that_dies_is_an_answer(make: Make) -> None:
    def die(_: Shell) -> ShellReply:
        raise RuntimeError("password=hunter2 boom")

    world, _ = make(die)
    world.begin(step())
    answer = answers(world, 1)["s1"]
    assert isinstance(answer, NoAnswer)
    assert answer.reason == "broken"
    assert "RuntimeError" in answer.detail
    assert "hunter2" not in answer.detail


def test_a_worker_that_hangs_is_answered_for_and_its_late_answer_is_dropped(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUEUED_S", 0.0)
    monkeypatch.setattr(live, "LISTEN_EVERY_S", 0.02)
    monkeypatch.setattr(live.hosts, "OPENING_S", 0.05)
    over = threading.Event()

    def hang(_: Shell) -> ShellReply:
        over.wait(10)
        return ok(_)

    world, _ = make(hang)
    world.begin(step(timeout_s=0.05))
    answer = answers(world, 1)["s1"]
    assert isinstance(answer, NoAnswer)
    assert answer.reason == "timeout"
    over.set()
    world.begin(step("s2"))
    assert list(answers(world, 1)) == ["s2"]


def test_waits_for_boots_do_not_starve_short_requests(make: Make) -> None:
    gone = NoAnswer(reason="refused", detail="x")
    world, _ = make(lambda shell: gone if "boot_id" in shell.command else ok(shell))
    for n in range(live.ASKING_MAX + 20):
        world.begin(AwaitBoot(id=f"w{n}", host="a", boot_id=BOOT, down_within_s=5, back_within_s=30))
    world.begin(step())
    world.begin(Release(id="r", host="b"))
    assert set(answers(world, 2, within_s=3)) == {"s1", "r"}


def test_time_wakes_the_run(make: Make) -> None:
    world, _ = make()
    assert world.wait(0.15) == Woke(at_s=pytest.approx(0.15, abs=0.15))


def test_the_clock_never_runs_back(make: Make) -> None:
    times = iter([5.0, 3.0, 1.0, 6.0])
    world, _ = make(clock=lambda: next(times, 7.0))
    seen = [world.wait(0.0).at_s for _ in range(4)]
    assert seen == sorted(seen)
    assert seen[0] == 5.0


def test_words_from_outside_arrive_with_the_runs_time(make: Make) -> None:
    said = [[Word(at_s=0.0, word="pause", by="ann"), Word(at_s=0.0, word="go", by="bob")]]
    world, _ = make(words=lambda: said.pop() if said else ())
    first, second = world.wait(None), world.wait(None)
    assert isinstance(first, Word)
    assert isinstance(second, Word)
    assert (first.word, second.word) == ("pause", "go")
    assert 0 < first.at_s <= second.at_s


def test_a_signal_handler_may_speak_while_the_run_waits(make: Make) -> None:
    world, _ = make()
    before = signal.signal(signal.SIGUSR1, lambda *_: world.say("stop", by="Ctrl-C"))
    try:
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        start_s = time.monotonic()
        event = world.wait(None)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert isinstance(event, Word)
    assert (event.word, event.by) == ("stop", "Ctrl-C")
    assert time.monotonic() - start_s < 0.9


def test_a_lost_lease_is_told_once_and_then_nothing_changes_a_host(make: Make) -> None:
    world, ssh = make(lease_lost=lambda: "bob took it")
    event = world.wait(None)
    assert isinstance(event, LeaseLost)
    assert event.why == "bob took it"
    world.begin(Reboot(id="q", host="a", boot_id=BOOT, not_after_uptime_s=9))
    world.begin(step())
    world.begin(Release(id="r", host="a"))
    found = answers(world, 3)
    assert [found[id].reason for id in ("q", "s1")] == ["broken", "broken"]
    assert [shell.command for shell in ssh.sent if "reboot" in shell.command] == []
    assert not isinstance(found["r"], Released)
    assert not isinstance(world.wait(0.0), LeaseLost)


def test_closing_ends_waits_and_connections(make: Make) -> None:
    world, ssh = make(lambda _: NoAnswer(reason="refused", detail="x"))
    world.begin(AwaitBoot(id="w", host="a", boot_id=BOOT, down_within_s=60, back_within_s=600))
    world.close()
    assert ssh.closed
    answer = answers(world, 1)["w"]
    assert isinstance(answer, NoAnswer)
    assert answer.reason == "broken"


def test_events_come_in_the_order_of_time(make: Make) -> None:
    world, _ = make()
    for n in range(20):
        world.begin(step(f"s{n}"))
    events: Sequence[Event] = [world.wait(None) for _ in range(20)]
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)


def test_an_act_under_a_stop_flag_is_withheld_and_nothing_is_sent(make: Make) -> None:
    world, ssh = make(withheld=lambda request: "a stop flag stands" if isinstance(request, RunStep) else None)
    world.begin(step())
    world.begin(Release(id="r1", host="a"))
    found = answers(world, 2)
    assert found["s1"] == Withheld(why="a stop flag stands")
    assert [shell.command for shell in ssh.sent] != ["true"]
    assert len(ssh.sent) == 1


def test_the_machine_that_this_runs_on_is_never_restarted_whatever_it_is_called(make: Make) -> None:
    def claimed(shell: Shell) -> ShellReply:
        return ShellReply(exit_status=0, stdout=f"restart-claim 1 taken boot={BOOT} uptime=100.0\n", stderr="")

    world, ssh = make(claimed, own_boot_id=BOOT)
    world.begin(Reboot(id="r1", host="a", boot_id=BOOT, not_after_uptime_s=1e9))
    world.begin(PowerOff(id="r2", host="a", boot_id=BOOT, not_after_uptime_s=1e9))
    found = answers(world, 2)
    assert all(isinstance(answer, RebootDeclined) and answer.reason == "controller" for answer in found.values())
    assert "--include-controller" in found["r1"].detail
    assert ssh.sent == []
    world.begin(Claim(id="c1", host="a", hold_s=60.0))
    assert isinstance(answers(world, 1)["c1"], Claimed)
    world.begin(SwitchPower(id="p1", host="a", reset="cycle", within_s=60.0))
    assert "not done" in answers(world, 1)["p1"].detail
