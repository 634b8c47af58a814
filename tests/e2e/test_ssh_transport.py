"""The SSH pool and the live world against real OpenSSH servers: requests in, answers out, no engine between."""

from __future__ import annotations

import itertools
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from restart.model.answer import (
    Answer,
    Booted,
    Checked,
    Claimed,
    HeldBy,
    NoAnswer,
    RebootDeclined,
    RebootTaken,
    Released,
    StillUp,
    Units,
)
from restart.model.check import Check
from restart.model.event import Answered
from restart.model.inventory import Host, Inventory, Ssh
from restart.model.question import Shell, ShellReply
from restart.model.request import Ask, AwaitBoot, Claim, ReadUnits, Reboot, Release, Request, RestartUnits
from restart.runner.drive import RunClock
from restart.runner.live import Identity, LiveWorld
from restart.transports.ssh import Deadlines, SshPool
from tests.e2e.fleet import Fleet

GATES = {point.name: point.load() for point in entry_points(group="restart.gates")}
NAMES = ("gate", "plain", "ignores", "slow", "gone", "key", "units", "twice", "asked")
QUICK = Deadlines(connect_s=1, banner_s=1, auth_s=1.5, channel_s=1)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Hosts for tests that each use another one, all of them behind the first."""
    with Fleet(NAMES, gateway="gate", down_s=1.0, service_s=0.2) as started:
        yield started


def inventory(fleet: Fleet) -> Inventory:
    hosts = {name: Host(name=name, address=spec.address) for name, spec in fleet.specs.items()}
    return Inventory(fleet="e2e", hosts=hosts, services={}, ssh=Ssh(**fleet.ssh_defaults()))


@pytest.fixture
def world(fleet: Fleet) -> Iterator[LiveWorld]:
    live = made(fleet, "r1")
    yield live
    live.close()


def made(fleet: Fleet, run: str) -> LiveWorld:
    identity = Identity(run=run, controller="laptop", user="ann")
    return LiveWorld(inventory(fleet), gates=GATES, identity=identity, clock=RunClock(), poll_s=0.1)


numbers = itertools.count()


def answer(world: LiveWorld, request: Request, within_s: float = 60.0) -> Answer:
    """Carry out one request and wait for its answer."""
    world.begin(request)
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        event = world.wait(None)
        if isinstance(event, Answered) and event.request == request.id:
            return event.answer
    raise AssertionError(f"no answer to {request}")


def new(kind: Any, host: str, **more: Any) -> Any:
    return kind(id=f"q{next(numbers)}", host=host, **more)


def claimed(world: LiveWorld, host: str) -> Claimed:
    found = answer(world, new(Claim, host, hold_s=600))
    assert isinstance(found, Claimed), found
    return found


def rebooted(
    world: LiveWorld, host: str, down_within_s: float = 20, back_within_s: float = 30
) -> tuple[Answer, Answer]:
    before = claimed(world, host)
    late_s = before.uptime_s + 60
    taken = answer(world, new(Reboot, host, boot_id=before.boot_id, not_after_uptime_s=late_s))
    wait = new(AwaitBoot, host, boot_id=before.boot_id, down_within_s=down_within_s, back_within_s=back_within_s)
    return taken, answer(world, wait)


def test_a_host_behind_a_jump_host_is_claimed_rebooted_and_proved(fleet: Fleet, world: LiveWorld) -> None:
    before = claimed(world, "plain")
    taken, boot = rebooted(world, "plain")
    assert taken == RebootTaken()
    assert isinstance(boot, Booted), boot
    assert (before.boot_id, boot.boot_id) == fleet.boots("plain")
    assert boot.uptime_s < 30
    checks = (Check(kind="ssh"), Check(kind="boot", params={"was": before.boot_id}))
    asked = answer(world, new(Ask, "plain", subject="ready", checks=checks))
    assert isinstance(asked, Checked)
    assert [finding.verdict for finding in asked.findings] == ["PASS", "PASS"]


def test_a_repeated_reboot_does_nothing_to_the_new_boot(fleet: Fleet, world: LiveWorld) -> None:
    before = claimed(world, "twice")
    request = new(Reboot, "twice", boot_id=before.boot_id, not_after_uptime_s=before.uptime_s + 60)
    assert answer(world, request) == RebootTaken()
    wait = new(AwaitBoot, "twice", boot_id=before.boot_id, down_within_s=20, back_within_s=30)
    assert isinstance(answer(world, wait), Booted)
    again = answer(world, replace(request, id="again"))
    assert isinstance(again, RebootDeclined)
    assert again.reason == "boot-id"
    time.sleep(2)
    assert len(fleet.boots("twice")) == 2


def test_a_reboot_that_does_not_take_is_told_after_the_went_down_deadline(world: LiveWorld, fleet: Fleet) -> None:
    fleet.fault("ignores", ignores_reboot=True)
    taken, boot = rebooted(world, "ignores", down_within_s=3)
    assert taken == RebootTaken()
    assert isinstance(boot, StillUp)


def test_an_old_boot_that_takes_its_time_is_waited_for(world: LiveWorld, fleet: Fleet) -> None:
    fleet.fault("slow", slow_shutdown_s=3)
    _, boot = rebooted(world, "slow")
    assert isinstance(boot, Booted)


def test_a_host_that_never_comes_back_is_a_timeout(world: LiveWorld, fleet: Fleet) -> None:
    fleet.fault("gone", never_returns=True)
    _, boot = rebooted(world, "gone", back_within_s=6)
    assert isinstance(boot, NoAnswer)
    assert boot.reason == "timeout"


def test_a_host_key_that_changed_with_the_boot_is_named(world: LiveWorld, fleet: Fleet) -> None:
    fleet.fault("key", changed_host_key=True)
    _, boot = rebooted(world, "key", back_within_s=8)
    assert isinstance(boot, NoAnswer)
    assert boot.reason == "host-key"
    assert "changed" in boot.detail


def test_two_controllers_with_two_stores_meet_at_the_claim(fleet: Fleet, world: LiveWorld) -> None:
    other = made(fleet, "r2")
    try:
        claimed(world, "asked")
        held = answer(other, new(Claim, "asked", hold_s=600))
        assert isinstance(held, HeldBy)
        assert (held.run, held.controller) == ("r1", "laptop")
        assert answer(world, new(Release, "asked")) == Released()
        claimed(other, "asked")
        assert answer(other, new(Release, "asked")) == Released()
    finally:
        other.close()


def test_units_are_restarted_once(fleet: Fleet, world: LiveWorld) -> None:
    before = answer(world, new(ReadUnits, "units", units=("app.service",)))
    assert isinstance(before, Units)
    was = before.invocations["app.service"]
    request = new(RestartUnits, "units", units=("app.service",), invocations=(was,), within_s=10)
    first = answer(world, request)
    second = answer(world, replace(request, id="again"))
    assert isinstance(first, Units)
    assert first == second
    assert first.invocations["app.service"] not in ("", was)
    assert len(fleet.log("units", "restarted")) == 1


@pytest.fixture(scope="module")
def deaf() -> Iterator[Fleet]:
    """Hosts that hang in one phase each, reached directly."""
    phases = ("accept", "banner", "auth", "channel", "command")
    with Fleet([f"h-{phase}" for phase in phases], down_s=0.2, service_s=0.2) as started:
        for phase in phases:
            started.fault(f"h-{phase}", hang=phase)
            started.crash(f"h-{phase}")
        started.wait_for(lambda: all(len(started.boots(f"h-{phase}")) == 2 for phase in phases), "all have crashed")
        started.wait_for(lambda: all(accepts(started, f"h-{phase}") for phase in phases), "all accept connections")
        yield started


def accepts(fleet: Fleet, host: str) -> bool:
    found = inventory(fleet)
    try:
        socket.create_connection((found.hosts[host].address, found.ssh_of(host).port or 22), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("phase", "reason"),
    [("accept", "banner"), ("banner", "banner"), ("auth", "auth"), ("channel", "channel"), ("command", "command")],
)
def test_a_real_host_that_hangs_in_a_phase_is_given_up_in_that_phase(deaf: Fleet, phase: str, reason: str) -> None:
    pool = SshPool(inventory(deaf), deadlines=QUICK)
    try:
        start_s = time.monotonic()
        reply = pool.run(Shell(host=f"h-{phase}", command="true", timeout_s=1))
        took_s = time.monotonic() - start_s
    finally:
        pool.close()
    assert isinstance(reply, NoAnswer), reply
    assert reply.reason == reason
    assert took_s < 5


def test_keys_in_the_agent_are_used_where_no_file_is_named(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        monkeypatch.setenv("HOME", str(tmp_path))
        fleet.wait_for(lambda: Path(place).exists(), "the agent listens")
        key = fleet.ssh_defaults()["identity_file"]
        without = replace(inventory(fleet), ssh=replace(inventory(fleet).ssh, identity_file=None))
        pool = SshPool(without, deadlines=QUICK)
        shell = Shell(host="asked", command="echo in", timeout_s=10)
        before = pool.run(shell)
        subprocess.run(["ssh-add", "-q", key], check=True, capture_output=True)
        after = pool.run(shell)
        pool.close()
    finally:
        agent.terminate()
        agent.wait(10)
    assert isinstance(before, NoAnswer)
    assert before.reason == "gateway"
    assert "no key was accepted" in before.detail
    assert after == ShellReply(exit_status=0, stdout="in\n", stderr="")


def test_many_commands_in_parallel_share_one_connection(fleet: Fleet) -> None:
    pool = SshPool(inventory(fleet))
    try:
        shells = [Shell(host="asked", command=f"sleep 0.2; echo {n}", timeout_s=20) for n in range(24)]
        with ThreadPoolExecutor(24) as threads:
            replies = list(threads.map(pool.run, shells))
    finally:
        pool.close()
    assert replies == [ShellReply(exit_status=0, stdout=f"{n}\n", stderr="") for n in range(24)]
