"""Many plays of one plan, each with a seed of its own: the chance that it ends well, how long it takes, what takes the time."""

from __future__ import annotations

from collections.abc import Sequence

from restart.model.plan import Plan
from restart.model.rehearsal import NO_PROGRESS, Trial, Trials
from restart.model.simulation import Result
from restart.simulator.branches import Progress, each
from restart.simulator.rehearsal import Rehearsal
from restart.simulator.story import Story
from restart.simulator.takes import what_took


def trials(
    rehearsal: Rehearsal,
    runs: int,
    *,
    assumed: Sequence[str] = (),
    at_once: int = 1,
    progress: Progress | None = None,
) -> Trials:
    """`runs` plays with the rehearsal's seed and those that follow it, `at_once` processes at a time: the same for any number."""
    plan, seed = rehearsal.plan, rehearsal.seed

    def one(own_seed: int) -> Trial:
        story = Story()
        return trial_of(plan, rehearsal.play(story, seed=own_seed), story)

    def told(number: int, of: int) -> None:
        if progress is not None:
            progress(number + 1, of + 1)

    # The first play stays in this process: its availability is what is drawn.
    story = Story()
    first = rehearsal.play(story)
    rest = each(one, range(seed + 1, seed + runs), at_once=at_once, progress=told)
    return Trials(
        name=first.name,
        seed=seed,
        planned_s=plan.estimate.makespan_s,
        trials=(trial_of(plan, first, story), *rest),
        assumed=tuple(assumed),
        availability=first.availability,
        members=first.members,
    )


def trial_of(plan: Plan, result: Result, story: Story) -> Trial:
    """What is kept of one play."""
    outcome = result.outcome
    return Trial(
        seed=result.seed,
        state=NO_PROGRESS if outcome is None else outcome.state,
        exit_code=10 if outcome is None else outcome.exit_code,
        why=result.no_progress if outcome is None else outcome.why,
        rule=story.halted_by,
        reached=result.score.reached,
        duration_s=result.duration_s,
        under_floor_s=result.score.under_floor_s,
        takes=what_took(plan, story, result.duration_s),
        failed=result.score.failed,
        restarted=len(result.restarts),
        violations=result.violations,
    )
