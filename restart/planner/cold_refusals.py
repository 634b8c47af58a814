"""Refusals of a cold start: what no order and no patience can bring up (design: rules 4, 7 and 18)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from restart.errors import Refusal
from restart.model.check import Verdict
from restart.model.inventory import Inventory, Limit, Service
from restart.model.observation import Observation
from restart.planner import refusals
from restart.planner.graph import Order
from restart.planner.overdrawn import overdrawn
from restart.planner.powerless import powerless
from restart.planner.refusals import some
from restart.planner.scope import Scope
from restart.rules.breaks import at_boot
from restart.rules.groups import forms_with, opens_with, starts_together
from restart.rules.limits import EPSILON, Slot, SlotTable, usable
from restart.rules.named import requires_rule, stated_at


def cold_refusals(scope: Scope, observation: Observation | None) -> tuple[Refusal, ...]:
    """All that speaks against starting the hosts of `scope` from cold."""
    off = frozenset(scope.moving)
    return (
        *_cycles(scope.order, scope.inventory),
        *_providers(scope, observation),
        *refusals.limits(replace(scope, inventory=_without_domains(scope.inventory))),
        *overdrawn(scope, off=off),
        *_all_up(scope, off),
        *powerless(scope, "start"),
        *groups(scope, off, starts_together),
        *_two_seeds(scope),
    )


def _two_seeds(scope: Scope) -> Iterator[Refusal]:
    """Hosts of two services that each choose who starts first: one start cannot wait for two choices, which may contradict each other (design: rule 19)."""
    services = scope.inventory.services
    found: dict[tuple[str, ...], list[str]] = {}
    for host in scope.moving:
        seeded = tuple(name for name in scope.services_of[host] if services[name].seed is not None)
        if len(seeded) > 1:
            found.setdefault(seeded, []).append(host)
    for names, hosts in found.items():
        yield Refusal(
            rule="seed",
            what=f"{some(hosts)}: {some(names)} each choose by `seed` who starts first, and they share {'this host' if len(hosts) == 1 else 'these hosts'}",
            way_out="put them on hosts of their own, or write `seed` into one of them alone",
        )


def _without_domains(inventory: Inventory) -> Inventory:
    limits = {name: replace(limit, max_domains=None) for name, limit in inventory.limits.items()}
    return replace(inventory, limits=limits)


def _cycles(order: Order, inventory: Inventory) -> Iterator[Refusal]:
    """One for each cyclic group that no declared break opens, with one shortest path."""
    for cycle in order.cycles:
        consumer, provider = cycle[0], cycle[1 % len(cycle)]
        declared = any(edge.stand_in for name in cycle for edge in at_boot(inventory.services[name]))
        what = "from cold these services wait for each other: " + " -> ".join((*cycle, cycle[0]))
        way_out = (
            f"declare a stand-in on one of these edges, such as services.{consumer}.depends_on.{provider}.break: "
            "{with: COMMAND, undo: COMMAND}"
        )
        if declared:
            what += " (what is declared there does not open it)"
        yield Refusal(rule="cycle", what=what, way_out=way_out)


def _providers(scope: Scope, observation: Observation | None) -> Iterator[Refusal]:
    """Required providers of which too few members are ready or will be, whatever this plan does."""
    if observation is None:
        return
    services, moving = scope.inventory.services, set(scope.moving)
    for consumer, edges in scope.order.edges.items():
        if moving.isdisjoint(services[consumer].hosts):
            continue
        for edge in edges:
            provider = services[edge.provider]
            down = [
                host
                for host in provider.hosts
                if host not in moving
                and host in observation.hosts
                and observation.hosts[host].ready.get(provider.name, Verdict.PASS) is not Verdict.PASS
            ]
            ready, enough = len(provider.hosts) - len(down), opens_with(provider, edge.needs)
            if edge.kind == "requires" and ready < enough:
                what = (
                    f"{consumer} requires {provider.name}: {ready} of {len(provider.hosts)} members are ready or in the plan, "
                    f"{enough} must be ready"
                )
                yield Refusal(
                    rule=requires_rule(consumer, provider.name),
                    what=what,
                    way_out=f"repair {some(down)} first, or take {'it' if len(down) == 1 else 'them'} into the plan",
                )


def _all_up(scope: Scope, off: frozenset[str]) -> Iterator[Refusal]:
    """Capacities that do not bear all hosts running and the last one starting, so that it could never start."""
    inventory = scope.inventory
    table = SlotTable(inventory, scope.waived, off=off)
    keeps: dict[Slot, float] = {}
    peak: dict[Slot, float] = {}
    hosts: Counter[Slot] = Counter()
    for host in scope.moving:
        for take in table.takes(inventory.hosts[host], scope.services_of[host]):
            if take.keeps:
                hosts[take.slot] += 1
                keeps[take.slot] = keeps.get(take.slot, 0.0) + take.keeps
                peak[take.slot] = max(peak.get(take.slot, 0.0), take.amount - take.keeps)
    for slot, kept in keeps.items():
        # The last one to start must find its inrush beside all the others running; the hungriest may go first.
        least = min(peak[slot], _least_extra(scope, table, slot))
        if kept + least > table.cap(slot) + EPSILON and peak[slot] <= table.cap(slot) + EPSILON:
            limit = inventory.limits[slot.limit.split(".")[1]]
            yield _too_many(limit, slot, table, hosts[slot], kept + least)


def _least_extra(scope: Scope, table: SlotTable, slot: Slot) -> float:
    return min(
        take.amount - take.keeps
        for host in scope.moving
        for take in table.takes(scope.inventory.hosts[host], scope.services_of[host])
        if take.slot == slot
    )


def _too_many(limit: Limit, slot: Slot, table: SlotTable, count: int, drawn: float) -> Refusal:
    up, outside = table.up(slot)
    value = f" {limit.per} {slot.value}" if limit.per else ""
    unit = limit.unit or "units"
    what = (
        f"{limit.name}:{value} the last of {count} hosts could never start: with it they draw {drawn + outside:g} {unit}"
        f"{f' with the {up} that are up' if up else ''}, at most {usable(limit):g} may be "
        f"({limit.capacity:g} less {limit.headroom:.0%} headroom)"
    )
    return Refusal(rule=slot.limit, what=what, way_out=f"raise limits.{limit.name}.capacity, or start fewer hosts")


def groups(scope: Scope, off: frozenset[str], together: Callable[[Service], bool]) -> Iterator[Refusal]:
    """Groups whose members must be up `together`, and limits that never let so many be (design: rule 4). `off`: hosts that draw nothing yet."""
    moving = frozenset(scope.moving)
    table = SlotTable(scope.inventory, scope.waived, off=off)
    for service in scope.inventory.services.values():
        members = [host for host in service.hosts if host in moving]
        wanted = forms_with(service) - (len(service.hosts) - len(members))
        if members and together(service) and wanted > 1:
            yield from _group(scope, table, service, members, wanted)


def torn_groups(
    scope: Scope, waves: Sequence[Sequence[str]], together: Callable[[Service], bool] = starts_together
) -> tuple[Refusal, ...]:
    """Groups that cannot form because some of their members, for other services' sake, have to wait for others of them."""
    wave_of = {host: number for number, wave in enumerate(waves, 1) for host in wave}
    found = []
    for service in scope.inventory.services.values():
        numbers = [wave_of[host] for host in service.hosts if host in wave_of]
        wanted = forms_with(service) - (len(service.hosts) - len(numbers))
        beside = numbers.count(min(numbers)) if numbers else 0
        if together(service) and wanted > 1 and beside < wanted:
            late = [host for host in service.hosts if wave_of.get(host, 0) > min(numbers)]
            what = (
                f"{service.name}: {forms_with(service)} of {len(service.hosts)} members must be up together before any is ready, "
                f"but {some(late)} can start only later, because of what else they carry"
            )
            way_out = "take the other services off these hosts, or lower ready_when"
            found.append(Refusal(rule=f"services.{service.name}.ready_when", what=what, way_out=way_out))
    return tuple(found)


def _group(scope: Scope, table: SlotTable, service: Service, members: list[str], wanted: int) -> Iterator[Refusal]:
    lets: dict[str, float] = {}
    held: dict[Slot, float] = {}
    count: Counter[str] = Counter()
    for host in members:
        for take in table.takes(scope.inventory.hosts[host], scope.services_of[host]):
            term = table.terms[take.slot.limit]
            # What the boot or the clock frees is free again before the group must be ready.
            if term.rate or term.clock_s is not None or term.until == "booted":
                continue
            fits = held.get(take.slot, 0.0) + take.amount <= table.cap(take.slot) + EPSILON
            lets.setdefault(take.slot.limit, 0)
            if fits:
                held[take.slot] = held.get(take.slot, 0.0) + take.amount
                count[take.slot.limit] += 1
    under = Counter(
        limit
        for host in members
        for limit in {take.slot.limit for take in table.takes(scope.inventory.hosts[host], scope.services_of[host])}
    )
    for limit in lets:
        free = len(members) - under[limit]
        if count[limit] + free < wanted:
            of = len(service.hosts)
            what = (
                f"{service.name}: {forms_with(service)} of {of} members must be up together before any is ready, "
                f"{limit} lets {count[limit] + free} be"
            )
            yield Refusal(
                rule=limit,
                what=what,
                way_out=f"raise {stated_at(limit)}, or let it free its places sooner (held_until: booted)",
            )
