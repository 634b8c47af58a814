"""Every hold, halt and refusal of a run names its rule as `--override` takes it or refuses it, with its numbers and its way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from restart.errors import Refused
from restart.model.inventory import Inventory
from restart.planner import make_plan
from restart.planner.overridden import NEVER, names
from restart.simulator import play as stage
from restart.simulator.faults import Fault
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import draw
from tests.simulator.test_overrides import full, plan_with, played, wide

WITHOUT_NUMBERS = frozenset({"flag", "paused", "drain"})
"""Rules of which there is nothing to count: a person said so, or one host stands in another's way."""


def wrong(inventory: Inventory, row: Mapping[str, Any]) -> list[str]:
    """What is amiss with one row that says what holds or halts."""
    rule, why = row["data"].get("rule"), row.get("why") or ""
    if rule == "" and why == "nothing holds the run":
        return []
    known = rule in names(inventory) or (rule or "").partition(".")[0] in NEVER
    found = [] if known else [f"{rule!r} is no rule that --override knows: {why}"]
    way_out = row["data"].get("way_out") or "nothing"
    if not why.endswith(f" ({way_out})"):
        found.append(f"no way out of {rule}: {why}")
    if ("--override" in way_out) != (rule in names(inventory)) or not way_out.partition("--override")[2].endswith(
        rule if "--override" in way_out else ""
    ):
        found.append(f"{rule} is said to be overridden where it is not, or the other way round: {way_out}")
    why = why.removesuffix(f" ({way_out})")
    for name in (*inventory.hosts, *inventory.services):
        why = why.replace(name, "")
    if not re.search(r"\d", why) and rule not in WITHOUT_NUMBERS:
        found.append(f"no numbers in {rule}: {row.get('why')}")
    return found


def all_wrong(inventory: Inventory, rows: tuple[Mapping[str, Any], ...]) -> set[str]:
    told = [row for row in rows if row["event"] in ("held", "halted")]
    return {sentence for row in told for sentence in wrong(inventory, row)}


@pytest.mark.parametrize("seed", range(40))
def test_on_random_fleets_with_faults_every_hold_and_halt_names_its_rule_and_numbers(seed: int) -> None:
    given = draw(seed, faults=True)
    try:
        plan = make_plan(given.inventory, made_at="")
    except Refused as refused:
        mute = [refusal for refusal in refused.refusals if not (refusal.rule and refusal.what and refusal.way_out)]
        if mute:
            raise AssertionError(mute) from refused
        return
    result = stage.play(plan, given.physics, seed, gates=GATES, faults=given.faults, horizon_s=400_000.0)
    assert all_wrong(given.inventory, result.rows) == set()


HELD = {
    "budget.db": (wide("budget.db"), (Fault(kind="goes_down", hosts=("db-2", "db-3"), at_s=0.0, for_s=900.0),)),
    "gate.db": (full(), (Fault(kind="unknown", services=("db",), at_s=0.0, for_s=60.0),)),
    "watch.1": (full(), (Fault(kind="unknown", at_s=0.0, for_s=60.0),)),
    "max_failures": (full(), (Fault(kind="never_returns", hosts=("db-1",)),)),
}
"""What must be told by this name when this happens."""


@pytest.mark.parametrize("rule", HELD)
def test_a_hold_or_halt_is_told_by_its_name(rule: str) -> None:
    inventory, faults = HELD[rule]
    result = played(plan_with(inventory), faults)
    assert all_wrong(inventory, result.rows) == set()
    assert rule in {row["data"]["rule"] for row in result.rows if row["event"] in ("held", "halted")}
