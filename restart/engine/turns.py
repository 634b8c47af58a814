"""Whose turn it is: lets moves begin in the plan's order, parks those that are held, and judges where nothing can begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from restart.engine.holding import is_told
from restart.engine.outbox import Outbox
from restart.engine.parking import Hold, Parking
from restart.engine.slots import Slots
from restart.engine.starts import Starts
from restart.engine.state import MoveState

ASKING_AT_ONCE_MAX = 50
"""Moves whose readiness is being asked before further candidates are looked at: no burst of questions without need."""

TOLD_MAX = 20
"""So many of the first moves that wait are told of, with what holds them."""


class Turns:
    """Walks over the waiting moves that something may have let go. `until`: how far, as an index of the plan; -1: it did not."""

    def __init__(
        self,
        states: Mapping[str, MoveState],
        outbox: Outbox,
        *,
        parking: Parking,
        starts: Starts,
        slots: Slots,
        begin: Callable[[MoveState], None],
        tell: Callable[[MoveState, Hold], None],
    ) -> None:
        """`begin` begins a move, `tell` tells what holds one."""
        self._states = states
        self._outbox = outbox
        self._parking = parking
        self._starts = starts
        self._slots = slots
        self._begin = begin
        self._tell = tell
        self._told = (-1, -1)
        self._looked_at: set[str] = set()  # in this walk, and held
        self.until = -1

    def walk(self, until: int) -> None:
        """Let begin what may, up to the index `until` of the plan."""
        parking = self._parking
        parking.wake_due(self._outbox.now_s)
        self._looked_at.clear()
        sure = self._wake_all(until)
        self.until = self._walk(until)
        if not sure and self._wake_all(until):
            self.until = self._walk(until)
        if self._told != (parking.changes, self.until):
            self._told = (parking.changes, self.until)
            for host, hold in parking.holds(self.until, TOLD_MAX):
                if _worth_telling(hold):
                    self._tell_hold(self._states[host], hold)

    def rest(self) -> None:
        """Nothing may begin at this event."""
        self.until = -1

    def holds(self) -> list[tuple[MoveState, Hold]]:
        """What holds each of the moves that the last walk reached."""
        return [(self._states[host], hold) for host, hold in self._parking.holds(self.until)]

    def wait_for(self, *waits: str) -> Iterator[Hold]:
        """The holds of this kind, each once, of the moves that the last walk reached."""
        return (hold for kind in waits for hold in self._parking.waiting_for(kind, self.until))

    def wait_for_gate(self, service: str) -> bool:
        """Whether one of the moves that the last walk reached waits for the gate of `service`."""
        return self._parking.any_waits_for(service, self.until)

    def changed(self) -> tuple[int, int]:
        """Differs from what it was where the holds do."""
        return self._parking.changes, self.until

    def _tell_hold(self, state: MoveState, hold: Hold) -> None:
        """Tell what holds a move, unless meanwhile it is held by something that comes first and is not worth telling."""
        if not is_told(self._outbox, state, hold):
            if state.host not in self._looked_at:
                hold = self._starts.hold_early(state) or hold
            if _worth_telling(hold):
                self._tell(state, hold)

    def _wake_all(self, until: int) -> bool:
        """With nothing in flight and no answer to come, every move is looked at, because the end may follow from what holds them."""
        if self._starts.in_flight or self._parking.asking(until):
            return False
        self._parking.wake_all(until)
        return True

    def _walk(self, until: int) -> int:
        """Look at what is awake, up to the index `until` or where a limit of the whole fleet is used up; how far that was."""
        parking, last = self._parking, -1
        parking.begin()
        while True:
            if self._slots.fleet_full():
                index = parking.first(last)
                if index is None or index > until:
                    return until
                parking.skip_to(index)
                if self._held_early(parking.hold(index)) or not self._look(index):
                    return index
                last = index
                continue
            asking = parking.asking_until(ASKING_AT_ONCE_MAX)
            bound = until if asking is None else min(until, asking)
            index = parking.take(bound)
            if index is None:
                return bound
            if self._look(index):
                last = index

    def _look(self, index: int) -> bool:
        """Whether the move at `index` begins."""
        state = self._states[self._parking.host(index)]
        self._parking.looked_at += 1
        hold = self._starts.hold(state)
        if hold is None:
            self._begin(state)
            return True
        self._looked_at.add(state.host)
        self._parking.park(index, hold)
        return False

    @staticmethod
    def _held_early(hold: Hold | None) -> bool:
        """Held by what comes before any question: it asks nothing, however often it is looked at."""
        return hold is not None and (hold.waits in ("slot", "pace", "flag", "window") or hold.rule == "contain")


def _worth_telling(hold: Hold) -> bool:
    return hold.lasting or hold.waits in ("ready", "gate", "order", "flag", "window", "returning", "store")


def first_of(holds: Iterable[tuple[MoveState, Hold]], waits: str) -> tuple[MoveState, Hold] | None:
    """The first that waits for this."""
    return next((found for found in holds if found[1].waits == waits), None)
