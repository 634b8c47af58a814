"""Moves that cannot begin: telling why, when to look again, and not waiting for ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from restart.engine.outbox import Outbox
from restart.engine.readiness import Readiness
from restart.engine.starts import Hold, Starts
from restart.engine.state import MoveState

STALL_S = 300.0
"""With nothing in flight, a hold on readiness that lasts this long halts the run by name instead of waiting for ever."""

TOLD_MAX, LOOKED_AT_MAX = 20, 50


class Stall:
    """How long nothing could begin. `blocked`: the services whose readiness the moves wait for."""

    def __init__(
        self, outbox: Outbox, starts: Starts, readiness: Readiness, tell: Callable[[MoveState, Hold], None]
    ) -> None:
        self.blocked: tuple[str, ...] = ()
        self._outbox = outbox
        self._starts = starts
        self._readiness = readiness
        self._tell = tell
        self._since_s: float | None = None

    def over(self) -> None:
        """Something began, or nothing may begin for another reason: the time of the stall does not count."""
        self._since_s = None

    def judge(self, holds: Sequence[tuple[MoveState, Hold]]) -> tuple[str, str] | None:
        """Tell what holds the moves. The rule and the reason to halt for, where nothing could begin for `STALL_S`."""
        for state, hold in holds[:TOLD_MAX]:
            if hold.waits in ("ready", "gate", "order") or hold.lasting:
                self._tell(state, hold)
        blocked = [(state, hold) for state, hold in holds if hold.waits == "ready"]
        looked_at = [state for state, _ in blocked[:LOOKED_AT_MAX]]
        self.blocked = tuple(dict.fromkeys(name for state in looked_at for name in self._starts.wanted(state)))
        now_s = self._outbox.now_s
        if self._starts.in_flight or not any(hold.waits in ("ready", "asking") for _, hold in holds):
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s
        elif blocked and now_s - self._since_s >= STALL_S:
            state, hold = blocked[0]
            return hold.rule, f"{state.host} could not begin for {STALL_S:g}s: {hold.why}"
        return None

    def times_s(self) -> list[float | None]:
        """When, in run seconds, it wants to hear of the time."""
        look_s = self._readiness.next_look_s(self.blocked) if self.blocked else None
        return [look_s, None if self._since_s is None else self._since_s + STALL_S]
