"""How good plans are: tiny fleets against the best plan there is, found by trying them all; the bench does it for larger ones."""

from __future__ import annotations

from statistics import mean

import pytest

from restart.model.plan import Plan
from restart.planner import make_plan
from tests.planner.small_fleets import draw, restated, waves_min

SEEDS = range(80)


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return [make_plan(draw(seed, 8), made_at="") for seed in SEEDS]


def test_plans_of_tiny_fleets_have_hardly_more_waves_than_the_best(plans: list[Plan]) -> None:
    ratios = []
    for plan in plans:
        best = waves_min(restated(plan.inventory))
        assert best <= len(plan.waves) <= best + 1
        ratios.append(len(plan.waves) / best)
    assert mean(ratios) <= 1.01


def test_plans_of_tiny_fleets_take_hardly_longer_than_any_schedule_could(plans: list[Plan]) -> None:
    ratios = [plan.estimate.makespan_s / plan.estimate.lower_bound_s for plan in plans]
    assert min(ratios) >= 1
    assert mean(ratios) <= 1.12
