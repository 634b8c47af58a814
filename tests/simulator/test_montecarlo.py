"""Many plays: the same for any number of processes, and what took the time of each sums up to it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest

from restart.inventory import read
from restart.model.plan import Duration, Plan
from restart.model.rehearsal import Trials
from restart.planner import make_plan
from restart.simulator.faults import Fault
from restart.simulator.montecarlo import trials
from restart.simulator.rehearsal import Rehearsal
from restart.simulator.story import Story
from restart.simulator.takes import BARRIER, BETWEEN, CANARIES, ITSELF, PACE, what_took
from restart.simulator.usual import SPREAD, usual_physics
from tests.inventory.reading import GATES, ROOT

PRINT = """
from restart.simulator.branches import can_branch
from tests.simulator.test_montecarlo import found
assert can_branch()
print(repr(found({at_once})))
"""


@cache
def plan() -> Plan:
    return make_plan(read([ROOT / "inventories" / "zones.yml"], GATES), made_at="")


@cache
def found(at_once: int) -> Trials:
    physics = usual_physics(plan(), never_return=0.05)
    return trials(Rehearsal(plan=plan(), physics=physics, gates=GATES, seed=5), 8, at_once=at_once)


@pytest.mark.parametrize(("at_once", "hash_seed"), [(1, "1"), (2, "2"), (3, "3")])
def test_the_same_seeds_give_the_same_for_any_number_of_processes_and_any_hash_seed(
    at_once: int, hash_seed: str
) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", PRINT.format(at_once=at_once)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout == repr(found(1)) + "\n"


def test_each_play_has_a_seed_of_its_own_and_is_another() -> None:
    assert [trial.seed for trial in found(1).trials] == list(range(5, 13))
    assert len({trial.duration_s for trial in found(1).trials}) == 8


def test_a_trial_is_the_play_that_its_seed_gives_alone() -> None:
    physics = usual_physics(plan(), never_return=0.05)
    alone = trials(Rehearsal(plan=plan(), physics=physics, gates=GATES, seed=9), 1)
    assert alone.trials[0] == found(1).trials[4]


def test_restarts_that_end_in_silence_cost_success_and_are_named() -> None:
    many = found(1)
    assert 0 < many.succeeded < len(many.trials)
    for trial in many.trials:
        assert trial.succeeded == (not trial.failed)
        assert trial.violations == ()


def test_what_took_the_time_sums_up_to_it() -> None:
    for trial in found(1).trials:
        assert sum(trial.takes.values()) == pytest.approx(trial.duration_s, abs=1e-3)
        assert all(length_s > 0 for length_s in trial.takes.values())


def test_faults_of_the_rehearsal_happen_in_every_play() -> None:
    faults = (Fault(kind="never_returns", hosts=("etcd-2",)),)
    many = trials(Rehearsal(plan=plan(), physics=usual_physics(plan()), gates=GATES, faults=faults), 3)
    assert [trial.failed for trial in many.trials] == [("etcd-2",)] * 3


# --- what took the time ---------------------------------------------------------------------------------------------------


def story(**moves: tuple[float, float]) -> Story:
    named = {name.replace("_", "-"): times for name, times in moves.items()}
    return Story(
        began_s={name: began_s for name, (began_s, _) in named.items()},
        ended_s={name: ended_s for name, (_, ended_s) in named.items()},
    )


def test_a_run_of_one_move_took_the_move_itself_and_what_lies_around_it() -> None:
    assert what_took(plan(), story(etcd_1=(10.0, 200.0)), 230.0) == {ITSELF: 190.0, BETWEEN: 40.0}
    assert what_took(plan(), Story(), 30.0) == {BETWEEN: 30.0}
    assert what_took(plan(), Story(), 0.0) == {}


def test_members_of_one_service_in_two_waves_wait_for_its_budget() -> None:
    took = what_took(plan(), story(etcd_1=(0.0, 200.0), etcd_2=(250.0, 400.0)), 400.0)
    assert took == {"budget of etcd: 2 of 3 needed": 200.0, ITSELF: 150.0, BETWEEN: 50.0}


def test_a_consumer_waits_for_its_provider() -> None:
    took = what_took(plan(), story(etcd_3=(0.0, 200.0), api_a1=(200.0, 300.0)), 300.0)
    assert took == {"order: etcd before api": 200.0, ITSELF: 100.0}


def test_a_hold_that_the_run_told_says_what_lies_between_two_moves() -> None:
    told = story(etcd_1=(0.0, 200.0), etcd_2=(250.0, 400.0))
    told.holds.append((205.0, 250.0, "gate.etcd"))
    assert what_took(plan(), told, 400.0)["gate of etcd"] == 50.0


def test_a_canary_and_a_slow_start_are_told_apart() -> None:
    wave = next(wave for wave in plan().waves if wave.moves[-1].services == ("api",))
    canary, *others = (move.host for move in wave.moves if move.services == ("api",))
    assert canary in {move.host for move in wave.moves if move.canary}
    took = what_took(
        plan(),
        Story(
            began_s={canary: 0.0, others[0]: 200.0, others[1]: 400.0},
            ended_s={canary: 200.0, others[0]: 400.0, others[1]: 500.0},
        ),
        500.0,
    )
    assert took == {CANARIES: 200.0, PACE: 200.0, ITSELF: 100.0}


def test_moves_that_nothing_ties_wait_for_the_barrier() -> None:
    inventory = plan().inventory
    free = {name: replace(service, depends_on=()) for name, service in inventory.services.items()}
    untied = replace(plan(), inventory=replace(inventory, services=free))
    took = what_took(untied, story(etcd_3=(0.0, 200.0), api_a1=(200.0, 300.0)), 300.0)
    assert took == {BARRIER: 200.0, ITSELF: 100.0}


# --- the physics that an inventory tells ----------------------------------------------------------------------------------


def test_hosts_boot_as_expected_give_or_take_and_history_knows_better() -> None:
    learnt = {"etcd-1": Duration(value_s=100.0, samples=5, source="history")}
    known = replace(plan(), durations={**plan().durations, **learnt})
    hosts = usual_physics(known).hosts
    assert {figures.spread for figures in hosts.values()} == {SPREAD}
    assert hosts["etcd-1"].boot_s < 100.0 < hosts["etcd-2"].boot_s
    assert usual_physics(plan()).stuck == ()
    assert usual_physics(plan(), never_return=0.1).stuck[0].chance == 0.1
