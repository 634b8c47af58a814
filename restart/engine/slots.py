"""Slots: what the moves hold of the limits, from their first act until evidence, the clock or an operator frees them."""

from __future__ import annotations

from collections.abc import Mapping

from restart.model.inventory import Inventory
from restart.rules.limits import DomainTable, Slot, SlotTable, limits


class Slots:
    """The slots held by each host's move. A failed move keeps its own (design: section 2)."""

    def __init__(self, inventory: Inventory, services_of: Mapping[str, tuple[str, ...]]) -> None:
        self._hosts = inventory.hosts
        self._services_of = services_of
        self._table = SlotTable(inventory)
        self._domains = DomainTable(inventory)
        self._fleet_wide = tuple(
            Slot(limit=f"limits.{limit.name}")
            for limit in limits(inventory)
            if limit.max_in_flight is not None and limit.per is None and limit.hosts is None
        )
        self._held: dict[Slot, dict[str, float | None]] = {}  # slot -> host -> run seconds when the clock frees it
        self._touched: dict[str, dict[str, set[str]]] = {}  # limit -> domain -> hosts in flight or failed there

    def full(self, host: str) -> str | None:
        """Why the move of `host` may not begin: the limit, its numbers and who holds it; None: there is room."""
        for slot in self._table.slots(self._hosts[host], self._services_of[host]):
            held = self._held.get(slot, {})
            if host not in held and len(held) >= self._table.cap(slot):
                return f"{slot}: {len(held)} of {self._table.cap(slot)} held by {_names(held)}"
        for slot in self._domains.domains(self._hosts[host]):
            touched = self._touched.get(slot.limit, {})
            others = [value for value in touched if value != slot.value]
            if len(others) >= self._domains.cap(slot):
                return f"{slot.limit}: {', '.join(sorted(others))} touched, at most {self._domains.cap(slot)} at once"
        return None

    def lacking(self, host: str) -> bool:
        """Whether the move of `host` has given up slots that it needs for another act."""
        return any(
            host not in self._held.get(slot, {})
            for slot in self._table.slots(self._hosts[host], self._services_of[host])
        )

    def holders(self, host: str) -> frozenset[str]:
        """The hosts whose moves hold the slots, or touch the domains, that stand in the way of `host`."""
        found: set[str] = set()
        for slot in self._table.slots(self._hosts[host], self._services_of[host]):
            held = self._held.get(slot, {})
            if host not in held and len(held) >= self._table.cap(slot):
                found.update(held)
        for slot in self._domains.domains(self._hosts[host]):
            others = {name: held for name, held in self._touched.get(slot.limit, {}).items() if name != slot.value}
            if len(others) >= self._domains.cap(slot):
                found.update(*others.values())
        return frozenset(found)

    def fleet_full(self) -> bool:
        """A fleet-wide limit is used up: no further candidate needs to be looked at."""
        return any(len(self._held.get(slot, ())) >= self._table.cap(slot) for slot in self._fleet_wide)

    def holding(self, host: str) -> bool:
        """Whether the move of `host` holds any slot still."""
        return any(host in held for held in self._held.values())

    def take(self, host: str, now_s: float) -> None:
        """The move of `host` begins. A later rung of its ladder takes its slots anew by taking again."""
        for slot in self._table.slots(self._hosts[host], self._services_of[host]):
            _, held_s = self._table.held_until[slot.limit]
            self._held.setdefault(slot, {})[host] = None if held_s is None else now_s + held_s
        for slot in self._domains.domains(self._hosts[host]):
            self._touched.setdefault(slot.limit, {}).setdefault(slot.value, set()).add(host)

    def free(self, host: str, reached: str) -> None:
        """The move of `host` has `reached` `booted`, `ready` or `gate` (each implies those before it), or `all` of them."""
        order = ("booted", "ready", "gate", "all")
        for slot in self._table.slots(self._hosts[host], self._services_of[host]):
            until, held_s = self._table.held_until[slot.limit]
            if reached == "all" or (held_s is None and order.index(until) <= order.index(reached)):
                self._held.get(slot, {}).pop(host, None)
        if reached in ("ready", "gate", "all"):
            for slot in self._domains.domains(self._hosts[host]):
                domains = self._touched.get(slot.limit, {})
                domains.get(slot.value, set()).discard(host)
                if not domains.get(slot.value, True):
                    del domains[slot.value]

    def expire(self, now_s: float) -> None:
        """Free what the engine's clock frees."""
        for held in self._held.values():
            for host in [host for host, until_s in held.items() if until_s is not None and until_s <= now_s]:
                del held[host]

    def next_expiry_s(self) -> float | None:
        """When, in run seconds, the clock next frees a slot."""
        return min((at_s for held in self._held.values() for at_s in held.values() if at_s is not None), default=None)


def _names(hosts: Mapping[str, object]) -> str:
    names = sorted(hosts)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
