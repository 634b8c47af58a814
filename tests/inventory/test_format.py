"""The inventory format, version 1, as it is resolved (design: section 5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from restart.model.check import SSH_CHECK, Check
from restart.model.document import as_json, digest, from_json
from restart.model.inventory import (
    Amount,
    Break,
    Dependency,
    Expect,
    Inventory,
    Limit,
    Policy,
    Role,
    Seed,
    Shared,
    Spares,
    Ssh,
    Window,
)
from restart.model.playbook import PowerControl
from tests.inventory.reading import inventory_of, small, told

EVERY_KEY = """\
version: 1
fleet: every-key
defaults:
  ssh: {user: ops, port: 2222, identity_file: ~/.ssh/id, known_hosts: ~/kh, config: none, gateway: gw, sudo: true}
  playbook: reboot
  expect: {boot: 3m, warm: 500ms}
hosts:
  gw: {}
  bare:
  db-[1-2]:
    address: "10.0.0.[1-2]"
    labels: {rack: "r[1-2]", row: 07, ha: true, image: v7, "12x": a}
    ssh: {port: 22, gateway: null}
    playbook: reboot
    expect: {boot: 1h30m}
    uses: {power: 2.5}
    site: east
    controller: true
    power: {redfish: {url: "https://bmc-[1-2]/", system: "1", user: root, password_env: BMC}}
  app-1: {address: "::1", power: {wol: {mac: "aa:bb"}}}
  spare-1: {power: {command: {on: "on {host}"}}}
services:
  db:
    hosts: [db-1, "db-*"]
    min_available: 50%
    max_unavailable: 1
    ready: [{tcp: 5432, within: 1m}, {tcp: {port: 1, timeout: 1s, every: 500ms, healthy_for: 0s, service: db}}, {boot: }]
    gate: [{approve: "all well?"}]
    ready_when: all
    co_start: true
    settle: 30s
    gate_fresh: 10s
    admission: {max_in_flight: 4, held_until: ready}
    expect: {warm: 1m}
    playbook: reboot
    pace: fixed
    canaries: 0
    carries_load: true
    path: true
    role: {run: role, leader: "^leader"}
    seed: {run: seq, pick: max, start: go}
    spares: {hosts: spare-1, playbook: reboot}
  app:
    hosts: "!db-*,!gw,!bare,!spare-1"
    admission: 3
    depends_on:
      db: {kind: requires, needs: 1, at: boot, restart: true, break: {with: a, undo: b, on: gw, why: ring}}
limits:
  fleet: {max_in_flight: 3, held_until: gate}
  rack: {per: rack, max_in_flight: 1, held_until: 40s, held_from: booted}
  zone: {per: zone, max_domains: 1}
  starts: {hosts: "db-*", max_rate: 20/min}
  power: {per: pdu, unit: W, capacity: 6000, starting: 650, starting_for: 20s, running: 350, headroom: 10%}
  pxe: {hosts: [app-1], shared: {work: 40s, at_once: 10, timeout: 2m}}
watch:
  - prometheus: {url: "http://p:9090", query: x, expect: "== 0", service: db}
    every: 10s
policy:
  on_failure: contain
  max_failures: 2
  confirm_above: 12.5%
  barrier: service
  pace: slow
  canaries: 2
  windows: [{days: sat, from: "22:00", to: "04:00", zone: Europe/Berlin}]
  never_return: 5%
  cluster_by: [image]
  ready_fresh: 10s
  gate_fresh: 20s
  watch_unknown: 2m
"""


@pytest.fixture
def every_key(tmp_path: Path) -> Inventory:
    return inventory_of(tmp_path, EVERY_KEY)


def test_ranges_of_an_entry_run_in_step_in_every_text_of_it(every_key: Inventory) -> None:
    assert list(every_key.hosts) == ["gw", "bare", "db-1", "db-2", "app-1", "spare-1"]
    two = every_key.hosts["db-2"]
    assert two.address == "10.0.0.2"
    assert two.labels == {"rack": "r2", "row": "07", "ha": "true", "image": "v7", "12x": "a"}
    assert two.power == PowerControl(
        method="redfish", params={"url": "https://bmc-2/", "system": "1", "user": "root", "password_env": "BMC"}
    )
    assert (two.playbook, two.expect, two.uses) == ("reboot", Expect(boot_s=5400.0), {"power": 2.5})
    assert (two.site, two.controller) == ("east", True)


def test_a_host_without_an_address_is_reached_by_its_name(every_key: Inventory) -> None:
    assert every_key.hosts["bare"].address == "bare"
    assert every_key.hosts["bare"].ssh is None


def test_a_hosts_ssh_keys_are_laid_over_the_defaults(every_key: Inventory) -> None:
    general = Ssh(
        user="ops", port=2222, identity_file="~/.ssh/id", known_hosts="~/kh", config="none", gateway="gw", sudo=True
    )
    assert every_key.ssh == general
    assert every_key.ssh_of("bare") == general
    own = every_key.ssh_of("db-1")
    assert (own.port, own.gateway, own.user, own.sudo) == (22, None, "ops", True)


def test_a_service_carries_all_that_is_said_of_it(every_key: Inventory) -> None:
    db = every_key.services["db"]
    assert db.hosts == ("db-1", "db-2")
    assert (db.min_available, db.max_unavailable) == (Amount(percent=50.0), Amount(number=1))
    assert (db.ready_when, db.co_start, db.settle_s, db.gate_fresh_s) == (Amount(all=True), True, 30.0, 10.0)
    assert (db.admission, db.admission_held_until, db.expect) == (4, "ready", Expect(warm_s=60.0))
    assert (db.pace, db.canaries, db.carries_load, db.path) == ("fixed", 0, True, True)
    assert db.role == Role(run="role", leader="^leader")
    assert db.seed == Seed(run="seq", pick="max", start="go")
    assert db.spares == Spares(hosts=("spare-1",), playbook="reboot")
    app = every_key.services["app"]
    assert (app.hosts, app.admission, app.admission_held_until, app.ready) == (("app-1",), 3, "gate", (SSH_CHECK,))
    stand_in = Break(with_run="a", undo="b", on="gw", why="ring")
    assert app.depends_on == (
        Dependency(provider="db", kind="requires", needs=1, at="boot", restart=True, stand_in=stand_in),
    )


def test_common_keys_of_a_check_stand_beside_its_kind_or_inside_of_it(every_key: Inventory) -> None:
    beside, inside, bare = every_key.services["db"].ready
    assert beside == Check(kind="tcp", params={"port": 5432}, within_s=60.0)
    assert inside == Check(
        kind="tcp", params={"port": 1}, timeout_s=1.0, every_s=0.5, healthy_for_s=0.0, within_s=300.0, service="db"
    )
    assert bare == Check(kind="boot")
    assert every_key.services["db"].gate == (Check(kind="approve", params={"text": "all well?"}),)
    assert every_key.watch == (
        Check(
            kind="prometheus",
            params={"url": "http://p:9090", "query": "x", "expect": "== 0"},
            every_s=10.0,
            service="db",
        ),
    )


def test_limits_and_policy_are_resolved(every_key: Inventory) -> None:
    assert every_key.limits == {
        "fleet": Limit(name="fleet", max_in_flight=3, held_until="gate"),
        "rack": Limit(name="rack", per="rack", max_in_flight=1, held_s=40.0, held_from="booted"),
        "zone": Limit(name="zone", per="zone", max_domains=1),
        "starts": Limit(name="starts", hosts=("db-1", "db-2"), max_rate=20, max_rate_per_s=60.0),
        "power": Limit(
            name="power", per="pdu", unit="W", capacity=6000, starting=650, starting_for_s=20, running=350, headroom=0.1
        ),
        "pxe": Limit(name="pxe", hosts=("app-1",), shared=Shared(work_s=40.0, at_once=10, timeout_s=120.0)),
    }
    assert every_key.policy == Policy(
        on_failure="contain",
        max_failures=2,
        confirm_above=0.125,
        barrier="service",
        pace="slow",
        canaries=2,
        never_return=0.05,
        cluster_by=("image",),
        ready_fresh_s=10.0,
        gate_fresh_s=20.0,
        watch_unknown_s=120.0,
        windows=(Window(opens="22:00", closes="04:00", zone="Europe/Berlin", days=("sat",)),),
    )


def test_the_resolved_form_goes_through_json_and_back(every_key: Inventory) -> None:
    assert from_json(Inventory, as_json(every_key)) == every_key


def test_the_same_text_gives_the_same_digest(tmp_path: Path, every_key: Inventory) -> None:
    again = inventory_of(tmp_path, "# a comment changes nothing\n" + EVERY_KEY)
    assert digest(as_json(again)) == digest(as_json(every_key))
    other = inventory_of(tmp_path, EVERY_KEY.replace("settle: 30s", "settle: 31s"))
    assert digest(as_json(other)) != digest(as_json(every_key))


def test_what_is_not_said_has_the_defaults_of_the_design(tmp_path: Path) -> None:
    inventory = inventory_of(tmp_path, small())
    assert (inventory.policy, inventory.ssh, inventory.expect) == (Policy(), Ssh(), Expect())
    assert inventory.services["db"].ready == (SSH_CHECK,)
    assert inventory.services["app"].depends_on == (Dependency(provider="db"),)
    assert inventory.playbooks.keys() == {"reboot"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2", Amount(number=2)),
        ("66.5%", Amount(percent=66.5)),
        ("quorum", Amount(quorum=True)),
        ("0", Amount(number=0)),
    ],
)
def test_a_budget_is_a_number_a_percentage_or_quorum(tmp_path: Path, written: str, expected: Amount) -> None:
    inventory = inventory_of(tmp_path, small(services=f"\n  db: {{hosts: db-*, min_available: {written}}}"))
    assert inventory.services["db"].min_available == expected


@pytest.mark.parametrize(
    "key", ["max_unavailable: 0", "max_unavailable: 33%", "min_available: 3", "min_available: 100%"]
)
def test_a_budget_that_lets_nobody_restart_is_for_the_planner_to_refuse(tmp_path: Path, key: str) -> None:
    assert told(tmp_path, small(services=f"\n  db: {{hosts: db-*, {key}}}")) == []


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "True", "FALSE", "y", '"true"'])
def test_only_true_and_false_are_booleans(tmp_path: Path, word: str) -> None:
    (line,) = told(tmp_path, small(services=f"\n  db: {{hosts: db-*, path: {word}}}"))
    assert "true or false expected, not the text" in line
    assert "(write " in line


@pytest.mark.parametrize("name", ["on", "off", "yes", "no", "null-1", "1a", "0x", "a.b", "12-a"])
def test_a_word_of_old_yaml_is_a_fine_name(tmp_path: Path, name: str) -> None:
    inventory = inventory_of(
        tmp_path, f"version: 1\nfleet: x\nhosts: {{{name}: {{}}}}\nservices: {{{name}: {{hosts: {name}}}}}"
    )
    assert inventory.services[name].hosts == (name,)


@pytest.mark.parametrize("name", ["12", "1.5", "0x1F", "1e3", "~", "null", "true", "-7", "012"])
def test_a_name_that_reads_as_something_else_has_to_be_quoted(tmp_path: Path, name: str) -> None:
    text = f"version: 1\nfleet: x\nhosts:\n  {name}: {{}}\n"
    (line,) = told(tmp_path, text)
    assert line.endswith(f'(write "{name}", in quotes)')
    if name[0] not in "~-":
        assert list(inventory_of(tmp_path, text.replace(f"  {name}:", f'  "{name}":')).hosts) == [name]


@pytest.mark.parametrize(
    "name", ["a b", "a,b", "!a", "a*", "-a", "a/b", "a:b", "ä", "a=b", "service:x", "a$(x)", "", "a'b"]
)
def test_a_name_that_selections_or_shells_could_mistake_is_refused(tmp_path: Path, name: str) -> None:
    assert told(tmp_path, f'version: 1\nfleet: x\nhosts:\n  "{name}": {{}}\n')


@pytest.mark.parametrize("check", ["{ssh: }", "{ssh: {}}", "{ssh: {healthy_for: 1s}}", "{ssh: {}, healthy_for: 1s}"])
def test_a_check_without_keys_of_its_own_can_be_written_in_any_way(tmp_path: Path, check: str) -> None:
    inventory = inventory_of(tmp_path, small(services=f"\n  db: {{hosts: db-*, ready: [{check}]}}"))
    assert inventory.services["db"].ready[0].params == {}


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        ("{per: rack}", "limits nothing"),
        ("{max_in_flight: 1, running: 3}", "running means nothing without capacity"),
        ("{max_in_flight: 0}", "at least 1 expected"),
        ("{max_rate: 0/min}", "a rate such as 20/min expected"),
        ("{capacity: 0}", "more than 0 expected"),
        ("{shared: {work: 40s}}", "at_once and timeout missing"),
        ("{shared: {work: 0s, at_once: 1, timeout: 1s}}", "above zero"),
    ],
)
def test_a_limit_must_limit_something(tmp_path: Path, limit: str, what: str) -> None:
    (line,) = told(tmp_path, small(limits=f"\n  x: {limit}"))
    assert what in line


def test_anchors_may_be_used_for_what_is_said_twice(tmp_path: Path) -> None:
    services = "\n  db: {hosts: db-*, ready: &ready [{tcp: 22}]}\n  app: {hosts: app-1, ready: *ready}"
    inventory = inventory_of(tmp_path, small(services=services))
    assert (
        inventory.services["app"].ready == inventory.services["db"].ready == (Check(kind="tcp", params={"port": 22}),)
    )


def test_nothing_in_the_resolved_form_refers_back_to_the_file(every_key: Inventory) -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return type(value) is dict and all(plain(held) for held in value.values())
        if isinstance(value, list):
            return type(value) is list and all(plain(held) for held in value)
        return type(value) in (str, int, float, bool, type(None))

    checks = [check for service in every_key.services.values() for check in (*service.ready, *service.gate)]
    assert all(plain(check.params) for check in checks)
    assert all(plain(host.labels) and plain(host.uses) for host in every_key.hosts.values())
    assert all(plain(host.power.params) for host in every_key.hosts.values() if host.power)
    assert all(plain(text) for window in every_key.policy.windows for text in (window.opens, *window.days))
