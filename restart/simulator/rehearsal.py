"""A plan with all that is needed to play it, as often as wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from restart.model.inventory import Service
from restart.model.plan import Plan
from restart.model.simulation import Result
from restart.model.world import Gate
from restart.rules.budgets import budget
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import Physics
from restart.simulator.play import Prepare, play
from restart.simulator.referee import Referee
from restart.simulator.story import Story
from restart.simulator.world import HORIZON_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What is played. `name` of "": the fleet's. `horizon_s`: a run that is not over by then makes no progress.

    `approves_after_s`: how long after being asked a person answers; None: nobody does but whom the faults script.
    """

    plan: Plan
    physics: Physics
    gates: Mapping[str, Gate]
    seed: int = 0
    faults: Sequence[Fault] = ()
    name: str = ""
    horizon_s: float = HORIZON_S
    approves_after_s: float | None = None

    def play(
        self, story: Story, *, seed: int | None = None, prepare: Prepare | None = None, keep_rows: bool = False
    ) -> Result:
        """One play under the referee, told to `story`. `seed` of None: the rehearsal's own."""
        return play(
            self.plan,
            self.physics,
            self.seed if seed is None else seed,
            gates=self.gates,
            faults=self.faults,
            referee=Referee,
            watchers=(story,),
            name=self.name,
            horizon_s=self.horizon_s,
            keep_rows=keep_rows,
            prepare=prepare,
            approves_after_s=self.approves_after_s,
        )


def needed(service: Service) -> int | None:
    """Members that must be left: the budget; where none is stated, one of several. None: nothing is asked of a single host."""
    stated = budget(service)
    if stated is not None:
        return stated
    return 1 if len(service.hosts) > 1 else None
