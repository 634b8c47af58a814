"""Every example in `inventories/` and `playbooks/` can be read as it is, and says what its comments promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from restart.inventory import read
from restart.model.inventory import Amount, Inventory
from restart.model.observation import HostSeen, Observation
from restart.planner import make_plan
from restart.rules.fill import fill
from tests.inventory.reading import GATES, ROOT, inventory_of, small

AT = "2026-11-22T00:00:00Z"
FOLDER = ROOT / "inventories"
EXAMPLES = sorted(
    path
    for path in FOLDER.iterdir()
    if path.suffix == ".yml" or (path.is_dir() and path.name != "scenarios" and any(path.glob("*.yml")))
)


def example(name: str) -> Inventory:
    return read([FOLDER / name], GATES, cycles_are_problems=True)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    inventory = read([path], GATES, cycles_are_problems=True)
    assert inventory.hosts
    assert inventory.services


def test_the_examples_are_there() -> None:
    assert {"chat-prod.yml", "minimal.yml", "colocated.yml", "zones.yml", "shop"} <= {path.name for path in EXAMPLES}


def test_the_chat_site_is_the_one_of_the_format() -> None:
    inventory = example("chat-prod.yml")
    assert len(inventory.hosts) == 22
    assert inventory.services["postgres"].hosts == ("db-1", "db-2", "db-3")
    assert inventory.services["chat"].max_unavailable == Amount(percent=25.0)
    assert inventory.hosts["app-12"].address == "10.0.2.12"
    assert inventory.ssh_of("bastion-1").gateway is None
    assert inventory.ssh_of("app-01").gateway == "bastion-1"


def test_the_minimal_one_has_five_lines() -> None:
    assert len((FOLDER / "minimal.yml").read_text().splitlines()) == 5


def test_the_colocated_one_has_consumers_beside_their_providers() -> None:
    inventory = example("colocated.yml")
    assert inventory.services["database"].hosts == inventory.services["application"].hosts


def test_the_shop_is_a_folder_and_drains_its_web_hosts() -> None:
    inventory = example("shop")
    assert inventory.services["web"].playbook == "drain-haproxy"
    step = inventory.playbooks["drain-haproxy"].drain[0]
    assert step.on == "lb-1"
    assert "set server web/%s state drain\\n' web-01 |" in fill(step.run, inventory.hosts["web-01"], "web")


@pytest.mark.parametrize("name", ["reboot", "service-restart", "drain-haproxy"])
def test_every_shipped_playbook_can_be_used(tmp_path: Path, name: str) -> None:
    (tmp_path / "playbooks").symlink_to(ROOT / "playbooks")
    text = small(hosts='\n  "db-[1-3]": {}\n  app-1: {}\n  lb-1: {}', defaults=f" {{playbook: {name}}}")
    assert inventory_of(tmp_path, text).playbooks[name].restart


@pytest.mark.parametrize("mode", ["rolling", "recover", "cold-start", "shutdown", "stop-start"])
def test_the_small_site_is_planned_in_every_mode_by_its_own_ladders(mode: str) -> None:
    inventory = example("small-site.yml")
    seen = Observation(at=AT, hosts={"db-2": HostSeen(state="down", power="off", why="no route")})
    made = make_plan(inventory, mode=mode, made_at=AT, observation=seen if mode == "recover" else None)
    assert made.mode == mode
    moved = {move.host for move in made.moves()}
    assert moved == ({"db-2"} if mode == "recover" else set(inventory.hosts))
    ladders = inventory.playbooks["power-site"]
    assert [rung.kind for rung in ladders.stop] == ["poweroff", "power"]
    assert [rung.kind for rung in ladders.start] == ["power", "approve"]
