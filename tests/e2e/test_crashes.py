"""kill -9 of the tool at every kind of journal event, then `restart resume`: each host restarted exactly once."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from restart.errors import Exit
from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_gate, http_ready, write_reboot
from tests.e2e.tool import Tool, kind

HOSTS = ["db-1", "db-2", "app-1", "app-2"]

KINDS = (
    "started",
    "woke",
    "answered Claimed",
    "answered Checked",
    "answered StepRan",
    "answered RebootTaken",
    "answered Booted",
    "answered Released",
    "run_started",
    "held",
    "wave_started",
    "move_started",
    "claimed",
    "baseline",
    "draining",
    "rebooting",
    "booted",
    "ready",
    "soaking",
    "undraining",
    "move_done",
    "available",
    "gate",
    "wave_done",
    "run_ended",
)
"""Every kind of row that a run of this inventory writes; the first test holds this list against a whole run."""


def inventory(fleet: Fleet, folder: Path, *, back_within: str = "90s") -> Path:
    """Drain, reboot, undrain, a gate: what gives as many kinds of rows as one run can."""
    write_reboot(folder, down_within="6s", back_within=back_within)
    (folder / "playbooks" / "drained.yml").write_text(
        "version: 1\nname: drained\ndrain:\n"
        '  - {run: "echo off {host} >>/run/drains", undo: "echo on {host} >>/run/drains", timeout: 30s}\n'
        "restart:\n  - reboot: {down_within: 6s, back_within: 90s}\n",
        encoding="utf-8",
    )
    services: dict[str, Any] = {
        "db": {"hosts": "db-*", "ready": http_ready(), "gate": http_gate(fleet.url("db-1"))},
        "app": {
            "hosts": "app-*",
            "max_unavailable": 1,
            "playbook": "drained",
            "ready": http_ready(),
            "depends_on": {"db": {}},
        },
    }
    services["db"]["max_unavailable"] = 1
    return fleet.inventory(folder / "inventory.yml", services, policy={"pace": "fixed", "canaries": 0})


def test_the_list_of_kinds_is_the_one_of_a_whole_run(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "laptop")
    with Fleet(HOSTS, down_s=0.5, service_s=0.1) as fleet, tool.run(inventory(fleet, tmp_path), hosts=4) as run:
        assert run.end() == 0, run.account()
        assert fleet.restarts() == dict.fromkeys(HOSTS, 1)
    assert sorted({kind(row) for row in run.rows}) == sorted(KINDS)


@pytest.mark.parametrize("at", KINDS)
def test_killed_at_this_kind_of_event_and_resumed_each_host_has_restarted_once(tmp_path: Path, at: str) -> None:
    tool = Tool(tmp_path / "laptop")
    with Fleet(HOSTS, down_s=0.5, service_s=0.1) as fleet:
        with tool.run(inventory(fleet, tmp_path), hosts=4) as run:
            run.until(at)
            run.kill()
            name = run.name()
        with tool.resume(name) as resumed:
            code = resumed.end()
            told = resumed.account()
        # Killed at its very last row, the run may have ended all the same; then there is nothing to resume.
        assert code == 0 or (at == "run_ended" and f"run {name} is done" in told), told
        assert fleet.restarts() == dict.fromkeys(HOSTS, 1)
        assert fleet.most_down(HOSTS[:2]) == 1
        assert fleet.most_down(HOSTS[2:]) == 1
        assert json.loads(tool.call("status", name, "--format", "json").stdout)
        assert tool.resume_is_refused(name)


def test_a_run_can_be_killed_again_while_it_resumes(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "laptop")
    with Fleet(HOSTS, down_s=0.5, service_s=0.1) as fleet:
        with tool.run(inventory(fleet, tmp_path), hosts=4) as run:
            run.until("answered RebootTaken")
            run.kill()
            name = run.name()
        for at in ("resumed", "booted", "move_done", "draining", "undraining"):
            with tool.resume(name) as resumed:
                resumed.until(at)
                resumed.kill()
        with tool.resume(name) as resumed:
            assert resumed.end() == 0, resumed.account()
        assert fleet.restarts() == dict.fromkeys(HOSTS, 1)


def test_a_host_that_fell_silent_with_the_controller_is_in_doubt_until_an_operator_decides(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "laptop")
    with Fleet(HOSTS, down_s=0.5, service_s=0.1) as fleet:
        path = inventory(fleet, tmp_path, back_within="10s")
        with tool.run(path, hosts=4) as run:
            lost = run.until("rebooting")["host"]
            run.kill()
            name = run.name()
        fleet.off(lost)
        with tool.resume(name) as resumed:
            assert resumed.end() == Exit.STOPPED, resumed.account()
        assert [row["host"] for row in resumed.of("in_doubt")] == [lost]
        assert sum(fleet.restarts().values()) <= 1
        fleet.on(lost)
        fleet.wait_for(lambda: fleet.up([lost]), "somebody has switched the host on")
        switched_on = fleet.restarts()
        said = tool.call("resolve", name, lost, "--done", "--reason", "switched on by hand, looks well")
        assert said.returncode == 0, said.stderr
        with tool.resume(name) as resumed:
            assert resumed.end() == 0, resumed.account()
        assert fleet.restarts() == {**dict.fromkeys(HOSTS, 1), lost: switched_on[lost]}


def test_ctrl_c_once_finishes_what_is_in_flight_and_the_rest_can_be_resumed(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "laptop")
    with Fleet(HOSTS, down_s=0.5, service_s=0.1) as fleet:
        with tool.run(inventory(fleet, tmp_path), hosts=4) as run:
            run.until("rebooting")
            run.process.send_signal(signal.SIGINT)
            assert run.end() == Exit.STOPPED, run.account()
            name = run.name()
        assert 1 <= sum(fleet.restarts().values()) < 4
        assert fleet.up(HOSTS)
        with tool.resume(name) as resumed:
            assert resumed.end() == 0, resumed.account()
        assert fleet.restarts() == dict.fromkeys(HOSTS, 1)


def test_ctrl_c_twice_lets_go_at_once_and_the_rest_can_be_resumed(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "laptop")
    with Fleet(HOSTS, down_s=3, service_s=0.1) as fleet:
        with tool.run(inventory(fleet, tmp_path), hosts=4) as run:
            run.until("rebooting")
            run.process.send_signal(signal.SIGINT)
            run.until("stopping")
            run.process.send_signal(signal.SIGINT)
            assert run.end() == Exit.STOPPED, run.account()
            name = run.name()
        assert not run.of("move_done")
        with tool.resume(name) as resumed:
            assert resumed.end() == 0, resumed.account()
        assert fleet.restarts() == dict.fromkeys(HOSTS, 1)
