"""Recoveries on the simulated fleet: mixed outcomes of a blip, any number of them, and the referee; mutants that it catches."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random

import pytest

from restart.engine import Engine
from restart.errors import Refused
from restart.model.inventory import Amount, Dependency, Inventory, Service
from restart.model.plan import Plan
from restart.model.playbook import Playbook, PowerControl, Rung
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator import play as stage
from restart.simulator.blip import sorted_out
from restart.simulator.drawn import drawn_faults
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import HostFigures, Physics
from restart.simulator.referee import Referee
from restart.simulator.staged import MADE_AT, observe
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import ask, draw, fixed, fleet

LADDER = Playbook(name="reboot", restart=(Rung(kind="reboot"), Rung(kind="power", reset="cycle", blind=True)))
DB = Service(name="db", hosts=("db-1", "db-2", "db-3"), min_available=Amount(quorum=True), ready=(ask(),))
APP = Service(
    name="app",
    hosts=("app-1", "app-2", "app-3", "app-4"),
    max_unavailable=Amount(number=2),
    ready=(ask(),),
    depends_on=(Dependency(provider="db"),),
)


def powered(inventory: Inventory) -> Inventory:
    hosts = {name: replace(host, power=PowerControl(method="simulated")) for name, host in inventory.hosts.items()}
    books = {name: replace(book, drain=(), restart=LADDER.restart) for name, book in inventory.playbooks.items()}
    return replace(inventory, hosts=hosts, playbooks=books)


SITE = powered(fleet(DB, APP, policy=fixed(max_failures=7), playbooks={"reboot": LADDER}))


def physics_of(inventory: Inventory, off: frozenset[str] = frozenset()) -> Physics:
    hosts = {name: HostFigures(boot_s=30.0, uptime_s=86_400.0) for name in inventory.hosts}
    return Physics(hosts=hosts, latency_s=0.2, silence_s=1.0, off=off)


def blip(inventory: Inventory, back: dict[str, float]) -> tuple[Fault, ...]:
    """These hosts are silent when the run begins and come back by themselves after so many seconds."""
    return tuple(Fault(kind="goes_down", hosts=(host,), at_s=0.0, for_s=for_s) for host, for_s in back.items())


def recovery(inventory: Inventory, physics: Physics, faults: tuple[Fault, ...], seed: int = 7) -> Plan:
    seen = sorted_out(observe(inventory, physics, seed, GATES), faults)
    return make_plan(inventory, observation=seen, made_at=MADE_AT, mode="recover")


def played(plan: Plan, physics: Physics, faults: tuple[Fault, ...], seed: int = 7) -> Result:
    return stage.play(
        plan, physics, seed, gates=GATES, faults=faults, referee=partial(Referee, seed=seed), horizon_s=86_400.0
    )


def test_a_mixed_site_ends_ready_and_nothing_that_is_well_is_touched() -> None:
    off = frozenset({"db-2", "app-1", "app-2"})
    physics, faults = physics_of(SITE, off), blip(SITE, {"db-3": 60.0, "app-3": 100.0})
    plan = recovery(SITE, physics, faults)
    assert {move.host for move in plan.moves()} == {*off, "db-3", "app-3"}
    assert {move.host for move in plan.moves() if move.conditional} == {"db-3", "app-3"}
    result = played(plan, physics, faults)
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0, result.outcome
    assert result.score.reached
    assert set(result.restarts) <= off


FAILED_ONCE = (10085, 10114, 10201, 10313)
FAILED_ONCE_PASSING = (10058, 10125, 10148)
"""Seeds that found a defect, with any faults and with faults that pass; each is played for ever."""


def mixed(seed: int) -> tuple[Plan, Physics, tuple[Fault, ...]] | None:
    """The site of this number after a blip, and the blip; None: there is nothing to do, or no plan for it."""
    drawn = draw(seed, faults=False)
    inventory, chance = powered(drawn.inventory), Random(seed)
    hosts = list(inventory.hosts)
    off = frozenset(host for host in hosts if chance.random() < 0.25)
    back = {host: chance.uniform(5.0, 170.0) for host in hosts if host not in off and chance.random() < 0.25}
    physics, gone = replace(drawn.physics, off=off), blip(inventory, back)
    try:
        plan = recovery(inventory, physics, gone, seed)
    except Refused:
        return None
    return (plan, physics, gone) if plan.waves else None


@pytest.mark.parametrize("seed", [*range(40), *FAILED_ONCE])
def test_random_mixed_fleets_keep_every_rule(seed: int) -> None:
    found = mixed(seed)
    if found is None:
        return
    plan, physics, gone = found
    more = draw(seed, faults=True).faults if seed % 2 else ()
    result = played(plan, physics, (*gone, *more), seed)
    assert [str(found) for found in result.violations] == []


@pytest.mark.parametrize("seed", [*range(40, 60), *FAILED_ONCE_PASSING])
def test_where_faults_pass_a_random_recovery_keeps_every_rule_and_ends_with_a_reason(seed: int) -> None:
    found = mixed(seed)
    if found is None:
        return
    plan, physics, gone = found
    result = played(plan, physics, (*gone, *drawn_faults(plan.inventory, seed, passing=True)), seed)
    assert [str(found) for found in result.violations] == []
    assert result.outcome is not None, result.no_progress
    assert result.outcome.why


class Impatient(Engine):
    """Does not wait for whoever may come back by itself."""

    def __init__(self, plan: Plan) -> None:
        waves = tuple(
            replace(wave, moves=tuple(replace(move, conditional=False) for move in wave.moves)) for wave in plan.waves
        )
        super().__init__(replace(plan, waves=waves))


class Forgetful(Engine):
    """Waits, but does not look whether the host came back before it is restarted."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._recovery.came_back = lambda host, found, now_s: None  # type: ignore[method-assign]


@pytest.mark.parametrize(("engine", "said"), [(Impatient, "may come back by itself"), (Forgetful, "is up and well")])
def test_the_referee_catches_who_acts_early_and_who_restarts_what_is_well(
    monkeypatch: pytest.MonkeyPatch, engine: type[Engine], said: str
) -> None:
    physics, faults = physics_of(SITE), blip(SITE, {"app-1": 100.0})
    plan = recovery(SITE, physics, faults)
    assert played(plan, physics, faults).violations == ()
    monkeypatch.setattr(stage, "Engine", engine)
    broken = played(plan, physics, faults)
    assert any(found.rule == 2 and said in found.what for found in broken.violations), broken.violations
