"""A power blip on real OpenSSH servers leaves a mixed fleet; the recovery ends with everything ready and nothing healthy touched."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_ready, quick
from tests.e2e.tool import Tool

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

HOSTS = [f"web-{number}" for number in range(1, 8)]
LADDER = [
    {"reboot": {"down_within": "20s", "back_within": "60s"}},
    {"power": {"reset": "cycle", "back_within": "90s", "blind": True}},
]


def plugs(fleet: Fleet) -> dict[str, Any]:
    """The fleet's plugs: a cycle takes the power away and gives it back, and what hung boots well."""
    cycle = f"echo '{{}}' >{fleet.folder}/{{host}}/faults.json; printf '%s off\\n%s on\\n' {{host}} {{host}} >{fleet.folder}/words"
    return {"command": {"cycle": cycle}}


def written(fleet: Fleet, folder: Path) -> Path:
    (folder / "playbooks").mkdir()
    book = {"version": 1, "name": "reboot", "restart": LADDER}
    (folder / "playbooks" / "reboot.yml").write_text(yaml.safe_dump(book), encoding="utf-8")
    return fleet.inventory(
        folder / "inventory.yml",
        {"web": {"hosts": "web-*", "max_unavailable": 3, "ready": http_ready()}},
        policy=quick(),
        hosts={name: {"power": plugs(fleet)} for name in HOSTS},
        defaults={"expect": {"boot": "2s"}},
    )


def blip(fleet: Fleet, rebooted: list[str], hung: list[str], dead: list[str]) -> None:
    """The power goes for a moment: some come back well, some hang in their boot, and some only lose their service."""
    for host in hung:
        fleet.fault(host, hang="banner", http="fail")
    for host in (*rebooted, *hung):
        fleet.crash(host)
    for host in dead:
        fleet.fault(host, http="fail")
    fleet.wait_for(lambda: all(len(fleet.boots(host)) == 2 for host in (*rebooted, *hung)), "the blip")
    fleet.wait_for(lambda: fleet.up(rebooted), "those that the blip left well")


@pytest.mark.parametrize("seed", [5])
def test_a_blip_leaves_it_mixed_and_the_recovery_ends_with_everything_ready(tmp_path: Path, seed: int) -> None:
    drawn = Random(seed).sample(HOSTS, 5)
    rebooted, hung, dead = drawn[:2], drawn[2:4], drawn[4:]
    with Fleet(HOSTS, down_s=1.0, service_s=0.5) as fleet:
        inventory = written(fleet, tmp_path)
        blip(fleet, rebooted, hung, dead)
        before, tool = fleet.restarts(), Tool(tmp_path / "laptop")
        # Ten minutes ago: whoever is silent since then does not come back by itself any more.
        surveyed = tool.call("survey", str(inventory), "--since", "10m", "--format", "json")
        assert surveyed.returncode == 0, surveyed.stderr
        states = {name: host["state"] for name, host in json.loads(surveyed.stdout)["hosts"].items()}
        well = {host: "returned" if host in rebooted else "never-went-down" for host in HOSTS}
        assert states == {**well, **dict.fromkeys(hung, "stuck"), **dict.fromkeys(dead, "unhealthy")}
        more = ("--since", "10m", "--mode", "recover", "--yes-force-off", str(len(hung) + len(dead)))
        with tool.run(inventory, *more, hosts=len(hung) + len(dead), survey=True) as run:
            for row in run.follow():
                if row["event"] == "rebooting" and row["host"] in dead:
                    # The restart mends the service.
                    fleet.fault(row["host"])
            assert run.process.wait(60) == 0, run.account()
        assert fleet.up(HOSTS)
        again = {host: count - before[host] for host, count in fleet.restarts().items()}
        assert again == {host: int(host in (*hung, *dead)) for host in HOSTS}
