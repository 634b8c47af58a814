"""Limits that no pace can keep: shared servers that would time out, capacities that are drawn already, hosts that use too much."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from restart.errors import Refusal
from restart.model.inventory import Limit
from restart.planner.scope import Scope
from restart.rules.durations import spoken
from restart.rules.limits import EPSILON, Slot, SlotTable, Take, bearable_s, clients_max, fits, transfer_s, usable
from restart.rules.named import limit_rule


def overdrawn(scope: Scope, *, off: frozenset[str] = frozenset()) -> tuple[Refusal, ...]:
    """One refusal for each limit, or value of its label, that moves of the plan fall under and that cannot be kept; `off`: hosts that are."""
    inventory = scope.inventory
    written = inventory.limits.values()
    if not any(limit.shared or limit.capacity is not None for limit in written) and not any(
        host.uses for host in inventory.hosts.values()
    ):
        return ()
    table = SlotTable(inventory, scope.waived, off=off)
    hungriest: dict[Slot, tuple[Take, str]] = {}
    under: set[str] = set()
    for host in scope.moving:
        for take in table.takes(inventory.hosts[host], scope.services_of[host]):
            under.add(take.slot.limit)
            if take.slot not in hungriest or take.amount > hungriest[take.slot][0].amount:
                hungriest[take.slot] = (take, host)
    found = [refusal for limit in written if limit_rule(limit.name) in under for refusal in _timed_out(limit)]
    for slot, (take, host) in hungriest.items():
        # A cap of nothing has a refusal of its own.
        if table.cap(slot) and not fits(0, take.amount, table.cap(slot)):
            limit = inventory.limits[slot.limit.split(".")[1]]
            found.append(
                _drawn(table, limit, take, host, off) if limit.capacity is not None else _too_much(table, take, host)
            )
    return tuple(found)


def _timed_out(limit: Limit) -> Iterator[Refusal]:
    """Transfers that would come too near to the time-out, with as many at once as are written."""
    shared = limit.shared
    if shared is None:
        return
    clients = shared.at_once if limit.max_in_flight is None else limit.max_in_flight
    takes_s, most_s = transfer_s(shared, clients), bearable_s(shared, limit.headroom)
    if takes_s <= most_s + EPSILON:
        return
    bearable = clients_max(shared, limit.headroom)
    if bearable:
        way_out = (
            f"lower limits.{limit.name}.max_in_flight to {bearable} or less, or leave it out: "
            f"{shared.at_once} saturate the server, more gain nothing"
        )
    else:
        least_s = ceil(shared.work_s / (1 - limit.headroom)) if limit.headroom < 1 else 0
        way_out = f"raise limits.{limit.name}.shared.timeout to {spoken(least_s)} or more"
    if takes_s > shared.timeout_s + EPSILON:
        verdict = f"more than its time-out of {spoken(shared.timeout_s)}: none would ever end"
    elif takes_s > shared.timeout_s - EPSILON:
        verdict = (
            f"exactly its time-out: unsafe, no margin (at most {spoken(most_s)} with {limit.headroom:.0%} headroom)"
        )
    else:
        verdict = f"its time-out of {spoken(shared.timeout_s)} less {limit.headroom:.0%} headroom is {spoken(most_s)}"
    what = (
        f"{limit.name}: {clients} at once make a transfer take {spoken(takes_s)} "
        f"(work {spoken(shared.work_s)} x {clients} / {shared.at_once}), {verdict}"
    )
    yield Refusal(rule=limit_rule(limit.name), what=what, way_out=way_out)


def _drawn(table: SlotTable, limit: Limit, take: Take, host: str, off: frozenset[str]) -> Refusal:
    """A start that no pace leaves room for, because everything else is up and draws too."""
    unit = limit.unit or "units"
    up, _ = table.up(take.slot)
    running = limit.running or 0.0
    up, starting = (up, take.amount) if host in off else (up - 1, take.amount + running)
    others = up * running
    value = f" {limit.per} {take.slot.value}" if limit.per else ""
    what = (
        f"{limit.name}:{value} has {up} other hosts up, drawing {others:g} {unit}, while {host} starts and draws {starting:g}: "
        f"{others + starting:g} {unit}, at most {usable(limit):g} may be ({limit.capacity:g} less {limit.headroom:.0%} headroom)"
    )
    if others + running > usable(limit) + EPSILON:
        way_out = f"raise limits.{limit.name}.capacity: what runs there already draws {others + running:g} {unit}"
    else:
        way_out = f"raise limits.{limit.name}.capacity, or shut hosts down there before"
    return Refusal(rule=take.slot.limit, what=what, way_out=way_out)


def _most(limit: Limit) -> float:
    return (limit.capacity or 0.0) * (1 - limit.headroom)


def _too_much(table: SlotTable, take: Take, host: str) -> Refusal:
    name = take.slot.limit.split(".")[1]
    what = f"{name}: {host} uses {take.amount:g}, {table.told(take.slot)}: it could never start"
    return Refusal(
        rule=take.slot.limit, what=what, way_out=f"lower hosts.{host}.uses.{name}, or raise what limits.{name} allows"
    )
