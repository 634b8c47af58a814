"""What a survey of real OpenSSH servers costs the controller: seconds, and CPU a host with everything that the command starts."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_ready
from tests.e2e.tool import Tool

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

HOSTS = [f"web-{number:02}" for number in range(1, 31)]


def test_a_survey_of_thirty_real_hosts(tmp_path: Path) -> None:
    with Fleet(HOSTS) as fleet:
        service = {"web": {"hosts": "web-*", "max_unavailable": 3, "ready": http_ready()}}
        inventory, tool = fleet.inventory(tmp_path / "inventory.yml", service), Tool(tmp_path / "laptop")
        idle_s = _start_s(tool)
        started, cpu_s = time.monotonic(), _cpu_s()
        said = tool.call("survey", str(inventory), "--since", "10m", "--format", "json")
        took_s, cpu_s = time.monotonic() - started, _cpu_s() - cpu_s
    states = {name: host["state"] for name, host in json.loads(said.stdout)["hosts"].items()}
    assert states == dict.fromkeys(HOSTS, "never-went-down"), said.stderr
    each_ms = (cpu_s - idle_s) / len(HOSTS) * 1e3
    print(
        f"\n{len(HOSTS)} real hosts over SSH: {took_s:.1f} s; CPU {cpu_s:.2f} s, {each_ms:.0f} ms a host beside {idle_s:.2f} s to start"
    )


def _start_s(tool: Tool) -> float:
    """CPU seconds of the command when it does nothing."""
    before = _cpu_s()
    tool.call("--version")
    return _cpu_s() - before


def _cpu_s() -> float:
    """CPU seconds of all processes that this one started and that are over; the fleet's are not."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
