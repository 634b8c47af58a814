"""The rules of a cold start, restated from the design's text for the referee alone (rules 4, 9 and 10).

Nothing is up, so there is no budget to break. What is judged: a host is started only when the group of each provider it requires is ready, the path
goes first, no limit is exceeded by what really draws, and questions through a service that is off wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from restart.model.inventory import Dependency, Inventory, Service
from restart.simulator.referee.restated import must_be_available


def opens_at(provider: Service, needs: int | None) -> int:
    """Ready members with which `provider` opens its consumers: k where stated, `ready_when`, `min_available`, else all of them."""
    members = len(provider.hosts)
    if needs is not None:
        return needs
    for stated in (provider.ready_when, provider.min_available):
        if stated is not None:
            return min(members, max(must_be_available(stated, members), min(1, members)))
    return members


def edges_at_boot(inventory: Inventory, moving: Iterable[str]) -> dict[str, tuple[Dependency, ...]]:
    """What holds while a fleet starts. A declared break is no edge where it closes a ring among the services that start."""
    hosts = set(moving)
    starting = {name for name, service in inventory.services.items() if hosts & set(service.hosts)}
    leads_to = {
        name: {edge.provider for edge in _at_boot(inventory.services[name]) if edge.kind == "requires"} & starting
        for name in starting
    }
    return {
        name: tuple(
            edge
            for edge in _at_boot(service)
            if edge.stand_in is None or name not in starting or name not in _reached(edge.provider, leads_to)
        )
        for name, service in inventory.services.items()
    }


def _at_boot(service: Service) -> tuple[Dependency, ...]:
    return tuple(edge for edge in service.depends_on if edge.at != "run")


def _reached(start: str, leads_to: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(leads_to.get(name, ()))
    return seen


def before_the_path(
    inventory: Inventory, path: frozenset[str], edges: Mapping[str, tuple[Dependency, ...]]
) -> frozenset[str]:
    """Hosts that need not wait for the path's, because something on the path needs them in its turn: for what they carry for it, or beside that."""
    of = {name: frozenset(service.hosts) for name, service in inventory.services.items()}
    found, new = path, path
    while new:
        carried = [name for name, hosts in of.items() if hosts & new]
        needed = frozenset(host for name in carried for edge in edges[name] for host in of[edge.provider])
        new = needed - found
        found |= new
    return found | frozenset(host for hosts in of.values() if hosts & path for host in hosts)
