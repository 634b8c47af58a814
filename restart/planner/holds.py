"""Holds: what a move occupies of the limits while it runs, and from when until when, as timing needs them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from math import inf
from typing import NamedTuple

from restart.model.inventory import Inventory
from restart.planner.guards import Guards
from restart.rules.limits import EPSILON, Slot, SlotTable, Term
from restart.rules.named import admission_rule
from restart.rules.waived import NOTHING_WAIVED, Waived


class Hold(NamedTuple):
    """An amount of a slot (its number), from and until so many milliseconds after the move's start; `keeps` of it is never free again."""

    slot: int
    amount: float
    from_ms: int
    until_ms: int
    keeps: float = 0


def ms(seconds: float) -> int:
    """Whole milliseconds: predicted times add up exactly, whatever the order."""
    return round(seconds * 1000)


class HoldTable:
    """The holds of each host. Slots are numbered; `caps[slot]` may be held at once and `slots[slot]` is the slot itself."""

    def __init__(
        self,
        inventory: Inventory,
        guards: Guards,
        services_of: Mapping[str, tuple[str, ...]],
        durations_s: Mapping[str, float],
        booted_s: Mapping[str, float],
        *,
        waived: Waived = NOTHING_WAIVED,
        proved: bool = False,
        off: frozenset[str] = frozenset(),
    ) -> None:
        """`proved`: as a run holds the places of shared servers, until the end of a transfer is proved, not predicted; `off`: as `SlotTable` has it."""
        self._given = (inventory, guards, services_of, durations_s, booted_s)
        self._off = off
        self._waived = waived
        self._proved = proved
        self._inventory = inventory
        self._guards = guards
        self._services_of = services_of
        self._durations_s = durations_s
        self._booted_s = booted_s
        self.table = SlotTable(inventory, waived, off=off)
        self._numbers: dict[Slot, int] = {}
        self._spans: dict[tuple[str, tuple[str, ...], float, float], tuple[int, int]] = {}
        self._now: dict[str, tuple[Hold, ...]] = {}
        self._later: dict[str, tuple[Hold, ...]] = {}
        self.caps: list[float] = []
        self.slots: list[Slot] = []
        self.any_later = not proved and any(term.held_from == "booted" for term in self.table.terms.values())
        """Whether some limit is held only from when the host has booted."""

    def holds(self, host: str) -> tuple[Hold, ...]:
        """What the move of `host` holds from its start."""
        if host not in self._now:
            self._find(host)
        return self._now[host]

    def later(self, host: str) -> tuple[Hold, ...]:
        """What the move of `host` holds only from when its host has booted."""
        if not self.any_later:
            return ()
        if host not in self._later:
            self._find(host)
        return self._later[host]

    def without(self, limit: str) -> HoldTable:
        """The same holds with no cap on the slots of `limit`, of which every host's holds were looked up already."""
        relaxed = copy(self)
        relaxed.caps = [
            inf if slot.limit == limit else cap for slot, cap in zip(self.slots, self.caps, strict=True)
        ]  # fmt: skip
        return relaxed

    def under(self, guards: Guards, waived: Waived) -> HoldTable:
        """The holds of the same hosts under other rules."""
        inventory, _, services_of, durations_s, booted_s = self._given
        return HoldTable(inventory, guards, services_of, durations_s, booted_s, waived=waived, off=self._off)

    def proved(self) -> HoldTable:
        """The same, as a run holds what a prediction frees sooner."""
        return HoldTable(*self._given, waived=self._waived, proved=True, off=self._off)

    def cap(self, slot: int) -> float:
        """How much of the slot may be held at once."""
        return self.table.cap(self.slots[slot])

    def name(self, slot: int) -> str:
        """`limit.rack r1 (at most 2 at once)`."""
        return f"{self.slots[slot]} ({self.table.told(self.slots[slot])})"

    def booted_s(self, host: str) -> float:
        """After how many seconds `host` is predicted to have booted."""
        return self._booted_s[host]

    def _find(self, host: str) -> None:
        now: list[Hold] = []
        later: list[Hold] = []
        services, whole_s, booted_s = self._services_of[host], self._durations_s[host], self._booted_s[host]
        for take in self.table.takes(self._inventory.hosts[host], services):
            slot = take.slot
            # Most hosts are alike in this; gates and admissions alone depend on the services.
            likeness = (slot.limit, services, whole_s, booted_s)
            if likeness not in self._spans:
                self._spans[likeness] = self._span(host, slot)
            from_ms, until_ms = self._spans[likeness]
            number = self._numbers.get(slot)
            if number is None:
                number = self._number(slot)
            (later if from_ms else now).append(Hold(number, take.amount, from_ms, until_ms, take.keeps))
        self._now[host] = tuple(now)
        if self.any_later:
            self._later[host] = tuple(later)

    def _span(self, host: str, slot: Slot) -> tuple[int, int]:
        """From and until how many milliseconds after its start the move of `host` holds `slot`."""
        term = self.table.terms[slot.limit]
        from_s = self._booted_s[host] if term.held_from == "booted" else 0.0
        until_s = self._until_s(host, slot, term, from_s)
        return (0 if self._proved else ms(from_s)), ms(until_s)

    def _until_s(self, host: str, slot: Slot, term: Term, from_s: float) -> float:
        """How many seconds after the move's start its slot is predicted to be free again."""
        whole_s = self._durations_s[host]
        if term.planned_s is not None and not self._proved:
            return from_s + term.planned_s
        if term.clock_s is not None:
            return (self._booted_s[host] if term.clock_from == "booted" else 0.0) + term.clock_s
        if term.until == "booted":
            return self._booted_s[host]
        if term.until == "gate":
            return whole_s + self._guards.own_s((*self._services_of[host], *_admitting(slot)))
        return whole_s

    def _number(self, slot: Slot) -> int:
        number = self._numbers[slot] = len(self.caps)
        self.caps.append(self.table.cap(slot) + EPSILON)
        self.slots.append(slot)
        return number


def _admitting(slot: Slot) -> tuple[str, ...]:
    """The provider whose admission `slot` is, if it is one: its gate frees it."""
    if slot.limit.startswith(admission_rule("")):
        return (slot.limit.removeprefix(admission_rule("")),)
    return ()
