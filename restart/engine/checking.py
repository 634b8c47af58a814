"""The checks that a host has to hold once it is back (phase CHECKING): asked to their rhythm, given up after their time.

The checks of its services have the longest `within` that one of them states, for they wait for each other. What compares the host with what it was
(`same_as_before`) has its own: whichever of the two times is over first, what it is for must pass at that moment; all of it at the end of
the longer one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from heapq import heappop, heappush
from math import inf

from restart.engine import facts
from restart.engine.guards import Streaks
from restart.engine.ladder import Ladder, ladder_of, rung_of
from restart.engine.outbox import Outbox
from restart.engine.readiness import asked_after, asked_before, summed_up
from restart.engine.state import MoveState
from restart.engine.table import Phase, Sign
from restart.model.answer import Answer
from restart.model.check import Check, Verdict
from restart.model.inventory import Inventory
from restart.model.request import Ask
from restart.rules.comparing import KIND


class Checking:
    """Asks the checks of the hosts that are back, and signs HELD or gives the rung up."""

    def __init__(
        self,
        inventory: Inventory,
        states: Mapping[str, MoveState],
        outbox: Outbox,
        ladder: Ladder,
        noted: Callable[[str, str, Verdict, str], None],
        compared: Callable[[MoveState], tuple[Check, ...]],
    ) -> None:
        """`noted` hears each verdict learnt (service, host, verdict, evidence). `compared` gives the check that holds a host against what it was."""
        self._inventory = inventory
        self._states = states
        self._outbox = outbox
        self._ladder = ladder
        self._noted = noted
        self._compared = compared
        self._looks: list[tuple[float, str]] = []  # a heap of the moves' `look_s`, and of such as count no longer

    def check(self, state: MoveState) -> None:
        """The host is back: its checks begin."""
        now_s = self._outbox.now_s
        if not state.streaks:
            compared = self._compared(state)  # once, with the checks of its first service: the host is one
            for service in state.move.services or (None,):
                state.streaks[service] = Streaks((*self._checks(state, service), *compared))
                compared = ()
            state.check_until_s = now_s + self._within_s(state)
            state.early_until_s = now_s + self._early(state)[0]
        for service, streaks in state.streaks.items():
            streaks.reset()
            state.next_s[service] = now_s
        self.look(state)

    def settle(self, state: MoveState) -> None:
        """After a resume: what passed before counts no longer."""
        for streaks in state.streaks.values():
            streaks.reset()
        state.check_until_s = max(state.check_until_s, self._outbox.now_s + self._within_s(state))
        if state.early_until_s < inf:
            state.early_until_s = max(state.early_until_s, self._outbox.now_s + self._early(state)[0])
        self.look(state)

    def look(self, state: MoveState) -> None:
        """In CHECKING: ask what is due, and give up what has taken too long. What passes by then may go on to hold."""
        now_s = self._outbox.now_s
        state.look_s = inf
        if now_s >= state.check_until_s and not all(streaks.passing() for streaks in state.streaks.values()):
            state.why = f"not ready within {self._within_s(state):g}s: {state.why or 'checks did not hold'}"
            (self._ladder.not_well if state.by_itself else self._ladder.rung_failed)(state)
            return
        if now_s >= state.early_until_s:
            state.early_until_s = inf
            if (late := self._late(state)) is not None:
                state.why = late
                (self._ladder.not_well if state.by_itself else self._ladder.rung_failed)(state)
                return
        # Where all have held and an answer is still to come, only that is waited for.
        asks = not state.asking or not _held(state, now_s)
        for service, streaks in state.streaks.items():
            if asks and service not in state.asking and now_s >= state.next_s.get(service, 0.0):
                state.asking.add(service)
                self._outbox.send(
                    lambda id, service=service, streaks=streaks: Ask(  # type: ignore[misc]
                        id=id, subject="ready", checks=streaks.checks, host=state.host, service=service
                    ),
                    lambda answer, service=service: self._heard_check(state, service, answer),  # type: ignore[misc]
                )
        times = [at_s for service, at_s in state.next_s.items() if asks and service not in state.asking]
        times += [at_s for at_s in (state.check_until_s, state.early_until_s) if now_s < at_s < inf]
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
        if _held(state, now_s):
            # An answer that is on its way may be a FAIL: it is heard before the host is said to be back.
            if not state.asking:
                self._ladder.sign(state, Sign.HELD)
        elif passing and not before:
            for_s = max(check.healthy_for_s for found in state.streaks.values() for check in found.checks)
            self._outbox.tell(facts.SOAKING, host=state.host, for_s=for_s)

    def _checks(self, state: MoveState, service: str | None) -> tuple[Check, ...]:
        checks = asked_after(self._inventory, service)
        if (
            state.still_up
            or state.by_itself
            or not state.boot_id
            or state.move.act == "start"
            or not ladder_of(state)
            or rung_of(state).kind == "service_restart"
        ):
            return asked_before(checks)
        return tuple(
            replace(check, params={**check.params, "was": state.boot_id}) if check.kind == "boot" else check
            for check in checks
        )

    def _within_s(self, state: MoveState) -> float:
        return max(check.within_s for streaks in state.streaks.values() for check in streaks.checks)

    def _early(self, state: MoveState) -> tuple[float, bool]:
        """How long the more impatient of the two has, and whether it is what compares; inf: it has as long as the other, or there is no other."""
        longest: dict[bool, float] = {}
        for streaks in state.streaks.values():
            for check in streaks.checks:
                compares = check.kind == KIND
                longest[compares] = max(check.within_s, longest.get(compares, 0.0))
        if len(set(longest.values())) < 2:
            return inf, False
        return min((within_s, compares) for compares, within_s in longest.items())

    def _late(self, state: MoveState) -> str | None:
        """What does not pass though its time, the shorter one, is over; None: nothing."""
        within_s, compares = self._early(state)
        for service, streaks in state.streaks.items():
            for check, since_s, evidence in zip(streaks.checks, streaks.since_s, streaks.evidence(), strict=True):
                if since_s is None and (check.kind == KIND) == compares:
                    return f"not ready within {within_s:g}s: {service or state.host}: {evidence}"
        return None


def _held(state: MoveState, now_s: float) -> bool:
    return all(streaks.held(now_s) for streaks in state.streaks.values())
