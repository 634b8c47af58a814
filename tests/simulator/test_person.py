"""A person in a rehearsal: what is asked for by hand is done, a stated time later, and the report says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.model.check import Check
from restart.model.inventory import Amount, Dependency, Inventory, Service
from restart.model.playbook import Playbook, PowerControl, Rung, Step
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator.faults import Fault
from restart.simulator.person import in_words
from restart.simulator.play import play
from restart.simulator.referee import Referee
from restart.simulator.usual import usual_physics
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import ask, fixed, fleet

DB = Service(name="db", hosts=("d1", "d2", "d3"), min_available=Amount(quorum=True), ready=(ask(),))
APP = Service(name="app", hosts=("a1", "a2"), depends_on=(Dependency(provider="db"),), ready=(ask(),))
WORD = Check(kind="approve", params={"text": "unseal vault"})


def powered(inventory: Inventory, *hosts: str) -> Inventory:
    control = PowerControl(method="simulated")
    return replace(
        inventory, hosts={name: replace(host, power=control if name in hosts else None) for name, host in inventory.hosts.items()}
    )  # fmt: skip


def rehearsed(
    inventory: Inventory,
    mode: str,
    *,
    faults: tuple[Fault, ...] = (),
    after_s: float | None = 300.0,
    spread: float = 0.0,
) -> Result:
    plan = make_plan(inventory, mode=mode, made_at="")
    physics = usual_physics(plan, spread=spread)
    return play(
        plan, physics, 1, gates=GATES, faults=faults, referee=Referee, horizon_s=86_400.0, approves_after_s=after_s
    )


def test_hosts_without_power_control_are_off_at_first_and_a_person_switches_them_on() -> None:
    result = rehearsed(powered(fleet(DB, APP, policy=fixed()), "d1", "d2", "d3"), "cold-start")
    assert (result.violations, result.score.reached) == ((), True)
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert result.availability["app"][0] == (0.0, 0)
    first = min(at_s for at_s, number in result.availability["app"] if number)
    last_db = max(at_s for at_s, number in result.availability["db"] if number < 3)
    assert first >= last_db + 300.0


def test_a_stop_and_start_goes_on_when_the_person_agrees() -> None:
    result = rehearsed(powered(fleet(DB, APP, policy=fixed()), "d1", "d2", "d3", "a1", "a2"), "stop-start")
    assert (result.violations, result.score.reached) == ((), True)
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert result.duration_s > 300.0


@pytest.mark.parametrize("mode", ["rolling", "cold-start"])
def test_gates_and_drains_that_ask_are_answered(mode: str) -> None:
    book = Playbook(
        name="reboot", restart=(Rung(kind="reboot"),), drain=(Step(run="", approve="move the load by hand"),)
    )
    inventory = fleet(replace(DB, gate=(WORD,)), policy=fixed(), playbooks={"reboot": book})
    result = rehearsed(powered(inventory, "d1", "d2", "d3"), mode)
    assert result.violations == ()
    assert result.outcome is not None, result.no_progress
    assert result.outcome.exit_code == 0


def test_a_host_is_switched_off_by_the_hand_that_is_asked() -> None:
    book = Playbook(name="reboot", stop=(Rung(kind="approve", text="press the button of {host}", back_within_s=900.0),))
    result = rehearsed(fleet(DB, policy=fixed(), playbooks={"reboot": book}), "shutdown")
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert set(result.score.lost) == set(DB.hosts)


def test_without_a_person_the_run_waits_and_says_so() -> None:
    inventory = powered(fleet(DB, APP, policy=fixed()), "d1", "d2", "d3", "a1", "a2")
    result = rehearsed(inventory, "stop-start", after_s=None)
    assert result.outcome is None
    assert result.no_progress


def test_a_script_may_say_it_sooner() -> None:
    inventory = powered(fleet(DB, APP, policy=fixed()), "d1", "d2", "d3", "a1", "a2")
    later = rehearsed(inventory, "stop-start")
    said = Fault(kind="says", word="approve", target="stage-2", at_s=100.0)
    sooner = rehearsed(inventory, "stop-start", faults=(said,))
    assert (sooner.violations, sooner.score.reached) == ((), True)
    assert sooner.duration_s < later.duration_s


@pytest.mark.parametrize("event", [10, 30, 60, 80])
def test_the_person_outlives_the_controller(event: int) -> None:
    inventory = powered(fleet(DB, APP, policy=fixed()), "d1", "d2", "d3")
    result = rehearsed(inventory, "cold-start", faults=(Fault(kind="controller_dies", event=event),))
    assert (result.violations, result.score.reached) == ((), True)


def test_what_is_assumed_of_the_person_is_said() -> None:
    part = powered(fleet(DB, APP, policy=fixed()), "d1", "d2", "d3")
    hand = "Assumed: a person switches on a1, a2 by hand, 5m after being asked for each."
    agree = "Assumed: a person who is asked to agree does so after 5m."
    assert in_words(make_plan(part, mode="cold-start", made_at=""), 300.0) == (hand,)
    assert in_words(make_plan(part, mode="stop-start", made_at=""), 300.0) == (hand, agree)
    assert in_words(make_plan(part, made_at=""), 300.0) == ()
