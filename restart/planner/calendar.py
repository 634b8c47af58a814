"""The calendar of slots that moves take only when their hosts have booted: places are reserved ahead, when the move starts."""

from __future__ import annotations

from typing import NamedTuple

from restart.errors import must
from restart.planner.holds import Hold


class Reservation(NamedTuple):
    """An amount of a slot, from and until these milliseconds of the run, for the move of `host`."""

    from_ms: int
    until_ms: int
    amount: float
    host: str


class Calendar:
    """Reservations by the number of their slot."""

    def __init__(self) -> None:
        self._reserved: dict[int, list[Reservation]] = {}

    def reserve(self, hold: Hold, start_ms: int, host: str) -> None:
        """The move of `host` starts at `start_ms`."""
        kept = [each for each in self._reserved.get(hold.slot, ()) if each.until_ms > start_ms]
        kept.append(Reservation(start_ms + hold.from_ms, start_ms + hold.until_ms, hold.amount, host))
        self._reserved[hold.slot] = kept

    def free_at(self, hold: Hold, start_ms: int, cap: float) -> tuple[int, str] | None:
        """None: a move with `hold` may start at `start_ms`; else when at the earliest, and whose reservation ends then."""
        reserved = self._reserved.get(hold.slot, [])
        if self._fits(reserved, hold, start_ms, cap):
            return None
        # Room appears only where a reservation ends.
        for each in sorted(reserved, key=lambda each: each.until_ms):
            at_ms = each.until_ms - hold.from_ms
            if at_ms > start_ms and self._fits(reserved, hold, at_ms, cap):
                return at_ms, each.host
        must(False, "a slot that one move may take is free after the last reservation")
        return None

    @staticmethod
    def _fits(reserved: list[Reservation], hold: Hold, start_ms: int, cap: float) -> bool:
        from_ms, until_ms = start_ms + hold.from_ms, start_ms + hold.until_ms
        beside = [each for each in reserved if each.from_ms < until_ms and each.until_ms > from_ms]
        # The most is reached where one of them begins, or where this one does.
        begins = {from_ms, *(each.from_ms for each in beside if each.from_ms > from_ms)}
        return all(
            hold.amount + sum(each.amount for each in beside if each.from_ms <= at_ms < each.until_ms) <= cap
            for at_ms in begins
        )
