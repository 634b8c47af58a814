"""What looking at real OpenSSH servers costs the controller: seconds, and CPU a host with everything that the command starts; and what it
costs the host that sends most.

For the survey of a thousand, as many names lead to ten servers, each of which is logged in to a hundred times at once; three of the ten
hang, each in another phase.
"""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from restart.survey.look import HOST_S
from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_ready
from tests.e2e.tool import Tool

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

HOSTS = [f"web-{number:02}" for number in range(1, 31)]


def test_looking_at_thirty_real_hosts(tmp_path: Path) -> None:
    with Fleet(HOSTS) as fleet:
        service = {"web": {"hosts": "web-*", "max_unavailable": 3, "ready": http_ready()}}
        inventory, tool = fleet.inventory(tmp_path / "inventory.yml", service), Tool(tmp_path / "laptop")
        idle_s = _start_s(tool)
        for words in (("survey", "--since", "10m"), ("preflight",), ("discover",)):
            started, cpu_s = time.monotonic(), _cpu_s()
            said = tool.call(*words, str(inventory), "--format", "json")
            took_s, cpu_s = time.monotonic() - started, _cpu_s() - cpu_s
            hosts = json.loads(said.stdout)["hosts"]
            assert set(hosts) == set(HOSTS), said.stderr
            for host in hosts.values():
                assert host.get("state", "never-went-down") == "never-went-down", said.stderr
                assert host.get("answered", True), said.stderr
            each_ms = (cpu_s - idle_s) / len(HOSTS) * 1e3
            most_s = max(host.get("cpu_s") or 0.0 for host in hosts.values())
            there = f"; the script at most {most_s:.2f} s of CPU there" if most_s else ""
            print(
                f"\n{words[0]}, {len(HOSTS)} real hosts over SSH: {took_s:.1f} s; CPU {cpu_s:.2f} s, {each_ms:.0f} ms a host "
                f"beside {idle_s:.2f} s to start{there}"
            )


HANG = {"real-8": "accept", "real-9": "auth", "real-10": "command"}
EACH_S, EACH = 0.030, 100


def test_a_survey_of_a_thousand_hosts_of_which_three_in_ten_hang(tmp_path: Path) -> None:
    with Fleet([f"real-{number}" for number in range(1, 11)], down_s=0.2, service_s=0.2) as fleet:
        for host, phase in HANG.items():
            fleet.fault(host, hang=phase)
            fleet.crash(host)
        fleet.wait_for(lambda: all(len(fleet.boots(host)) == 2 for host in HANG), "those that hang have booted")
        inventory, tool = fleet.inventory(tmp_path / "inventory.yml", {}), Tool(tmp_path / "laptop")
        content = yaml.safe_load(inventory.read_text(encoding="utf-8"))
        # Those that hang come first: nothing that is well has shown the way before.
        order = [*HANG, *(name for name in fleet.specs if name not in HANG)]
        content["hosts"] = {f"{name}-{n}": content["hosts"][name] for name in order for n in range(EACH)}
        content["services"] = {"web": {"hosts": "real-*", "max_unavailable": 1, "ready": http_ready()}}
        inventory.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        idle_s = _start_s(tool)
        started, cpu_s = time.monotonic(), _cpu_s()
        said = tool.call("survey", str(inventory), "--since", "10m", "--format", "json")
        took_s, cpu_s = time.monotonic() - started, _cpu_s() - cpu_s
    seen = json.loads(said.stdout)["hosts"]
    found = Counter((name.rpartition("-")[0], host["state"]) for name, host in seen.items())
    each_ms = (cpu_s - idle_s) / len(seen) * 1e3
    allowed_s = 2 * HOST_S + EACH_S * len(seen)
    print(
        f"\n{len(seen)} names of real hosts over SSH, 300 of which hang: {took_s:.1f} s, {allowed_s:.0f} s allowed; CPU {each_ms:.0f} ms a host"
    )
    # None that is well was missed for the crowd, and none that hangs was taken for well.
    well = {(name, "never-went-down"): EACH for name in fleet.specs if name not in HANG}
    assert {key: count for key, count in found.items() if key[0] not in HANG} == well, found
    assert {state for name, state in found if name in HANG} <= {"unknown", "stuck", "returning"}, found
    assert took_s <= allowed_s


def _start_s(tool: Tool) -> float:
    """CPU seconds of the command when it does nothing."""
    before = _cpu_s()
    tool.call("--version")
    return _cpu_s() - before


def _cpu_s() -> float:
    """CPU seconds of all processes that this one started and that are over; the fleet's are not."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
