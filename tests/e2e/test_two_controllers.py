"""Two controllers at once: the second is refused and told who holds the fleet, since when; no host is restarted twice."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

from restart.errors import Exit
from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_ready, quick
from tests.e2e.tool import Run, Tool

HOSTS = [f"web-{number}" for number in range(1, 5)]


def inventory(fleet: Fleet, folder: Path) -> Path:
    """One service, one at a time, so that the first run goes on while the second tries."""
    service = {"hosts": "web-*", "max_unavailable": 1, "ready": http_ready()}
    return fleet.inventory(folder / "inventory.yml", {"web": service}, policy=quick())


def refused(second: Run, first: Run) -> None:
    """`second` ended with exit 7 and named who holds, with which run, since when."""
    assert second.end() == Exit.HELD, second.account()
    said = second.account()
    for word in (getpass.getuser(), socket.gethostname(), first.name(), "since"):
        assert word in said, said


def test_from_the_same_store_the_second_is_refused_with_the_holders_name(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "laptop")
    with Fleet(HOSTS, service_s=0.2) as fleet:
        path = inventory(fleet, tmp_path)
        with tool.run(path, hosts=4) as first:
            first.until("rebooting")
            with tool.run(path, hosts=4) as second:
                refused(second, first)
            assert first.end() == 0, first.account()
        assert fleet.restarts() == dict.fromkeys(HOSTS, 1)


def test_from_two_stores_the_claim_on_the_host_stops_the_second(tmp_path: Path) -> None:
    with Fleet(HOSTS, service_s=0.2) as fleet:
        path = inventory(fleet, tmp_path)
        with Tool(tmp_path / "laptop").run(path, hosts=4) as first:
            first.until("claimed")
            with Tool(tmp_path / "desk").run(path, hosts=4) as second:
                refused(second, first)
            assert not [one for one in second.rows if one["event"] == "rebooting"]
            assert first.end() == 0, first.account()
        assert fleet.restarts() == dict.fromkeys(HOSTS, 1)


def test_a_claim_whose_controller_was_killed_runs_out_and_the_next_may_act(tmp_path: Path) -> None:
    with Fleet(HOSTS, service_s=0.2) as fleet:
        path = inventory(fleet, tmp_path)
        with Tool(tmp_path / "laptop").run(path, hosts=4) as first:
            first.until("claimed")
            first.kill()
        with Tool(tmp_path / "desk").run(path, hosts=4) as second:
            refused(second, first)
        for host in HOSTS:
            # The way out that a person has before the claim has run out: to take it off by hand.
            fleet.ssh(host, "rm -f /run/staged-restart/claim")
        with Tool(tmp_path / "desk-2").run(path, hosts=4) as third:
            assert third.end() == 0, third.account()
        assert max(fleet.restarts().values()) <= 2


def test_from_two_stores_two_parts_of_one_service_are_not_restarted_at_the_same_time(tmp_path: Path) -> None:
    """Each of both keeps the budget by itself; together they would not."""
    with Fleet(HOSTS, down_s=3, service_s=0.2) as fleet:
        path = inventory(fleet, tmp_path)
        with Tool(tmp_path / "laptop").run(path, "--limit", "web-1,web-2", hosts=2) as first:
            first.until("claimed")
            with Tool(tmp_path / "desk").run(path, "--limit", "web-3,web-4", hosts=2) as second:
                refused(second, first)
            assert first.end() == 0, first.account()
        assert fleet.restarts() == {"web-1": 1, "web-2": 1, "web-3": 0, "web-4": 0}
        assert fleet.most_down(HOSTS) == 1
        with Tool(tmp_path / "desk-2").run(path, "--limit", "web-3,web-4", hosts=2) as third:
            assert third.end() == 0, third.account()


def test_from_one_store_the_claim_of_a_run_that_has_ended_keeps_nobody_from_the_rest(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "laptop")
    with Fleet(HOSTS, service_s=0.2) as fleet:
        path = inventory(fleet, tmp_path)
        with tool.run(path, "--limit", "web-1,web-2", hosts=2) as first:
            first.until("claimed")
            first.kill()
        assert tool.call("stop", first.name(), "--reason", "given up").returncode == 0
        assert "run=" in fleet.ssh("web-2", "cat /run/staged-restart/claim").stdout
        with tool.run(path, "--limit", "web-3,web-4", hosts=2) as second:
            assert second.end() == 0, second.account()
