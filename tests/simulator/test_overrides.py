"""One rule overridden by name: that one lets go, the run tells of it, and every other rule is kept, as the referee judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random

import pytest

from restart.engine import Engine
from restart.errors import Refused
from restart.model.check import Check
from restart.model.inventory import Amount, Dependency, Inventory, Limit, Policy, Service
from restart.model.plan import Override, Plan
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.planner.overridden import names
from restart.rules.named import covers
from restart.simulator import play as stage
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import HostFigures, Physics, ServiceFigures
from restart.simulator.referee import Referee
from restart.simulator.truth import Truth
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import ask, draw, fleet

WATCH = Check(
    kind="prometheus",
    params={"url": "http://prom:9090", "query": "errors", "expect": "< 5", "alive": None, "empty": "unknown"},
)


def full(barrier: str = "fleet") -> Inventory:
    """A fleet in which every kind of rule has something to hold up."""
    db = Service(
        name="db",
        hosts=("db-1", "db-2", "db-3", "db-4"),
        max_unavailable=Amount(number=2),
        ready=(ask(),),
        gate=(ask("group", "controller", healthy_for_s=10.0, within_s=120.0),),
        settle_s=40.0,
        admission=2,
    )
    app = Service(
        name="app",
        hosts=tuple(f"app-{number}" for number in range(1, 9)),
        max_unavailable=Amount(number=4),
        ready=(ask(),),
        depends_on=(Dependency(provider="db"),),
    )
    labels = {
        host: {"rack": f"r{at % 2}", "zone": "z1" if at % 4 < 2 else "z2"}
        for at, host in enumerate((*db.hosts, *app.hosts))
    }
    limits = (
        Limit(name="fleet", max_in_flight=3),
        Limit(name="rack", per="rack", max_in_flight=2),
        Limit(name="start", max_rate=2, max_rate_per_s=60.0),
        Limit(name="power", unit="W", capacity=80.0, starting=15.0, starting_for_s=60.0, running=3.0),
        Limit(name="zone", per="zone", max_domains=1),
    )
    return fleet(
        db,
        app,
        labels=labels,
        limits={limit.name: limit for limit in limits},
        policy=Policy(pace="slow", canaries=1, barrier=barrier),
        watch=(WATCH,),
    )


def plan_with(inventory: Inventory, *rules: str) -> Plan:
    return make_plan(inventory, made_at="", overrides=[Override(rule=rule, reason="midnight") for rule in rules])


def played(plan: Plan, faults: Sequence[Fault] = (), *, judged: Plan | None = None) -> Result:
    physics = Physics(
        hosts={name: HostFigures(boot_s=30.0) for name in plan.inventory.hosts},
        services={name: ServiceFigures(warm_s=5.0) for name in plan.inventory.services},
        latency_s=0.2,
        silence_s=1.0,
    )

    def referee(of: Plan, truth: Truth) -> Referee:
        return Referee(judged or of, truth, seed=7)

    return stage.play(plan, physics, 7, gates=GATES, faults=faults, referee=referee, horizon_s=86_400.0)


def told(result: Result) -> list[tuple[str, str]]:
    """The rule and the host of each `overridden` fact."""
    return [(row["data"]["rule"], row["host"]) for row in result.rows if row["event"] == "overridden"]


ALL = sorted(names(full()))


@pytest.mark.parametrize("rule", ALL)
def test_each_rule_of_a_fleet_can_be_let_go_and_no_other_is(rule: str) -> None:
    result = played(plan_with(full(), rule))
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert [str(found) for found in result.violations] == []
    assert {name for name, _ in told(result) if not covers(rule, name)} == set()


DOWN_S = 100.0
"""When, in run seconds, the first members of app are on their way, and all of db are back."""

LETS = {
    "limit.fleet": {3},
    "limit.rack": {3},
    "limit.start.max_rate": {3},
    "limit.power.capacity": {3},
    "limit.zone.max_domains": {3},
    "admission.db": {3},
    "budget.app": {2},
    "budget.db": {1, 2},
    "gate.db": {9},
    "watch.1": {4},
    "order.app.db": {1},
    "requires.app.db": {1},
    "settle.db": {9},
    "pace": {9},
    "pace.app": {9},
    "canary.app": {9},
}
"""What each rule lets go when nothing else stands in the way, and the rules of the referee that it would break without the override."""


def wide(rule: str) -> Inventory:
    """The full fleet with nothing in the way but `rule`."""
    inventory = full()
    kept = rule.split(".")[1] if rule.startswith("limit.") else "-"
    limits = {name: limit for name, limit in inventory.limits.items() if name == kept}
    if kept != "fleet":
        limits["fleet"] = Limit(name="fleet", max_in_flight=100)
    services = {
        name: replace(
            service,
            max_unavailable=service.max_unavailable
            if rule in (f"budget.{name}", "order.app.db", "requires.app.db", "settle.db")
            else Amount(percent=100.0),
            gate=service.gate if rule == f"gate.{name}" else (),
            admission=service.admission if rule == f"admission.{name}" else None,
            depends_on=service.depends_on
            if rule in ("order.app.db", "requires.app.db", "admission.db", "budget.db")
            else (),
            settle_s=service.settle_s if rule == f"settle.{name}" else 0.0,
        )
        for name, service in inventory.services.items()
    }
    family = rule.partition(".")[0]
    policy = Policy(pace="slow" if family == "pace" else "fixed", canaries=int(family == "canary"), barrier="fleet")
    watch = inventory.watch if family == "watch" else ()
    return replace(inventory, limits=limits, services=services, policy=policy, watch=watch)


@pytest.mark.parametrize("rule", LETS)
def test_an_overridden_rule_really_lets_go_and_the_run_names_it_for_each_host_once(rule: str) -> None:
    with_it, without = plan_with(wide(rule), rule), plan_with(wide(rule))
    assert with_it.digest != without.digest
    faults = {
        "watch.1": [Fault(kind="unknown", at_s=0.0, for_s=30.0)],
        # Of four members two must be ready; three go down when all of them have had their restart.
        "requires.app.db": [Fault(kind="goes_down", hosts=("db-1", "db-2", "db-3"), at_s=DOWN_S, for_s=900.0)],
    }.get(rule, [])
    result = played(with_it, faults)
    facts = told(result)
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert result.violations == ()
    assert len(facts) == len(set(facts))
    if rule not in ("order.app.db", "budget.db"):
        assert facts
        assert {covers(rule, name) for name, _ in facts} == {True}
        row = next(row for row in result.rows if row["event"] == "overridden")
        assert row["data"]["reason"] == "midnight"
        assert row["why"]
    # The same run, judged as if nobody had overridden anything.
    strict = played(with_it, faults, judged=replace(with_it, overrides=()))
    assert {found.rule for found in strict.violations} & LETS[rule]
    assert with_it.estimate.makespan_s <= without.estimate.makespan_s


EVERYTHING = tuple(Override(rule=rule, reason="mutant") for rule in ALL)


def test_an_engine_that_lets_more_go_than_is_named_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_with(full(), "pace")
    assert played(plan).violations == ()

    class Lax(Engine):
        def __init__(self, plan: Plan) -> None:
            super().__init__(replace(plan, overrides=EVERYTHING))

    monkeypatch.setattr(stage, "Engine", Lax)
    assert {3, 9} <= {found.rule for found in played(plan).violations}


def test_a_planner_that_lets_more_go_than_is_named_is_caught_with_an_engine_that_takes_the_order_from_it() -> None:
    honest = plan_with(full(), "pace")
    careless = replace(plan_with(full(), *ALL), overrides=honest.overrides)
    assert len(careless.waves) < len(honest.waves)
    assert 1 in {found.rule for found in played(careless).violations}


@pytest.mark.parametrize("seed", range(25))
def test_on_random_fleets_with_faults_an_override_loosens_its_own_rule_only(seed: int) -> None:
    given = draw(seed, faults=True)
    rule = Random(seed).choice(sorted(names(given.inventory)))
    try:
        plan = plan_with(given.inventory, rule)
    except Refused:
        return
    referee = partial(Referee, seed=seed)
    result = stage.play(
        plan, given.physics, seed, gates=GATES, faults=given.faults, referee=referee, horizon_s=400_000.0
    )
    assert [str(found) for found in result.violations] == []
    assert {name for name, _ in told(result) if not covers(rule, name)} == set()
