"""Services that a recovery finds down as a whole, restated for the referee alone (design: section 4 and rule 4).

For them a cold start's rules hold: the group opens the consumers, and what is needed at boot counts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from restart.model.check import Verdict
from restart.model.inventory import Dependency, Inventory, Service
from restart.model.plan import Plan
from restart.simulator.referee.cold import opens_at
from restart.simulator.referee.restated import must_be_available


def dark_services(plan: Plan, moving: Collection[str]) -> frozenset[str]:
    """None of whose members was seen ready, or fewer than its quorum takes; only where the plan brings members back."""
    if plan.mode != "recover" or plan.observation is None:
        return frozenset()
    seen = plan.observation.hosts
    found = set()
    for name, service in plan.inventory.services.items():
        well = [host for host in service.hosts if host in seen and seen[host].ready.get(name) is Verdict.PASS]
        if any(host in moving for host in service.hosts) and len(well) < max(1, _least(service)):
            found.add(name)
    return frozenset(found)


def _least(service: Service) -> int:
    """Members without which the others are as good as gone: a stated quorum, or what a group that starts together takes."""
    members, quorate = len(service.hosts), len(service.hosts) // 2 + 1
    ready_when, budget = service.ready_when, service.min_available
    by_quorum = any(amount is not None and amount.quorum for amount in (ready_when, budget))
    if service.seed is not None or not (by_quorum or service.co_start):
        return 1
    stated = ready_when or budget
    return quorate if stated is None else min(members, must_be_available(stated, members))


def edges_out_of_the_dark(inventory: Inventory, dark: frozenset[str]) -> dict[str, tuple[Dependency, ...]]:
    """What holds during a recovery: between services that are up what holds at run, for one that is dark what holds at boot, and onto one both."""
    found = {}
    for name, service in inventory.services.items():
        kept = []
        for edge in service.depends_on:
            run, boot = edge.at != "boot", edge.at != "run"
            holds = boot if name in dark else run or edge.provider in dark
            if edge.stand_in is None and holds:
                kept.append(edge if edge.provider not in dark else _opening(inventory, edge))
        found[name] = tuple(kept)
    return found


def _opening(inventory: Inventory, edge: Dependency) -> Dependency:
    return replace(
        edge, needs=opens_at(inventory.services[edge.provider], edge.needs) if edge.kind == "requires" else None
    )
