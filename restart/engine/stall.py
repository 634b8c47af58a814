"""Moves that cannot begin: when to look again, and not waiting for ever."""

from __future__ import annotations

from itertools import islice

from restart.engine.outbox import Outbox
from restart.engine.parking import Hold
from restart.engine.readiness import Readiness
from restart.engine.starts import Starts
from restart.engine.state import MoveState
from restart.engine.turns import Turns, first_of

STALL_S = 300.0
"""With nothing in flight, a hold on readiness that lasts this long halts the run by name instead of waiting for ever."""

LOOKED_AT_MAX = 50


class Stall:
    """How long nothing could begin: the time under holds on readiness, added up until something begins.

    What a gate or a settling takes in between does not count, and does not begin the count anew either: two holds that take turns
    would hold a run for ever.
    """

    def __init__(self, outbox: Outbox, starts: Starts, readiness: Readiness, turns: Turns) -> None:
        self._outbox = outbox
        self._starts = starts
        self._readiness = readiness
        self._turns = turns
        self._since_s: float | None = None
        self._spent_s = 0.0

    def over(self) -> None:
        """Something began, or nothing may begin for another reason: the time of the stall does not count."""
        self._since_s, self._spent_s = None, 0.0

    def judge(self) -> tuple[MoveState, Hold, str] | None:
        """The move, what holds it, and the reason to halt for, where nothing could begin for `STALL_S`."""
        now_s = self._outbox.now_s
        if self._starts.in_flight:
            self.over()
        elif not any(True for _ in self._turns.wait_for("ready", "asking")):
            self._spent_s += 0.0 if self._since_s is None else now_s - self._since_s
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s
        elif self._spent_s + now_s - self._since_s >= STALL_S:
            blocked = first_of(self._turns.holds(), "ready")
            if blocked is not None:
                state, hold = blocked
                return state, hold, f"{state.host} could not begin for {STALL_S:g}s: {hold.why}"
        return None

    def times_s(self, before_s: float) -> list[float | None]:
        """When, in run seconds, it wants to hear of the time; what is no sooner than `before_s` may be left out."""
        look_s = None
        if self._readiness.first_s() < before_s:
            blocked = islice(self._turns.wait_for("ready"), LOOKED_AT_MAX)
            look_s = self._readiness.next_look_s(dict.fromkeys(name for hold in blocked for name in hold.services))
        return [look_s, None if self._since_s is None else self._since_s + STALL_S - self._spent_s]
