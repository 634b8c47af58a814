"""Many plays of one plan, each with a seed of its own: the chance that it ends well, how long it takes, what takes the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from restart.model.plan import Plan
from restart.model.rehearsal import NO_PROGRESS, Trial, Trials
from restart.model.simulation import Result
from restart.model.world import Gate
from restart.simulator.branches import Progress, each
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import Physics
from restart.simulator.play import play
from restart.simulator.referee import Referee
from restart.simulator.story import Story
from restart.simulator.takes import what_took


def trials(
    plan: Plan,
    physics: Physics,
    *,
    gates: Mapping[str, Gate],
    seed: int,
    runs: int,
    faults: Sequence[Fault] = (),
    assumed: Sequence[str] = (),
    at_once: int = 1,
    progress: Progress | None = None,
) -> Trials:
    """`runs` plays with the seeds from `seed` on, `at_once` processes at a time: the same for any number of processes."""
    first: list[Result] = []

    def one(own_seed: int) -> Trial:
        story = Story()
        result = play(
            plan,
            physics,
            own_seed,
            gates=gates,
            faults=faults,
            referee=Referee,
            watchers=(story,),
            keep_rows=False,
        )
        if own_seed == seed:
            first.append(result)
        return trial_of(plan, result, story)

    # The first play stays in this process: its availability is what is drawn.
    done = [one(seed)]

    def told(number: int, of: int) -> None:
        if progress is not None:
            progress(number + 1, of + 1)

    done += each(one, range(seed + 1, seed + runs), at_once=at_once, progress=told)
    return Trials(
        name=plan.fleet,
        seed=seed,
        planned_s=plan.estimate.makespan_s,
        trials=tuple(done),
        assumed=tuple(assumed),
        availability=first[0].availability,
        members=first[0].members,
    )


def trial_of(plan: Plan, result: Result, story: Story) -> Trial:
    """What is kept of one play."""
    outcome = result.outcome
    return Trial(
        seed=result.seed,
        state=NO_PROGRESS if outcome is None else outcome.state,
        exit_code=10 if outcome is None else outcome.exit_code,
        why="" if outcome is None else outcome.why,
        rule=story.halted_by,
        reached=result.score.reached,
        duration_s=result.duration_s,
        under_floor_s=result.score.under_floor_s,
        takes=what_took(plan, story, result.duration_s),
        failed=result.score.failed,
        restarted=len(result.restarts),
        violations=result.violations,
    )
