"""Engines that do not wait for their turn, each in one way: canaries, slow start, waves, the path, the brakes. The referee calls every one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import Engine
from restart.engine.brakes import Brakes
from restart.engine.guards import GateState, Guards, Streaks
from restart.engine.pace import Pace
from restart.engine.starts import Starts
from restart.engine.waves import Waves
from restart.model.inventory import Amount, Inventory, Limit, Policy, Service, Ssh
from restart.model.plan import Plan
from restart.model.playbook import Playbook, Rung, Step
from restart.planner import make_plan
from restart.simulator.faults import Fault
from tests.simulator import mutants
from tests.simulator.random_fleets import ask, fixed, fleet
from tests.simulator.test_mutants import APP, DB, GATE, Case, caught

WEB = Service(
    name="web",
    hosts=tuple(f"w{n:02}" for n in range(1, 17)),
    max_unavailable=Amount(percent=100.0),
    ready=(ask(),),
)
DRAINED = Playbook(name="reboot", drain=(Step(run="drain {host}"),), restart=(Rung(kind="reboot"),))
WIDE = {"fleet": Limit(name="fleet", max_in_flight=100)}
TWO = tuple(
    replace(WEB, name=name, hosts=tuple(f"{name}{n}" for n in range(1, 6)), max_unavailable=Amount(number=5))
    for name in ("a", "b")
)
V7 = {host: {"image": "v7"} for service in TWO for host in service.hosts}


def slow(**policy: object) -> Inventory:
    return fleet(WEB, policy=Policy(**policy), limits=WIDE, playbooks={"reboot": DRAINED})  # type: ignore[arg-type]


def declines(*hosts: str) -> Fault:
    """Their drains fail at once; they are given up untouched."""
    return Fault(kind="step_fails", hosts=hosts)


# --- canaries and slow start ------------------------------------------------------------------------------------------


def test_the_referee_catches_an_engine_without_canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(inventory: Inventory) -> Inventory:
        return replace(inventory, policy=replace(inventory.policy, canaries=0))

    case = Case(fleet(WEB, policy=Policy(pace="fixed", canaries=1), limits=WIDE))
    assert caught(monkeypatch, case, mutants.blind_to(without)) == {9}


def test_the_referee_catches_an_engine_without_a_slow_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(inventory: Inventory) -> Inventory:
        return replace(inventory, policy=replace(inventory.policy, pace="fixed"))

    assert caught(monkeypatch, Case(slow()), mutants.blind_to(hasty)) == {9}
    monkeypatch.undo()
    assert caught(monkeypatch, Case(slow(canaries=0)), mutants.blind_to(hasty)) == {9}


def test_the_referee_catches_a_slow_start_that_is_too_wide_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(slow())
    assert case.play().violations == ()
    monkeypatch.setattr("restart.engine.pace.step", lambda passed, canaries: {0: 1, 1: 2, 2: 2}.get(passed, 5))
    assert caught_as_it_is(case) == {9}


def caught_as_it_is(case: Case) -> set[int]:
    return {found.rule for found in case.play().violations}


def test_the_referee_catches_an_engine_that_does_not_slow_down_on_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(slow(max_failures=3), [declines("w04")])
    assert case.play().violations == ()
    monkeypatch.setattr("restart.engine.pace.halved", lambda passed, canaries: passed)
    assert caught_as_it_is(case) == {9}


def test_the_referee_catches_an_engine_that_goes_on_after_a_second_lost_canary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(slow(max_failures=9, never_return=0.9), [declines("w01", "w02", "w03")])
    assert case.play().violations == ()
    monkeypatch.setattr("restart.engine.pace.CANARIES_LOST_MAX", 99)
    assert caught_as_it_is(case) == {9}


def test_the_referee_catches_an_engine_whose_spoilt_canary_counts_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(slow(max_failures=9, never_return=0.9), [declines("w01")])
    assert case.play().violations == ()
    end = Pace.end
    monkeypatch.setattr(Pace, "end", lambda self, host, *, good: end(self, host, good=True))
    assert caught_as_it_is(case) == {9}


# --- waves and the path -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("barrier", ["fleet", "service"])
def test_the_referee_catches_an_engine_that_lets_nothing_settle(monkeypatch: pytest.MonkeyPatch, barrier: str) -> None:
    def restless(inventory: Inventory) -> Inventory:
        services = {name: replace(service, settle_s=0.0) for name, service in inventory.services.items()}
        return replace(inventory, services=services)

    case = Case(fleet(replace(DB, settle_s=60.0), APP, policy=fixed(barrier=barrier)))
    assert caught(monkeypatch, case, mutants.blind_to(restless)) == {9}


FAR = replace(DB, name="far", hosts=("far-1", "far-2", "far-3"), ready=(ask(healthy_for_s=90.0),))
APART = fleet(replace(FAR, hosts=("far-1",), min_available=None, gate=(GATE,)), DB, APP, policy=fixed())
"""Nothing after the first wave has to do with the service whose gate closes it."""


def test_the_referee_catches_an_engine_that_closes_waves_without_their_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(APART)
    assert case.play().violations == ()
    monkeypatch.setattr(Waves, "_over", lambda self, wave, now_s: True)
    assert caught_as_it_is(case) == {9}


def test_the_referee_catches_an_engine_without_waves(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_at_once(inventory: Inventory) -> Inventory:
        return replace(inventory, policy=replace(inventory.policy, barrier="service"))

    case = Case(fleet(FAR, DB, policy=fixed()))
    assert caught(monkeypatch, case, mutants.blind_to(open_at_once)) == {1}


SEEN_THROUGH = Service(name="metrics", hosts=("m1", "m2"), path=True, ready=(ask(),))


class BlindToThePath(Engine):
    """Does not know which hosts it sees and reaches the others through."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._starts._path = frozenset()


def test_the_referee_catches_a_path_host_that_does_not_go_last(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = replace(WEB, hosts=WEB.hosts[:4])
    case = Case(fleet(seen, SEEN_THROUGH, policy=fixed()))
    careless = make_plan(fleet(seen, replace(SEEN_THROUGH, path=False), policy=fixed()), made_at="")
    assert caught(monkeypatch, case, BlindToThePath, plan=replace(careless, inventory=case.inventory)) == {1}


def test_the_referee_catches_a_gateway_that_goes_beside_who_is_reached_through_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edge = Service(name="edge", hosts=("g1",), ready=(ask(),))
    inventory = fleet(replace(WEB, hosts=WEB.hosts[:4]), edge, policy=fixed())
    reached = replace(inventory, ssh=Ssh(gateway="g1"))
    careless = replace(make_plan(inventory, made_at=""), inventory=reached)
    assert caught(monkeypatch, Case(reached), BlindToThePath, plan=careless) == {1}


# --- the neighbours' gates --------------------------------------------------------------------------------------------


class AsksItsOwnGatesOnly(Engine):
    """The gates of providers and consumers guard nothing."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._starts._near = {name: (name,) for name in plan.inventory.services}


@pytest.mark.parametrize("gated", ["db", "app"])
def test_the_referee_catches_an_engine_that_asks_its_own_gates_only(
    monkeypatch: pytest.MonkeyPatch, gated: str
) -> None:
    services = [replace(found, gate=(GATE,) if found.name == gated else (), settle_s=40.0) for found in (DB, APP)]
    assert caught(monkeypatch, Case(fleet(*services, policy=fixed())), AsksItsOwnGatesOnly) == {9}


def test_the_referee_catches_an_engine_whose_gates_stay_fresh_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(replace(DB, gate=(GATE,), settle_s=200.0), policy=fixed()))
    assert caught(monkeypatch, case, mutants.blind_to(mutants.with_watches_fresh_for_ever)) == {9}


def test_the_referee_catches_an_engine_that_goes_by_what_a_gate_said_before_the_last_move(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(fleet(replace(DB, gate=(GATE,), gate_fresh_s=900.0), policy=fixed()))
    assert case.play().violations == ()
    passed = Guards.passed
    monkeypatch.setattr(
        Guards, "passed", lambda self, service, since_s, *, patient=False: passed(self, service, 0.0, patient=patient)
    )
    assert caught_as_it_is(case) == {9}


def test_the_referee_catches_an_engine_whose_gate_need_not_hold_anew_after_a_move(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of two moves one ends 4 s after the other: the gate is asked already, for what the first one frees.
    late = Fault(kind="returns_late", hosts=("app-2",), by_s=4.0)
    case = Case(fleet(replace(APP, gate=(GATE,), depends_on=()), policy=fixed()), [late])
    assert case.play().violations == ()
    monkeypatch.setattr(Streaks, "reset", lambda self: None)
    monkeypatch.setattr(GateState, "__post_init__", lambda self: None)
    assert caught_as_it_is(case) == {9}


def test_the_referee_catches_an_engine_that_takes_every_start_for_the_repair_of_a_sick_member(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(
        fleet(replace(DB, gate=(GATE,)), policy=fixed()),
        [Fault(kind="unknown", services=("db",), at_s=0.0, for_s=60.0)],
    )
    assert case.play().violations == ()
    monkeypatch.setattr(Starts, "_sick", lambda self, state: frozenset(state.move.services))
    monkeypatch.setattr(Guards, "excused", lambda self, service: True)
    assert caught_as_it_is(case) >= {9}


def test_the_referee_catches_an_engine_that_passes_over_a_gate_of_which_nobody_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only one that FAILed lets a sick member be repaired."""
    app = replace(APP, gate=(GATE,), depends_on=())
    sick = Fault(kind="flaps", hosts=("app-1",), by_s=100_000.0)
    case = Case(fleet(app, policy=fixed()), [sick, Fault(kind="unknown", services=("app",))])
    assert case.play().violations == ()
    monkeypatch.setattr(Guards, "excused", lambda self, service: not self._gates[service].ever_passed)
    assert caught_as_it_is(case) == {9}


# --- the brakes -------------------------------------------------------------------------------------------------------


def test_the_referee_catches_an_engine_that_bears_two_lost_canaries_of_one_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(
        fleet(*TWO, labels=V7, policy=Policy(max_failures=9), playbooks={"reboot": DRAINED}), [declines("a1", "b1")]
    )
    assert case.play().violations == ()
    monkeypatch.setattr(Brakes, "_canary_pair", lambda self: None)
    monkeypatch.setattr(Brakes, "_cluster", lambda self, host: None)
    assert caught_as_it_is(case) == {4}


def test_the_referee_catches_an_engine_that_sees_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {host: {"rack": "r1"} for host in WEB.hosts}
    one = {"fleet": Limit(name="fleet", max_in_flight=1)}
    inventory = fleet(WEB, labels=labels, policy=fixed(max_failures=9), limits=one, playbooks={"reboot": DRAINED})
    case = Case(inventory, [declines("w01", "w02", "w03")])
    assert case.play().violations == ()
    monkeypatch.setattr(Brakes, "_cluster", lambda self, host: None)
    assert caught_as_it_is(case) == {4}


def test_the_referee_catches_an_engine_that_sees_no_meltdown(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"fleet": Limit(name="fleet", max_in_flight=1)}
    case = Case(
        fleet(WEB, policy=fixed(max_failures=9), limits=one, playbooks={"reboot": DRAINED}), [declines(*WEB.hosts[:6])]
    )
    assert case.play().violations == ()
    monkeypatch.setattr(Brakes, "_meltdown", lambda self, at_s: None)
    assert caught_as_it_is(case) == {4}
