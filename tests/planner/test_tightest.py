"""The tightest of all rules: what it is said to cost is what letting it go by name saves."""

from __future__ import annotations

import json

import pytest

from restart.model.inventory import Host, Inventory, Limit, Service
from restart.model.plan import Override
from restart.model.playbook import Playbook
from restart.planner import make_plan, plan_from_json, plan_json
from restart.reports.plan_text import plan_text
from tests.planner.small_fleets import draw


@pytest.mark.parametrize("seed", range(40))
def test_without_the_tightest_rule_the_plan_is_as_much_shorter_as_was_told(seed: int) -> None:
    inventory = draw(seed)
    plan = make_plan(inventory, made_at="")
    found = plan.estimate.tightest
    if found is None or not found.costs_s:
        return
    without = make_plan(inventory, made_at="", overrides=(Override(rule=found.rule, reason="to see"),))
    # Planned in full it may be shorter still: more packings are tried.
    assert without.estimate.makespan_s <= plan.estimate.makespan_s - found.costs_s


def test_it_is_in_the_document_with_all_its_keys_and_in_the_text() -> None:
    plan = make_plan(draw(0), made_at="2026-11-22T00:10:00Z")
    document = json.loads(json.dumps(plan_json(plan)))
    assert document["estimate"]["tightest"] == {
        "rule": "budget.s2",
        "what": "no budget stated: at most 1 of 4 down at once",
        "value": "",
        "costs_s": 570.0,
        "waits_s": None,
    }
    assert plan_from_json(document) == plan
    assert "tightest of all rules: budget.s2" in plan_text(plan)


def test_a_plan_of_two_stages_says_it_of_each_and_keeps_the_one_that_costs_most() -> None:
    hosts = {f"w{n}": Host(name=f"w{n}", address=f"10.0.0.{n}", labels={"rack": "r1"}) for n in range(1, 9)}
    web = Service(name="web", hosts=tuple(hosts))
    limits = {"rack": Limit(name="rack", per="rack", max_in_flight=2)}
    inventory = Inventory(
        fleet="toy", hosts=hosts, services={"web": web}, limits=limits, playbooks={"reboot": Playbook(name="reboot")}
    )
    plan = make_plan(inventory, mode="stop-start", made_at="")
    told = [note for note in plan.notes if "tightest" in note]
    assert [note.partition(" (")[0] for note in told] == [
        "stop: tightest limit: limit.rack r1",
        "start: tightest limit: limit.rack r1",
    ]
    found = plan.estimate.tightest
    assert found is not None
    without = make_plan(
        inventory, mode="stop-start", made_at="", overrides=(Override(rule="limit.rack", reason="to see"),)
    )
    saved_s = plan.estimate.makespan_s - without.estimate.makespan_s
    assert saved_s / 2 <= (found.costs_s or 0) < saved_s
