"""The tightest of all rules: what it is said to cost is what letting it go by name saves."""

from __future__ import annotations

import json

import pytest

from restart.model.plan import Override
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
