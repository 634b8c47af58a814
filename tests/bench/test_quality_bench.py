"""How good plans are: two hundred random small fleets, of up to thirty hosts, against the best plan that an exact solver finds.

What both share is written in `tests.planner.small_fleets`: barrier `service`, pace fixed, no canaries. Needs the extra `bench`.
"""

from __future__ import annotations

from statistics import mean

import pytest

from restart.planner import make_plan
from tests.planner.small_fleets import draw, restated, waves_min

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

FLEETS = 200


def test_plans_of_small_fleets_are_near_the_best_there_is() -> None:
    pytest.importorskip("ortools", reason="pip install staged-restart[bench]")
    from tests.bench.exact import best

    waves, makespans, found, above, unsettled = [], [], [], 0, 0
    for seed in range(FLEETS):
        inventory = draw(seed)
        plan = make_plan(inventory, made_at="")
        rules = restated(inventory)
        at = {move.host: (wave.number, move.start_s, move.finish_s) for wave in plan.waves for move in wave.moves}
        lasts = [at[host][2] - at[host][1] for host in rules.hosts]
        least = best(rules, lasts, [at[host][:2] for host in rules.hosts])
        assert least.waves_at_least == least.waves_found, f"seed {seed}: the solver has not settled the least waves"
        assert least.waves_found <= len(plan.waves) <= least.waves_found + 1, f"seed {seed}"
        waves.append(len(plan.waves) / least.waves_at_least)
        above += len(plan.waves) > least.waves_at_least
        # Where the solver's time for the makespan was over, the average counts the least that it proved, which flatters no plan.
        unsettled += least.at_least_s < least.found_s
        makespans.append(plan.estimate.makespan_s / least.at_least_s)
        found.append(plan.estimate.makespan_s / least.found_s)
    print(f"\nwaves over the least: {mean(waves):.4f} on average, one more in {above} of {FLEETS}, all of them settled")
    print(f"makespan over the least that was proved: {mean(makespans):.4f} on average, at most {max(makespans):.2f}")
    print(f"makespan over the least that was found: {mean(found):.4f} on average, at most {max(found):.2f}")
    print(f"makespans not settled in the solver's time: {unsettled} of {FLEETS}")
    assert mean(waves) <= 1.05
    assert mean(makespans) <= 1.10


def test_the_exact_solver_finds_what_trying_everything_finds() -> None:
    pytest.importorskip("ortools", reason="pip install staged-restart[bench]")
    from tests.bench.exact import waves_will_do

    for seed in range(80):
        rules = restated(draw(seed, 8))
        least = waves_min(rules)
        assert waves_will_do(rules, least) is True, f"seed {seed}"
        assert least == 1 or waves_will_do(rules, least - 1) is False, f"seed {seed}"
