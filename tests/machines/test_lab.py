"""The lab itself: machines boot, reboot, and obey the words that are said to them. Before anything is proved with them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines.faults import words_at
from tests.machines.lab import BOOT_S, ROOT, Lab


def _until(holds: Callable[[], bool], lab: Lab) -> None:
    until_s = time.monotonic() + BOOT_S
    while not holds():
        assert time.monotonic() < until_s, lab.table()
        time.sleep(0.2)


def test_a_machine_boots_reboots_over_ssh_and_comes_back_from_a_reset_and_a_power_cycle(
    tell: Callable[[str], None],
) -> None:
    with Lab(["m1"]) as lab:
        lab.await_well()
        ssh = lab.inside("ssh", "-F", lab.folder / "ssh_config", "m1")
        first = subprocess.run(
            [*ssh, "cat /proc/sys/kernel/random/boot_id"], capture_output=True, text=True, check=True
        )
        assert lab.boots("m1") == [first.stdout.strip()]
        subprocess.run([*ssh, "(sleep 1; reboot) </dev/null >/dev/null 2>&1 &"], check=True)
        _until(lambda: len(lab.boots("m1")) == 2, lab)
        lab.await_well(["m1"])
        lab.say("reset", "m1")
        _until(lambda: len(lab.boots("m1")) == 3, lab)
        lab.say("cycle", "m1")
        _until(lambda: len(lab.boots("m1")) == 4, lab)
        assert len(set(lab.boots("m1"))) == 4
        lab.say("off", "m1")
        assert lab.say("state", "m1") == "off"
        tell(lab.table())


def test_nothing_is_left_of_a_lab_that_ended() -> None:
    with Lab(["m1"]) as lab:
        pid, folder = lab.pid, lab.folder
        machine = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True).stdout.split()
    assert not folder.exists()
    for left in (str(pid), *machine):
        assert subprocess.run(["ps", "-p", left], capture_output=True, check=False).returncode == 1


def test_words_are_for_the_boots_that_they_name() -> None:
    faults = ["hang@2", "late=20@3-", "slow-down=5@*"]
    assert [words_at(faults, boot) for boot in (1, 2, 3, 4)] == [
        ("slow-down=5",),
        ("hang", "slow-down=5"),
        ("late=20", "slow-down=5"),
        ("late=20", "slow-down=5"),
    ]
    with pytest.raises(ValueError, match="no fault"):
        words_at(["explode@1"], 1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_running_when_whoever_began_it_is_interrupted_or_killed(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.machines.lab", "up", "2"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as begun:
        assert begun.stdout is not None
        folder = Path(begun.stdout.readline().split()[-1])
        inside = int((folder / "pid").read_text(encoding="utf-8").split()[0])
        machines = _children(inside)
        assert len(machines) == 2
        begun.send_signal(how)
        try:
            begun.wait(60)
        finally:
            begun.kill()
    until_s = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in (inside, *machines)):
        assert time.monotonic() < until_s, "something is left running"
        time.sleep(0.1)
    # Killed, it cannot take its folder along.
    assert folder.exists() == (how is signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
