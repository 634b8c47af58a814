"""However it ends, nothing stays: no process, no port, no folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from restart.demo import demo
from restart.demo.fleet import DemoFleet
from restart.errors import RestartError
from tests.demo.conftest import FAST, SMALL, alive, connect, port, shell

OWNER = """
import sys, threading
from pathlib import Path
from restart.demo import demo
from restart.demo.layout import Shape
with demo.start(Path(sys.argv[1]), shape=Shape(db=1, queue=0, cache=0, app=1, lb=0)) as fleet:
    ports = [int(line.split()[1]) for line in fleet.files.ssh_config.read_text().splitlines() if "Port " in line]
    print(fleet.pid, *ports, flush=True)
    fleet.wait()
"""


def refused(number: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", number), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def free(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", number))
    return True


def until_gone(pid: int, folder: Path) -> None:
    end_s = time.monotonic() + 15
    while alive(pid) or list(folder.iterdir()):
        assert time.monotonic() < end_s, f"left behind: process {alive(pid)}, folder {list(folder.iterdir())}"
        time.sleep(0.05)


def test_closing_leaves_no_process_port_thread_or_folder(tmp_path: Path) -> None:
    threads = threading.active_count()
    fleet = demo.start(tmp_path, shape=SMALL, physics=FAST)
    ports = [port(fleet, host) for host in fleet.hosts]
    with connect(fleet, "app-1") as client:
        _, output, _ = client.exec_command("echo $$; exec sleep 300", timeout=10)
        sleeper = int(output.readline())
        fleet.close()
    fleet.close()
    assert not alive(fleet.pid)
    assert not alive(sleeper)
    assert all(refused(number) and free(number) for number in ports)
    assert list(tmp_path.iterdir()) == []
    end_s = time.monotonic() + 5
    while threading.active_count() > threads:
        assert time.monotonic() < end_s, threading.enumerate()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_fleet_goes_with_its_owner_whatever_ended_it(tmp_path: Path, number: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with owner:
        assert owner.stdout is not None
        pid, *ports = (int(word) for word in owner.stdout.readline().split())
        assert alive(pid)
        owner.send_signal(number)
        assert owner.wait(15) != 0
    until_gone(pid, tmp_path)
    assert all(refused(number) for number in ports)


@pytest.mark.parametrize("killed", [False, True])
def test_nothing_outlives_the_stand_in_for_reboot(tmp_path: Path, killed: bool) -> None:
    commands = ["setsid sleep 300 &", "set -m; sleep 300 &", "trap '' HUP TERM; setsid -f sleep 300 &"]
    with demo.start(tmp_path, shape=SMALL, physics=FAST) as fleet:
        sleepers = []
        for command in commands:
            _, text, _ = shell(fleet, "app-1", f"{{ {command} }} </dev/null >/dev/null 2>&1; echo $!")
            sleepers.append(int(text))
        assert all(alive(sleeper) for sleeper in sleepers)
        if killed:
            os.kill(fleet.pid, signal.SIGKILL)
            fleet.wait()
    assert not any(alive(sleeper) for sleeper in sleepers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_fleet_itself_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with demo.start(tmp_path, shape=SMALL, physics=FAST) as fleet:
        os.kill(fleet.pid, number)
        fleet.wait()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(RestartError, match="does not answer"):
            fleet.state()


def test_a_fleet_that_was_killed_leaves_no_folder_behind(tmp_path: Path) -> None:
    with demo.start(tmp_path, shape=SMALL, physics=FAST) as fleet:
        os.kill(fleet.pid, signal.SIGKILL)
        fleet.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_fleet_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RestartError, match="did not start: exit status 1"):
        DemoFleet(parent=tmp_path)
    assert list(tmp_path.iterdir()) == []
