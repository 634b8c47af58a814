"""What becomes of each kind of request: the real texts run by a real shell, on hosts that are folders."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from restart.gates import boot as boot_gate
from restart.gates import command as command_gate
from restart.gates import ssh as ssh_gate
from restart.gates import tcp as tcp_gate
from restart.model.answer import (
    Booted,
    Checked,
    Claimed,
    HeldBy,
    NoAnswer,
    RebootDeclined,
    RebootTaken,
    Released,
    StepRan,
    StillUp,
)
from restart.model.check import Check
from restart.model.inventory import Host, Inventory
from restart.model.question import Shell, ShellReply
from restart.model.request import Ask, AwaitBoot, Claim, PowerOff, Reboot, Release, RunStep
from restart.model.world import Gate
from restart.runner import hosts
from restart.runner.hosts import Hosts, Identity

OLD, NEW = "6b0d1b2e-7c3f-4f0e-9d55-1f2a3b4c5d6e", "00000000-0000-4000-8000-000000000001"
GATES: Mapping[str, Gate] = {
    gate.kind: gate for gate in (ssh_gate.gate, tcp_gate.gate, command_gate.gate, boot_gate.gate)
}
REFUSED = NoAnswer(reason="refused", detail="port 22: connection refused")


class Machine:
    """One host as a folder. `script` is what it does on each knock: a boot id it answers with, or a `NoAnswer`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.knocks = 0
        self.forgotten = 0
        self.script: Callable[[int], str | NoAnswer] | None = None
        (root / "proc/sys/kernel/random").mkdir(parents=True)
        (root / "run").mkdir()
        (root / "bin").mkdir()
        for command, trace in (("reboot", "rebooted"), ("poweroff", "switched-off")):
            (root / "bin" / command).write_text(f"#!/bin/sh\ntouch {root}/{trace}\n")
            (root / "bin" / command).chmod(0o755)
        self.boot(OLD)

    def boot(self, boot_id: str) -> None:
        (self.root / "proc/sys/kernel/random/boot_id").write_text(boot_id + "\n")
        (self.root / "proc/uptime").write_text("100.50 1.00\n")
        shutil.rmtree(self.root / "run")
        (self.root / "run").mkdir()

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        if self.script is not None:
            self.knocks += 1
            answer = self.script(self.knocks)
            if isinstance(answer, NoAnswer):
                return answer
            (self.root / "proc/sys/kernel/random/boot_id").write_text(answer + "\n")
        env = {
            "PATH": f"{self.root}/bin:/usr/bin:/bin",
            "RESTART_PROC": f"{self.root}/proc",
            "RESTART_RUN": f"{self.root}/run",
        }
        done = subprocess.run(
            ["/bin/sh", "-c", shell.command], env=env, capture_output=True, text=True, timeout=20, check=False
        )
        return ShellReply(exit_status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def forget(self, host: str) -> None:
        self.forgotten += 1

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def carry_out(machine: Any, request: Any, run: str = "r1") -> Any:
    inventory = Inventory(fleet="t", hosts={"a": Host(name="a", address="127.0.0.1")}, services={})
    identity = Identity(run=run, controller="laptop", user="ann")
    world = Hosts(inventory, gates=GATES, identity=identity, ssh=machine, poll_s=0.01)
    return world.carry_out(request, threading.Event())


def await_boot(machine: Machine, down_within_s: float = 0.3, back_within_s: float = 0.6) -> Any:
    return carry_out(
        machine, AwaitBoot(id="w", host="a", boot_id=OLD, down_within_s=down_within_s, back_within_s=back_within_s)
    )


def test_claim_renewal_and_release(machine: Machine) -> None:
    request = Claim(id="c", host="a", hold_s=60)
    assert carry_out(machine, request) == Claimed(boot_id=OLD, uptime_s=100.5)
    held = carry_out(machine, request, run="r2")
    assert isinstance(held, HeldBy)
    assert (held.run, held.controller, held.user) == ("r1", "laptop", "ann")
    assert carry_out(machine, Release(id="x", host="a")) == Released()
    assert isinstance(carry_out(machine, request, run="r2"), Claimed)


def test_a_taken_reboot_closes_the_connection_and_strikes(machine: Machine) -> None:
    answer = carry_out(machine, Reboot(id="q", host="a", boot_id=OLD, not_after_uptime_s=200))
    assert answer == RebootTaken()
    assert machine.forgotten == 1
    end_s = time.monotonic() + 5
    while not (machine.root / "rebooted").exists() and time.monotonic() < end_s:
        time.sleep(0.05)
    assert (machine.root / "rebooted").exists()


def test_a_taken_poweroff_strikes_once_and_a_late_one_does_nothing(machine: Machine) -> None:
    answer = carry_out(machine, PowerOff(id="q", host="a", boot_id=OLD, not_after_uptime_s=200))
    assert answer == RebootTaken()
    assert machine.forgotten == 1
    end_s = time.monotonic() + 5
    while not (machine.root / "switched-off").exists() and time.monotonic() < end_s:
        time.sleep(0.05)
    assert (machine.root / "switched-off").exists()
    assert not (machine.root / "rebooted").exists()
    late = carry_out(machine, PowerOff(id="q", host="a", boot_id=OLD, not_after_uptime_s=50))
    assert isinstance(late, RebootDeclined)
    assert late.reason == "too-late"
    other = carry_out(machine, PowerOff(id="q", host="a", boot_id=NEW, not_after_uptime_s=200))
    assert (other.reason, other.boot_id) == ("boot-id", OLD)


def test_a_declined_reboot_keeps_the_connection(machine: Machine) -> None:
    answer = carry_out(machine, Reboot(id="q", host="a", boot_id=NEW, not_after_uptime_s=200))
    assert isinstance(answer, RebootDeclined)
    assert (answer.reason, answer.boot_id, machine.forgotten) == ("boot-id", OLD, 0)


def test_a_reboot_whose_answer_is_lost_is_no_answer(machine: Machine) -> None:
    machine.script = lambda _: NoAnswer(reason="dropped", detail="x")
    assert carry_out(machine, Reboot(id="q", host="a", boot_id=OLD, not_after_uptime_s=200)).reason == "dropped"


def test_a_host_that_was_off_is_back_with_any_boot_id(machine: Machine) -> None:
    machine.script = lambda knock: REFUSED if knock < 3 else OLD
    answer = carry_out(machine, AwaitBoot(id="w", host="a", boot_id="", down_within_s=5, back_within_s=5))
    assert isinstance(answer, Booted)
    assert answer.boot_id == OLD


def test_another_boot_id_is_a_boot(machine: Machine) -> None:
    machine.script = lambda n: [OLD, REFUSED, REFUSED][n - 1] if n < 4 else NEW
    answer = await_boot(machine)
    assert isinstance(answer, Booted)
    assert answer.boot_id == NEW
    assert machine.knocks == machine.forgotten == 4


def test_the_old_boot_that_goes_on_answering_did_not_reboot(machine: Machine) -> None:
    machine.script = lambda _: OLD
    start_s = time.monotonic()
    answer = await_boot(machine, down_within_s=0.2, back_within_s=30)
    assert isinstance(answer, StillUp)
    assert answer.boot_id == OLD
    assert 0.2 <= time.monotonic() - start_s < 5


def test_the_old_boot_id_after_the_port_came_back_is_waited_on(machine: Machine) -> None:
    machine.script = lambda n: REFUSED if n == 1 else OLD if n < 40 else NEW
    assert isinstance(await_boot(machine, down_within_s=0.05, back_within_s=20), Booted)


def test_the_old_boot_id_that_stays_after_the_port_came_back_is_told_in_the_end(machine: Machine) -> None:
    machine.script = lambda n: REFUSED if n == 1 else OLD
    assert isinstance(await_boot(machine, down_within_s=0.05, back_within_s=0.4), StillUp)


def test_a_host_that_never_comes_back_is_a_timeout_that_says_what_it_saw_last(machine: Machine) -> None:
    machine.script = lambda _: REFUSED
    answer = await_boot(machine, back_within_s=0.2)
    assert isinstance(answer, NoAnswer)
    assert answer.reason == "timeout"
    assert "refused" in answer.detail


def test_an_answer_without_a_boot_id_is_not_yet(machine: Machine) -> None:
    machine.script = lambda n: "" if n < 5 else "System is booting up" if n < 10 else NEW
    answer = await_boot(machine, back_within_s=20)
    assert isinstance(answer, Booted)
    assert machine.knocks == 10


def test_a_changed_host_key_after_the_reboot_is_its_own_failure(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "HOST_KEY_PATIENCE_S", 0.1)
    machine.script = lambda n: REFUSED if n < 3 else NoAnswer(reason="host-key", detail="changed")
    answer = await_boot(machine, back_within_s=30)
    assert answer == NoAnswer(reason="host-key", detail="changed")


def test_a_boots_first_stage_may_have_another_key(machine: Machine) -> None:
    machine.script = lambda n: NoAnswer(reason="host-key", detail="changed") if n < 5 else NEW
    assert isinstance(await_boot(machine, back_within_s=20), Booted)


def test_checks_are_asked_and_judged_in_order(machine: Machine) -> None:
    checks = (
        Check(kind="ssh"),
        Check(kind="command", params={"run": "exit 1"}),
        Check(kind="command", params={"run": "test -n {address}", "on": "controller"}),
        Check(kind="boot", params={"was": NEW}),
        Check(kind="boot", params={"was": OLD}),
    )
    answer = carry_out(machine, Ask(id="k", subject="ready", checks=checks, host="a", service="s"))
    assert isinstance(answer, Checked)
    assert [finding.verdict for finding in answer.findings] == ["PASS", "FAIL", "PASS", "PASS", "FAIL"]


def test_a_host_that_does_not_let_us_in_is_knocked_once_for_all_its_checks(machine: Machine) -> None:
    machine.script = lambda _: NoAnswer(reason="banner", detail="x")
    checks = (Check(kind="ssh"), Check(kind="command", params={"run": "true"}), Check(kind="ssh"))
    answer = carry_out(machine, Ask(id="k", subject="ready", checks=checks, host="a"))
    assert [finding.verdict for finding in answer.findings] == ["UNKNOWN"] * 3
    assert machine.knocks == 1


def test_a_check_that_cannot_be_asked_is_unknown_and_says_why(machine: Machine) -> None:
    checks = (Check(kind="ssh"), Check(kind="magic"))
    answer = carry_out(machine, Ask(id="k", subject="gate", checks=checks, service="s"))
    assert [finding.verdict for finding in answer.findings] == ["UNKNOWN", "UNKNOWN"]
    assert "no host" in answer.findings[0].evidence
    assert "magic" in answer.findings[1].evidence


def test_a_steps_output_is_its_last_lines_without_secrets(machine: Machine) -> None:
    command = "seq 1 30; echo token=hunter2 >&2; exit 4"
    answer = carry_out(machine, RunStep(id="s", host="a", on="a", command=command, timeout_s=5))
    assert isinstance(answer, StepRan)
    assert answer.exit_status == 4
    assert answer.output.splitlines()[-2:] == ["30", "token=***"]
    assert len(answer.output.splitlines()) == 10
