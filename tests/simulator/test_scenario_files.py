"""A scenario that cannot be gets file:line:column, every problem at once, and exit 3."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from restart.errors import Exit, InventoryInvalid
from restart.inventory.compose import read_tree
from restart.inventory.values import plain
from restart.simulator.scenario import CAPABILITIES
from restart.simulator.scenario_file import read_scenario
from restart.simulator.scenario_schema import scenario_schema
from tests.inventory.reading import GATES, ROOT

GOOD = """\
version: 1
scenario: small
fleet:
  hosts:
    db-[1-2]: {}
    web-[1-3]: {}
  services:
    db: {hosts: db-*}
    web: {hosts: web-*, depends_on: {db: {}}}
physics:
  hosts: {"*": {boot: 30s}, web-2: {boot: 90s}}
"""

CASES = {
    "an unknown host in a fault": (
        "faults: [{kind: goes_down, hosts: web-9}]",
        "12:35: faults[0].hosts: 'web-9' is not a host (did you mean web-1?)",
    ),
    "a demand on nothing": (
        "  steady: [{service: web, of: db, each: 3}]",
        "12:31: physics.steady[0].of: db is no resource: a demand on nothing (state physics.resources.db)",
    ),
    "a service that is none": (
        "  resources: {bd: {cap: 4}}",
        "12:15: physics.resources: bd is not a service",
    ),
    "a negative time": (
        "  latency: -5s",
        "12:12: physics.latency: a duration such as 500ms, 30s, 5m or 1h30m expected, not the text -5s",
    ),
    "a bare number for a time": (
        "  latency: 5",
        "12:12: physics.latency: a duration such as 500ms, 30s, 5m or 1h30m expected, not the number 5",
    ),
    "an unknown key": ("  latencies: 5s", "12:3: physics: unknown key latencies (did you mean latency?)"),
    "a fault that is none": (
        "faults: [{kind: goes_dwn, hosts: web-1}]",
        "12:17: faults[0].kind: ",
    ),
    "a capability that is none": ("staged: {needs: [magic]}", "12:18: staged.needs[0]: "),
    "a quorum larger than its service": (
        "  services: {db: {quorum: 3}}",
        "12:27: physics.services.db.quorum: db has 2 members: a quorum of 3 can never be",
    ),
    "a label that no host has": (
        "  power: {rack: {per: rack, limit: 1, inrush: 1, inrush_for: 1s, steady: 1}}",
        "12:23: physics.power.rack.per: no host has a label rack",
    ),
    "writes of a stranger": (
        "  services: {db: {writes: {web-1: 4}}}",
        "12:28: physics.services.db.writes: web-1 is not a member of db",
    ),
    "an expectation of a service that is none": (
        "naive: {expect: {ready: {dbs: 2}}}",
        "12:26: naive.expect.ready: dbs is not a service (did you mean db?)",
    ),
}


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "s.yml"
    path.write_text(text)
    with pytest.raises(InventoryInvalid) as caught:
        read_scenario(path, GATES)
    assert caught.value.exit_code is Exit.INVALID
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_is_told_with_its_place(case: str, tmp_path: Path) -> None:
    line, expected = CASES[case]
    found = problems(tmp_path, GOOD + line + "\n")
    assert len(found) == 1, found
    assert found[0].startswith(expected), found[0]


def test_problems_of_the_fleet_inside_have_their_places_in_the_scenario(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("hosts: db-*}", "hosts: bd-*}"))
    assert found[0].startswith("8:"), found


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path, GOOD + "  metrics: {x: demand nobody}\nfaults: [{kind: lies, hosts: a}, {kind: lies, hosts: b}]\n"
    )
    assert len(found) == 3


def test_a_scenario_needs_a_fleet_and_not_two(tmp_path: Path) -> None:
    assert "a scenario has a fleet" in problems(tmp_path, "version: 1\nscenario: x\n")[0]
    assert "a scenario has a fleet" in problems(tmp_path, GOOD + "inventory: other.yml\n")[0]


def test_an_inventory_beside_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "fleet.yml").write_text("version: 1\nfleet: f\nhosts: {a: {}}\n")
    (tmp_path / "s.yml").write_text("version: 1\nscenario: x\ninventory: fleet.yml\n")
    assert list(read_scenario(tmp_path / "s.yml", GATES).inventory.hosts) == ["a"]


def test_later_entries_of_hosts_win_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "s.yml").write_text(GOOD)
    hosts = read_scenario(tmp_path / "s.yml", GATES).physics.hosts
    assert (hosts["web-1"].boot_s, hosts["web-2"].boot_s) == (30.0, 90.0)


def test_the_schema_is_one_that_editors_can_use() -> None:
    schema = scenario_schema(GATES)
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in (ROOT / "inventories" / "scenarios").glob("*.yml"):
        jsonschema.validate(plain(read_tree(path.read_bytes(), lambda *problem: pytest.fail(str(problem)))), schema)


def test_every_capability_says_whether_it_is_there() -> None:
    assert CAPABILITIES["rolling"]
    assert {type(there) for there in CAPABILITIES.values()} == {bool}


PLAYBOOKS = """\
playbooks:
  gently:
    restart: [{service_restart: {units: [a.service]}}, {reboot: {back_within: 2m}}]
"""


def test_a_scenario_brings_its_own_playbooks(tmp_path: Path) -> None:
    file = tmp_path / "own.yml"
    file.write_text(GOOD.replace("web: {hosts: web-*", "web: {playbook: gently, hosts: web-*") + PLAYBOOKS)
    playbook = read_scenario(file, GATES).inventory.playbooks["gently"]
    assert [rung.kind for rung in playbook.restart] == ["service_restart", "reboot"]
    assert playbook.restart[1].back_within_s == 120.0


def test_what_is_wrong_with_a_playbook_of_its_own_has_its_place_in_the_scenario(tmp_path: Path) -> None:
    named = GOOD.replace("web: {hosts: web-*", "web: {playbook: gently, hosts: web-*")
    (wrong,) = problems(tmp_path, named + PLAYBOOKS.replace("back_within", "back_whithin"))
    assert wrong.startswith("14:")
    assert "did you mean back_within?" in wrong
    (missing,) = problems(tmp_path, named.replace("gently", "gentle") + PLAYBOOKS)
    assert "there is no playbook gentle (did you mean gently?)" in missing
    (beside,) = problems(tmp_path, "version: 1\nscenario: other\ninventory: fleet.yml\n" + PLAYBOOKS)
    assert beside.startswith("4:1: the inventory has its own playbooks")
