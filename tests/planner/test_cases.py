"""Planner cases as data: an inventory, what is expected of its plan, and nothing else. See `cases/`."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from restart.errors import Refused
from restart.inventory import read
from restart.model.check import Verdict
from restart.model.inventory import Inventory
from restart.model.observation import HostSeen, Observation
from restart.model.plan import Plan
from restart.planner import make_plan
from restart.runner.whereabouts import Whereabouts, with_path_found

CASES = sorted((Path(__file__).parent / "cases").glob("*.yml"))
AT = "2026-11-22T00:10:00Z"


def load(case: Path, folder: Path) -> tuple[Inventory, dict[str, Any]]:
    """The case's inventory, and what is written below it."""
    inventory, _, below = case.read_text(encoding="utf-8").partition("\n---\n")
    expected = yaml.safe_load(below)
    for name, playbook in expected.get("playbooks", {}).items():
        (folder / "playbooks").mkdir(exist_ok=True)
        (folder / "playbooks" / f"{name}.yml").write_text(yaml.safe_dump(playbook), encoding="utf-8")
    file = folder / "inventory.yml"
    file.write_text(inventory, encoding="utf-8")
    gates = {entry.name: entry.load() for entry in entry_points(group="restart.gates")}
    inventory_read = read([file], gates)
    # As the command line does it; nothing of the machine that the tests run on counts.
    return (with_path_found(inventory_read, Whereabouts()) if expected.get("found") else inventory_read), expected


def observation(written: dict[str, dict[str, Any]] | None, inventory: Inventory) -> Observation | None:
    if written is None:
        return None
    seen = {}
    for host in inventory.hosts:
        entry = dict(written.get(host, {}))
        uptime_s = entry.pop("uptime_s", None)
        told = {
            name: entry.pop(name) for name in ("state", "why", "power", "boot_id", "returning_until") if name in entry
        }
        verdicts = {name: Verdict.PASS for name, service in inventory.services.items() if host in service.hosts}
        verdicts.update({name: Verdict(verdict) for name, verdict in entry.items()})
        seen[host] = HostSeen(ready=verdicts, uptime_s=None if uptime_s is None else float(uptime_s), **told)
    return Observation(at=AT, hosts=seen)


def options(expected: dict[str, Any]) -> dict[str, Any]:
    found = dict(expected.get("options", {}))
    if "selection" in found:
        found["selection"] = tuple(found["selection"])
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_plan_is_as_the_case_says(case: Path, tmp_path: Path) -> None:
    inventory, expected = load(case, tmp_path)
    seen = observation(expected.get("observation"), inventory)
    if "refusals" in expected:
        with pytest.raises(Refused) as refused:
            make_plan(inventory, observation=seen, made_at=AT, **options(expected))
        found = [{"rule": refusal.rule, "text": str(refusal)} for refusal in refused.value.refusals]
        assert found == expected["refusals"]
        return
    plan = make_plan(inventory, observation=seen, made_at=AT, **options(expected))
    if "sizes" in expected:  # of waves too long to be listed
        assert [len(wave.moves) for wave in plan.waves] == expected["sizes"]
    else:
        assert [[move.host for move in wave.moves] for wave in plan.waves] == expected["waves"]
    compare(plan, expected)


def compare(plan: Plan, expected: dict[str, Any]) -> None:
    moves = {move.host: move for move in plan.moves()}
    for host, start_s in expected.get("starts_s", {}).items():
        assert moves[host].start_s == start_s, host
    for host, why in expected.get("why", {}).items():
        assert why in moves[host].why
    if "mode" in expected:
        assert plan.mode == expected["mode"]
    for host, act in expected.get("acts", {}).items():
        assert moves[host].act == act, host
    if "conditional" in expected:
        assert {host: move.returning_until_s for host, move in moves.items() if move.conditional} == expected[
            "conditional"
        ]
    if "canaries" in expected:
        assert [host for host, move in moves.items() if move.canary] == expected["canaries"]
    if "started" in expected:  # at which second how many moves start
        assert Counter(move.start_s for move in moves.values()) == expected["started"]
    if "makespan_s" in expected:
        assert plan.estimate.makespan_s == expected["makespan_s"]
    if "lower_bound_s" in expected:
        assert plan.estimate.lower_bound_s == expected["lower_bound_s"]
    if "tightest" in expected:
        found = plan.estimate.tightest
        assert (None if found is None else {"rule": found.rule, "costs_s": found.costs_s}) == expected["tightest"]
    for note in expected.get("notes", ()):
        assert note in plan.notes
    assert [f"{spare.host} for {spare.service} by {spare.playbook}" for spare in plan.spares] == expected.get(
        "stand_by", []
    )
    assert {alone.host: alone.why for alone in plan.left_alone} == expected.get("left_alone", {})
    rows = {row.service: row for row in plan.impact}
    for service, wanted in expected.get("impact", {}).items():
        assert {key: getattr(rows[service], key) for key in wanted} == wanted
