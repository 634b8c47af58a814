"""Holds: what a move occupies while it runs, and for how long. Limits in flight and rates, as timing needs them."""

from __future__ import annotations

from collections.abc import Mapping

from restart.model.inventory import Inventory, Limit
from restart.planner.guards import Guards
from restart.rules.limits import Slot, SlotTable

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
        self._numbers: dict[Slot, int] = {}
        self._found: dict[str, list[Hold]] = {}
        self.caps: list[int] = []
        self.names: list[str] = []

    def holds(self, host: str) -> list[Hold]:
        """What the move of `host` holds."""
        if host not in self._found:
            self._found[host] = self._of(host)
        return self._found[host]

    def _of(self, host: str) -> list[Hold]:
        whole_s, services = self._durations_s[host], self._services_of[host]
        found = []
        for slot in self._slots.slots(self._inventory.hosts[host], services):
            until, held_s = self._slots.held_until[slot.limit]
            if held_s is not None:
                after_s = held_s
            elif until == "booted":
                after_s = self._booted_s[host]
            elif until == "gate":
                after_s = whole_s + self._guards.own_s((*services, *_admitting(slot)))
            else:
                after_s = whole_s
            found.append((self._number(slot), ms(after_s)))
        for limit in self._rates:
            value = self._rate_value(limit, host)
            if value is not None:
                # A rate is a slot that every start holds for as long as the rate's span.
                slot = Slot(limit=f"limits.{limit.name} rate", value=value)
                found.append((self._number(slot, limit.max_rate), ms(limit.max_rate_per_s or 0.0)))
        return found

    def _rate_value(self, limit: Limit, host: str) -> str | None:
        if limit.hosts is not None and host not in self._rated[limit.name]:
            return None
        return "" if limit.per is None else self._inventory.hosts[host].labels.get(limit.per)

    def _number(self, slot: Slot, cap: int | None = None) -> int:
        number = self._numbers.get(slot)
        if number is None:
            number = self._numbers[slot] = len(self.caps)
            self.caps.append(self._slots.cap(slot) if cap is None else cap)
            self.names.append(str(slot))
        return number


def _admitting(slot: Slot) -> tuple[str, ...]:
    """The provider whose admission `slot` is, if it is one: its gate frees it."""
    if slot.limit.startswith("services."):
        return (slot.limit.removeprefix("services.").removesuffix(".admission"),)
    return ()
