"""The engine: plan and events in, requests out. It reads no clock and does nothing itself.

Its contract (design: section 3), in the order of the code:

* `handle` is the only way in. Time arrives in events; an extra wake-up is a no-op; `deadline` says when it next wants one.
* Same plan, same events: same requests with the same ids, and the same facts. So replaying the journal IS the resume.
* A request in flight gets one answer, or `Resumed` settles it.
* No request goes out that would break a budget or a limit, judged on readiness no older than `ready_fresh`.
* It fails closed: what is not known to be well is not well.

A run first claims its hosts, then lets moves begin wave by wave as `restart.engine.starts` allows, takes each through the table
(`restart.engine.moving`), closes waves on their gates, and in the end releases its claims and states the outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

from restart.engine import facts
from restart.engine.across import Across
from restart.engine.acting import Acting
from restart.engine.available import Available
from restart.engine.baselines import Baselines
from restart.engine.brakes import Brakes
from restart.engine.bridges import bridges
from restart.engine.canaries import Canaries
from restart.engine.claims import Claims
from restart.engine.cold_starts import ColdStarts
from restart.engine.drift import Drift
from restart.engine.flags import Flags
from restart.engine.guards import Guards
from restart.engine.holding import tell_run_hold
from restart.engine.hooks import Hooks
from restart.engine.later import LaterRungs
from restart.engine.moving import Moving
from restart.engine.offs import PowerTime
from restart.engine.on_others import OnOthers
from restart.engine.outbox import Outbox
from restart.engine.overrides import Overrides, waived_by
from restart.engine.pace import Pace
from restart.engine.parking import Hold, Parking
from restart.engine.readiness import Readiness
from restart.engine.recovery import RecoverStarts, Recovery
from restart.engine.roles import Roles
from restart.engine.shutdown_starts import ShutdownStarts
from restart.engine.silent import Silent
from restart.engine.slots import Slots
from restart.engine.spares import BACK, Spares
from restart.engine.stall import STALL_S, Stall
from restart.engine.starts import Starts
from restart.engine.state import MoveState, state_of
from restart.engine.suspended import Suspended
from restart.engine.table import COUNTS_AS_DOWN, FINISHED, IN_FLIGHT, NOT_UP, Phase, Sign
from restart.engine.turns import Turns
from restart.engine.verdict import stopped, verdict
from restart.engine.watches import Watches
from restart.engine.waves import Waves
from restart.engine.windows import Windows
from restart.engine.words import Words, said_by
from restart.errors import Bug, Exit, must
from restart.model.answer import Claimed, NoAnswer, Withheld
from restart.model.event import Answered, Event, Fact, LeaseLost, Outcome, Resumed, Started, Word
from restart.model.plan import Plan
from restart.model.request import Request
from restart.rules.named import gate_rule
from restart.rules.stops import as_stopping, gone, stays_up
from restart.rules.ways_out import way_out_of_halt

ENGINE_VERSION = 11
"""Raised whenever the same events would lead to other requests: a run is resumed only by the version that began it."""

LISTENING_S = 2.0
"""How long a resumed run waits for words before it ends: they are read about once a second."""


class Engine:
    """One run of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outcome: Outcome | None = None
        self._facts: tuple[Fact, ...] = ()
        self.states: dict[str, MoveState] = {}
        self._cold = plan.mode == "cold-start"
        self._stop = plan.mode == "shutdown"
        inventory, ending = plan.inventory, frozenset[str]()
        if self._stop:
            # To a shutdown order and floors are the other way round: it gets an inventory that says so.
            off = gone((move.host for move in plan.moves()), plan.observation)
            ending = frozenset(inventory.services) - stays_up(inventory, off)
            inventory = as_stopping(inventory, off, in_turn=False)
        # A spare may come to be a member of its service: who is one is the engine's own.
        members = dict(inventory.services)
        inventory = replace(inventory, services=members)
        waived = waived_by(plan)
        bridged = bridges(inventory, [move.host for move in plan.moves()]) if self._cold else {}
        for wave in plan.waves:
            for move in wave.moves:
                must(move.host not in self.states, f"the plan moves {move.host} twice")
                self.states[move.host] = state_of(inventory, move, wave.number, bridged.get(move.host, ()))
        self._outbox = Outbox()
        self._overrides = Overrides(plan, self._outbox)
        self._spares = Spares(
            plan, inventory, members, self.states, self._outbox, joins=self._join, changed=self._exchange
        )  # fmt: skip
        standing = self._spares.hosts()
        # A place that is empty is filled before anything else begins.
        self._parking = Parking([*standing, *self.states])
        stir = self._parking.stir
        self._readiness = Readiness(
            inventory, self._outbox,
            down_for_us=self._down_for_us, noted=self._noted, stirred=lambda service: stir(("ready", service)),
        )  # fmt: skip
        self._drift = Drift(plan, inventory, self.states, self._outbox, self._readiness)
        self._available = Available(inventory, self._outbox, self._down_for_us, self._readiness.last_known)
        self._suspended = Suspended(inventory, self.states if self._cold else ())
        self._baselines = Baselines(inventory, away=lambda: self._starts.away(), caused=lambda: self._hooks.caused())
        self._guards = Guards(
            inventory, self._outbox, self._gate_failed, stirred=lambda service: stir(("gate", service)),
            baselines=self._baselines, suspended=self._suspended.is_off, waived=waived,
        )  # fmt: skip
        self._watches = Watches(
            inventory, self._outbox, self._halt,
            baselines=self._baselines, blinded=lambda rule, service: self._starts.blinds(rule, service),
            suspended=self._suspended.is_off, waived=waived,
        )  # fmt: skip
        self._hooks = Hooks(inventory, self._outbox, self._halt)
        services_of = {**standing, **{host: state.move.services for host, state in self.states.items()}}
        self._across = Across(inventory, services_of, self._outbox, stir, cold=self._cold, waived=waived)
        self._slots = Slots(
            inventory, services_of, lambda slot: stir(("slot", slot)), lambda slot: stir(("slot taken", slot)),
            cold=self._cold, waived=waived, freed=self._across.freed,
        )  # fmt: skip
        wave_of = {host: state.wave for host, state in self.states.items()}
        self._pace = Pace(inventory, plan.moves(), wave_of, lambda stratum: stir(("pace", stratum)), plan.mode, waived)
        self._brakes = Brakes(inventory.policy, inventory.hosts, len(self.states))
        self._flags = Flags(inventory, self._outbox, stir)
        self._windows = Windows(plan, self._outbox, stir)
        self._silent = Silent(lambda: self._outbox.now_s)
        self._roles = Roles(inventory, self.states, self._outbox, self._readiness, stir, ending)
        self._recovery = Recovery(plan)
        recovering = partial(RecoverStarts, recovery=self._recovery)
        judges: dict[str, Callable[..., Starts]] = {
            "cold-start": ColdStarts,
            "shutdown": ShutdownStarts,
            "recover": recovering,
        }
        self._starts = judges.get(plan.mode, Starts)(
            inventory, self.states,
            readiness=self._readiness, guards=self._guards, slots=self._slots, pace=self._pace, flags=self._flags,
            windows=self._windows, across=self._across, roles=self._roles, silent=self._silent,
            now_s=lambda: self._outbox.now_s, stir=stir, waived=waived, passed_over=self._overrides.passed_over,
        )  # fmt: skip
        self._claims = Claims(
            self._outbox, hold_s=3600.0 + 2 * plan.estimate.makespan_s, met=self._met
        )  # fmt: skip
        self._later = LaterRungs(
            self.states, self._outbox, starts=self._starts, readiness=self._readiness, patience_s=STALL_S
        )  # fmt: skip
        self._moving = Moving(
            inventory, self.states, self._outbox, self._claims,
            noted=self._readiness.note, reached=self._reached, starting=self._starting, closed=self._is_closed,
            slots=self._starts.take_slots, withheld=self._forbids, silent=self._silent, recovery=self._recovery,
            drift=self._drift, on_others=OnOthers(plan, self.states, self._outbox),
            missed=self._missed, judged=self._later.hold, doubted=self._starts.hold_begun,
        )  # fmt: skip
        self._canaries = Canaries(
            inventory, self._outbox, self._guards, self._canary_ended, noted=self._readiness.note
        )  # fmt: skip
        self._acting = Acting(
            self.states, self._outbox, starts=self._starts, readiness=self._readiness, moving=self._moving, later=self._later,
            fresh_s=inventory.policy.ready_fresh_s, patience_s=STALL_S, withheld=self._forbids,
        )  # fmt: skip
        self._turns = Turns(
            self.states, self._outbox,
            parking=self._parking, starts=self._starts, slots=self._slots,
            begin=self._begin, tell=self._acting.tell_hold,
        )  # fmt: skip
        self._stall = Stall(self._outbox, self._starts, self._readiness, self._turns)
        self._waves = Waves(
            replace(plan, inventory=inventory), self.states, self._guards, self._outbox, before=len(standing)
        )
        self._words = Words(
            self.states, self._outbox,
            moving=self._moving, waves=self._waves, slots=self._slots, pace=self._pace, brakes=self._brakes,
            starts=self._starts,
        )  # fmt: skip
        self._power_time = PowerTime(plan.within_s if self._stop else None, self.states, self._outbox)
        self._ending: Outcome | None = None
        self._running = False
        self._halted: str | None = None
        self._drifted = False
        self._listening_s = 0.0
        self._awaiting_gate: dict[str, float] = {}
        self._late: set[str] = set()
        self._settled = (-1, -1)
        self._deadlines = (
            self._watches.deadline_s, self._guards.deadline_s, self._slots.next_expiry_s, self._waves.deadline_s,
            lambda: self._parking.next_s(self._outbox.now_s), lambda: self._listening_s, lambda: self._acting.until_s,
            self._moving.checking.deadline_s, self._windows.deadline_s, self._power_time.deadline_s,
            self._canaries.deadline_s, self._hooks.deadline_s, self._across.deadline_s,
        )  # fmt: skip
        for host in self.states:
            self._parking.enter(host)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts drawn from the event handled last."""
        return self._facts

    @property
    def flags(self) -> tuple[str, ...]:
        """The targets of the flags that stand, as far as it was told."""
        return self._flags.standing

    @property
    def deadline(self) -> float | None:
        """When, in run seconds, the engine next wants to hear of the time; None: only when something happens."""
        if self.outcome is not None:
            return None
        # What is due already has been looked at with this event; only the future is worth waking up for.
        now_s, first_s = self._outbox.now_s, inf
        for deadline_s in self._deadlines:
            at_s = deadline_s()
            if at_s is not None and now_s < at_s < first_s:
                first_s = at_s
        for at_s in self._stall.times_s(first_s):
            if at_s is not None and now_s < at_s < first_s:
                first_s = at_s
        return None if first_s == inf else first_s

    @property
    def stops_after(self) -> int | None:
        """The wave after which the run was to stop, where all up to it is done and a resume would go beyond; None: it would not."""
        return self._waves.last if self._waves.reached_last() else None

    @property
    def looked_at(self) -> int:
        """How many times it was asked so far whether a waiting move may begin."""
        return self._parking.looked_at

    def handle(self, event: Event) -> tuple[Request, ...]:
        """Take in one event; the requests that follow from it. After the outcome only `Resumed` is heard, save when all is done."""
        self._outbox.facts = []
        if isinstance(event, Resumed) and self.outcome is not None and self.outcome.state != "done":
            self.outcome = None
        if self.outcome is not None:
            self._facts = ()
            return ()
        if event.at_s < self._outbox.now_s:
            raise Bug(f"time runs back: {event.at_s} after {self._outbox.now_s}")
        self._outbox.now_s = event.at_s
        self._hear(event)
        self._advance()
        self._tell_end()
        self._facts = tuple(self._outbox.facts)
        return self._outbox.take()

    def take_over(self, before: Engine | None, *, last: bool) -> None:
        """Go on under the hooks, and with what is known from before the run, of the engine of the stage before; `last`: none comes after."""
        self._hooks.kept = not last
        if before is not None:
            self._hooks.take_over(before._hooks)
            self._baselines.take_over(before._baselines)

    # --- events ------------------------------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        match event:
            case Answered(answer=Withheld() as answer):
                self._not_begun(event, answer)
            case Answered():
                self._outbox.answer(event.request, event.answer)
            case Started():
                must(event.engine == ENGINE_VERSION, "another engine's run")
                self._outbox.tell(
                    facts.RUN_STARTED, why=event.reason, hosts=len(self.states), waves=len(self.plan.waves)
                )
                self._waves.last = event.until_wave
                self._windows.begun(event)
                self._claims.claim_all(self._to_claim())
            case Resumed():
                self._resume(event)
            case LeaseLost():
                self._end("held", Exit.HELD, f"the lease is lost: {event.why}")
            case Word():
                self._word(event)
            case _:
                pass

    def _not_begun(self, event: Answered, answer: Withheld) -> None:
        """An act that the world has withheld is as if it had not been asked for; where that cannot be, nothing is known of it."""
        state = self.states.get(event.host or "")
        if state is None or not self._outbox.knows(event.request) or not self._moving.not_begun(state):
            self._outbox.answer(event.request, NoAnswer(reason="command", detail=answer.why))
        else:
            self._outbox.drop(event.request)

    def _word(self, word: Word) -> None:
        if word.word == "let-go":
            why = f"let go at once by {said_by(word)}; what was in flight is settled by resume"
            self._end("stopped", stopped(self.states), why)
        elif not (self._flags.hear(word) or self._windows.hear(word)):
            self._words.hear(word, running=self._running)

    def _resume(self, event: Resumed) -> None:
        must(event.engine == ENGINE_VERSION, "another engine's run")
        self._outbox.tell(facts.RUN_RESUMED, why=f"{event.user}@{event.controller}")
        if self._words.paused is not None:
            # Who resumes is not who paused: without a word the run would seem to hang.
            self._outbox.tell(facts.PAUSED, why=f"still paused by {self._words.paused}; `restart go` lets it go on")
        self._outbox.forget_all()
        self._windows.begun(event)
        self._across.resumed(self.states.values())
        self._readiness.forget()
        self._guards.forget()
        self._watches.forget()
        self._roles.forget()
        self._canaries.forget()
        self._hooks.forget()
        self._parking.wake_all()  # spares stand before the plan in its order
        if self._waves.reached_last():
            self._waves.last = None
        # Words that were said while nobody led the run come with the next event: it does not end before.
        self._listening_s = event.at_s + LISTENING_S
        self._halted = self._words.stopping = self._ending = None
        self._drifted = False
        self._drift.resumed()
        self._stall.over()
        self._running = False
        self._claims.claim_all(self._to_claim())

    def _to_claim(self) -> list[str]:
        """The hosts that are still to move."""
        return [host for host, state in self.states.items() if state.phase not in FINISHED]

    # --- what follows from it all ------------------------------------------------------------------------------------

    def _advance(self) -> None:
        if self.outcome is not None or self._ended_if_released():
            return
        if self._claims.pending:
            return
        if not self._running and self._claims.foreign is None:
            self._running = True
            for state in list(self.states.values()):
                if state.phase in IN_FLIGHT:
                    self._moving.settle(state)
            self._words.hear_kept()
        self._power_time.look()
        self._readiness.age()
        self._guards.wake_due()
        self._free_slots()
        if self._starting():
            self._watches.look()
            self._guards.look_first()
            self._canaries.look()
            self._hooks.look(self._may_set_hooks)
        if due := self._moving.checking.due():
            for host in sorted(due, key=self._starts.begun):
                self._moving.checking.look(self.states[host])
        self._acting.carry_on(starting=self._starting(), closed=self._is_closed)
        if self._starting():
            self._spares.call_up()
        while self._waves.advance(self._outbox.now_s, asking=self._starting()):
            pass
        self._turns.rest()
        if self._starting():
            self._begin_moves()
        self._across.settle(self.states)
        settled = self._turns.changed()
        self._guards.settle(self._turns.wait_for_gate, changed=settled != self._settled)
        self._settled = settled
        self._conclude()

    def _free_slots(self) -> None:
        """What the clock frees, and what a gate frees that passed since the move ended."""
        self._slots.expire(self._outbox.now_s)
        if not self._starting():
            # Nobody waits for these slots any longer, so that their gates need not be asked.
            return
        for host, since_s in list(self._awaiting_gate.items()):
            gates = [name for name in self.states[host].move.services if self._guards.counts(name)]
            # Every gate is asked, not only up to the first that has not passed.
            passed = [self._guards.passed(name, since_s) for name in gates]
            if all(passed) or not self._slots.holding(host):
                self._slots.free(host, "gate", self._outbox.now_s)
                del self._awaiting_gate[host]

    def _starting(self) -> bool:
        """Whether anything new may start at all, but for watches and pauses."""
        return self._running and not (self._halted or self._words.stopping or self._claims.foreign)

    def _closed_at_first(self) -> tuple[str, str] | None:
        """What comes before the hooks: a pause, a stop flag, a watch, the first look of a gate that compares."""
        if self._words.paused:
            return "paused", self._words.paused
        return self._flags.closed() or self._watches.closed() or self._guards.first_looks()

    def _closed(self) -> tuple[str, str] | None:
        """The rule for which nothing may start now, while the run goes on, and why."""
        return self._closed_at_first() or self._hooks.closed()

    def _is_closed(self) -> bool:
        return self._closed() is not None

    def _may_set_hooks(self) -> bool:
        return self._closed_at_first() is None and not self._waves.finished()

    def _forbids(self, state: MoveState) -> Hold | None:
        """Why nothing may be done to the host of a move now: a stop flag, or (before its first act) a window that closes too soon."""
        return self._flags.hold(state) or self._windows.forbids(state)

    def _begin_moves(self) -> None:
        closed = self._closed()
        if closed is not None:
            self._stall.over()
            tell_run_hold(self._outbox, closed)
            return
        if self._outbox.known(facts.HELD, about="run") is not None:
            tell_run_hold(self._outbox, None)
        self._turns.walk(self._waves.until())
        changing = self._roles.gives_way()
        for leader, other in changing.items():
            self._change_places(leader, other)
        if changing:
            self._turns.walk(self._waves.until())
        stalled = self._stall.judge()
        if stalled is not None:
            state, hold, why = stalled
            self._halt(hold.rule, why, drift=self._drift.explains(state, hold))

    def _change_places(self, leader: str, other: str) -> None:
        """The leader of a service goes last: a member of a later wave takes its place in the plan, and it takes that member's."""
        first, second = self.states[leader], self.states[other]
        why = f"{leader} leads its service and goes last: {other} goes in its place"
        self._outbox.tell(facts.CHANGED_PLACES, host=leader, wave=first.wave, why=why, other=other, to=second.wave)
        for changing in (self._starts, self._waves):
            changing.change_places(first, second)
        self._parking.change_places(leader, other)
        if self._pace.change_places(leader, other):
            first.move, second.move = (
                replace(first.move, canary=second.move.canary),
                replace(second.move, canary=first.move.canary),
            )
        first.wave, second.wave = second.wave, first.wave

    def _begin(self, state: MoveState) -> None:
        sick = self._starts.sick_in(state)
        state.reset()
        state.sick_in = sick
        state.began_s = state.judged_s = self._outbox.now_s
        self._waves.begun(state)
        self._guards.touched(self._starts.near(state))
        self._hooks.touched()
        self._slots.take(state.host)
        self._pace.begin(state.host)
        self._stall.over()
        self._outbox.tell(
            facts.MOVE_STARTED,
            host=state.host,
            wave=state.wave,
            services=list(state.move.services),
            canary=state.move.canary,
        )
        for rule, why in (*self._watches.let_through(), *self._waves.let_through(state)):
            self._overrides.passed_over(state, rule, why)
        self._moving.sign(state, Sign.BEGUN)

    def _met(self, host: str, found: Claimed) -> None:
        """How a host was found when the run claimed it, before anything is done to it."""
        self._recovery.met(host, found)
        self._slots.found_up(host)

    # --- what moves and gates report ---------------------------------------------------------------------------------

    def _join(self, state: MoveState) -> None:
        """A spare's move is one of the run's."""
        for joined in (self._starts, self._waves):
            joined.join(state)
        self._windows.join(state.move)
        self._reached(state, state.phase)

    def _exchange(self, service: str, gone: str | None, come: str) -> None:
        for members in (self._readiness, self._available):
            members.exchange(service, gone, come)

    def _down_for_us(self, host: str) -> bool:
        if host not in self.states:
            return False
        if self.states[host].member is not None and self.states[host].phase not in BACK:
            return True  # a spare is ready when its move has ended well, whatever it answers before
        # In a cold start a host is off until its move has ended well; nobody need be asked about it before.
        # After a shutdown it is off for good, and nobody need be asked about it after.
        down = NOT_UP if self._cold else COUNTS_AS_DOWN | {Phase.DONE} if self._stop else COUNTS_AS_DOWN
        return self.states[host].phase in down

    def _noted(self, service: str, host: str, turned: bool) -> None:
        self._available.count(service, host)
        if turned and host in self.states:
            self._parking.wake(host)

    def _reached(self, state: MoveState, phase: Phase) -> None:
        (self._parking.enter if phase is Phase.WAITING else self._parking.leave)(state.host)
        self._starts.entered(state)
        self._drift.entered(state)
        self._roles.entered(state)
        self._acting.entered(state)
        self._waves.entered(state)
        self._spares.entered(state)
        for service in state.move.services:
            self._readiness.touched(service, state.host)
            self._available.count(service, state.host)
        if phase is Phase.AWAITING and state.taken:
            self._slots.acted(state.host, self._outbox.now_s)
        if phase in (Phase.CHECKING, Phase.BRIDGING) and state.booted_s == self._outbox.now_s:
            self._slots.free(state.host, "booted", self._outbox.now_s)
        if phase in FINISHED or phase in (Phase.WAITING, Phase.IN_DOUBT):
            self._ended(state, phase)

    def _ended(self, state: MoveState, phase: Phase) -> None:
        now_s = self._outbox.now_s
        if phase is not Phase.WAITING:
            self._suspended.over(state.host)
        good = {Phase.DONE: True, Phase.QUARANTINED: False, Phase.UNTOUCHED: False, Phase.IN_DOUBT: False}.get(phase)
        watch_s = self._pace.watch_s(state.host) if good else 0.0
        lost_canary = False if watch_s else self._pace.end(state.host, good=good)
        self._slots.spend(state.host, now_s)
        match phase:
            case Phase.DONE | Phase.NOT_REBOOTED:
                self._slots.free(state.host, "ready", now_s)
                self._awaiting_gate[state.host] = now_s
                if phase is Phase.DONE or state.host not in self._late:
                    # No rung has brought back a canary that missed its first one and is in its old boot still.
                    self._brakes.finished(state.host, now_s)
                    if state.host in self._late:
                        self._late.discard(state.host)
                        self._starts.forgive(state)
                if phase is Phase.DONE:
                    self._suspended.ready(state.host, state.move.services)
                    self._tell_done(state)
                    if watch_s:
                        self._canaries.watch(state.host, state.move.services, watch_s)
            case Phase.QUARANTINED | Phase.UNTOUCHED:
                if phase is Phase.UNTOUCHED:
                    self._slots.free(state.host, "all", now_s)
                self._failed(state, canary=lost_canary or state.move.canary)
            case Phase.WAITING | Phase.SKIPPED:
                self._late.discard(state.host)
                self._slots.free(state.host, "all", now_s)
            case _:
                pass

    def _failed(self, state: MoveState, *, canary: bool) -> None:
        name = facts.UNTOUCHED if state.phase is Phase.UNTOUCHED else facts.QUARANTINED
        self._outbox.tell(name, host=state.host, wave=state.wave, why=state.why)
        self._brake(state, canary=canary)

    def _missed(self, state: MoveState) -> None:
        """A canary that its first rung did not bring back counts at once, whatever later rungs may do for it."""
        if self._pace.leads(state.host):
            self._late.add(state.host)
            self._outbox.tell(facts.CANARY_LATE, host=state.host, why=state.why)
            self._brake(state, canary=True)

    def _canary_ended(self, host: str, why: str | None) -> None:
        """A canary that was watched has held, or (`why`) has not."""
        state = self.states[host]
        if why is None:
            self._outbox.tell(facts.CANARY_HELD, host=host)
            self._pace.end(host, good=True)
        elif state.phase is Phase.DONE:
            state.why = why
            self._moving.sign(state, Sign.CANARY_LOST)

    def _brake(self, state: MoveState, *, canary: bool) -> None:
        braking = self._brakes.failed(state.host, self._outbox.now_s, canary=canary)
        if braking.action == "halt":
            why = f"{state.host}: {state.why}; {braking.why}"
            self._halt(braking.rule, why, drift=state.host in self._drift.hosts)
        elif braking.action == "contain":
            for service in state.move.services:
                self._starts.contained.setdefault(service, {})[state.host] = braking.why
                self._parking.stir(("contained", service))
                self._outbox.tell(facts.CONTAINED, service=service, why=braking.why)

    def _tell_done(self, state: MoveState) -> None:
        now_s = self._outbox.now_s
        acted_s = state.began_s if state.acted_s is None else state.acted_s
        booted_s = acted_s if state.booted_s is None else state.booted_s
        more: dict[str, Any] = {"by_itself": True} if state.by_itself else {"act": "stop"} if self._stop else {}
        if state.kernel and state.kernel_now:
            more |= {"was_kernel": state.kernel, "kernel": state.kernel_now}
        self._outbox.tell(
            facts.MOVE_DONE, host=state.host, wave=state.wave,
            took_s=round(now_s - state.began_s, 3), boot_s=round(booted_s - acted_s, 3), ready_s=round(now_s - booted_s, 3),
            **more,
        )  # fmt: skip

    def _gate_failed(self, service: str, why: str) -> None:
        self._halt(gate_rule(service), why)

    def _halt(self, rule: str, why: str, *, drift: bool = False) -> None:
        """`drift`: it is the world that has moved away from the plan, and nothing that the run did."""
        if self._halted is None:
            way = way_out_of_halt(rule)
            self._halted, self._drifted = f"{rule}: {why} ({way})", drift
            self._outbox.tell(facts.HALTED, why=f"{why} ({way})", rule=rule, way_out=way)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _conclude(self) -> None:
        if not self._running and self._claims.foreign is not None:
            # Met before anything was settled: whatever is in flight stays as it is, for a later resume.
            self._release("held", Exit.HELD, self._claims.foreign)
            return
        ending = self._claims.foreign is not None or self._halted is not None or self._words.stopping is not None
        if self._starts.in_flight and not ending:
            return
        if any(self.states[host].approval is None for host in self._starts.in_flight):
            return
        if self._across.busy or self._hooks.busy or (self._hooks.undoing and not self._hooks.undone()):
            return
        if self._claims.foreign is not None:
            self._release("held", Exit.HELD, self._claims.foreign)
        elif self._halted is not None:
            self._release_halted(self._halted, drift=self._drifted)
        elif self._words.stopping is not None:
            self._release("stopped", stopped(self.states), f"stopped by {self._words.stopping}")
        elif self._canaries.is_watching or self._outbox.now_s < self._listening_s:
            return
        elif self._waves.finished():
            self._finish(*verdict(self.states))
        elif (no_room := self._windows.over(self.states.values())) is not None:
            self._release("stopped", stopped(self.states), no_room)
        elif self._waves.reached_last():
            self._release("stopped", stopped(self.states), f"stopped after wave {self._waves.last}, as asked")
        elif self._closed() is None and not self._waves.waits_for_time_or_gates():
            self._conclude_blocked()

    def _finish(self, state: str, exit_code: Exit, why: str) -> None:
        """Every wave is done: take the hooks back where all went well, then end. A fleet that is off needs what keeps rivals away."""
        if exit_code is Exit.DONE and not self._hooks.kept and self.plan.mode != "shutdown":
            if not self._hooks.undone():
                return
            if left := self._hooks.left():
                state, exit_code, why = (
                    "ended",
                    Exit.HALTED,
                    f"{why}; hooks that could not be undone: {', '.join(left)}",
                )
        self._release(state, exit_code, why)

    def _conclude_blocked(self) -> None:
        """Nothing is in flight: end the run, unless something but an operator's word may lead on."""
        # With nothing in flight, a move that waits for its turn waits for one of those that only an operator can let go.
        holds = self._turns.holds()
        if not all(hold.lasting or hold.waits in ("order", "pace", "window") for _, hold in holds):
            return
        if any(hold.waits == "window" for _, hold in holds):
            self._release("stopped", stopped(self.states), self._windows.told(len(holds)))
            return
        state, exit_code, why = verdict(self.states)
        if holds:
            first, hold = next((found for found in holds if found[1].lasting), holds[0])
            why = f"{why}; {len(holds)} moves are held, first {first.host} by {hold.rule}: {hold.told}"
        if exit_code is Exit.HALTED:
            self._release_halted(why, drift=self._drift.alone_failed())
        else:
            self._release(state, exit_code, why)

    def _release_halted(self, why: str, *, drift: bool) -> None:
        if drift:
            self._release("drift", Exit.DRIFT, f"{why}; {self._drift.told()}")
        else:
            self._release("halted", Exit.HALTED, why)

    def _release(self, state: str, exit_code: Exit, why: str) -> None:
        """Take the claims off, then end. A host that does not answer keeps its claim until its next boot or its expiry."""
        self._running = False
        self._ending = Outcome(state=state, exit_code=int(exit_code), why=why)
        kept = {Phase.QUARANTINED, Phase.IN_DOUBT, *IN_FLIGHT} | ({Phase.DONE} if self._stop else set())
        self._claims.release_all(but=lambda host: self.states[host].phase in kept)
        self._ended_if_released()

    def _ended_if_released(self) -> bool:
        if self._ending is not None and not self._claims.pending:
            self.outcome = self._ending
        return self._ending is not None

    def _end(self, state: str, exit_code: Exit, why: str) -> None:
        self.outcome = Outcome(state=state, exit_code=int(exit_code), why=why)

    def _tell_end(self) -> None:
        outcome = self.outcome
        if outcome is None:
            return
        if not (self._hooks.kept and outcome.state == "done"):
            self._hooks.tell_left()
        phases = [state.phase for state in self.states.values()]
        self._outbox.tell(
            facts.RUN_ENDED, why=outcome.why, state=outcome.state, exit_code=outcome.exit_code,
            done=phases.count(Phase.DONE), quarantined=phases.count(Phase.QUARANTINED),
            left=sum(phase not in FINISHED for phase in phases),
        )  # fmt: skip
