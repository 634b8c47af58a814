"""Drains that run on another host (`on: lb-1`), and shutdowns: that host goes off after those whose drains need it, where the order lets it.

What the inventory's dependencies say comes first: a balancer that needs the web servers goes off before them. Their drain has nothing left to take out of
it by then, and is left out (`restart.engine.on_others`); the plan says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from restart.model.inventory import Dependency, Inventory
from restart.planner.books import playbook_name, playbook_names
from restart.planner.refusals import some
from restart.planner.scope import Scope

Users = Mapping[str, tuple[str, ...]]
"""Host -> the stopping hosts whose drains run on it, in plan order."""


def drains_on(inventory: Inventory, scope: Scope) -> dict[str, tuple[str, ...]]:
    """Who needs whom for its drain."""
    books = playbook_names(inventory)
    found: dict[str, dict[str, None]] = {}
    for host in scope.moving:
        book = inventory.playbooks.get(playbook_name(inventory, books, host, scope.services_of[host]))
        for step in book.drain if book is not None else ():
            if step.on is not None and step.on != host:
                found.setdefault(step.on, {})[host] = None
    return {on: tuple(hosts) for on, hosts in found.items()}


def after_their_users(stopping: Inventory, scope: Scope, users: Users) -> Inventory:
    """`stopping` (the inventory as a shutdown sees it) with the services on which drains run going off after those that are drained there.

    An edge that would close a ring is left out: the stated order stands.
    """
    edges = {name: list(service.depends_on) for name, service in stopping.services.items()}
    moving = set(scope.moving)
    for on, hosts in users.items():
        if on not in moving:
            continue
        drained = dict.fromkeys(name for host in hosts for name in scope.services_of[host])
        for later in scope.services_of[on]:
            for first in drained:
                known = any(edge.provider == first for edge in edges[later])
                if first != later and not known and not _reaches(edges, first, later):
                    edges[later].append(Dependency(provider=first, kind="after", at="run"))
    services = {name: replace(service, depends_on=tuple(edges[name])) for name, service in stopping.services.items()}
    return replace(stopping, services=services)


def loose(scope: Scope, users: Users) -> tuple[str, ...]:
    """Hosts of no service on which drains run: no edge can hold them back, so they go behind all that is not kept for last."""
    return tuple(host for host in scope.moving if host in users and not scope.services_of[host])


def drain_notes(scope: Scope, users: Users, waves: Sequence[Sequence[str]], off: Iterable[str]) -> list[str]:
    """Who goes off later for the sake of others' drains, and whose drains are left out because that was not to be had."""
    wave_of = {host: number for number, hosts in enumerate(waves, 1) for host in hosts}
    gone = frozenset(off)
    found = []
    for on, hosts in users.items():
        if on not in gone:
            continue
        served = [host for host in hosts if on in wave_of and wave_of[host] < wave_of[on]]
        late = [host for host in hosts if on not in wave_of or wave_of[host] > wave_of[on]]
        beside = [host for host in hosts if on in wave_of and wave_of[host] == wave_of[on]]
        if served:
            found.append(f"{on} goes off after {some(served)}, whose drain runs on it")
        if late:
            found.append(f"the part of the drain of {some(late)} that runs on {on} is left out: {on} is off by then")
        if beside:
            found.append(
                f"the part of the drain of {some(beside)} that runs on {on} is left out where {on} is off by then"
            )
    return found


def _reaches(edges: Mapping[str, Sequence[Dependency]], start: str, goal: str) -> bool:
    seen = {start}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        new = [edge.provider for edge in edges[name] if edge.provider not in seen]
        seen.update(new)
        waiting += new
    return False
