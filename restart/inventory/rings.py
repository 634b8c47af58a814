"""Services that require each other in a ring (design: rule 18), for `validate`."""

from __future__ import annotations

from collections.abc import Mapping

from restart.inventory.problems import Path, Problems, Source
from restart.model.inventory import Service
from restart.rules.rings import rings

_MODES = (("run", "both"), ("boot", "both"))
"""Rolling looks at edges that hold at run and both, cold start at boot and both; a ring must close within one of them."""


def report_rings(services: Mapping[str, Service], where: Mapping[str, tuple[Source, Path]], problems: Problems) -> None:
    """One problem for each group of services that cannot be put in order, at the edge that the shortest ring starts with."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for holds in _MODES:
        edges = {
            name: [
                edge.provider
                for edge in service.depends_on
                if edge.kind == "requires" and edge.stand_in is None and edge.at in holds and edge.provider in services
            ]
            for name, service in services.items()
        }
        for ring in rings(edges):
            found.setdefault(frozenset(ring), ring)
    for ring in found.values():
        source, path = where[ring[0]]
        problems.at(
            source,
            (*path, "depends_on", ring[1 % len(ring)]),
            f"these services require each other: {' -> '.join((*ring, ring[0]))}",
            "turn one requires into after, or declare a stand-in with break",
            key=True,
        )
