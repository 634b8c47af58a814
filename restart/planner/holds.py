"""Holds: what a move occupies while it runs, and for how long. Limits in flight and rates, as timing needs them."""

from __future__ import annotations

from collections.abc import Mapping

from restart.model.inventory import Inventory, Limit
from restart.planner.guards import Guards
from restart.rules.limits import SlotTable

Hold = tuple[int, int]
"""A slot's number, and after how many milliseconds from the move's start it is free again."""


def ms(seconds: float) -> int:
    """Whole milliseconds: predicted times add up exactly, whatever the order."""
    return round(seconds * 1000)


class HoldTable:
    """The holds of each host. Slots are numbered; `caps[slot]` moves may hold one at once and `names[slot]` says it to people."""

    def __init__(
        self,
        inventory: Inventory,
        guards: Guards,
        services_of: Mapping[str, tuple[str, ...]],
        durations_s: Mapping[str, float],
        booted_s: Mapping[str, float],
    ) -> None:
        self._inventory = inventory
        self._guards = guards
        self._services_of = services_of
        self._durations_s = durations_s
        self._booted_s = booted_s
        self._slots = SlotTable(inventory)
        self._rates = tuple(limit for limit in inventory.limits.values() if limit.max_rate is not None)
        self._rated = {limit.name: frozenset(limit.hosts or ()) for limit in self._rates}
        capped = [limit for limit in inventory.limits.values() if limit.max_in_flight is not None]
        self._patterns = [frozenset(limit.hosts) for limit in (*capped, *self._rates) if limit.hosts is not None]
        self._labels = sorted({limit.per for limit in (*capped, *self._rates) if limit.per is not None})
        self._numbers: dict[tuple[str, str], int] = {}
        self.caps: list[int] = []
        self.names: list[str] = []
        self._known: dict[tuple[object, ...], list[tuple[int, str, float | None, str]]] = {}

    def holds(self, host: str) -> list[Hold]:
        """What the move of `host` holds."""
        whole_s = self._durations_s[host]
        found = []
        for slot, until, held_s, provider in self._terms(host):
            if held_s is not None:
                after_s = held_s
            elif until == "booted":
                after_s = self._booted_s[host]
            elif until == "gate":
                services = self._services_of[host]
                after_s = whole_s + self._guards.own_s((*services, provider) if provider else services)
            else:
                after_s = whole_s
            found.append((slot, ms(after_s)))
        return found

    def _terms(self, host: str) -> list[tuple[int, str, float | None, str]]:
        """Slot, what frees it, after how many seconds where the clock does, and whose admission it is. Alike hosts share them."""
        labels = self._inventory.hosts[host].labels
        likeness = (
            self._services_of[host],
            tuple(labels.get(label) for label in self._labels),
            tuple(host in pattern for pattern in self._patterns),
        )
        if likeness not in self._known:
            terms: list[tuple[int, str, float | None, str]] = []
            for slot in self._slots.slots(self._inventory.hosts[host], self._services_of[host]):
                until, held_s = self._slots.held_until[slot.limit]
                provider = slot.limit.split(".")[1] if slot.limit.startswith("services.") else ""
                terms.append((self._number(slot.limit, slot.value, self._slots.cap(slot)), until, held_s, provider))
            for limit in self._rates:
                value = self._rate_value(limit, host)
                if value is not None:
                    slot_number = self._number(f"limits.{limit.name} rate", value, limit.max_rate or 0)
                    terms.append((slot_number, "", limit.max_rate_per_s or 0.0, ""))
            self._known[likeness] = terms
        return self._known[likeness]

    def _rate_value(self, limit: Limit, host: str) -> str | None:
        if limit.hosts is not None and host not in self._rated[limit.name]:
            return None
        return "" if limit.per is None else self._inventory.hosts[host].labels.get(limit.per)

    def _number(self, limit: str, value: str, cap: int) -> int:
        key = (limit, value)
        if key not in self._numbers:
            self._numbers[key] = len(self.caps)
            self.caps.append(cap)
            self.names.append(f"{limit} {value}" if value else limit)
        return self._numbers[key]
