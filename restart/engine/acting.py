"""Moves that wait in flight for their next act: drained ones to be judged once more, later rungs for their slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from restart.engine.holding import tell_hold
from restart.engine.later import LaterRungs
from restart.engine.moving import Moving
from restart.engine.outbox import Outbox
from restart.engine.parking import Hold
from restart.engine.readiness import Readiness
from restart.engine.starts import Starts
from restart.engine.state import MoveState
from restart.engine.table import Phase, Sign


class Acting:
    """Carries them on, or calls them off. `until_s`: when, in run seconds, one of them is next to be looked at."""

    def __init__(
        self,
        states: Mapping[str, MoveState],
        outbox: Outbox,
        *,
        starts: Starts,
        readiness: Readiness,
        moving: Moving,
        later: LaterRungs,
        fresh_s: float,
        patience_s: float,
        withheld: Callable[[MoveState], Hold | None],
    ) -> None:
        """`fresh_s`: how long what allowed a move to begin is taken to hold still; after `patience_s` of waiting it is called off. `withheld` is as `Moving` has it."""
        self._states = states
        self._outbox = outbox
        self._starts = starts
        self._readiness = readiness
        self._moving = moving
        self._later = later
        self._fresh_s = fresh_s
        self._patience_s = patience_s
        self._withheld = withheld
        self.until_s: float | None = None
        self._standing: dict[str, MoveState] = {}  # in phases in which a move may stand waiting

    def entered(self, state: MoveState) -> None:
        """Keep the moves that may have to be carried on."""
        if state.phase in (Phase.DRAINING, Phase.JUDGING, Phase.CLIMBING):
            self._standing[state.host] = state
        else:
            self._standing.pop(state.host, None)

    def carry_on(self, *, starting: bool, closed: Callable[[], bool]) -> None:
        """On to the next act, or back if the run has been halted or stopped (not `starting`); while it is `closed`: wait."""
        self.until_s = None
        for host in sorted(self._standing):
            state = self._states[host]
            flag = self._withheld(state)
            if state.phase is Phase.CLIMBING:
                if (flag is not None or not starting) and state.acted_s is None:
                    self._moving.ladder.judge_again(state)
                    self._moving.call_off(state)
                    continue
                if flag is not None:
                    self.tell_hold(state, flag)
                self._moving.ladder.climb(state)
                self._look_by(self._later.until_s(state))
            elif not starting or flag is not None:
                if state.phase is Phase.JUDGING or (state.phase is Phase.DRAINING and state.approval is not None):
                    self._moving.call_off(state)
            elif state.phase is Phase.JUDGING and not closed():
                self._judge(state)

    def _look_by(self, at_s: float | None) -> None:
        self.until_s = min((one for one in (at_s, self.until_s) if one is not None), default=None)

    def tell_hold(self, state: MoveState, hold: Hold) -> None:
        """Tell what holds a move, where it is not what was told last."""
        tell_hold(self._outbox, state, hold)

    def _judge(self, state: MoveState) -> None:
        """Is what allowed the move known to hold still?"""
        now_s = self._outbox.now_s
        fresh = now_s - state.judged_s <= self._fresh_s
        hold = self._starts.hold_begun(state) if fresh else self._starts.hold_acting(state)
        if hold is None:
            state.held_since_s = None
            self._moving.sign(state, Sign.ALLOWED)
            return
        if state.held_since_s is None:
            state.held_since_s = now_s
        given_up_s = state.held_since_s + self._patience_s
        if hold.waits != "asking":
            self.tell_hold(state, hold)
            if now_s >= given_up_s:
                self._moving.call_off(state)
                return
        looks = (self._readiness.next_look_s(self._starts.wanted(state)), given_up_s, hold.until_s, self.until_s)
        self.until_s = min((at_s for at_s in looks if at_s is not None and at_s > now_s), default=None)
