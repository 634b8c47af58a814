"""From a command line to what is to be simulated: an inventory's plan, a saved plan, or a scenario, with its faults and seed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restart.cli import rooms
from restart.cli.rooms import Shape
from restart.errors import Refusal, Refused, UsageMistake

if TYPE_CHECKING:
    from restart.model.inventory import Inventory
    from restart.model.plan import Plan
    from restart.model.rehearsal import Losses
    from restart.model.world import Gate
    from restart.simulator.faults import Fault
    from restart.simulator.rehearsal import Rehearsal
    from restart.simulator.scenario import Scenario

VERDICT_HOSTS_MAX = 60
VERDICT_EVENTS_MAX = 30_000
"""Events times hosts up to which `plan` prints the verdict: below two seconds on one core. Counted, not timed: the same on any machine."""

_SCENARIO = re.compile(rb"^[\"']?scenario[\"']?\s*:|\A\s*\{(?:[^{}]*,)?\s*[\"']?scenario[\"']?\s*:", re.MULTILINE)
_PEEK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says beside the target. `never_return` is a fraction; None: not stated."""

    seed: int | None = None
    what_if: tuple[str, ...] = ()
    never_return: float | None = None


def is_scenario(path: Path) -> bool:
    """Whether `path` is a scenario rather than an inventory: a YAML file with the key `scenario` at its top."""
    if not path.is_file() or path.suffix == ".json":
        return False
    try:
        with path.open("rb") as file:
            return _SCENARIO.search(file.read(_PEEK_BYTES)) is not None
    except OSError as error:
        raise UsageMistake(f"{path} cannot be read: {error.strerror}") from error


def read_scenario(path: Path, shape: Shape, wanted: Wanted) -> tuple[Scenario, Mapping[str, Gate]]:
    """The scenario at `path`, with the faults of the command line, and the gates it is played with."""
    from restart.simulator.scenario_file import read_scenario as read

    if replace(shape, reason=None) != Shape():
        raise UsageMistake(
            f"{path} is a scenario and says itself what is restarted: --limit, --mode, --barrier, --canaries, "
            f"--include-controller and --override do not shape it",
            remedy="change the scenario",
        )
    if wanted.never_return is not None:
        raise UsageMistake(
            f"{path} is a scenario and says itself what is stuck: --never-return does not apply",
            remedy="change its physics",
        )
    shelf = rooms.gates()
    try:
        scenario = read(path, shelf)
    except OSError as error:
        raise UsageMistake(f"{path} cannot be read: {error.strerror}") from error
    return _with_faults(scenario, wanted), shelf


def _with_faults(scenario: Scenario, wanted: Wanted) -> Scenario:
    seed = scenario.seed if wanted.seed is None else wanted.seed
    more = _faults(wanted, scenario.inventory)
    if more:
        # What the scenario expects, it does not expect of this.
        return replace(scenario, seed=seed, faults=(*scenario.faults, *more), expected_naive={}, expected_staged={})
    return replace(scenario, seed=seed)


def of_scenario(scenario: Scenario, shelf: Mapping[str, Gate]) -> Rehearsal:
    """The scenario's planned run, to be played as often as wanted. Raises `Refused` where it cannot be."""
    from restart.simulator.rehearsal import Rehearsal
    from restart.simulator.staged import plan_of

    lacking = scenario.not_yet()
    if lacking:
        needs = ", ".join(lacking)
        refusal = Refusal(
            rule="not-yet",
            what=f"{scenario.name} is not yet playable: it needs {needs}",
            way_out="play its naive side: --naive",
        )
        raise Refused((refusal,), subject="simulation")
    plan = plan_of(scenario, scenario.seed, shelf)
    _refuse_not_yet(plan)
    return Rehearsal(
        plan=plan,
        physics=scenario.physics,
        gates=shelf,
        seed=scenario.seed,
        faults=scenario.faults,
        name=scenario.name,
        horizon_s=scenario.horizon_s,
    )


def of_plan(plan: Plan, shelf: Mapping[str, Gate], wanted: Wanted, *, chance: bool = False) -> Rehearsal:
    """A rehearsal of `plan` on a fleet of which nothing else is known. `chance`: restarts fail to return as the policy expects."""
    from restart.simulator.person import AFTER_S
    from restart.simulator.rehearsal import Rehearsal
    from restart.simulator.usual import usual_physics

    _refuse_not_yet(plan)
    return Rehearsal(
        plan=plan,
        physics=usual_physics(plan, never_return=never_return(plan, wanted, chance=chance)),
        gates=shelf,
        seed=wanted.seed or 0,
        faults=_faults(wanted, plan.inventory),
        approves_after_s=AFTER_S,
    )


def never_return(plan: Plan, wanted: Wanted, *, chance: bool) -> float:
    """The chance that a restart ends in silence: as stated, else the policy's where chance is played with, else none."""
    if wanted.never_return is not None:
        return wanted.never_return
    return plan.inventory.policy.never_return if chance else 0.0


def assumed(plan: Plan, wanted: Wanted, *, chance: bool = False) -> tuple[str, ...]:
    """What was assumed of the fleet, in sentences."""
    from restart.simulator.person import AFTER_S
    from restart.simulator.person import in_words as persons_words
    from restart.simulator.usual import SPREAD, seen_at_first

    boots = f"Assumed: boots take {1 - SPREAD:.0%} to {1 + SPREAD:.0%} of what is expected"
    share = never_return(plan, wanted, chance=chance)
    begins = tuple(
        f"Assumed: the run begins as the maintenance window opens, {span.opens}."
        for span in plan.windows[:1]
        if span.opens > plan.made_at
    )
    begins = (*begins, *seen_at_first(plan), *persons_words(plan, AFTER_S))
    if not share:
        return (f"{boots}.", *begins)
    source = "--never-return" if wanted.never_return is not None else "policy.never_return; --never-return changes it"
    return (f"{boots}; {100 * share:g}% of restarts end in silence ({source}).", *begins)


def in_words(wanted: Wanted) -> tuple[str, ...]:
    """The faults of the command line, for the report."""
    return tuple(f"What if: {text.strip()}." for text in wanted.what_if)


def share_of(text: str | None) -> float | None:
    """`10%` as a fraction. Raises `UsageMistake`."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%", text.strip())
    if match is None or float(match[1]) > 100:
        raise UsageMistake(
            f"--never-return {text!r} is no percentage from 0% to 100%", remedy="such as --never-return 10%"
        )
    return float(match[1]) / 100


def replay_text(target: str, shape: Shape, wanted: Wanted, share: float) -> str:
    """The command that plays the same again, but for the seed."""
    words: list[str] = ["restart", "simulate", target]
    for limit in shape.limits:
        words += ["--limit", limit]
    for rule in shape.overrides:
        words += ["--override", rule]
    options: Sequence[tuple[str, Any, Any]] = (
        ("--reason", shape.reason if shape.overrides else None, None),
        ("--mode", shape.mode, "auto"),
        ("--within", shape.within, None),
        ("--barrier", shape.barrier, None),
        ("--canaries", shape.canaries, None),
        ("--include-controller", shape.include_controller, False),
        ("--never-return", f"{100 * share:g}%" if share else None, None),
    )
    for option, value, unset in options:
        if value is not unset:
            words += [option] if value is True else [option, str(value)]
    for text in wanted.what_if:
        words += ["--what-if", text]
    return shlex.join(words)


def loss_verdict(plan: Plan, shelf: Mapping[str, Gate]) -> Losses | None:
    """What comes of losing each host, where that takes no time to speak of; None: it would, or this plan cannot be played yet."""
    from restart.engine.not_yet import not_yet

    if (
        plan.mode in ("shutdown", "stop-start")
        or not plan.waves
        or len(plan.inventory.hosts) > VERDICT_HOSTS_MAX
        or not_yet(plan)
    ):
        return None
    from restart.simulator.branches import cores
    from restart.simulator.losses import losses_after
    from restart.simulator.story import Story

    rehearsal, story = of_plan(plan, shelf, Wanted()), Story()
    base = rehearsal.play(story)
    if base.events * len(plan.inventory.hosts) > VERDICT_EVENTS_MAX:
        return None
    return losses_after(rehearsal, base, story, at_once=cores())


def _faults(wanted: Wanted, inventory: Inventory) -> tuple[Fault, ...]:
    if not wanted.what_if:
        return ()
    from restart.simulator.whatif import read_what_if

    return tuple(read_what_if(text, inventory) for text in wanted.what_if)


def _refuse_not_yet(plan: Plan) -> None:
    """What `run` would refuse cannot be rehearsed either."""
    from restart.engine.not_yet import not_yet

    refusals = not_yet(plan)
    if refusals:
        raise Refused(refusals, subject="simulation")
