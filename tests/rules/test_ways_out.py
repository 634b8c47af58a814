"""Every hold, halt and line of `explain` has a way out, and `--override` is named only where it would be taken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from restart.planner.overridden import names
from restart.rules.ways_out import NEVER, WAYS, can_be_overridden, way_out, way_out_in_plan, way_out_of_halt
from tests.simulator.test_overrides import full

FAMILIES = sorted({rule.partition(".")[0] for rule in names(full())})


def all_ways(rule: str) -> list[str]:
    return [way_out(rule), way_out(rule, lasting=True), way_out_of_halt(rule), way_out_in_plan(rule)]


@pytest.mark.parametrize("rule", names(full()))
def test_what_can_be_overridden_says_so_by_its_own_name(rule: str) -> None:
    assert can_be_overridden(rule) or rule.startswith("warm_up.")
    for said in all_ways(rule):
        assert said.endswith(f"--override {rule}") or rule.startswith("warm_up.")


@pytest.mark.parametrize("family", NEVER)
def test_what_can_never_be_overridden_is_never_said_to_be(family: str) -> None:
    for rule in (family, f"{family}.db"):
        assert not can_be_overridden(rule)
        assert all("--override" not in said and said for said in all_ways(rule))


def test_a_rule_that_nobody_knows_is_not_said_to_be_overridden() -> None:
    assert all("--override" not in said for said in (way_out("new.db"), way_out_of_halt("new.db")))


def test_every_rule_that_the_engine_names_has_a_way_out_of_its_own() -> None:
    """The families are read from the engine's source: a hold under a new name must not get the way out of another."""
    source = "\n".join(file.read_text() for file in (Path(__file__).parents[2] / "restart/engine").glob("*.py"))
    named = re.findall(r'rule=f?"([a-z_-]+)', source) + re.findall(r'(?:return|, ) *"([a-z-]+)", f"', source)
    built = {name.removesuffix("_rule") for name in re.findall(r"\b([a-z_]+_rule)\(", source)}
    built = {"hooks" if name == "hook" else name for name in built}
    assert {"budget", "gate", "window", "contain", "silent", "max_failures", "hooks"} <= {*named, *built}
    assert {*named, *built} - WAYS.keys() - {"not-yet"} == set()


def test_holds_by_an_operator_say_what_the_operator_says() -> None:
    assert way_out("flag.3") == "ask who set it, then restart go --flag 3 --reason TEXT"
    assert way_out("paused") == "restart go RUN"
    assert way_out("contain") == "mend the hosts that it names, then restart resolve RUN HOST --done, --retry or --skip"


def test_holds_that_time_or_evidence_lifts_say_when() -> None:
    assert way_out("budget.db").startswith("by itself when they are ready; or ")
    assert way_out("budget.db", lasting=True).startswith("mend the hosts that it names, then restart resolve RUN HOST")
    assert way_out("limit.power.capacity").startswith("by itself when one of those has ended; or ")
    assert way_out("limit.start.max_rate").startswith("by itself when the first of those starts is so long ago; or ")
    assert way_out_in_plan("limit.power.capacity") == "raise limits.power.capacity, or --override limit.power.capacity"
    assert way_out_in_plan("admission.db") == "raise services.db.admission, or --override admission.db"
