"""One move: what each phase does when it is entered, and which sign an answer amounts to. The table does the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from heapq import heappop, heappush
from math import inf

from restart.engine import facts
from restart.engine.claims import Claims
from restart.engine.drains import TRIES_MAX, Drains
from restart.engine.guards import Streaks
from restart.engine.outbox import Outbox
from restart.engine.parking import Hold
from restart.engine.readiness import asked_after, asked_before, summed_up
from restart.engine.state import MoveState
from restart.engine.table import TABLE, Phase, Sign
from restart.errors import must
from restart.model.answer import (
    Answer,
    Booted,
    Claimed,
    HeldBy,
    NoAnswer,
    RebootDeclined,
    RebootTaken,
    StillUp,
    Units,
    silence,
)
from restart.model.check import Check, Verdict
from restart.model.inventory import Inventory
from restart.model.playbook import Rung
from restart.model.request import Ask, AwaitBoot, ReadUnits, Reboot, RestartUnits

NOT_AFTER_S = 60.0
"""A reboot command may act until this long after the host's uptime was read; a later one does nothing."""


class Moving:
    """Takes the moves through the table. It decides nothing about which may begin, that is the engine's."""

    def __init__(
        self,
        inventory: Inventory,
        states: Mapping[str, MoveState],
        outbox: Outbox,
        claims: Claims,
        *,
        noted: Callable[[str, str, Verdict, str], None],
        reached: Callable[[MoveState, Phase], None],
        starting: Callable[[], bool],
        closed: Callable[[], str | None],
        slots: Callable[[MoveState], Hold | None],
    ) -> None:
        """`noted` hears each verdict learnt (service, host, verdict, evidence); `reached` each phase that a move enters.

        `starting`: nothing has halted or stopped the run. `closed`: what holds it for now, a pause or a watch. `slots` takes the slots that a rung needs; None: it has them.
        """
        self._inventory = inventory
        self._states = states
        self._outbox = outbox
        self._claims = claims
        self._noted = noted
        self._reached = reached
        self._slots = slots
        self._starting = starting
        self._closed = closed
        self._looks: list[tuple[float, str]] = []  # a heap of the moves' `look_s`, and of such as count no longer
        self._drains = Drains(inventory, outbox, self.sign, starting)
        self._enter: dict[Phase, Callable[[MoveState], None]] = {
            Phase.CLAIMING: self._claim,
            Phase.DRAINING: self._drains.drain,
            Phase.CLIMBING: self._climb,
            Phase.MEASURING: self._claim,
            Phase.REBOOTING: self._reboot,
            Phase.AWAITING: self._await_boot,
            Phase.READING: self._read_units,
            Phase.RESTARTING: self._restart_units,
            Phase.APPROVING: self._want_approval,
            Phase.CHECKING: self._check,
            Phase.CONFIRMING: self._claim,
            Phase.UNDRAINING: self._drains.undrain,
            Phase.UNDOING: self._drains.undrain,
        }

    def sign(self, state: MoveState, sign: Sign) -> None:
        """Move on by the table, and do what the new phase does on entry."""
        must((state.phase, sign) in TABLE, f"{state.host}: {sign} in phase {state.phase}")
        after = TABLE[state.phase, sign]
        state.phase = after
        self._reached(state, after)
        enter = self._enter.get(state.phase)
        if enter is not None and state.phase is after:
            enter(state)

    def settle(self, state: MoveState) -> None:
        """After a resume: what was in flight is settled by asking or by repeating what is safe to repeat."""
        state.asking.clear()
        if state.acted_s is None:
            # Before the first act: nothing that was known when the controller died allows it.
            state.judged_s, state.sick_in = -inf, frozenset()
        if state.phase in (Phase.CLIMBING, Phase.MEASURING, Phase.READING) and state.acted_s is None:
            self._judge_again(state)
        elif state.phase is Phase.CLIMBING:
            self.climb(state)
        elif state.phase is Phase.REBOOTING:
            state.lost_with_process = True
            self.sign(state, Sign.SENT)
        elif state.phase is Phase.RESTARTING:
            state.lost_with_process = True
            self.sign(state, Sign.AGAIN)
        elif state.phase is Phase.CHECKING:
            for streaks in state.streaks.values():
                streaks.reset()
            state.check_until_s = max(state.check_until_s, self._outbox.now_s + self._within_s(state))
            self.look(state)
        elif state.phase in self._enter and state.approval is None:
            self._enter[state.phase](state)

    def approve(self, state: MoveState) -> None:
        """A person has done, or agrees to, what the move waited for."""
        state.approval = None
        if state.phase is Phase.DRAINING:
            self._drains.stepped(state)
        else:
            self.sign(state, Sign.APPROVED)

    def climb(self, state: MoveState) -> None:
        """In CLIMBING: take the rung at hand once there are slots for it."""
        hold = self._slots(state)
        if hold is None:
            kinds = {"reboot": Sign.RUNG_REBOOT, "service_restart": Sign.RUNG_UNITS, "approve": Sign.RUNG_APPROVAL}
            self.sign(state, kinds[self._rung(state).kind])
        elif hold.lasting:
            why = f"no slot for its next rung, {hold.why}"
            state.why = f"{state.why}; {why}" if state.why else why
            self.sign(state, Sign.LADDER_ENDED)

    def call_off(self, state: MoveState) -> None:
        """The move is not carried on to its first act; what was drained is undone, as if it had never begun."""
        self._drains.call_off(state)

    def look(self, state: MoveState) -> None:
        """In CHECKING: ask what is due, and give up what has taken too long. What passes by then may go on to hold."""
        now_s = self._outbox.now_s
        state.look_s = inf
        if now_s >= state.check_until_s and not all(streaks.passing() for streaks in state.streaks.values()):
            state.why = f"not ready within {self._within_s(state):g}s: {state.why or 'checks did not hold'}"
            self._rung_failed(state)
            return
        for service, streaks in state.streaks.items():
            if service not in state.asking and now_s >= state.next_s.get(service, 0.0):
                state.asking.add(service)
                self._outbox.send(
                    lambda id, service=service, streaks=streaks: Ask(  # type: ignore[misc]
                        id=id, subject="ready", checks=streaks.checks, host=state.host, service=service
                    ),
                    lambda answer, service=service: self._heard_check(state, service, answer),  # type: ignore[misc]
                )
        times = [at_s for service, at_s in state.next_s.items() if service not in state.asking]
        if state.check_until_s > now_s:
            times.append(state.check_until_s)
        self._look_at(state, min(times, default=inf))

    def due(self) -> list[str]:
        """The hosts in CHECKING that are to be looked at now."""
        found = []
        while self._looks and self._looks[0][0] <= self._outbox.now_s:
            at_s, host = heappop(self._looks)
            if self._counts(at_s, host):
                self._states[host].look_s = inf
                found.append(host)
        return found

    def deadline_s(self) -> float | None:
        """When a move in CHECKING is next to be looked at, in run seconds."""
        while self._looks and not self._counts(*self._looks[0]):
            heappop(self._looks)
        if self._looks and self._looks[0][0] <= self._outbox.now_s:
            # What is due could not be looked at yet, and will be with the next event whenever that is.
            later = (look for look in self._looks if look[0] > self._outbox.now_s)
            return min((at_s for at_s, host in later if self._counts(at_s, host)), default=None)
        return self._looks[0][0] if self._looks else None

    def _look_at(self, state: MoveState, at_s: float) -> None:
        if at_s != state.look_s:
            state.look_s = at_s
            heappush(self._looks, (at_s, state.host))

    def _counts(self, at_s: float, host: str) -> bool:
        state = self._states[host]
        return state.look_s == at_s and state.phase is Phase.CHECKING

    # --- what each phase does on entry -------------------------------------------------------------------------------

    def _claim(self, state: MoveState) -> None:
        self._claims.claim(state.host, lambda answer: self._claimed(state, answer))

    def _climb(self, state: MoveState) -> None:
        if state.same_rung:
            state.same_rung = False
            self.climb(state)
            return
        state.rung += 1
        state.tries = 0
        ladder = state.playbook.restart
        if state.rung >= len(ladder):
            # Past the ladder's end a host in its old boot is checked once, not for ever.
            if state.still_up and state.rung == len(ladder):
                self._outbox.tell(facts.NOT_REBOOTED, host=state.host, why=state.why)
                self.sign(state, Sign.LADDER_ENDED_UP)
            elif state.declined and not state.touched:
                self.sign(state, Sign.LADDER_ENDED_UNTOUCHED)
            else:
                self.sign(state, Sign.LADDER_ENDED)
            return
        self.climb(state)

    def _judge_again(self, state: MoveState) -> None:
        """Back to where a move waits for its first act to be allowed; then the same rung is taken."""
        state.same_rung, state.judged_s = True, -inf
        self.sign(state, Sign.DOUBTED)

    def _reboot(self, state: MoveState) -> None:
        state.acted_s = self._outbox.now_s
        state.taken = False  # what an earlier rung was told says nothing of this command
        self._outbox.tell(
            facts.REBOOTING, host=state.host, rung=self._rung(state).kind, number=state.rung + 1, boot_id=state.boot_id
        )
        not_after_s = state.uptime_s + NOT_AFTER_S
        self._outbox.send(
            lambda id: Reboot(id=id, host=state.host, boot_id=state.boot_id, not_after_uptime_s=not_after_s),
            lambda answer: self._rebooted(state, answer),
        )

    def _await_boot(self, state: MoveState) -> None:
        rung = self._rung(state)
        # Without the host's word the command may still act until its not-after; to ask earlier proves nothing.
        down_within_s = rung.down_within_s if state.taken else max(rung.down_within_s, NOT_AFTER_S + 5.0)
        if rung.kind == "approve":
            down_within_s = rung.back_within_s
        self._outbox.send(
            lambda id: AwaitBoot(
                id=id, host=state.host, boot_id=state.boot_id,
                down_within_s=down_within_s, back_within_s=max(rung.back_within_s, down_within_s),
            ),
            lambda answer: self._awaited(state, answer),
        )  # fmt: skip

    def _read_units(self, state: MoveState) -> None:
        rung = self._rung(state)
        self._outbox.send(
            lambda id: ReadUnits(id=id, host=state.host, units=rung.units),
            lambda answer: self._units_read(state, answer),
        )

    def _restart_units(self, state: MoveState) -> None:
        rung = self._rung(state)
        state.acted_s = self._outbox.now_s
        state.taken = state.touched = True
        self._outbox.tell(
            facts.REBOOTING, host=state.host, rung=rung.kind, number=state.rung + 1, boot_id=state.boot_id
        )
        self._outbox.send(
            lambda id: RestartUnits(
                id=id, host=state.host, units=rung.units, invocations=state.invocations, within_s=rung.ready_within_s
            ),
            lambda answer: self._units_restarted(state, answer),
        )

    def _want_approval(self, state: MoveState) -> None:
        state.taken = state.touched = True
        self._drains.ask_approval(state, self._rung(state).text or "bring the host back by hand")

    def _check(self, state: MoveState) -> None:
        now_s = self._outbox.now_s
        if not state.streaks:
            for service in state.move.services or (None,):
                state.streaks[service] = Streaks(self._checks(state, service))
            state.check_until_s = now_s + self._within_s(state)
        for service, streaks in state.streaks.items():
            streaks.reset()
            state.next_s[service] = now_s
        self.look(state)

    # --- which sign an answer amounts to -----------------------------------------------------------------------------

    def _claimed(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, HeldBy):
            state.declined = f"claimed by {answer.user}@{answer.controller} since {answer.since}"
        if state.phase is Phase.CLAIMING:
            self._first_claim(state, answer)
        elif state.phase is Phase.MEASURING:
            self._measured(state, answer)
        else:
            self._confirmed(state, answer)

    def _first_claim(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, Claimed):
            state.boot_id = state.boot_id_now = answer.boot_id
            self._outbox.tell(facts.CLAIMED, host=state.host, boot_id=answer.boot_id, uptime_s=answer.uptime_s)
            self.sign(state, Sign.CLAIMED)
        elif isinstance(answer, HeldBy):
            self.sign(state, Sign.FOREIGN)
        else:
            state.why = f"could not be reached before its restart: {silence(answer)}"
            self.sign(state, Sign.UNREACHED)

    def _measured(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, Claimed) and answer.boot_id == state.boot_id:
            if self._held_back(state):
                return
            state.uptime_s = answer.uptime_s
            self.sign(state, Sign.MEASURED)
        elif isinstance(answer, Claimed):
            self._is_back(state, answer.boot_id, "rebooted by itself meanwhile")
        else:
            state.why = state.declined if isinstance(answer, HeldBy) else f"not reached: {silence(answer)}"
            self._rung_failed(state)

    def _held_back(self, state: MoveState) -> bool:
        """While its first act was being prepared the run was halted or stopped (called off), or is held (judged again)."""
        if state.acted_s is not None or (self._starting() and not self._closed()):
            return False
        if self._starting():
            self._judge_again(state)
        else:
            self._drains.call_off(state)
        return True

    def _confirmed(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, HeldBy) or (isinstance(answer, Claimed) and answer.boot_id == state.boot_id_now):
            state.why = ""
            self.sign(state, Sign.SAME_BOOT)
            return
        if isinstance(answer, Claimed):
            state.why = f"rebooted once more while its checks held (boot id {answer.boot_id})"
            self._outbox.tell(
                facts.BOOTED,
                host=state.host,
                evidence=state.why,
                boot_id=answer.boot_id,
                was=state.boot_id_now,
                took_s=0.0,
            )
            state.boot_id_now = answer.boot_id
        else:
            state.why = f"went silent while its checks held: {silence(answer)}"
        self.sign(state, Sign.SHAKEN)

    def _rebooted(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, RebootDeclined) and answer.reason == "too-late" and state.tries < TRIES_MAX:
            state.tries += 1
            self.sign(state, Sign.AGAIN)
        elif isinstance(answer, RebootDeclined) and answer.reason != "boot-id":
            state.declined = state.why = f"the host declined to reboot: {answer.reason} {answer.detail}".rstrip()
            self._rung_failed(state)
        else:
            # Taken, or in another boot already, or no word: only the boot id can tell.
            state.taken = isinstance(answer, RebootTaken | RebootDeclined)
            state.touched = True
            self.sign(state, Sign.SENT)

    def _awaited(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, Booted):
            self._is_back(state, answer.boot_id, "")
        elif isinstance(answer, StillUp):
            if not state.taken and state.tries < TRIES_MAX:
                # The command never arrived, and past its not-after it never can: to send it anew is safe.
                state.tries += 1
                state.lost_with_process = False
                self._judge_again(state)
                return
            state.still_up = not state.rebooted
            state.why = (
                f"still up in the old boot {answer.boot_id} {self._rung(state).down_within_s:g}s after the reboot"
            )
            self._rung_failed(state)
        elif state.lost_with_process and not state.taken:
            state.why = f"a reboot was under way when the controller died, and the host is silent: {silence(answer)}"
            self._outbox.tell(facts.IN_DOUBT, host=state.host, why=state.why)
            self.sign(state, Sign.LOST)
        else:
            state.still_up = False
            state.why = f"did not come back within {self._rung(state).back_within_s:g}s: {silence(answer)}"
            self._rung_failed(state)

    def _is_back(self, state: MoveState, boot_id: str, how: str) -> None:
        state.still_up, state.lost_with_process = False, False
        state.taken = state.touched = True
        state.booted_s = self._outbox.now_s
        took_s = 0.0 if state.acted_s is None else round(state.booted_s - state.acted_s, 3)
        state.boot_id_now = boot_id
        state.why = ""
        self._outbox.tell(
            facts.BOOTED, host=state.host, evidence=how or f"new boot id {boot_id}", boot_id=boot_id, was=state.boot_id, took_s=took_s
        )  # fmt: skip
        state.streaks.clear()
        self.sign(state, Sign.BOOTED)

    def _units_read(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, Units):
            before = state.invocations
            state.invocations = tuple(answer.invocations.get(unit, "") for unit in self._rung(state).units)
            if state.lost_with_process:
                self._proved_by_units(state, before)
            elif not self._held_back(state):
                self.sign(state, Sign.READ)
        else:
            state.lost_with_process = False
            state.why = f"units could not be read: {silence(answer)}"
            self._rung_failed(state)

    def _proved_by_units(self, state: MoveState, before: tuple[str, ...]) -> None:
        """The controller died over a service restart: was it carried out? If not, what allowed it then allows nothing now."""
        state.lost_with_process = False
        if all(now and now != was for now, was in zip(state.invocations, before, strict=True)):
            self._units_are_new(state)
        else:
            state.acted_s, state.sick_in, state.invocations = None, frozenset(), ()
            self._judge_again(state)

    def _units_are_new(self, state: MoveState) -> None:
        state.booted_s = self._outbox.now_s
        state.why = ""
        state.streaks.clear()
        self.sign(state, Sign.RESTARTED)

    def _units_restarted(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, NoAnswer) and state.tries < TRIES_MAX:
            state.tries += 1
            self._restart_units(state)
            return
        units = self._rung(state).units
        now = answer.invocations if isinstance(answer, Units) else {}
        stale = [
            unit for unit, was in zip(units, state.invocations, strict=True) if not now.get(unit) or now[unit] == was
        ]
        if stale:
            why = silence(answer) if isinstance(answer, NoAnswer) else f"{', '.join(stale)} not running anew"
            state.why = f"service restart failed: {why}"
            self._rung_failed(state)
        else:
            self._units_are_new(state)

    def _heard_check(self, state: MoveState, service: str | None, answer: Answer) -> None:
        state.asking.discard(service)
        if state.phase is not Phase.CHECKING:
            return
        now_s = self._outbox.now_s
        streaks = state.streaks[service]
        self._look_at(state, now_s)
        verdict, evidence = summed_up(answer)
        before = all(found.since_s and None not in found.since_s for found in state.streaks.values())
        streaks.hear(answer, now_s)
        state.next_s[service] = streaks.next_s(now_s)
        if service is not None:
            self._noted(service, state.host, verdict, evidence)
        if verdict is not Verdict.PASS:
            state.why = f"{service or state.host}: {evidence}"
        passing = all(None not in found.since_s for found in state.streaks.values())
        if all(found.held(now_s) for found in state.streaks.values()):
            self.sign(state, Sign.HELD)
        elif passing and not before:
            for_s = max(check.healthy_for_s for found in state.streaks.values() for check in found.checks)
            self._outbox.tell(facts.SOAKING, host=state.host, for_s=for_s)

    def _rung_failed(self, state: MoveState) -> None:
        self._outbox.tell(
            facts.RUNG_FAILED, host=state.host, why=state.why, rung=self._rung(state).kind, number=state.rung + 1
        )
        state.streaks.clear()
        if state.phase is Phase.CHECKING and state.boot_id_now != state.boot_id:
            # The next rung starts from the boot that the host is in now.
            state.boot_id, state.rebooted = state.boot_id_now, True
        self.sign(state, Sign.RUNG_FAILED)

    def _rung(self, state: MoveState) -> Rung:
        ladder = state.playbook.restart
        return ladder[min(max(state.rung, 0), len(ladder) - 1)]

    def _checks(self, state: MoveState, service: str | None) -> tuple[Check, ...]:
        checks = asked_after(self._inventory, service)
        if state.still_up or self._rung(state).kind == "service_restart":
            return asked_before(checks)
        return tuple(
            replace(check, params={**check.params, "was": state.boot_id}) if check.kind == "boot" else check
            for check in checks
        )

    def _within_s(self, state: MoveState) -> float:
        return max(check.within_s for streaks in state.streaks.values() for check in streaks.checks)
