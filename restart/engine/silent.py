"""Hosts that are silent when their turn comes: their moves step back and try again, a bounded number of times, before they are given up."""

from __future__ import annotations

from collections.abc import Callable

from restart.engine.parking import Hold
from restart.engine.state import MoveState

TRIES_MAX = 5
"""After so many claims without an answer a host is given up."""

AGAIN_S = 60.0
"""So long after an unanswered claim its move may begin again; five tries bear with a host that boots by itself for four minutes."""


class Silent:
    """Who did not answer the claim that begins a move, how often, and until when it is left in peace."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._tries: dict[str, int] = {}
        self._until: dict[str, tuple[float, str]] = {}

    def again(self, host: str, why: str) -> bool:
        """The host did not answer, and `why`; whether it is to be tried again later."""
        tries = self._tries[host] = self._tries.get(host, 0) + 1
        if tries >= TRIES_MAX:
            self.forget(host)
            return False
        self._until[host] = (self._now_s() + AGAIN_S, why)
        return True

    def forget(self, host: str) -> None:
        """The host has answered, or is given up."""
        self._tries.pop(host, None)
        self._until.pop(host, None)

    def hold(self, state: MoveState) -> Hold | None:
        """Why the move does not begin again yet."""
        until_s, said = self._until.get(state.host, (0.0, ""))
        if self._now_s() >= until_s:
            return None
        why = f"{state.host} did not answer ({said}), {self._tries[state.host]} of {TRIES_MAX} tries; it is tried again"
        return Hold(rule="silent", why=why, waits="ready", queue=("silent", state.host), until_s=until_s)
