"""How close a real rolling run comes to what its plan's limits allow, on real OpenSSH servers. Nothing here fails on a time."""

from __future__ import annotations

import resource
from pathlib import Path
from statistics import median

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.inventories import quick
from tests.e2e.tool import Tool

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

HOSTS = [f"web-{number:02}" for number in range(1, 51)]
AT_ONCE = 10
SOAK_S = 0.4
SLEEP_S = 1.0
"""The reboot is detached from its session and waits for so long, so that its answer arrives."""


@pytest.mark.parametrize("barrier", ["fleet", "service"])
def test_a_rolling_run_of_fifty_hosts_against_what_its_limits_allow(tmp_path: Path, barrier: str) -> None:
    with Fleet(HOSTS, down_s=2.0, service_s=1.0) as fleet:
        check = {"url": "http://{address}:8080/", "every": "200ms", "healthy_for": f"{SOAK_S}s", "within": "60s"}
        service = {"hosts": "web-*", "max_unavailable": AT_ONCE, "ready": [{"http": check}]}
        inventory = fleet.inventory(tmp_path / "inventory.yml", {"web": service}, policy=quick(barrier=barrier))
        before = _cpu_s()
        with Tool(tmp_path / "laptop").run(inventory, hosts=50) as run:
            assert run.end() == 0, run.account()
        cpu_s = _cpu_s() - before
        assert fleet.restarts() == dict.fromkeys(HOSTS, 1)
        assert fleet.most_down(HOSTS) <= AT_ONCE
        took_s = run.of("move_done")[-1]["at_s"] - run.of("move_started")[0]["at_s"]
        # What one host needs whoever restarts it, as the fleet itself saw it, times the batches that the budget leaves.
        gone_s = median(fleet.log(host, "serving")[1].at - fleet.log(host, "asked")[0].at for host in HOSTS)
        allowed_s = len(HOSTS) / AT_ONCE * (SLEEP_S + gone_s + SOAK_S)
        print(
            f"\nbarrier {barrier}: {took_s:.1f} s, the limits allow {allowed_s:.1f} s: {took_s / allowed_s:.2f} times;"
            f" controller CPU {cpu_s / len(HOSTS) * 1000:.0f} ms a host"
        )


def _cpu_s() -> float:
    """CPU seconds of the processes that this one has started and seen end; the fleet's own run on."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
