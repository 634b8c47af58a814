"""The store is lost while a run goes on: nothing more begins, and whoever comes next is told the truth."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restart.errors import Exit
from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_ready, quick
from tests.e2e.tool import Tool

HOSTS = [f"web-{number}" for number in range(1, 5)]


def inventory(fleet: Fleet, folder: Path) -> Path:
    """One service, one at a time."""
    service = {"hosts": "web-*", "max_unavailable": 1, "ready": http_ready()}
    return fleet.inventory(folder / "inventory.yml", {"web": service}, policy=quick())


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(file: Path) -> None:
    """Leave no room on the disk of `file`."""
    opened = os.open(file, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(opened, bytes(4096))
    except OSError:
        return
    finally:
        os.close(opened)


def test_a_run_whose_store_is_deleted_begins_nothing_more(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "laptop")
    with Fleet(HOSTS, down_s=0.5, service_s=0.2) as fleet, tool.run(inventory(fleet, tmp_path), hosts=4) as run:
        first = run.until("rebooting")["host"]
        for file in (tmp_path / "laptop").glob("store.sqlite*"):
            if file.is_file():
                file.unlink()
        assert run.end() == Exit.HELD, run.account()
        assert "was deleted or replaced while it was in use" in run.errors()
        assert not [host for host in fleet.restarts() if host != first and fleet.log(host, "asked")]


def test_a_run_that_a_full_disk_ended_can_be_resumed_as_soon_as_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, Fleet(HOSTS, down_s=0.5, service_s=0.2) as fleet:
        tool = Tool(disk / "laptop")
        with tool.run(inventory(fleet, tmp_path), hosts=4) as run:
            run.until("rebooting")
            fill(disk / "filling")
            assert run.end() == Exit.HELD, run.account()
            assert "disk is full" in run.errors()
        assert "RUNNING" not in tool.call("status").stdout
        (disk / "filling").unlink()
        with tool.resume(run.name()) as resumed:
            assert resumed.end() == 0, resumed.account()
        assert fleet.restarts() == dict.fromkeys(HOSTS, 1)
