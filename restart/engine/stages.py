"""Stages: a plan of several stages is run by one engine after the other, behind the contract of a single one.

A plan's waves may say `stage`, `mode` and `approve` (`restart.model.plan.Wave`): a cold start and its second pass, a shutdown and the
cold start after it. `begin(plan)` gives the engine for any plan; for one of a single stage that is an `Engine` and nothing more. The
contract (`restart.engine.core`) holds for the whole:

* One inner `Engine` carries out the waves of one stage, as a plan of their own: `mode` is the stage's, hosts, wave numbers and
  the inventory are the plan's. A host may move once in each stage.
* A stage begins when the one before has ended `done`, or `ended` (some hosts failed or were not restarted, and nothing halted); any
  other outcome is the run's. The run's own outcome is the worst of its stages' (5, then 9, then 0).
* A stage whose first wave says `approve` waits for the word `approve` with the target `stage-N` (or with none): a pause, not a failure.
  Meanwhile nothing is in flight, `deadline` is None, and `stop`, `let-go` and a lost lease end the run.
* Request ids are unique in the run and the same on every replay: those of stage 1 are the engine's own, later ones read `2:r17`. An
  answer to a request of a stage that is over is a no-op.
* `until_wave` counts the plan's waves: a stage that lies beyond it is not begun, and the run ends `stopped`. A resume from there goes beyond
  it, and through the stages that follow (`stops_after` tells beforehand that it would).
* Facts: `stage_started` and `stage_done` (data: `stage`, `stages`, `mode`) stand between the stages; there is one `run_started` and
  one `run_ended`. `pause`, `go` and flags said between two stages are handed to the next.
* A resume goes on with the stage at hand. After a run that ended with hosts failed it goes back to the first stage that has any, so
  that `resolve` reaches them; stages that are done are not carried out again.
* A rolling stage after a cold start is its second pass (`restart.engine.second_pass`): each host gives up the stand-ins that it was started with.
  `stand_in_removed` tells of each that is gone, and where the run ends before, `stand_in_left` names those that are still there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from restart.engine import facts
from restart.engine.core import Engine
from restart.engine.second_pass import second_pass
from restart.engine.state import MoveState
from restart.engine.table import FINISHED, Phase
from restart.engine.words import said_by
from restart.errors import Exit
from restart.model.event import Answered, Event, Fact, LeaseLost, Outcome, Resumed, Started, Word
from restart.model.plan import Plan, Wave
from restart.model.request import Request

GOING_ON = frozenset({"done", "ended"})
"""Outcomes of a stage after which the next one begins."""
NAMES_MAX = 10
KEPT = frozenset({"pause", "go", "flag", "unflag"})
"""Words that hold for whatever stage comes."""


def begin(plan: Plan, make: Callable[[Plan], Engine] = Engine) -> Engine | Stages:
    """What carries out `plan`; `make` makes the engine of one stage."""
    return Stages(plan, make) if len({wave.stage for wave in plan.waves}) > 1 else make(plan)


@dataclass(slots=True)
class Stage:
    """One stage: its part of the plan, and its engine once it has begun."""

    number: int
    plan: Plan
    approve: str | None
    engine: Engine | None = None
    approved: bool = False


class Stages:
    """One run of a plan of several stages. See the head of this file."""

    def __init__(self, plan: Plan, make: Callable[[Plan], Engine] = Engine) -> None:
        self.plan = plan
        self.outcome: Outcome | None = None
        self._make = make
        numbers = sorted({wave.stage for wave in plan.waves})
        self._stages = [_stage(plan, number) for number in numbers]
        self._at = 0
        self._facts: list[Fact] = []
        self._now_s = 0.0
        self._started: Started | None = None
        self._until_wave: int | None = None
        self._kept: list[Word] = []
        self._stand_ins: dict[str, tuple[Fact, ...]] = {}

    @property
    def states(self) -> Mapping[str, MoveState]:
        """The moves of the stage at hand."""
        engine = self._stages[self._at].engine
        return {} if engine is None else engine.states

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts drawn from the event handled last."""
        return tuple(self._facts)

    @property
    def flags(self) -> tuple[str, ...]:
        """The targets of the flags that stand, as far as it was told."""
        engine = self._last_engine()
        return () if engine is None else engine.flags

    @property
    def deadline(self) -> float | None:
        """When, in run seconds, the engine next wants to hear of the time."""
        engine = self._stages[self._at].engine
        return None if self.outcome is not None or engine is None else engine.deadline

    @property
    def stops_after(self) -> int | None:
        """The wave after which the run was to stop, where all up to it is done and a resume would go beyond; None: it would not."""
        stage = self._stages[self._at]
        if stage.engine is not None:
            return stage.engine.stops_after
        return self._until_wave if self._lies_beyond(stage) else None

    @property
    def looked_at(self) -> int:
        """How many times it was asked so far whether a waiting move may begin."""
        return sum(stage.engine.looked_at for stage in self._stages if stage.engine is not None)

    def handle(self, event: Event) -> tuple[Request, ...]:
        """Take in one event; the requests that follow from it."""
        self._facts = []
        self._now_s = event.at_s
        if isinstance(event, Resumed) and self.stops_after is not None:
            # Before the stage at hand may become another one. What was asked of the process before is over with it.
            self._until_wave = None
        if isinstance(event, Resumed) and self.outcome is not None and self.outcome.state != "done":
            self._reopen()
        if self.outcome is not None:
            return ()
        if isinstance(event, Started):
            self._started, self._until_wave = event, event.until_wave
            self._open(self._stages[0])
        if isinstance(event, Word) and event.word in KEPT:
            self._kept.append(event)
        stage = self._stages[self._at]
        if stage.engine is None:
            return self._between(event)
        heard = self._for(stage, event)
        requests = self._hear(stage, heard) if heard is not None else ()
        return (*requests, *self._go_on())

    # --- one stage ---------------------------------------------------------------------------------------------------

    def _for(self, stage: Stage, event: Event) -> Event | None:
        """`event` as the stage's engine knows it; None: it is an answer to another stage's request."""
        if not isinstance(event, Answered):
            return event
        prefix, _, rest = event.request.rpartition(":")
        return replace(event, request=rest) if prefix == _prefix(stage).removesuffix(":") else None

    def _hear(self, stage: Stage, event: Event) -> tuple[Request, ...]:
        engine = stage.engine
        if engine is None:
            return ()
        requests = engine.handle(event)
        for fact in engine.facts:
            if self._is_ours(stage, fact):
                self._facts.append(fact)
                self._keep_stand_ins(stage, fact)
        prefix = _prefix(stage)
        return tuple(replace(request, id=f"{prefix}{request.id}") for request in requests) if prefix else requests

    def _is_ours(self, stage: Stage, fact: Fact) -> bool:
        """A run starts once and ends once, whatever each of its engines says of itself."""
        if fact.fact == facts.RUN_STARTED:
            return stage.number == 1
        return fact.fact != facts.RUN_ENDED

    def _open(self, stage: Stage) -> None:
        before = self._last_engine()
        stage.engine = self._make(
            second_pass(stage.plan, self._stand_ins) if self._is_second_pass(stage) else stage.plan
        )
        stage.engine.take_over(before, last=stage is self._stages[-1])

    def _keep_stand_ins(self, stage: Stage, fact: Fact) -> None:
        """What was put up, and what is gone again: its host has been restarted without it."""
        host = fact.host or ""
        if fact.fact == facts.STAND_IN:
            others = tuple(held for held in self._stand_ins.get(host, ()) if _edge(held) != _edge(fact))
            self._stand_ins[host] = (*others, fact)
        elif fact.fact == facts.MOVE_DONE and stage.plan.mode == "rolling":
            for held in self._stand_ins.pop(host, ()):
                data = {"provider": held.data["provider"]}
                self._facts.append(
                    Fact(
                        at_s=self._now_s, fact=facts.STAND_IN_REMOVED, host=host, service=held.service,
                        evidence=str(held.data["undo"]), data=data,
                    )
                )  # fmt: skip

    # --- from stage to stage -----------------------------------------------------------------------------------------

    def _go_on(self) -> tuple[Request, ...]:
        """Where the stage at hand has ended: the next one, or the end."""
        found: tuple[Request, ...] = ()
        while self.outcome is None:
            stage = self._stages[self._at]
            ended = None if stage.engine is None else stage.engine.outcome
            if ended is None:
                return found
            if ended.state not in GOING_ON:
                self._end(ended)
                return found
            self._tell(facts.STAGE_DONE, stage, why=ended.why)
            following = next((at for at in range(self._at + 1, len(self._stages)) if self._is_to_come(at)), None)
            if following is None:
                self._end(self._sum())
                return found
            self._at = following
            found = (*found, *self._enter())
        return found

    def _is_to_come(self, at: int) -> bool:
        """Whether a later stage is still to be carried out."""
        engine = self._stages[at].engine
        return engine is None or engine.outcome is None

    def _is_second_pass(self, stage: Stage) -> bool:
        at = self._stages.index(stage)
        return at > 0 and stage.plan.mode == "rolling" and self._stages[at - 1].plan.mode == "cold-start"

    def _enter(self) -> tuple[Request, ...]:
        """Begin the stage at hand, unless it lies beyond where the run is to stop, or a person must agree first."""
        stage = self._stages[self._at]
        if stage.engine is not None:
            return ()
        if self._lies_beyond(stage):
            self._end(self._stopped(f"stopped after wave {self._until_wave}, as asked"))
            return ()
        if stage.approve is not None and not stage.approved:
            self._tell(facts.APPROVAL_WANTED, stage, evidence=stage.approve, target=target_of(stage.number))
            return ()
        return self._begin(stage)

    def _lies_beyond(self, stage: Stage) -> bool:
        """Whether the run was to stop before the stage begins."""
        return self._until_wave is not None and stage.plan.waves[0].number > self._until_wave

    def _begin(self, stage: Stage) -> tuple[Request, ...]:
        started = self._started
        if started is None:
            return ()
        self._open(stage)
        self._tell(facts.STAGE_STARTED, stage)
        requests = self._hear(stage, replace(started, at_s=self._now_s, until_wave=self._until_wave))
        for word in self._kept:
            requests = (*requests, *self._hear(stage, replace(word, at_s=self._now_s)))
        return requests

    def _between(self, event: Event) -> tuple[Request, ...]:
        """Nothing is in flight, and a person is waited for."""
        stage = self._stages[self._at]
        match event:
            case Word(word="approve") if event.target in (None, target_of(stage.number)):
                stage.approved = True
                self._tell(facts.APPROVED, stage, why=said_by(event), target=target_of(stage.number))
                return (*self._begin(stage), *self._go_on())
            case Word(word="stop" | "let-go"):
                self._end(self._stopped(f"stopped by {said_by(event)}"))
            case LeaseLost():
                self._end(Outcome(state="held", exit_code=int(Exit.HELD), why=f"the lease is lost: {event.why}"))
            case Resumed():
                self._tell(facts.RUN_RESUMED, stage, why=f"{event.user}@{event.controller}")
                return (*self._enter(), *self._go_on())
            case _:
                pass
        return ()

    def _reopen(self) -> None:
        """A resume after the end: with the first stage that is not done, or the one that was not begun."""
        self.outcome = None
        for at, stage in enumerate(self._stages):
            if stage.engine is None or (stage.engine.outcome is not None and stage.engine.outcome.state != "done"):
                self._at = at
                return

    # --- the end -----------------------------------------------------------------------------------------------------

    def _sum(self) -> Outcome:
        """How the whole ended, of which every stage has ended well enough to go on."""
        outcomes = [stage.engine.outcome for stage in self._stages if stage.engine is not None]
        ends = [outcome for outcome in outcomes if outcome is not None]
        worst = next(
            (end for code in (Exit.HALTED, Exit.NOT_REBOOTED) for end in ends if end.exit_code == code), ends[-1]
        )
        why = "; ".join(f"stage {number}: {end.why}" for number, end in enumerate(ends, 1))
        return replace(worst, why=why)

    def _stopped(self, why: str) -> Outcome:
        codes = [stage.engine.outcome.exit_code for stage in self._stages if stage.engine and stage.engine.outcome]
        code = next((code for code in (Exit.HALTED, Exit.NOT_REBOOTED) if code in codes), Exit.STOPPED)
        return Outcome(state="stopped", exit_code=int(code), why=why)

    def _end(self, outcome: Outcome) -> None:
        left = [held for found in self._stand_ins.values() for held in found]
        for held in left:
            why = f"still there on {held.data['on']}: take it out with `{held.data['undo']}`"
            self._facts.append(
                replace(held, at_s=self._now_s, fact=facts.STAND_IN_LEFT, evidence=held.evidence, why=why)
            )
        if left:
            named = ", ".join(f"{held.host} (for {held.data['provider']})" for held in left[:NAMES_MAX])
            outcome = replace(outcome, why=f"{outcome.why}; stand-ins left in place: {named}")
        self.outcome = outcome
        begun = [stage.engine for stage in self._stages if stage.engine is not None]
        states = [state for engine in begun for state in engine.states.values()]
        to_come = sum(len(stage.plan.moves()) for stage in self._stages if stage.engine is None)
        data = {
            "state": outcome.state,
            "exit_code": outcome.exit_code,
            "done": sum(state.phase is Phase.DONE for state in states),
            "quarantined": sum(state.phase is Phase.QUARANTINED for state in states),
            "left": to_come + sum(state.phase not in FINISHED for state in states),
        }
        self._facts.append(Fact(at_s=self._now_s, fact=facts.RUN_ENDED, why=outcome.why, data=data))

    def _last_engine(self) -> Engine | None:
        return next((stage.engine for stage in reversed(self._stages) if stage.engine is not None), None)

    def _tell(
        self, name: str, stage: Stage, *, why: str | None = None, evidence: str | None = None, target: str = ""
    ) -> None:
        data: dict[str, object] = {"stage": stage.number, "stages": len(self._stages), "mode": stage.plan.mode}
        if target:
            data["target"] = target
        self._facts.append(Fact(at_s=self._now_s, fact=name, why=why, evidence=evidence, data=data))


def target_of(stage: int) -> str:
    """What `restart approve` takes for the beginning of a stage."""
    return f"stage-{stage}"


def _edge(fact: Fact) -> tuple[str | None, object]:
    return fact.service, fact.data["provider"]


def _prefix(stage: Stage) -> str:
    return "" if stage.number == 1 else f"{stage.number}:"


def _stage(plan: Plan, number: int) -> Stage:
    waves: tuple[Wave, ...] = tuple(wave for wave in plan.waves if wave.stage == number)
    mode = next((wave.mode for wave in waves if wave.mode is not None), plan.mode)
    return Stage(number, replace(plan, mode=mode, waves=waves), waves[0].approve)
