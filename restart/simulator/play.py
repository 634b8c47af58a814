"""Play a plan: the production engine and loop on a simulated world, with a referee at the door where one is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from restart.engine import ENGINE_VERSION, Engine, Stages, begin
from restart.engine.facts import APPROVAL_WANTED, APPROVED, GOING, MOVE_DONE, MOVE_STARTED, PAUSED, QUARANTINED
from restart.errors import Held, must
from restart.model.event import Event, Fact, Outcome, Resumed, Started
from restart.model.plan import Plan
from restart.model.request import Request
from restart.model.simulation import Result, Violation
from restart.model.world import Gate, Watcher, World
from restart.rules.instants import instant_s, instant_text
from restart.runner.drive import drive
from restart.simulator.deaths import ControllerDied
from restart.simulator.faults import Fault, Faults
from restart.simulator.journal import Kept, MemoryJournal
from restart.simulator.person import Person
from restart.simulator.physics.figures import Physics
from restart.simulator.physics.leaders import speakable
from restart.simulator.score import availability, score
from restart.simulator.truth import Truth
from restart.simulator.world import HORIZON_S, NoProgress, SimulatedWorld

RESUMES_MAX = 1000
"""A run that dies more often than this makes no progress."""
RESUME_AFTER_S = 5.0
"""How long it takes until somebody resumes a run whose controller died."""
WORD_WAIT_S = 900.0
"""A run that waits for a person's word, tells nothing new for so long and has no fault to come makes no progress: nobody plays that person.
Its gates and watches would go on being asked until the horizon, for days of its clock and hours of ours."""


class Judge(Protocol):
    """A referee: told of every event once it is durable, and again when it was handled, with what came of it."""

    @property
    def violations(self) -> Sequence[Violation]:
        """What was broken so far."""

    def appended(self, event: Event, facts_before: Sequence[Fact]) -> None:
        """An event is durable, with the facts of the event before it. The controller may die before it handles it."""

    def judge(self, event: Event, requests: Sequence[Request], facts: Sequence[Fact]) -> None:
        """One event was handled; nothing of what follows has begun."""

    def end(self, outcome: Outcome | None, why: str = "") -> None:
        """The run is over; None: it made no progress, as `why` says."""


MakeJudge = Callable[[Plan, Truth], Judge]
"""A referee for one run, such as the class `restart.simulator.referee.Referee`."""


Prepare = Callable[[SimulatedWorld, Faults], None]


def play(
    plan: Plan,
    physics: Physics,
    seed: int = 0,
    *,
    gates: Mapping[str, Gate],
    faults: Iterable[Fault] = (),
    referee: MakeJudge | None = None,
    watchers: Iterable[Watcher] = (),
    name: str = "",
    horizon_s: float = HORIZON_S,
    keep_rows: bool = True,
    prepare: Prepare | None = None,
    journal: Kept | None = None,
    approves_after_s: float | None = None,
) -> Result:
    """Carry out `plan` on a fleet with this physics, these faults and this seed: same arguments, same result, byte for byte.

    A run whose controller dies is resumed from its journal after `RESUME_AFTER_S`. A run that makes no progress, or is not over by
    `horizon_s` of its clock, has an outcome of None. `keep_rows`: the result holds the journal's rows. `prepare` may put more
    on the world's agenda before the run begins. `journal`: where the run is written down (default: in memory).
    `approves_after_s`: a person is there, who answers so long after being asked; None: nobody but whom the faults script.
    """
    plan = speakable(plan)
    world = SimulatedWorld(plan.inventory, physics, gates=gates, seed=seed, horizon_s=horizon_s)
    if plan.observation is not None:
        # A plan made on another seed's fleet, or on real hosts, would find every host in a boot that nobody has seen.
        world.site.machines.take_as_seen({host: seen.boot_id for host, seen in plan.observation.hosts.items()})
    if any(move.act == "start" for move in plan.moves()):
        seeded = {name: service.seed for name, service in plan.inventory.services.items()}
        world.site.members.by_command = {name for name, seed in seeded.items() if seed is not None and seed.start}
    journal = MemoryJournal() if journal is None else journal
    judge = None if referee is None else referee(plan, world)
    run = _Run(plan, world, journal, judge, tuple(watchers))
    run.faults = Faults(world, run.journal, faults, seed)
    if approves_after_s is not None:
        run.person = Person(world, plan, approves_after_s)
    if prepare is not None:
        prepare(world, run.faults)
    outcome = run.carry_out()
    site = world.site
    moved = list(dict.fromkeys(move.host for move in plan.moves()))
    return Result(
        name=name or plan.fleet,
        seed=seed,
        side="staged",
        outcome=outcome,
        duration_s=world.now_s,
        score=score(site, moved, world.now_s),
        rows=run.journal.rows() if keep_rows else (),
        availability=availability(site),
        members={name: len(group.hosts) for name, group in site.fleet.groups.items()},
        restarts={name: truth.restarts_by_us for name, truth in world.hosts.items() if truth.restarts_by_us},
        happenings=tuple(
            (found.at_s, f"{found.what} {found.where}: {found.detail}") for found in site.fleet.happenings
        ),
        violations=tuple(replace(found, seed=seed) for found in judge.violations) if judge is not None else (),
        resumes=run.resumes,
        no_progress=run.stuck,
        events=len(run.journal),
    )


@dataclass(slots=True)
class _Run:
    """One run of the plan through any number of controllers."""

    plan: Plan
    world: SimulatedWorld
    journal: Kept
    referee: Judge | None
    watchers: tuple[Watcher, ...]
    resumes: int = 0
    stuck: str = ""
    told_s: float = 0.0
    words: dict[str, str] = field(default_factory=dict)
    """What persons are asked for, by what `restart approve` takes."""
    faults: Faults = field(init=False)
    person: Person | None = None

    def carry_out(self) -> Outcome | None:
        """The outcome; None where the run makes no progress."""
        first: Event = Started(
            at_s=0.0,
            engine=ENGINE_VERSION,
            run="simulated",
            plan_digest=self.plan.digest,
            controller="simulator",
            user="nobody",
            utc=self.utc(0.0),
        )
        engine = begin(self.plan, Engine)
        outcome: Outcome | None = None
        stuck = ""
        while True:
            try:
                judged = _Judged(engine, self)
                outcome = drive(judged, _Mortal(self.world, self), self._append, first, self.watchers)
                self.journal.finish(outcome, engine.facts)
                break
            except NoProgress as no_progress:
                stuck = self._waits_for() or str(no_progress)
                self.journal.finish(None, engine.facts)
                break
            except (ControllerDied, Held):
                engine, first = self._resume(first)
        if self.referee is not None:
            self.referee.end(outcome, stuck)
        self.stuck = stuck
        return outcome

    def _append(self, event: Event, facts_before: Sequence[Fact]) -> None:
        self.faults.deaths.appending()
        self.journal.append(event, facts_before)
        self.world.spoken.heard(event)
        if self.referee is not None:
            self.referee.appended(event, facts_before)
        self.faults.deaths.appended()

    def heard(self, facts: Sequence[Fact]) -> None:
        """What came of one event: who is asked for a word, and when anything was told last."""
        for fact in facts:
            self.told_s = self.world.now_s
            target = str(fact.data.get("target", ""))
            if fact.fact == APPROVAL_WANTED:
                self.words[target] = fact.evidence or ""
            elif fact.fact == PAUSED:
                self.words["go"] = fact.why or "paused"
            elif fact.fact in (MOVE_STARTED, GOING):
                self.words.pop("go", None)
            elif fact.fact in (APPROVED, MOVE_DONE, QUARANTINED):
                self.words.pop(target or fact.host or "", None)

    def check_words(self) -> None:
        """Raises `NoProgress` where only a person could go on, and nobody will."""
        now_s = self.world.now_s
        if self.words and now_s - self.told_s > WORD_WAIT_S and now_s > self.faults.last_s:
            raise NoProgress(self._waits_for())

    def _waits_for(self) -> str:
        if not self.words:
            return ""
        target, text = next(iter(self.words.items()))
        more = f" (and for {len(self.words) - 1} more)" if len(self.words) > 1 else ""
        return f"it waits for a person's word, which nobody gives here: {target}: {text}{more}"

    def _resume(self, first: Event) -> tuple[Engine | Stages, Event]:
        """A new controller: an engine brought up from the journal, and the event that it hears first."""
        self.resumes += 1
        must(self.resumes <= RESUMES_MAX, "the simulated controller dies without end")
        self.world.crash()
        self.world.let_pass(RESUME_AFTER_S)
        self.world.revive()
        self.faults.deaths.revived()
        engine = begin(self.plan, Engine)
        if not self.journal.resume(engine):
            return engine, first
        now_s = self.world.now_s
        return engine, Resumed(
            at_s=now_s, engine=ENGINE_VERSION, controller="simulator", user="nobody", utc=self.utc(now_s)
        )

    def utc(self, at_s: float) -> str:
        """What the controller's wall clock says at `at_s`. Without maintenance windows nobody asks it."""
        if not self.plan.windows:
            return ""
        return instant_text(begins_s(self.plan) + at_s + self.journal.stepped_s)


def begins_s(plan: Plan) -> float:
    """When a played run of a plan with maintenance windows begins, in seconds since 1970: when it was made if one is open then, else as the first opens."""
    made_s = instant_s(plan.made_at) if plan.made_at else 0.0
    spans = [(instant_s(span.opens), instant_s(span.closes)) for span in plan.windows]
    if any(opens_s <= made_s < closes_s for opens_s, closes_s in spans):
        return made_s
    return min((opens_s for opens_s, _ in spans if opens_s >= made_s), default=made_s)


class _Judged:
    """An engine whose every step the referee hears of."""

    def __init__(self, engine: Engine | Stages, run: _Run) -> None:
        self._engine = engine
        self._run = run

    @property
    def deadline(self) -> float | None:
        """The engine's."""
        return self._engine.deadline

    @property
    def outcome(self) -> Outcome | None:
        """The engine's."""
        return self._engine.outcome

    @property
    def facts(self) -> Sequence[Fact]:
        """The engine's."""
        return self._engine.facts

    def handle(self, event: Event) -> Sequence[Request]:
        """The engine's requests; the referee has judged the event when they are handed on."""
        requests = self._engine.handle(event)
        if self._run.referee is not None:
            self._run.referee.judge(event, requests, self._engine.facts)
        if self._run.person is not None:
            self._run.person.hear(self._engine.facts)
        self._run.heard(self._engine.facts)
        return requests


class _Mortal:
    """A world in which the controller may die while it waits."""

    def __init__(self, world: World, run: _Run) -> None:
        self._world = world
        self._run = run
        self._deaths = run.faults.deaths
        self.begin = world.begin

    def wait(self, until_s: float | None) -> Event:
        """The next event, unless the controller dies first."""
        self._deaths.waiting()
        self._run.check_words()
        event = self._world.wait(until_s)
        self._deaths.waiting()
        return event
