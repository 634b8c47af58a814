"""Broken engines, loops, planners and worlds: each does one thing wrong that the referee must see.

They are broken from outside, through the plan that they are given, what they hear and what they say, so that each stays broken in
its own way however the engine is built inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from restart.engine import Engine
from restart.model.answer import Answer, Checked, Claimed, HeldBy, RebootTaken
from restart.model.check import OF_RUN, Finding, Verdict
from restart.model.event import Answered, Event, Fact, LeaseLost, Outcome, Resumed, Woke, Word
from restart.model.inventory import Amount, Inventory, Limit
from restart.model.plan import Override, Plan
from restart.model.request import Ask, Claim, Reboot, Release, Request, RunStep
from restart.simulator.world import SimulatedWorld


def blind_to(change: Callable[[Inventory], Inventory]) -> type[Engine]:
    """An engine to which part of the inventory looks otherwise."""

    class Blind(Engine):
        def __init__(self, plan: Plan) -> None:
            super().__init__(replace(plan, inventory=change(plan.inventory)))

    return Blind


def _each_service(inventory: Inventory, **fields: object) -> Inventory:
    services = {name: replace(service, **fields) for name, service in inventory.services.items()}  # type: ignore[arg-type]
    return replace(inventory, services=services)


def without_budgets(inventory: Inventory) -> Inventory:
    """Any number of members may be down."""
    return _each_service(inventory, min_available=None, max_unavailable=Amount(percent=100.0))


def without_limits(inventory: Inventory) -> Inventory:
    """As many may be in flight as there are hosts."""
    return replace(
        _each_service(inventory, admission=None), limits={"fleet": Limit(name="fleet", max_in_flight=100_000)}
    )


def without_domains(inventory: Inventory) -> Inventory:
    """All the limits but those on domains."""
    limits = {name: limit for name, limit in inventory.limits.items() if limit.max_domains is None}
    return replace(inventory, limits=limits)


def without_the_cap(inventory: Inventory) -> Inventory:
    """All the limits but the one called `cap`."""
    limits = {name: limit for name, limit in inventory.limits.items() if name != "cap"}
    return replace(inventory, limits=limits)


def held_until_booted(inventory: Inventory) -> Inventory:
    """Every slot is given back too early."""
    limits = {name: replace(limit, held_until="booted") for name, limit in inventory.limits.items()}
    return replace(_each_service(inventory, admission_held_until="booted"), limits=limits)


def without_edges(inventory: Inventory) -> Inventory:
    """Nothing depends on anything."""
    return _each_service(inventory, depends_on=())


def without_gates(inventory: Inventory) -> Inventory:
    """No service has a gate."""
    return _each_service(inventory, gate=())


def with_gates_held_for_nothing(inventory: Inventory) -> Inventory:
    """A gate has passed with its first PASS."""
    services = {
        name: replace(service, gate=tuple(replace(check, healthy_for_s=0.0) for check in service.gate))
        for name, service in inventory.services.items()
    }
    return replace(inventory, services=services)


def fresh_for_ever(inventory: Inventory) -> Inventory:
    """Who was ready once is ready for good."""
    return replace(inventory, policy=replace(inventory.policy, ready_fresh_s=1e9))


def with_watches_fresh_for_ever(inventory: Inventory) -> Inventory:
    """A watch that passed once has passed for good."""
    return replace(inventory, policy=replace(inventory.policy, gate_fresh_s=1e9))


def bearing_everything(inventory: Inventory) -> Inventory:
    """No number of failures halts it."""
    return replace(inventory, policy=replace(inventory.policy, max_failures=1000, never_return=0.9))


def without_canary_watches(inventory: Inventory) -> Inventory:
    """A canary that is back has held."""
    return replace(inventory, policy=replace(inventory.policy, canary_for_s=0.0))


def without_soaking(inventory: Inventory) -> Inventory:
    """The checks of a restarted host need not hold."""
    services = {
        name: replace(service, ready=tuple(replace(check, healthy_for_s=0.0) for check in service.ready))
        for name, service in inventory.services.items()
    }
    return replace(inventory, services=services)


class Deaf(Engine):
    """Hears some events otherwise: `hears` says how, None: not at all."""

    def hears(self, event: Event) -> Event | None:
        return event

    def handle(self, event: Event) -> tuple[Request, ...]:
        heard = self.hears(event)
        return super().handle(Woke(at_s=event.at_s) if heard is None else heard)


class DeafToStop(Deaf):
    def hears(self, event: Event) -> Event | None:
        return None if isinstance(event, Word) else event


class DeafToTheLostLease(Deaf):
    def hears(self, event: Event) -> Event | None:
        return None if isinstance(event, LeaseLost) else event


class TakesForPass(Deaf):
    """Takes these verdicts on these subjects for PASS."""

    verdicts: tuple[Verdict, ...] = (Verdict.UNKNOWN, Verdict.FAIL)
    subject = "gate"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._asked: dict[str, Ask] = {}

    def hears(self, event: Event) -> Event | None:
        if not isinstance(event, Answered) or event.request not in self._asked:
            return event
        ask = self._asked.pop(event.request)
        return replace(event, answer=self._well(ask, event.answer))

    def handle(self, event: Event) -> tuple[Request, ...]:
        requests = super().handle(event)
        self._asked.update({r.id: r for r in requests if isinstance(r, Ask) and r.subject == self.subject})
        return requests

    def _well(self, ask: Ask, answer: Answer) -> Answer:
        findings = answer.findings if isinstance(answer, Checked) else ()
        if not findings:
            return Checked(findings=tuple(Finding(verdict=Verdict.PASS) for _ in ask.checks))
        return Checked(
            findings=tuple(
                replace(found, verdict=Verdict.PASS) if found.verdict in self.verdicts else found for found in findings
            )
        )


class TakesUnknownGatesForPass(TakesForPass):
    verdicts = (Verdict.UNKNOWN,)


class TakesUnreadyForReady(TakesForPass):
    subject = "ready"


class TakesFailedWatchesForPass(TakesForPass):
    subject = "watch"


class TakesForeignClaimsForItsOwn(Deaf):
    """`HeldBy` is no reason to stay away."""

    boot_ids: Mapping[str, str] = {}

    def hears(self, event: Event) -> Event | None:
        if isinstance(event, Answered) and isinstance(event.answer, HeldBy):
            claimed = Claimed(boot_id=self.boot_ids[event.host or ""], uptime_s=1e6)
            return replace(event, answer=claimed)
        return event


class Talker(Engine):
    """Says and sends more than it should: `adds` gives the requests, `tells` the facts."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.told: tuple[Fact, ...] = ()
        self.extra = 0

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        return requests

    def tells(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        return facts

    @property
    def facts(self) -> tuple[Fact, ...]:
        return self.told

    def handle(self, event: Event) -> tuple[Request, ...]:
        requests = super().handle(event)
        self.told = self.tells(super().facts)
        return tuple(self.adds(event, requests))


class HaltsInWordsOnly(Talker):
    """Says that it halts at the first move that is done, and goes on."""

    def tells(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        halts = [fact for fact in facts if fact.fact == "move_done"][:1]
        return (*facts, *(Fact(at_s=fact.at_s, fact="halted", why="enough") for fact in halts))


class RestartsAnotherHost(Talker):
    """With the first reboot it sends one to a host that the plan leaves alone."""

    other = "spare-1"
    boot_id = ""

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        if self.extra or not any(isinstance(request, Reboot) for request in requests):
            return requests
        self.extra = 1
        claim = Claim(id="x1", host=self.other, hold_s=60.0)
        reboot = Reboot(id="x2", host=self.other, boot_id=self.boot_id, not_after_uptime_s=1e12)
        return (*requests, claim, reboot)


class DrainsElsewhere(Talker):
    """Runs the steps of a drain on a host that the plan does not name for them."""

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        return [replace(found, on="spare-1") if isinstance(found, RunStep) else found for found in requests]


class RepeatsReboots(Talker):
    """After a resume it sends every reboot once more that it has ever sent."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.sent: list[Reboot] = []

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        again = [replace(old, id=f"{old.id}again") for old in self.sent] if isinstance(event, Resumed) else []
        self.sent += [request for request in requests if isinstance(request, Reboot)]
        return (*requests, *again)


class RestartsUnclaimed(Talker):
    """Takes its claims off at once, and restarts all the same."""

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        found: list[Request] = []
        for request in requests:
            if isinstance(request, Reboot):
                self.extra += 1
                found.append(Release(id=f"x{self.extra}", host=request.host))
            found.append(request)
        return found


class TellsChecks(Talker):
    """Says to checks what is not so: `known` gives what each is told beside what the engine says."""

    known: ClassVar[Mapping[str, object]] = {}

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        return [self._told(found) if isinstance(found, Ask) else found for found in requests]

    def _told(self, ask: Ask) -> Ask:
        checks = [
            replace(check, params={**check.params, OF_RUN: {**check.params[OF_RUN], **self.known}})
            if OF_RUN in check.params
            else check
            for check in ask.checks
        ]
        return replace(ask, checks=tuple(checks))


class TakesAnyTimeForBefore(TellsChecks):
    """Every look is the first."""

    known: ClassVar[Mapping[str, object]] = {"first": True, "before": None}


class InventsBaselines(TellsChecks):
    """What was before the run is what suits it."""

    known: ClassVar[Mapping[str, object]] = {"before": {"value": 0.001}}


class TakesTheFleetForItsOwnDoing(TellsChecks):
    """Whatever fires is about hosts that it restarts."""

    known: ClassVar[Mapping[str, object]] = {"away": ["db-1", "db-2", "db-3", "app-1", "app-2", "app-3", "app-4"]}


class SlowToWatch(SimulatedWorld):
    """A world in which the questions of watches hang for minutes, but for the first of the run."""

    def _reply(self, request: Request, answer: Answer, delay_s: float, generation: int) -> None:
        hangs = isinstance(request, Ask) and request.subject == "watch" and 10.0 < self.now_s < 400.0
        super()._reply(request, answer, delay_s + (250.0 if hangs else 0.0), generation)


class DoneTooEarly(Engine):
    """Says that it is done as soon as one move is."""

    def handle(self, event: Event) -> tuple[Request, ...]:
        requests = super().handle(event)
        if any(fact.fact == "move_done" for fact in self.facts):
            self.outcome = Outcome(state="done", exit_code=0, why="all hosts restarted")
        return requests


class HaltsForNothing(Engine):
    """Halts as soon as one move is done."""

    def handle(self, event: Event) -> tuple[Request, ...]:
        requests = super().handle(event)
        if any(fact.fact == "move_done" for fact in self.facts):
            self.outcome = Outcome(state="halted", exit_code=5, why="gate of db did not pass")
        return requests


class NeverEnds(Engine):
    """Goes to sleep when one move is done."""

    asleep = False

    @property
    def deadline(self) -> float | None:
        return None if self.asleep else super().deadline

    def handle(self, event: Event) -> tuple[Request, ...]:
        if self.asleep:
            return ()
        requests = super().handle(event)
        self.asleep = any(fact.fact == "move_done" for fact in self.facts)
        return requests


class CarelessWorld(SimulatedWorld):
    """A world in which a reboot compares nothing: no boot id, no uptime, no claim."""

    def _reboot(self, request: Reboot) -> Answer:
        return RebootTaken()


def appends_afterwards(engine, world, append, first, watchers=()):  # type: ignore[no-untyped-def]
    """The loop with its first two lines the wrong way round."""
    event = first
    while True:
        before = engine.facts
        requests = engine.handle(event)
        for request in requests:
            world.begin(request)
        append(event, before)
        if engine.outcome is not None:
            return engine.outcome
        event = world.wait(engine.deadline)


def forgets_to_append(engine, world, append, first, watchers=()):  # type: ignore[no-untyped-def]
    """The loop without durability for answers about claims."""
    event = first
    while True:
        if not (isinstance(event, Answered) and isinstance(event.answer, Claimed)):
            append(event, engine.facts)
        for request in engine.handle(event):
            world.begin(request)
        if engine.outcome is not None:
            return engine.outcome
        event = world.wait(engine.deadline)


class IgnoresLadders(Engine):
    """Lets moves begin as long as a maintenance window is open, however long their ladders are."""

    def __init__(self, plan: Plan) -> None:
        books = {
            name: replace(book, restart=tuple(replace(rung, back_within_s=1.0, down_within_s=1.0) for rung in book.restart))
            for name, book in plan.inventory.playbooks.items()
        }  # fmt: skip
        super().__init__(plan)
        brief = replace(plan, inventory=replace(plan.inventory, playbooks=books))
        self._windows.__init__(brief, self._outbox, self._parking.stir)  # type: ignore[misc]


class ForgetsWindows(Engine):
    """Knows of no maintenance windows."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(replace(plan, overrides=(*plan.overrides, Override(rule="window", reason="mutant"))))


def within_one_run(inventory: Inventory) -> Inventory:
    """No limit spans the runs of the store."""
    limits = {name: replace(limit, across_runs=False) for name, limit in inventory.limits.items()}
    return replace(inventory, limits=limits)
