"""The referee at cold starts: a whole engine breaks nothing, and each broken one is caught by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import pytest

from restart.engine import Engine, seeding, stages
from restart.errors import Refused
from restart.model.check import Check
from restart.model.event import Event, Outcome
from restart.model.inventory import Amount, Break, Dependency, Inventory, Limit, Service
from restart.model.plan import Plan
from restart.model.playbook import Playbook, PowerControl, Rung
from restart.model.request import Request
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator import play as stage
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import HostFigures, Physics, ServiceFigures
from restart.simulator.referee import Referee
from restart.simulator.scenario_file import read_scenario
from restart.simulator.staged import staged
from restart.simulator.usual import usual_physics
from tests.inventory.reading import GATES, ROOT
from tests.simulator import mutants
from tests.simulator.random_fleets import ask, draw, fixed, fleet

QUEUE = Service(
    name="queue",
    hosts=("q1", "q2", "q3"),
    min_available=Amount(quorum=True),
    ready_when=Amount(quorum=True),
    ready=(ask(),),
)
APP = Service(name="app", hosts=("a1", "a2", "a3", "a4"), depends_on=(Dependency(provider="queue"),), ready=(ask(),))


@dataclass(frozen=True)
class Cold:
    """A fleet that is off, and what befalls it."""

    inventory: Inventory
    faults: Sequence[Fault] = ()
    warm_s: float = 20.0

    def powered(self) -> Inventory:
        hosts = {
            name: replace(host, power=PowerControl(method="simulated")) for name, host in self.inventory.hosts.items()
        }
        return replace(self.inventory, hosts=hosts)

    def plan(self) -> Plan:
        return make_plan(self.powered(), mode="cold-start", made_at="")

    def play(self, plan: Plan | None = None) -> Result:
        inventory = self.inventory
        physics = Physics(
            hosts={name: HostFigures(boot_s=30.0) for name in inventory.hosts},
            services={name: ServiceFigures(warm_s=self.warm_s) for name in inventory.services},
            latency_s=0.2,
            silence_s=1.0,
            off=frozenset(inventory.hosts),
        )
        referee = partial(Referee, seed=7)
        return stage.play(
            plan or self.plan(), physics, 7, gates=GATES, faults=self.faults, referee=referee, horizon_s=86_400.0
        )


def caught(monkeypatch: pytest.MonkeyPatch, case: Cold, engine: type[Engine], *, plan: Plan | None = None) -> set[int]:
    whole = case.play()
    assert whole.violations == (), [str(found) for found in whole.violations]
    assert whole.score.reached
    monkeypatch.setattr(stage, "Engine", engine)
    return {found.rule for found in case.play(plan).violations}


def test_the_referee_catches_an_engine_that_starts_consumers_before_the_group_is_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Cold(fleet(QUEUE, APP, policy=fixed(barrier="service")))
    assert 1 in caught(monkeypatch, case, mutants.blind_to(mutants.without_edges))


def test_the_referee_catches_an_engine_for_which_one_member_opens_a_quorum(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_one(inventory: Inventory) -> Inventory:
        services = dict(inventory.services)
        services["queue"] = replace(services["queue"], ready_when=Amount(number=1), co_start=True)
        return replace(inventory, services=services)

    slow = Cold(
        fleet(QUEUE, APP, policy=fixed(barrier="service")), [Fault(kind="returns_late", hosts=("q2", "q3"), by_s=90.0)]
    )
    assert 1 in caught(monkeypatch, slow, mutants.blind_to(with_one))


def test_the_referee_catches_a_planner_that_puts_consumers_first(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Cold(fleet(QUEUE, APP, policy=fixed()))
    whole = case.plan()
    turned = [replace(wave, number=number) for number, wave in enumerate(reversed(whole.waves), 1)]
    careless = replace(whole, waves=tuple(turned))
    assert 1 in caught(monkeypatch, case, mutants.blind_to(mutants.without_edges), plan=careless)


def test_the_referee_catches_a_start_before_the_path_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Service(name="metrics", hosts=("m1",), path=True, ready=(ask(),))
    case = Cold(fleet(replace(APP, depends_on=()), metrics, policy=fixed(barrier="service")))

    def without_path(inventory: Inventory) -> Inventory:
        services = {name: replace(service, path=False) for name, service in inventory.services.items()}
        return replace(inventory, services=services)

    assert 1 in caught(monkeypatch, case, mutants.blind_to(without_path))


LIMITS = {
    "in flight": {"max_in_flight": 2},
    "held for a time": {"max_in_flight": 2, "held_s": 25.0},
    "rate": {"max_rate": 2, "max_rate_per_s": 60.0},
    "capacity": {"capacity": 120.0, "starting": 40.0, "starting_for_s": 20.0, "running": 10.0},
}


@pytest.mark.parametrize("what", LIMITS)
def test_the_referee_catches_starts_beyond_a_limit(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    limits = {"cap": Limit(name="cap", **LIMITS[what]), "fleet": Limit(name="fleet", max_in_flight=9)}  # type: ignore[arg-type]
    case = Cold(fleet(QUEUE, APP, limits=limits, policy=fixed()))
    assert 3 in caught(monkeypatch, case, mutants.blind_to(mutants.without_the_cap))


def test_the_referee_catches_a_capacity_that_counts_no_inrush(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = Limit(name="cap", capacity=120.0, starting=40.0, starting_for_s=20.0, running=10.0)
    case = Cold(fleet(QUEUE, APP, limits={"cap": limit, "fleet": Limit(name="fleet", max_in_flight=9)}, policy=fixed()))

    def without_inrush(inventory: Inventory) -> Inventory:
        return replace(inventory, limits={**inventory.limits, "cap": replace(limit, starting=10.0)})

    assert caught(monkeypatch, case, mutants.blind_to(without_inrush)) == {3}


def test_the_referee_catches_a_watch_that_is_passed_over_once_its_service_is_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metrics = Service(name="metrics", hosts=("m1",), ready=(ask(),))
    query = {"url": "http://prom:9090", "query": "errors", "expect": "< 5", "alive": None, "empty": "unknown"}
    watch = Check(kind="prometheus", params=query, service="metrics", within_s=3600.0)
    case = Cold(
        fleet(metrics, QUEUE, APP, watch=(watch,), policy=fixed()), [Fault(kind="unknown", at_s=0.0, for_s=400.0)]
    )
    assert 4 in caught(monkeypatch, case, mutants.TakesFailedWatchesForPass)


def test_the_referee_catches_a_gate_of_a_provider_that_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = replace(QUEUE, gate=(ask("group", "controller"),))
    case = Cold(fleet(gated, APP, policy=fixed()))
    assert 9 in caught(monkeypatch, case, mutants.blind_to(mutants.without_gates))


# --- stand-ins ----------------------------------------------------------------------------------------------------------

RING = (
    Service(
        name="ldap",
        hosts=("l1", "l2"),
        depends_on=(Dependency(provider="dns", stand_in=Break(with_run="static", undo="dynamic")),),
        ready=(ask(),),
    ),
    Service(name="dns", hosts=("d1",), depends_on=(Dependency(provider="ldap"),), ready=(ask(),)),
)


def test_the_referee_catches_a_stand_in_that_is_never_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Cold(fleet(*RING, policy=fixed()))
    whole = case.plan()
    assert {wave.stage for wave in whole.waves} == {1, 2}
    careless = replace(whole, waves=tuple(wave for wave in whole.waves if wave.stage == 1))
    assert caught(monkeypatch, case, Engine, plan=careless) == {10}


def test_the_referee_catches_a_second_pass_that_restarts_and_leaves_the_stand_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stages, "second_pass", lambda plan, stand_ins: plan)
    case = Cold(fleet(*RING, policy=fixed()))
    assert 10 in {found.rule for found in case.play().violations}


def test_the_referee_catches_a_second_pass_that_begins_before_the_first_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class TooSoon(Engine):
        def handle(self, event: Event) -> tuple[Request, ...]:
            requests = super().handle(event)
            done = [state for state in self.states.values() if state.phase.value == "done"]
            if done and self.outcome is None:
                self.outcome = Outcome(state="done", exit_code=0, why="enough")
            return requests

    case = Cold(fleet(*RING, policy=fixed()))
    assert caught(monkeypatch, case, TooSoon) & {1, 5, 10}


@pytest.mark.parametrize("event", [5, 15, 25, 40, 60, 90, 120])
@pytest.mark.parametrize("moment", ["appending", "appended", "begun"])
def test_no_stand_in_is_left_behind_wherever_the_controller_dies(event: int, moment: str) -> None:
    case = Cold(fleet(*RING, policy=fixed()), [Fault(kind="controller_dies", event=event, moment=moment)])
    result = case.play()
    assert result.violations == (), [str(found) for found in result.violations]
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert result.resumes <= 1


# --- seeds --------------------------------------------------------------------------------------------------------------


def test_the_referee_catches_a_seed_that_is_not_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = read_scenario(ROOT / "inventories" / "scenarios" / "card-07c-pair-seed.yml", GATES)
    whole = staged(scenario, gates=GATES, referee=Referee)
    assert (whole.violations, whole.score.writes_lost) == ((), 0)
    monkeypatch.setattr(seeding, "max", min, raising=False)
    broken = staged(scenario, gates=GATES, referee=Referee)
    assert {found.rule for found in broken.violations} == {1}
    assert broken.score.writes_lost == 57


# --- what can never begin -----------------------------------------------------------------------------------------------


def test_a_start_that_a_lost_host_leaves_no_power_for_ends_by_name() -> None:
    # 3 W are drawn by who is up, 16 W held by who never came back: the last one's 16 W are more than the 28.5 W that may be drawn.
    limit = Limit(name="cap", capacity=30.0, starting=16.0, running=3.0)
    book = Playbook(name="reboot", start=(Rung(kind="power", reset="on"),))
    web = Service(name="web", hosts=("w1", "w2", "w3"), ready=(ask(),))
    site = fleet(web, limits={"cap": limit}, policy=fixed(max_failures=2), playbooks={"reboot": book})
    result = Cold(site, [Fault(kind="never_returns", hosts=("w2",))]).play()
    assert result.violations == ()
    assert result.outcome is not None, result.no_progress
    assert (result.outcome.exit_code, "w3 by limit.cap" in result.outcome.why) == (5, True), result.outcome


# --- many fleets --------------------------------------------------------------------------------------------------------


FAILED_ONCE = (11328,)
FAILED_ONCE_WITH_FAULTS = (10031, 10205)
"""Seeds that found a defect; each is played for ever."""


@pytest.mark.parametrize("seed", [*range(40), *FAILED_ONCE])
def test_no_random_fleet_is_started_unsafely_and_every_one_comes_up(seed: int) -> None:
    drawn = draw(seed, faults=False)
    physics = replace(drawn.physics, off=frozenset(drawn.inventory.hosts))
    inventory = Cold(_startable(drawn.inventory)).powered()
    try:
        plan = make_plan(inventory, mode="cold-start", made_at="")
    except Refused:
        return
    result = stage.play(plan, physics, seed, gates=GATES, referee=partial(Referee, seed=seed), horizon_s=200_000.0)
    assert result.violations == (), [str(found) for found in result.violations[:3]]
    assert result.outcome is not None, result.no_progress
    assert (result.outcome.exit_code, result.score.reached) == (0, True), result.outcome


@pytest.mark.parametrize("seed", [*range(40, 70), *FAILED_ONCE_WITH_FAULTS])
def test_no_fault_makes_a_start_unsafe(seed: int) -> None:
    drawn = draw(seed, faults=True)
    physics = replace(drawn.physics, off=frozenset(drawn.inventory.hosts))
    inventory = Cold(_startable(drawn.inventory)).powered()
    try:
        plan = make_plan(inventory, mode="cold-start", made_at="")
    except Refused:
        return
    result = stage.play(
        plan, physics, seed, gates=GATES, faults=drawn.faults, referee=partial(Referee, seed=seed), horizon_s=200_000.0
    )
    assert result.violations == (), [str(found) for found in result.violations[:3]]


def _startable(inventory: Inventory) -> Inventory:
    """The same fleet, some of its services as groups that start together."""
    services = {
        name: replace(service, ready_when=Amount(quorum=True) if number % 2 else None, co_start=number % 3 == 2)
        for number, (name, service) in enumerate(inventory.services.items())
    }
    return replace(inventory, services=services)


def test_a_rehearsal_of_a_cold_start_begins_with_hosts_that_are_off() -> None:
    plan = Cold(fleet(QUEUE, APP, policy=fixed())).plan()
    result = stage.play(plan, usual_physics(plan), 1, gates=GATES, referee=Referee)
    assert (result.violations, result.score.reached) == ((), True)
    assert result.availability["queue"][0] == (0.0, 0)
