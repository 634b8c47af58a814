"""The commands of `playbooks/drain-haproxy.yml`, run by a real shell against a stand-in for socat."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from restart.inventory import read
from restart.model.inventory import Host
from restart.model.playbook import Playbook
from restart.rules.fill import fill
from tests.inventory.reading import GATES, ROOT

HOST = Host(name="web-01", address="10.0.0.1")
STATS = "# pxname,svname,qcur,qmax,scur\nweb,FRONTEND,,,9\nweb,web-01,0,0,{sessions}\nother,web-01,0,0,5\nweb,web-02,0,0,7\n\n"


@pytest.fixture
def playbook() -> Playbook:
    return read([ROOT / "inventories" / "shop"], GATES).playbooks["drain-haproxy"]


class Socket:
    """What the stand-in answers, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.answer = folder / "answer"
        self.asked = folder / "asked"
        script = folder / "socat"
        script.write_text(f'#!/bin/sh\necho "$@" >> {folder}/arguments\ncat >> {self.asked}\ncat {self.answer}\n')
        script.chmod(0o755)
        self._path = f"{folder}:{os.environ['PATH']}"

    def run(self, command: str, answer: str) -> subprocess.CompletedProcess[str]:
        self.answer.write_text(answer)
        environment = {**os.environ, "PATH": self._path}
        return subprocess.run(
            ["sh", "-c", fill(command, HOST, "web")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def test_draining_and_undraining_name_the_server_and_may_be_repeated(playbook: Playbook, tmp_path: Path) -> None:
    socket, step = Socket(tmp_path), playbook.drain[0]
    for command in (step.run, step.run, step.undo or ""):
        assert socket.run(command, "\n").returncode == 0
    assert socket.asked.read_text().splitlines() == [
        "set server web/web-01 state drain",
        "set server web/web-01 state drain",
        "set server web/web-01 state ready",
    ]


def test_an_answer_of_haproxy_that_complains_fails_the_step(playbook: Playbook, tmp_path: Path) -> None:
    ran = Socket(tmp_path).run(playbook.drain[0].run, "No such server.\n\n")
    assert ran.returncode != 0
    assert "No such server." in ran.stderr


def test_a_socket_that_is_not_there_fails_the_step(playbook: Playbook, tmp_path: Path) -> None:
    socket = Socket(tmp_path)
    (tmp_path / "socat").write_text("#!/bin/sh\necho 'connect: No such file' >&2\nexit 1\n")
    assert socket.run(playbook.drain[0].run, "").returncode != 0


def test_the_wait_ends_when_the_servers_own_sessions_have(playbook: Playbook, tmp_path: Path) -> None:
    socket = Socket(tmp_path)
    assert socket.run(playbook.drain[1].run, STATS.format(sessions=0)).returncode == 0
    assert socket.asked.read_text() == "show stat\n"


def test_sessions_that_stay_do_not_fail_the_drain(playbook: Playbook, tmp_path: Path) -> None:
    short = playbook.drain[1].run.replace("seq 50", "seq 2")
    socket = Socket(tmp_path)
    assert socket.run(short, STATS.format(sessions=3)).returncode == 0
    assert socket.asked.read_text() == "show stat\n" * 2
