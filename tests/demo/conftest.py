"""A small, fast chat site for the tests: one database, two applications, one load balancer, boots of a fifth of a second."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from restart.demo import demo, layout
from restart.demo.fleet import DemoFleet
from restart.demo.layout import Files, Place, Shape
from restart.demo.site import Physics
from restart.gates import http, ssh
from restart.inventory import read
from restart.model.inventory import Inventory

SMALL = Shape(db=1, queue=1, cache=1, app=2, lb=1)
FAST = Physics(
    boot_s=dict.fromkeys(("db", "queue", "cache", "app", "lb"), 0.2),
    crash_recovery_s=0.8,
    follow_s=0.1,
    sync_s=0.1,
    warm_s=0.1,
    dep_timeout_s=0.3,
    login_rate=2500.0,
)


@pytest.fixture(scope="module")
def resting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoFleet]:
    """One fleet for the tests of a file that reboot nobody."""
    with demo.start(tmp_path_factory.mktemp("resting"), shape=SMALL, physics=FAST) as running:
        yield running
        assert not any(demo.boots(running).values())


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[DemoFleet]:
    with demo.start(tmp_path, shape=SMALL, physics=FAST) as running:
        yield running


def shell(fleet: DemoFleet, host: str, command: str) -> tuple[int, str, str]:
    """Runs a command on a host over a new SSH connection: exit status, output, errors."""
    with connect(fleet, host) as client:
        _, output, errors = client.exec_command(command, timeout=10)
        return output.channel.recv_exit_status(), output.read().decode(), errors.read().decode()


def port(fleet: DemoFleet, host: str) -> int:
    return int(paramiko.SSHConfig.from_path(str(fleet.files.ssh_config)).lookup(host)["port"])


def connect(fleet: DemoFleet, host: str, *, user: str = "ops", key: paramiko.PKey | None = None) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.load_host_keys(str(fleet.files.known_hosts))
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    key = key or paramiko.Ed25519Key.from_private_key_file(str(fleet.files.identity))
    client.connect(
        "127.0.0.1", port=port(fleet, host), username=user, pkey=key, allow_agent=False, look_for_keys=False, timeout=10
    )
    return client


def alive(pid: int) -> bool:
    # A dead process whose new parent never reaps it (the first process of some containers) is a zombie, not alive.
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return not Path("/proc").exists() and pid_listed(pid)


def pid_listed(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def places(shape: Shape) -> list[Place]:
    racks = layout.racks(shape.hosts())
    return [
        Place(host=host, service=service, ssh_port=20_000 + index, http_port=30_000 + index, rack=racks[host])
        for index, (host, service) in enumerate(shape.hosts().items())
    ]


def described(folder: Path, shape: Shape) -> Inventory:
    """The inventory of a fleet that is not there, written to `folder` and read by the tool."""
    files = Files(folder=folder)
    files.playbooks.mkdir(parents=True)
    for name, text in layout.playbooks(shape).items():
        (files.playbooks / name).write_text(text)
    files.inventory.write_text(layout.inventory(places(shape), files, 31_000))
    return read([files.inventory], {gate.kind: gate for gate in (http.gate, ssh.gate)})
