"""No checks are written: hosts are held against what they were before their restart all the same. Real sshd, real sockets, real reboots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from restart.errors import Exit
from tests.e2e.fleet import HTTP_PORT, Fleet
from tests.e2e.inventories import quick, write_reboot
from tests.e2e.tool import Run, Tool

WEB = ["web-1", "web-2", "web-3"]
PATIENCE = {"every": "300ms", "healthy_for": "600ms", "within": "8s"}


def web(**compared: Any) -> dict[str, Any]:
    """A service that asks no more than whether SSH answers, which is what is asked where nothing is written; only faster."""
    ready: list[dict[str, Any]] = [{"ssh": {}, **PATIENCE}]
    if compared:
        ready.append(dict(compared))
    return {"hosts": "web-*", "max_unavailable": 2, "ready": ready}


def run(folder: Path, fleet: Fleet, service: dict[str, Any], hosts: int = 3) -> Run:
    write_reboot(folder)
    inventory = fleet.inventory(folder / "inventory.yml", {"web": service}, policy=quick(max_failures=1))
    return Tool(folder / "laptop").run(inventory, hosts=hosts)


def test_a_host_that_comes_back_without_its_listener_is_quarantined_though_no_checks_are_written(
    tmp_path: Path,
) -> None:
    with Fleet(WEB, service_s=0.2) as fleet:
        fleet.fault("web-2", service_s=10_000)  # nobody has made it start at boot
        with run(tmp_path, fleet, web()) as going:
            assert going.end() == Exit.HALTED, going.account()
        (lost,) = going.of("quarantined")
        assert lost["host"] == "web-2"
        assert f":{HTTP_PORT} was listening, is not" in lost["why"]
        failed = [row for row in going.of("ready", "web-2") if row["verdict"] == "FAIL"]
        assert failed, "missing is FAIL"
        assert sorted(row["host"] for row in going.of("move_done")) == ["web-1", "web-3"]
        assert fleet.restarts() == dict.fromkeys(WEB, 1)


def test_hosts_that_come_back_the_same_pass_and_their_looks_are_in_the_journal(tmp_path: Path) -> None:
    with Fleet(WEB, service_s=2.0) as fleet:
        with run(tmp_path, fleet, web()) as going:
            assert going.end() == 0, going.account()
        assert sorted(row["host"] for row in going.of("baseline")) == WEB
        assert all("2 listeners" in row["evidence"] for row in going.of("baseline"))
        for host in WEB:
            # SSH answers two seconds before the service does: it was waited for.
            told = [(row["verdict"], row["evidence"]) for row in going.of("ready", host)]
            assert any(verdict == "FAIL" and f":{HTTP_PORT} was listening, is not" in said for verdict, said in told), (
                told
            )


def test_what_the_inventory_allows_may_be_gone(tmp_path: Path) -> None:
    with Fleet(WEB, service_s=0.2) as fleet:
        fleet.fault("web-2", service_s=10_000)
        with run(tmp_path, fleet, web(same_as_before={"allow": [f"tcp:{HTTP_PORT}"]})) as going:
            assert going.end() == 0, going.account()


def test_switched_off_nothing_is_compared_and_the_plan_says_so(tmp_path: Path) -> None:
    with Fleet(WEB, service_s=0.2) as fleet:
        fleet.fault("web-2", service_s=10_000)
        with run(tmp_path, fleet, web(same_as_before=False)) as going:
            assert going.end() == 0, going.account()
        assert not going.of("baseline")
        planned = Tool(tmp_path / "other").call("plan", str(tmp_path / "inventory.yml"))
        assert "same_as_before is switched off for web-1, web-2, web-3" in " ".join(planned.stdout.split())
