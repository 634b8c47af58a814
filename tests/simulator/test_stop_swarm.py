"""Random fleets that are shut down, or stopped and started: nothing unsafe is done, all goes off (and comes up), and every run ends with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from random import Random

import pytest

from restart.errors import Refused
from restart.model.inventory import Inventory
from restart.model.plan import Plan
from restart.model.playbook import PowerControl, Rung
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator.drawn import drawn_faults
from restart.simulator.faults import Fault
from restart.simulator.play import play
from restart.simulator.referee import Referee
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import Drawn, draw

WEEK_S = 7 * 86400.0
AGREED = tuple(
    Fault(kind="says", word="approve", target="stage-2", at_s=at_s) for at_s in (2_000.0, 20_000.0, 100_000.0)
)
"""A person agrees, and where the hosts are not off by then, agrees again."""

STOPS = (
    (),
    (Rung(kind="poweroff", down_within_s=60.0),),
    (Rung(kind="poweroff", down_within_s=60.0), Rung(kind="power", reset="off", back_within_s=60.0)),
    (Rung(kind="power", reset="off", back_within_s=60.0),),
)


def stoppable(drawn: Drawn, seed: int, *, powered: bool) -> Inventory:
    """The fleet of this number, with a ladder that stops it; `powered`: every host has a power control, else about half of them."""
    chance = Random(seed + 1)
    inventory = drawn.inventory
    book = inventory.playbooks["reboot"]
    stop = chance.choice(STOPS if powered else STOPS[:2])
    hosts = {
        name: replace(host, power=PowerControl(method="simulated") if powered or chance.random() < 0.5 else None)
        for name, host in inventory.hosts.items()
    }
    return replace(inventory, hosts=hosts, playbooks={"reboot": replace(book, stop=stop, start=())})


def planned(seed: int, mode: str, selection: tuple[str, ...] | None = None) -> tuple[Drawn, Plan] | None:
    drawn = draw(seed, faults=True)
    inventory = stoppable(drawn, seed, powered=mode == "stop-start" or seed % 2 == 0)
    try:
        return drawn, make_plan(inventory, mode=mode, selection=selection, made_at="")
    except Refused:
        return None


def played(seed: int, drawn: Drawn, plan: Plan, faults: Iterable[Fault]) -> Result:
    referee = partial(Referee, seed=seed)
    physics = replace(drawn.physics, strikes_after_s=[0.0, 1.0, 8.0][seed % 3])
    return play(plan, physics, seed, gates=GATES, faults=faults, referee=referee, horizon_s=WEEK_S, keep_rows=False)


FAILED_ONCE = (10753,)
FAILED_ONCE_WITH_FAULTS = (10041, 10171)
"""Seeds that found a defect; each is played for ever."""


@pytest.mark.parametrize("seed", [*range(30), *FAILED_ONCE])
def test_no_random_fleet_is_shut_down_unsafely_and_all_of_it_goes_off(seed: int) -> None:
    found = planned(seed, "shutdown")
    if found is None:
        return
    drawn, plan = found
    result = played(seed, drawn, plan, ())
    assert result.violations == (), [str(broken) for broken in result.violations[:3]]
    assert result.outcome is not None, result.no_progress
    assert (result.outcome.exit_code, set(result.score.lost)) == (0, {move.host for move in plan.moves()})


@pytest.mark.parametrize("seed", range(30))
def test_no_random_part_is_shut_down_below_the_floor_of_what_stays_up(seed: int) -> None:
    drawn = draw(seed, faults=True)
    hosts = sorted(drawn.inventory.hosts)
    found = planned(seed, "shutdown", tuple(hosts[: max(1, len(hosts) // 3)]))
    if found is None:
        return
    result = played(seed, drawn, found[1], drawn.faults)
    assert result.violations == (), [str(broken) for broken in result.violations[:3]]


@pytest.mark.parametrize("seed", [*range(30, 70), *FAILED_ONCE_WITH_FAULTS])
def test_no_fault_makes_a_shutdown_unsafe_and_where_faults_pass_it_ends_with_a_reason(seed: int) -> None:
    found = planned(seed, "shutdown")
    if found is None:
        return
    drawn, plan = found
    result = played(seed, drawn, plan, drawn.faults)
    assert result.violations == (), [str(broken) for broken in result.violations[:3]]
    passing = played(seed, drawn, plan, drawn_faults(plan.inventory, seed, passing=True))
    assert passing.violations == (), [str(broken) for broken in passing.violations[:3]]
    assert passing.outcome is not None, passing.no_progress
    assert passing.outcome.why


@pytest.mark.parametrize("seed", range(30))
def test_every_random_fleet_that_is_stopped_and_started_comes_up_again(seed: int) -> None:
    found = planned(seed, "stop-start")
    if found is None:
        return
    drawn, plan = found
    result = played(seed, drawn, plan, AGREED)
    assert result.violations == (), [str(broken) for broken in result.violations[:3]]
    assert result.outcome is not None, result.no_progress
    assert (result.outcome.exit_code, result.score.reached) == (0, True), result.outcome


@pytest.mark.parametrize("seed", range(30, 60))
def test_no_fault_makes_a_stop_and_start_unsafe(seed: int) -> None:
    found = planned(seed, "stop-start")
    if found is None:
        return
    drawn, plan = found
    result = played(seed, drawn, plan, [*drawn.faults, *AGREED])
    assert result.violations == (), [str(broken) for broken in result.violations[:3]]


@pytest.mark.parametrize("seed", [30023])
def test_where_faults_pass_a_stop_and_start_is_safe_and_ends_with_a_reason(seed: int) -> None:
    found = planned(seed, "stop-start")
    assert found is not None
    drawn, plan = found
    result = played(seed, drawn, plan, [*drawn_faults(plan.inventory, seed, passing=True), *AGREED])
    assert result.violations == (), [str(broken) for broken in result.violations[:3]]
    assert result.outcome is not None, result.no_progress
    assert result.outcome.why


def test_most_of_the_fleets_have_a_plan() -> None:
    assert sum(planned(seed, mode) is not None for mode in ("shutdown", "stop-start") for seed in range(30)) > 45
