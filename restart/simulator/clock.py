"""The virtual clock and what is to happen when. Time is whole microseconds, so that sums of seconds stay exact."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import IntEnum

Act = Callable[[], None]


class Rank(IntEnum):
    """What goes first of two things at the same instant. A time-out strikes only when later than its figure, hence last."""

    PHYSICS = 0
    SETTLE = 1
    ARRIVAL = 2
    TIMEOUT = 3
    REPLY = 4


class Entry:
    """One thing to come; `cancel` takes it back."""

    __slots__ = ("act",)

    def __init__(self, act: Act) -> None:
        self.act: Act | None = act

    def cancel(self) -> None:
        """It will not happen."""
        self.act = None


class Agenda:
    """What is to happen, in the order of time, rank and arrival. `now_us` counts microseconds since the run's start."""

    def __init__(self) -> None:
        self.now_us = 0
        self._heap: list[tuple[int, int, int, Entry]] = []
        self._count = 0

    @property
    def now_s(self) -> float:
        """The time in seconds."""
        return self.now_us / 1_000_000

    def at(self, at_us: int, act: Act, rank: Rank = Rank.PHYSICS) -> Entry:
        """Do `act` at `at_us`, or at once where that is past."""
        entry = Entry(act)
        self._count += 1
        heapq.heappush(self._heap, (at_us if at_us > self.now_us else self.now_us, int(rank), self._count, entry))
        return entry

    def after(self, delay_s: float, act: Act, rank: Rank = Rank.PHYSICS) -> Entry:
        """Do `act` in `delay_s` seconds."""
        return self.at(self.now_us + micros(delay_s), act, rank)

    def next_us(self) -> int | None:
        """When the next thing happens; None: nothing is to come."""
        while self._heap and self._heap[0][3].act is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def step(self) -> bool:
        """Let the next thing happen; False where nothing is to come."""
        while self._heap:
            at_us, _, _, entry = heapq.heappop(self._heap)
            act, entry.act = entry.act, None
            if act is not None:
                self.now_us = at_us
                act()
                return True
        return False


def micros(duration_s: float) -> int:
    """Seconds as whole microseconds."""
    return round(duration_s * 1_000_000)


def not_before(at_s: float) -> int:
    """The first microsecond that, told in seconds, is not before `at_s`."""
    at_us = round(at_s * 1_000_000)
    return at_us if at_us / 1_000_000 >= at_s else at_us + 1
