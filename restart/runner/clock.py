"""Watches the wall clock while a run goes on: where it is stepped, the run is told, because its maintenance windows go by it."""

from __future__ import annotations

import time
from collections.abc import Callable

from restart.model.event import Word

STEP_S = 30.0
"""A clock that gains or loses less than this against the run's own is nudged, not stepped."""


class ClockWords:
    """The word `clock` for each step of the wall clock since the last call."""

    def __init__(self, run_s: Callable[[], float], wall_s: Callable[[], float] = time.time) -> None:
        """`run_s` is the run's clock, which nobody steps; `wall_s` seconds since 1970."""
        self._run_s = run_s
        self._wall_s = wall_s
        self._offset_s = wall_s() - run_s()

    def __call__(self) -> tuple[Word, ...]:
        wall_s = self._wall_s()
        offset_s = wall_s - self._run_s()
        if abs(offset_s - self._offset_s) < STEP_S:
            return ()
        self._offset_s = offset_s
        said = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_s))
        return (Word(at_s=0.0, word="clock", by="clock", target=said),)
