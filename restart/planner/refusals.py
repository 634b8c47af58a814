"""Refusals: reasons not to plan at all, each with the rule, the numbers and the way out; all of them at once."""

from __future__ import annotations

from collections.abc import Iterable

from restart.errors import Refusal
from restart.model.inventory import Service
from restart.planner.graph import Order
from restart.planner.scope import Scope
from restart.rules.budgets import budget, ready_enough
from restart.rules.limits import DomainTable, SlotTable, domains_rule
from restart.rules.named import admission_rule, budget_rule, limit_rule, requires_rule

NAMES_MAX = 5


def some(names: Iterable[str], most: int = NAMES_MAX) -> str:
    """The first few of `names`, and how many more there are."""
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")


def stated_budget(service: Service) -> str:
    """The budget as the inventory states it, for people."""
    parts = []
    if service.min_available is not None:
        parts.append(f"min_available {service.min_available}")
    if service.max_unavailable is not None:
        parts.append(f"max_unavailable {service.max_unavailable}")
    return ", ".join(parts) or "no budget stated"


def cycles(order: Order) -> tuple[Refusal, ...]:
    """One refusal for each cyclic group of `requires`, with one shortest path."""
    return tuple(
        Refusal(
            rule="cycle",
            what="services require each other: " + " -> ".join((*cycle, cycle[0])),
            way_out="make one edge `after`, or declare a stand-in for it with `break`",
        )
        for cycle in order.cycles
    )


def budgets(scope: Scope) -> tuple[Refusal, ...]:
    """Services whose budget lets nobody move, as it is stated or as it is used up already by members that stay down."""
    found = []
    moving = set(scope.moving)
    for service in scope.inventory.services.values():
        name = service.name
        sick = scope.sick.get(name, frozenset())
        healthy = [host for host in service.hosts if host in moving and host not in sick]
        if not healthy:
            continue
        may, members = scope.may_be_down(name), len(service.hosts)
        lost = scope.lost(name, moving)
        unsure = [host for host in healthy if host in scope.down.get(name, ())]
        rule = budget_rule(name)
        if may <= 0:
            what = f"{name}: {stated_budget(service)} of {members} hosts lets nobody restart, {budget(service)} of {members} must stay available"
            found.append(Refusal(rule=rule, what=what, way_out=_looser(service)))
        elif len(lost) + max(1, len(unsure)) > may:
            down = [*lost, *unsure]
            what = (
                f"{name}: {len(down)} of {members} members {'is' if len(down) == 1 else 'are'} not ready already "
                f"({some(down)}), at most {may} may be down"
            )
            if not unsure:
                way_out = f"repair {some(lost)} first, or take {'it' if len(lost) == 1 else 'them'} into the plan"
            else:
                way_out = (
                    "survey again: a member that is UNKNOWN counts as down, but only a FAIL may be restarted first"
                )
            found.append(Refusal(rule=rule, what=what, way_out=way_out))
    return tuple(found)


def _looser(service: Service) -> str:
    members = len(service.hosts)
    if members == 1:
        return f"set services.{service.name}.max_unavailable to 1: restarting its only host is an outage"
    if service.max_unavailable is not None and service.min_available is None:
        return f"raise services.{service.name}.max_unavailable to 1 or more"
    return f"lower services.{service.name}.min_available to {members - 1} or less"


def providers(scope: Scope) -> tuple[Refusal, ...]:
    """Required providers that will not be ready for their consumers, whatever this plan does."""
    found = []
    services, moving = scope.inventory.services, set(scope.moving)
    for consumer, edges in scope.order.edges.items():
        movers = [host for host in services[consumer].hosts if host in moving]
        for edge in edges if movers else ():
            provider = services[edge.provider]
            lost = scope.lost(edge.provider, moving)
            if edge.kind != "requires" or not provider.hosts:
                continue
            ready, enough = len(provider.hosts) - len(lost), ready_enough(provider, edge.needs)
            if ready < enough:
                what = (
                    f"{consumer} requires {edge.provider}: {ready} of {len(provider.hosts)} members "
                    f"{'is' if ready == 1 else 'are'} ready, {enough} must be"
                )
                way_out = f"repair {some(lost)} first, or take {'it' if len(lost) == 1 else 'them'} into the plan"
                if enough > len(provider.hosts):
                    way_out = f"lower services.{consumer}.depends_on.{edge.provider}.needs to {len(provider.hosts)}"
                found.append(Refusal(rule=requires_rule(consumer, edge.provider), what=what, way_out=way_out))
    return tuple(found)


def limits(scope: Scope) -> tuple[Refusal, ...]:
    """Limits that can never be met: a cap of nothing, and domains that are down and stay so."""
    inventory, moving = scope.inventory, set(scope.moving)
    zero = [
        limit for limit in inventory.limits.values() if 0 in (limit.max_in_flight, limit.max_domains, limit.max_rate)
    ]
    closed = [name for name, service in inventory.services.items() if service.admission == 0]
    found = []
    if zero or closed:
        table, domains = SlotTable(inventory), DomainTable(inventory)
        touched: dict[str, list[str]] = {}
        for host in scope.moving:
            slots = (
                *table.slots(inventory.hosts[host], scope.services_of[host]),
                *domains.domains(inventory.hosts[host]),
            )
            for rule in {slot.limit: None for slot in slots}:
                touched.setdefault(rule, []).append(host)
        for limit in zero:
            words = {"max_in_flight": limit.max_in_flight, "max_domains": limit.max_domains, "max_rate": limit.max_rate}
            for word in (word for word, cap in words.items() if cap == 0):
                rule = limit_rule(limit.name, "" if word == "max_in_flight" else word)
                hosts = touched.get(rule, ())
                if not hosts:
                    continue
                what = f"{limit.name}: {word} 0 lets nothing start, {len(hosts)} hosts are under it"
                found.append(Refusal(rule=rule, what=what, way_out=f"raise limits.{limit.name}.{word} to 1 or more"))
        for name in closed:
            rule = admission_rule(name)
            if rule in touched:
                what = f"{name}: admission 0 lets no consumer start, {len(touched[rule])} hosts are under it"
                found.append(Refusal(rule=rule, what=what, way_out=f"raise services.{name}.admission to 1 or more"))
    return (*found, *_closed_domains(scope, moving))


def _closed_domains(scope: Scope, moving: set[str]) -> tuple[Refusal, ...]:
    """Domains that hosts outside the plan hold down for good, so that no other domain may be touched."""
    table = DomainTable(scope.inventory, scope.waived)
    hosts = scope.inventory.hosts
    held: dict[str, dict[str, list[str]]] = {}
    down = {host for members in scope.down.values() for host in members}
    for host in (host for host in hosts if host in down and host not in moving):
        for slot in table.domains(hosts[host]):
            held.setdefault(slot.limit, {}).setdefault(slot.value, []).append(host)
    found = []
    for limit in table.limits:
        rule, cap = domains_rule(limit), limit.max_domains or 0
        domains = held.get(rule, {})
        if not domains or not cap:
            continue
        shut = [
            host
            for host in scope.moving
            if host not in down
            for slot in table.domains(hosts[host])
            if slot.limit == rule and len(domains) + (slot.value not in domains) > cap
        ]
        if shut:
            lost = [host for value in domains.values() for host in value]
            shut_in = some(f"{limit.per or 'host'} {value}" for value in domains)
            what = (
                f"{limit.name}: {shut_in} has hosts down already "
                f"({some(lost)}), at most {cap} may be touched at once, so {len(shut)} hosts could never go ({some(shut)})"
            )
            way_out = f"repair {some(lost)} first, take them into the plan, or raise limits.{limit.name}.max_domains"
            found.append(Refusal(rule=rule, what=what, way_out=way_out))
    return tuple(found)
