"""Breaks: which declared stand-ins a cold start needs to find an order, and the edges that it then looks at (design: rule 18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from restart.model.inventory import Dependency, Inventory, Service
from restart.rules.rings import rings

Edge = tuple[str, str]
"""Consumer and provider."""


def at_boot(service: Service) -> tuple[Dependency, ...]:
    """The edges that a cold start looks at, declared breaks among them."""
    return tuple(edge for edge in service.depends_on if edge.at in ("boot", "both"))


def moving_services(inventory: Inventory, moving: Iterable[str]) -> frozenset[str]:
    """The services of which `moving` hosts are members."""
    hosts = set(moving)
    return frozenset(name for name, service in inventory.services.items() if not hosts.isdisjoint(service.hosts))


def broken(inventory: Inventory, moving: Iterable[str]) -> frozenset[Edge]:
    """The edges that a start of the `moving` hosts bridges by their stand-ins: none that could be left whole.

    Rings without a declared break stay: they are a refusal's business.
    """
    among = moving_services(inventory, moving)
    requires = {
        name: [edge.provider for edge in at_boot(inventory.services[name]) if _orders(edge, among)]
        for name in inventory.services
        if name in among
    }
    declared = {
        (name, edge.provider): None
        for name in requires
        for edge in at_boot(inventory.services[name])
        if edge.stand_in is not None and _orders(edge, among)
    }
    found: dict[Edge, None] = {}
    while declared:
        new = [
            edge
            for ring in rings(_without(requires, found))
            if (edge := next((edge for edge in _pairs(ring) if edge in declared), None)) is not None
        ]
        if not new:
            break
        found.update(dict.fromkeys(new))
    for edge in reversed(list(found)):
        # What was broken on the way and closes no ring any longer is left whole.
        rest = dict.fromkeys(other for other in found if other != edge)
        if len(rings(_without(requires, rest))) == len(rings(_without(requires, found))):
            found = rest
    return frozenset(found)


def boot_edges(inventory: Inventory, moving: Iterable[str]) -> dict[str, tuple[Dependency, ...]]:
    """For each service the edges that hold while the `moving` hosts start from cold, those without that are broken."""
    bridged = broken(inventory, moving)
    return {
        name: tuple(edge for edge in at_boot(service) if (name, edge.provider) not in bridged)
        for name, service in inventory.services.items()
    }


def _orders(edge: Dependency, among: frozenset[str]) -> bool:
    return edge.kind == "requires" and edge.provider in among


def _without(requires: Mapping[str, list[str]], found: Mapping[Edge, None]) -> dict[str, list[str]]:
    return {name: [to for to in providers if (name, to) not in found] for name, providers in requires.items()}


def _pairs(ring: tuple[str, ...]) -> list[Edge]:
    """The edges of a ring, consumer before provider."""
    return list(zip(ring, (*ring[1:], ring[0]), strict=True))
