"""Random fleets with faults drawn from the seed: first nothing unsafe is done, then, once the faults have stopped, the run ends."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from restart.errors import Refused
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator.drawn import FOR_GOOD, PASSING, drawn_faults
from restart.simulator.play import play
from restart.simulator.referee import Referee
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import draw


def played(seed: int, *, passing: bool) -> Result | None:
    fleet = draw(seed, faults=False)
    try:
        plan = make_plan(fleet.inventory, made_at="")
    except Refused:
        return None
    faults = drawn_faults(fleet.inventory, seed, passing=passing)
    return play(plan, fleet.physics, seed, gates=GATES, faults=faults, referee=Referee, horizon_s=7 * 86400.0)


def test_the_same_seed_draws_the_same_faults() -> None:
    inventory = draw(5, faults=False).inventory
    assert drawn_faults(inventory, 5, number=20) == drawn_faults(inventory, 5, number=20)
    assert drawn_faults(inventory, 5, number=20) != drawn_faults(inventory, 6, number=20)


def test_every_kind_is_drawn_and_passing_ones_pass() -> None:
    inventory = draw(5, faults=False).inventory
    kinds = {fault.kind for fault in drawn_faults(inventory, 1, number=500)}
    assert kinds == {*PASSING, *FOR_GOOD, "foreign_claim", "clock_steps"}
    passing = drawn_faults(inventory, 1, number=500, passing=True, span_s=100.0)
    assert {fault.kind for fault in passing} == set(PASSING)
    assert all(fault.event is not None or (fault.for_s or 0.0) <= 50.0 for fault in passing)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_whatever_goes_wrong_nothing_unsafe_is_done(seed: int) -> None:
    result = played(seed, passing=False)
    assert result is None or result.violations == ()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_once_faults_have_stopped_the_run_ends(seed: int) -> None:
    result = played(seed, passing=True)
    if result is not None:
        assert result.violations == ()
        assert result.outcome is not None, result.no_progress
        assert result.outcome.exit_code in (0, 5, 6, 7, 8, 9)
        assert result.outcome.why
        assert max(result.restarts.values(), default=0) <= 3
