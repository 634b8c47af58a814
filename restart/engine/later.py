"""May a rung that is not a move's first act be taken now? A host that is up may be well again, and its peers may not be any longer.

What allowed the first act says nothing of a later one: minutes lie between them, in which the host came back, or never went down. So a rung that
takes a host that is up is judged anew, on budgets and required providers, by answers no older than `ready_fresh` (design: contract 6, rules
1 and 2 of what always holds). A host that has been silent since our last act is away already: what brings it back takes nothing from anybody. One of
which a fresh FAIL proves that it is not ready takes nothing from its budgets; where that decides, it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from restart.engine.holding import tell_hold
from restart.engine.outbox import Outbox
from restart.engine.parking import Hold
from restart.engine.readiness import Readiness
from restart.engine.starts import Starts
from restart.engine.state import MoveState
from restart.engine.table import Phase

LOOK_AGAIN_S = 10.0
"""A host whose own checks decide is asked again after this long."""


class LaterRungs:
    """Judges them, and says when it is next worth looking."""

    def __init__(
        self,
        states: Mapping[str, MoveState],
        outbox: Outbox,
        *,
        starts: Starts,
        readiness: Readiness,
        patience_s: float,
    ) -> None:
        """After `patience_s` of waiting a rung is held for good."""
        self._states = states
        self._outbox = outbox
        self._starts = starts
        self._readiness = readiness
        self._patience_s = patience_s

    def hold(self, state: MoveState, kind: str) -> Hold | None:
        """Why the rung at hand, of this kind, may not be taken now; None: it may. Asks what it needs to know."""
        first = state.rung == 0 and state.acted_s is None  # judged just before, in JUDGING
        if first or state.dark or state.move.act == "start" or kind == "approve":
            return None
        hold = self._starts.hold_later(state)
        if hold is None:
            state.held_since_s = None
            return None
        if hold.waits == "asking":
            return hold
        if hold.waits == "returning":
            state.held_since_s = self._outbox.now_s  # it ends by itself: patience begins after it
            tell_hold(self._outbox, state, hold)
            return hold
        self._ask_itself(state)
        if state.held_since_s is None:
            state.held_since_s = self._outbox.now_s
        if state.asking:
            return replace(hold, waits="asking", lasting=False)
        tell_hold(self._outbox, state, hold)
        return replace(hold, lasting=hold.lasting or self._outbox.now_s >= self._given_up_s(state))

    def until_s(self, state: MoveState) -> float | None:
        """When, in run seconds, a move in CLIMBING is to be looked at again; None: it does not wait for this."""
        if state.phase is not Phase.CLIMBING or state.held_since_s is None:
            return None
        now_s = self._outbox.now_s
        others_s = self._readiness.next_look_s(self._starts.wanted(state))
        looks = (now_s + LOOK_AGAIN_S, self._given_up_s(state), others_s)
        return min((at_s for at_s in looks if at_s is not None and at_s > now_s), default=None)

    def _given_up_s(self, state: MoveState) -> float:
        return (self._outbox.now_s if state.held_since_s is None else state.held_since_s) + self._patience_s

    def _ask_itself(self, state: MoveState) -> None:
        """Is the host itself ready? A move in flight is not asked by anybody else."""
        for service in state.move.services:
            if service not in state.asking and self._readiness.age_s(service, state.host) >= LOOK_AGAIN_S:
                state.asking.add(service)
                self._readiness.ask_in_flight(service, state.host, partial(self._heard, state, service))

    def _heard(self, state: MoveState, service: str) -> bool:
        """It has answered; whether that still counts: an answer from before an act says nothing of what came of it."""
        state.asking.discard(service)
        return state.phase is Phase.CLIMBING
