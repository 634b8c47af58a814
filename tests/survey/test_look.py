"""Looking at many hosts with a transport that is not there: threads, deadlines, order; nothing but questions is sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from restart.model.answer import NoAnswer, PowerState
from restart.model.check import Check, Verdict
from restart.model.inventory import Host, Inventory, Service
from restart.model.playbook import Playbook, PowerControl
from restart.model.question import Shell, ShellReply
from restart.probes.sweep import Swept
from restart.survey import look_at_all
from restart.survey.look import Look
from restart.transports.asking import Runs
from tests.survey.fakes import BOOT, GATES, answers, fleet


class Fake(Runs):
    """Answers each host as `how` says, and keeps what it was sent."""

    def __init__(self, how: Callable[[Shell], ShellReply | NoAnswer]) -> None:
        self.how = how
        self.sent: list[Shell] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        with self.lock:
            self.sent.append(shell)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self.how(shell)
        finally:
            with self.lock:
                self.at_once -= 1


def test_every_host_has_a_look_in_the_order_of_the_inventory() -> None:
    inventory = fleet(30)
    ssh = Fake(answers)
    looked = look_at_all(inventory, tuple(reversed(inventory.hosts)), gates=GATES, ssh=ssh, start_every_s=0.0)
    assert list(looked.looks) == list(inventory.hosts)
    assert all(look.ready["web"].verdict is Verdict.PASS for look in looked.looks.values())


def test_one_round_trip_a_host_and_its_checks() -> None:
    inventory = fleet(3)
    ssh = Fake(answers)
    look_at_all(inventory, tuple(inventory.hosts), gates=GATES, ssh=ssh, start_every_s=0.0)
    sweeps = [shell.host for shell in ssh.sent if shell.stdin]
    assert sorted(str(host) for host in sweeps) == list(inventory.hosts)
    # The service's only check is the default one, which asks over SSH as well.
    assert len(ssh.sent) == 2 * len(inventory.hosts)


def test_a_host_that_does_not_let_us_in_is_not_asked_over_ssh_again() -> None:
    inventory = fleet(1)
    ssh = Fake(lambda shell: NoAnswer(reason="banner", detail="nothing"))
    looked = look_at_all(inventory, tuple(inventory.hosts), gates=GATES, ssh=ssh)
    assert len(ssh.sent) == 1
    assert looked.looks["web-0"].ready["web"].verdict is Verdict.UNKNOWN


def test_hosts_that_hang_cost_nobody_elses_time() -> None:
    inventory = fleet(60)
    released = threading.Event()

    def how(shell: Shell) -> ShellReply | NoAnswer:
        if int(str(shell.host).split("-")[1]) % 3 == 0:
            released.wait(30)
        return answers(shell)

    start_s = time.monotonic()
    looked = look_at_all(
        inventory, tuple(inventory.hosts), gates=GATES, ssh=Fake(how), start_every_s=0.0, host_s=1.0, at_once_max=64
    )
    took_s = time.monotonic() - start_s
    released.set()
    late = [host for host, look in looked.looks.items() if isinstance(look.swept, NoAnswer)]
    assert late == [f"web-{number}" for number in range(0, 60, 3)]
    assert took_s < 5


def test_no_more_hosts_are_looked_at_at_once_than_may_be() -> None:
    inventory = fleet(40)
    ssh = Fake(lambda shell: (time.sleep(0.01), answers(shell))[1])
    look_at_all(inventory, tuple(inventory.hosts), gates=GATES, ssh=ssh, start_every_s=0.0, at_once_max=4)
    assert ssh.most_at_once <= 4


def test_a_fault_of_a_worker_is_told_and_ends_nothing() -> None:
    inventory = fleet(3)

    def how(shell: Shell) -> ShellReply | NoAnswer:
        if shell.host == "web-1":
            raise RuntimeError("boom")
        return answers(shell)

    looked = look_at_all(inventory, tuple(inventory.hosts), gates=GATES, ssh=Fake(how), start_every_s=0.0)
    broken = looked.looks["web-1"].swept
    assert isinstance(broken, NoAnswer)
    assert (broken.reason, "boom" in broken.detail) == ("broken", True)


def test_power_is_read_where_it_is_declared() -> None:
    hosts = {
        "a": Host(name="a", address="a", power=PowerControl(method="command")),
        "b": Host(name="b", address="b"),
    }
    inventory = Inventory(fleet="lab", hosts=hosts, services={}, playbooks={"reboot": Playbook(name="reboot")})
    asked: list[str] = []

    def read_power(host: str, within_s: float) -> PowerState | NoAnswer:
        asked.append(host)
        return PowerState(state="off")

    looked = look_at_all(inventory, ("a", "b"), gates=GATES, ssh=Fake(answers), read_power=read_power)
    assert asked == ["a"]
    assert looked.looks["a"].power == PowerState(state="off")
    assert looked.looks["b"].power is None


def test_what_a_host_said_is_kept_where_its_power_control_or_a_check_never_ends() -> None:
    hosts = {
        name: Host(name=name, address=name, power=PowerControl(method="command") if name == "a" else None)
        for name in ("a", "b")
    }
    services = {
        "x": Service(name="x", hosts=("a",), ready=(Check(kind="ssh", timeout_s=0.5),)),
        "y": Service(name="y", hosts=("b",), ready=(Check(kind="ssh", timeout_s=0.5),)),
        "z": Service(name="z", hosts=("b",), ready=(Check(kind="ssh"),)),
    }
    inventory = Inventory(fleet="lab", hosts=hosts, services=services, playbooks={"reboot": Playbook(name="reboot")})
    released, given_s = threading.Event(), list[float]()

    def how(shell: Shell) -> ShellReply | NoAnswer:
        if shell.host == "b" and not shell.stdin:
            released.wait(30)
        return answers(shell)

    def read_power(host: str, within_s: float) -> PowerState | NoAnswer:
        given_s.append(within_s)
        released.wait(30)
        return PowerState(state="on")

    start_s = time.monotonic()
    looked = look_at_all(inventory, ("a", "b"), gates=GATES, ssh=Fake(how), read_power=read_power, host_s=2.0)
    took_s = time.monotonic() - start_s
    released.set()
    a, b = looked.looks["a"], looked.looks["b"]
    assert isinstance(a.swept, Swept)
    assert isinstance(b.swept, Swept)
    assert a.ready["x"].verdict is Verdict.PASS
    assert isinstance(a.power, NoAnswer)
    assert (a.power.reason, 0 < given_s[0] <= 2.0) == ("timeout", True)
    # What was not asked to its end is not known, and never counts as well.
    assert {name: found.verdict for name, found in b.ready.items()} == {"y": Verdict.UNKNOWN, "z": Verdict.UNKNOWN}
    assert took_s < 6


def test_each_look_is_told_as_it_comes() -> None:
    inventory = fleet(5)
    heard: list[tuple[str, Look]] = []
    looked = look_at_all(
        inventory,
        tuple(inventory.hosts),
        gates=GATES,
        ssh=Fake(answers),
        seen=lambda host, look: heard.append((host, look)),
    )
    assert dict(heard) == dict(looked.looks)


def test_what_is_sent_changes_nothing() -> None:
    inventory = fleet(2, checks=(Check(kind="systemd", params={"units": ["a.service"]}), Check(kind="ssh")))
    ssh = Fake(answers)
    look_at_all(inventory, tuple(inventory.hosts), gates=GATES, ssh=ssh)
    words = " ".join(f"{shell.command} {shell.stdin}" for shell in ssh.sent)
    for word in (
        "reboot;",
        "reboot ",
        "poweroff",
        "mkdir",
        " rm ",
        "systemctl restart",
        "systemctl start",
        "staged-restart",
    ):
        assert word not in words.replace("reboot-required", ""), word


@pytest.mark.parametrize("boot", [BOOT, "not-a-uuid"])
def test_a_boot_id_counts_only_in_its_right_shape(boot: str) -> None:
    from restart.probes.sections import boot as section

    inventory = fleet(1)
    looked = look_at_all(inventory, ("web-0",), gates=GATES, ssh=Fake(lambda shell: answers(shell, boot_id=boot)))
    swept = looked.looks["web-0"].swept
    assert isinstance(swept, Swept)
    assert (swept.of(section.SECTION) is not None) is (boot == BOOT)


def test_when_it_returns_every_look_has_been_told() -> None:
    inventory = fleet(5)
    told: list[str] = []

    def slowly(host: str, look: Look) -> None:
        time.sleep(0.3)
        told.append(host)

    looked = look_at_all(inventory, tuple(inventory.hosts), gates=GATES, ssh=Fake(answers), seen=slowly)
    assert sorted(told) == sorted(looked.looks)
