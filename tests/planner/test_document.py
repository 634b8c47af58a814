"""The plan's document: its keys, its digests, what is refused, and the same bytes for the same input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from restart.errors import Drift, Exit, UsageMistake
from restart.model.check import Check
from restart.model.document import digest
from restart.model.inventory import Amount, Dependency, Limit, Service, Ssh
from restart.model.observation import HostSeen, Observation
from restart.model.plan import Plan
from restart.planner import make_plan, plan_from_json, plan_json
from tests.planner.fleets import AT, fleet, host

SECTION_6 = {
    "version", "fleet", "mode", "digest", "inventory_digest", "observation_digest", "made_at", "waves", "impact",
    "left_alone", "estimate",
}  # fmt: skip
RULE_13 = {"inventory", "selection", "observation", "durations"}


def plan(made_at: str = AT, observation: Observation | None = None) -> Plan:
    hosts = [
        *(host(f"db-{number}", labels={"rack": f"r{number}"}) for number in (1, 2, 3)),
        *(host(f"app-{number}", labels={"image": "v7", "rack": f"r{number % 2}"}) for number in range(1, 7)),
        host("gate", ssh=Ssh()),
    ]
    services = [
        Service(
            name="db",
            hosts=("db-1", "db-2", "db-3"),
            min_available=Amount(quorum=True),
            gate=(Check(kind="tcp", params={"port": 1}),),
            settle_s=30.0,
            admission=2,
        ),
        Service(
            name="app",
            hosts=tuple(f"app-{number}" for number in range(1, 7)),
            max_unavailable=Amount(percent=50),
            depends_on=(Dependency(provider="db"),),
        ),
    ]
    inventory = fleet(
        hosts, services, limits={"rack": Limit(name="rack", per="rack", max_in_flight=2)}, ssh=Ssh(gateway="gate")
    )
    return make_plan(inventory, made_at=made_at, observation=observation)


def document(**kwargs: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(plan_json(plan(**kwargs))))
    return found


def test_every_key_is_always_there() -> None:
    found = document()
    assert set(found) >= SECTION_6 | RULE_13
    assert found["observation"] is None
    assert found["observation_digest"] is None
    for wave in found["waves"]:
        assert set(wave) == {"number", "why", "moves", "gates"}
        for move in wave["moves"]:
            assert set(move) == {"host", "services", "playbook", "canary", "start_s", "finish_s", "why"}
    assert {tuple(row) for row in found["impact"]} == {("service", "hosts", "budget", "lowest_available", "outage_s")}
    assert set(found["estimate"]) == {"makespan_s", "lower_bound_s", "critical_path", "tightest"}
    assert set(found["durations"]["db-1"]) == {"value_s", "samples", "source"}


def test_the_digest_is_that_of_the_canonical_document_without_itself_and_made_at() -> None:
    found = document()
    assert found["digest"] == digest({key: value for key, value in found.items() if key not in ("digest", "made_at")})
    assert found["inventory_digest"] == digest(found["inventory"])


def test_the_digest_does_not_depend_on_when_the_plan_was_made() -> None:
    assert document()["digest"] == document(made_at="2030-01-01T00:00:00Z")["digest"]


def test_the_observation_has_a_digest_of_its_own() -> None:
    found = document(observation=Observation(at=AT, hosts={"db-1": HostSeen(uptime_s=5.0)}))
    assert found["observation_digest"] == digest(found["observation"])
    assert found["digest"] != document()["digest"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda found: found["waves"][0]["moves"].pop(), "plan"),
        (lambda found: found["waves"][0]["moves"][0].update(start_s=1.0), "plan"),
        (lambda found: found["inventory"]["services"]["db"].pop("min_available"), "inventory"),
        (lambda found: found.update(digest="sha256:0"), "plan"),
        (lambda found: found.update(notes=[]), "plan"),
    ],
)
def test_an_edited_plan_is_drift(change: Any, what: str) -> None:
    found = document()
    change(found)
    with pytest.raises(Drift, match=f"the {what} in this plan") as drift:
        plan_from_json(found)
    assert drift.value.exit_code == Exit.DRIFT


def test_made_at_may_be_changed() -> None:
    found = document()
    found["made_at"] = "later"
    assert plan_from_json(found).made_at == "later"


@pytest.mark.parametrize(
    "found",
    [None, [], "plan", {}, {"waves": []}, {"waves": [], "inventory": {}, "version": 2}, {"waves": [], "inventory": {}}],
)
def test_what_is_no_plan_is_a_mistake_of_usage(found: object) -> None:
    with pytest.raises(UsageMistake, match="plan"):
        plan_from_json(found)


@pytest.mark.parametrize("key", sorted(SECTION_6 | RULE_13))
def test_a_missing_key_is_no_plan(key: str) -> None:
    found = document()
    del found[key]
    with pytest.raises(UsageMistake):
        plan_from_json(found)


@pytest.mark.parametrize("key", ["waves", "impact", "inventory", "estimate", "durations", "notes", "fleet"])
@pytest.mark.parametrize("value", [None, 7, "x", [7], {"x": 7}])
def test_a_wrong_value_is_never_a_crash(key: str, value: object) -> None:
    if key == "fleet" and value == "x":
        value = False
    found = document()
    found[key] = value
    with pytest.raises((UsageMistake, Drift)):
        plan_from_json(found)


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(UsageMistake, match="odd: unknown"):
        plan_from_json({**document(), "odd": 1})


SCRIPT = """
import json
from tests.planner.test_document import plan
from restart.planner import plan_json
print(json.dumps(plan_json(plan())))
"""


def test_the_same_input_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    root = Path(__file__).parents[2]
    texts = set()
    for seed in ("0", "1", "271828"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        texts.add(done.stdout)
    assert len(texts) == 1
    assert json.loads(texts.pop()) == document()
