"""Limits: which of them a host's move falls under, and how much of each it takes (design: rule 7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from restart.model.inventory import Host, Inventory, Limit

DEFAULT_IN_FLIGHT = 10
"""Moves in flight at once where no fleet-wide limit is written."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Slot:
    """A place under one limit: its name as `--override` takes it, and the label's value or consumer's provider it is for."""

    limit: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.limit} {self.value}" if self.value else self.limit


def limits(inventory: Inventory) -> tuple[Limit, ...]:
    """The limits in force: those written, and the default one where none caps moves in flight fleet-wide."""
    written = tuple(inventory.limits.values())
    if any(limit.per is None and limit.hosts is None and limit.max_in_flight is not None for limit in written):
        return written
    name = "fleet" if "fleet" not in inventory.limits else "default"
    return (*written, Limit(name=name, max_in_flight=DEFAULT_IN_FLIGHT))


class SlotTable:
    """Which slots each host's move takes, and how many of each there are. Built once per plan.

    Limits in flight are named `limits.NAME`, a service's admission `services.NAME.admission`.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._in_flight = tuple(limit for limit in limits(inventory) if limit.max_in_flight is not None)
        self._members = {limit.name: frozenset(limit.hosts) for limit in self._in_flight if limit.hosts is not None}
        self.held_until = {f"limits.{limit.name}": (limit.held_until, limit.held_s) for limit in self._in_flight}
        self._cap = {f"limits.{limit.name}": limit.max_in_flight or 0 for limit in self._in_flight}
        self._admitting: dict[str, list[str]] = {}
        self._known: dict[tuple[str, str], Slot] = {}
        self._known_admissions: dict[tuple[str, ...], tuple[Slot, ...]] = {}
        for provider in inventory.services.values():
            if provider.admission is not None:
                key = f"services.{provider.name}.admission"
                self._cap[key] = provider.admission
                self.held_until[key] = (provider.admission_held_until, None)
        for consumer in inventory.services.values():
            for edge in consumer.depends_on:
                if inventory.services[edge.provider].admission is not None:
                    self._admitting.setdefault(consumer.name, []).append(f"services.{edge.provider}.admission")

    def cap(self, slot: Slot) -> int:
        """How many moves may hold `slot` at once."""
        return self._cap[slot.limit]

    def slots(self, host: Host, services: Iterable[str]) -> tuple[Slot, ...]:
        """Every slot that the move of `host`, a member of `services`, must hold."""
        taken = []
        for limit in self._in_flight:
            if limit.name in self._members and host.name not in self._members[limit.name]:
                continue
            value = "" if limit.per is None else host.labels.get(limit.per)
            if value is not None:
                key = (limit.name, value)
                if key not in self._known:
                    self._known[key] = Slot(limit=f"limits.{limit.name}", value=value)
                taken.append(self._known[key])
        carried = tuple(services)
        if carried not in self._known_admissions:
            admitting = {key for service in carried for key in self._admitting.get(service, ())}
            self._known_admissions[carried] = tuple(Slot(limit=key) for key in sorted(admitting))
        return (*taken, *self._known_admissions[carried])


class DomainTable:
    """For each `max_domains` limit, the domain of each host. Domains count those touched or down in one wave."""

    def __init__(self, inventory: Inventory) -> None:
        self.limits = tuple(limit for limit in limits(inventory) if limit.max_domains is not None)
        self._members = {limit.name: frozenset(limit.hosts) for limit in self.limits if limit.hosts is not None}

    def domains(self, host: Host) -> tuple[Slot, ...]:
        """`limits.NAME` and the label's value, for each `max_domains` limit that holds for `host`."""
        found = []
        for limit in self.limits:
            if limit.name in self._members and host.name not in self._members[limit.name]:
                continue
            value = host.name if limit.per is None else host.labels.get(limit.per)
            if value is not None:
                found.append(Slot(limit=f"limits.{limit.name}", value=value))
        return tuple(found)

    def cap(self, slot: Slot) -> int:
        """How many domains of the slot's limit may be touched in one wave."""
        return next(limit.max_domains or 0 for limit in self.limits if f"limits.{limit.name}" == slot.limit)
