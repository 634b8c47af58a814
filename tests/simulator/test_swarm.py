"""The swarm: random fleets with random faults. Nothing unsafe is ever done; once the faults have stopped, the run ends with a reason.

Seeds that are fixed are played at every run, and 500 fresh ones. One that fails prints the command that plays it again; once it is
mended it goes into `seeds.txt`, and is played for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import SystemRandom

import pytest

from restart.errors import Refused
from restart.model.plan import Plan
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator.drawn import drawn_faults
from restart.simulator.faults import KINDS, Fault
from restart.simulator.play import play
from restart.simulator.referee import Referee
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import Drawn, draw, led

SEEDS = Path(__file__).parent / "seeds.txt"
FIXED = 100
FRESH, BATCH = 500, 10
WEEK_S = 7 * 86400.0


@cache
def kept() -> tuple[int, ...]:
    """The seeds of `seeds.txt`: one in a line, with what was wrong behind it."""
    lines = (line.split("#")[0].strip() for line in SEEDS.read_text(encoding="utf-8").splitlines())
    return tuple(int(line) for line in lines if line)


def planned(seed: int) -> tuple[Drawn, Plan] | None:
    """The fleet of this seed, its faults and its plan; None: there is no plan for it."""
    drawn = draw(seed, faults=True)
    try:
        return drawn, make_plan(drawn.inventory, made_at="")
    except Refused:
        return None


def played(seed: int, drawn: Drawn, plan: Plan, faults: Iterable[Fault]) -> Result:
    return play(
        plan, drawn.physics, seed, gates=GATES, faults=faults, referee=Referee, horizon_s=WEEK_S, keep_rows=False
    )


def wrong(seed: int) -> list[str]:
    """What is wrong with the two plays of this seed: one with any faults, one with faults that pass."""
    found = planned(seed)
    if found is None:
        return []
    drawn, plan = found
    said = [f"with any faults: {broken}" for broken in played(seed, drawn, plan, drawn.faults).violations]
    passing = played(seed, drawn, plan, drawn_faults(drawn.inventory, seed, passing=True))
    said += [f"with faults that pass: {broken}" for broken in passing.violations]
    outcome = passing.outcome
    if outcome is None:
        said.append(f"once the faults have passed the run does not end: {passing.no_progress}")
    elif outcome.exit_code not in (0, 5, 6, 7, 8, 9) or not outcome.why:
        said.append(f"once the faults have passed the run ends without a reason: {outcome}")
    return said


def judge(seeds: Iterable[int]) -> None:
    """Play them; the first that fails is told, with the command that plays it again."""
    for seed in seeds:
        said = wrong(seed)
        if said:
            again = f"pytest tests/simulator/test_swarm.py --swarm-seed {seed}"
            pytest.fail("\n".join([f"seed {seed}:", *said, f"again: {again}"]), pytrace=False)


@pytest.fixture
def only(request: pytest.FixtureRequest) -> int | None:
    """The one seed that the command line asks for."""
    seed = request.config.getoption("--swarm-seed")
    return None if seed is None else int(seed)


@pytest.mark.parametrize("first", range(0, FIXED, BATCH))
def test_fixed_seeds(first: int, only: int | None) -> None:
    judge(range(first, first + BATCH) if only is None else ())


def test_seeds_that_failed_once(only: int | None) -> None:
    judge(kept() if only is None else (only,))


@pytest.mark.parametrize("batch", range(FRESH // BATCH))
def test_fresh_seeds(batch: int, only: int | None) -> None:
    chance = SystemRandom()
    # Below a thousand are the fixed ones.
    judge((chance.randrange(1000, 10**9) for _ in range(BATCH)) if only is None else ())


def test_the_fixed_seeds_meet_every_kind_of_fault_in_every_phase_of_ssh_and_at_every_moment_of_a_death() -> None:
    found = [
        fault
        for fleet in map(planned, range(FIXED))
        if fleet is not None
        for fault in (*fleet[0].faults, *drawn_faults(fleet[0].inventory, 0, passing=True))
    ]
    kinds = Counter(fault.kind for fault in found)
    assert set(kinds) == set(KINDS)
    assert {fault.phase for fault in found if fault.kind == "ssh_hangs"} == {
        "connect",
        "banner",
        "auth",
        "channel",
        "command",
    }
    assert {fault.moment for fault in found if fault.kind == "controller_dies"} == {"appending", "appended", "begun"}
    unknown = [fault for fault in found if fault.kind == "unknown"]
    # Of a host's checks, of a service's gate, and of the watch.
    assert {(bool(fault.hosts), bool(fault.services)) for fault in unknown} == {
        (True, False),
        (False, True),
        (False, False),
    }


LED_FAILED_ONCE = (135, 421)
"""Seeds of `led` that found a defect; each is played for ever."""


@pytest.mark.parametrize("seed", [*range(40), *LED_FAILED_ONCE])
def test_no_fault_makes_a_run_with_spares_and_watched_canaries_unsafe_or_endless(seed: int) -> None:
    drawn = led(seed)
    try:
        plan = make_plan(drawn.inventory, made_at="")
    except Refused:
        return
    result = played(seed, drawn, plan, drawn.faults)
    assert result.violations == (), [str(broken) for broken in result.violations[:3]]
    lost = [fault for fault in drawn.faults if fault.kind == "never_returns"]
    passing = played(seed, drawn, plan, [*drawn_faults(drawn.inventory, seed, passing=True), *lost])
    assert passing.violations == (), [str(broken) for broken in passing.violations[:3]]
    assert passing.outcome is not None, passing.no_progress
    assert passing.outcome.why


def test_most_of_the_fleets_have_a_plan() -> None:
    assert sum(planned(seed) is not None for seed in range(FIXED)) > FIXED * 0.8


def test_a_seed_that_fails_prints_the_command_that_plays_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulator.test_swarm.wrong", lambda seed: ["rule 2 is broken"] if seed == 41 else [])
    with pytest.raises(
        pytest.fail.Exception, match=r"seed 41(.|\n)*pytest tests/simulator/test_swarm.py --swarm-seed 41"
    ):
        judge(range(40, 50))
