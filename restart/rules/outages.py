"""Outages: services that a recovery finds down as a whole, and which cold-start rules hold for them (design: section 4 and rule 4).

Such a service has no budget left to keep. It opens its consumers when its group is ready, what its consumers need at boot counts beside what
they need while they run, and members of a group that forms together don't wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from restart.model.check import Verdict
from restart.model.inventory import Dependency, Inventory, Service
from restart.model.observation import Observation
from restart.rules.breaks import moving_services
from restart.rules.groups import forms_with, opens_with, starts_together


def outages(inventory: Inventory, observation: Observation | None, moving: Iterable[str]) -> frozenset[str]:
    """The services that were seen down as a whole and of which the `moving` hosts are brought back.

    None of its members was ready; or, where the members need each other, fewer than it takes to form the group.
    """
    if observation is None:
        return frozenset()
    among = moving_services(inventory, moving)
    return frozenset(
        name for name, service in inventory.services.items() if name in among and _is_out(service, observation)
    )


def _is_out(service: Service, observation: Observation) -> bool:
    seen = (observation.hosts.get(host) for host in service.hosts)
    ready = sum(found is not None and found.ready.get(service.name) is Verdict.PASS for found in seen)
    return not ready or (forms_together(service) and ready < forms_with(service))


def forms_together(service: Service) -> bool:
    """Whether too few members are as good as none: it starts together, or its budget is a quorum. One with a `seed` is up while any member is."""
    if service.seed is not None:
        return False
    budget = service.min_available
    return starts_together(service) or (budget is not None and budget.quorum)


def recovering_edges(inventory: Inventory, out: frozenset[str]) -> dict[str, tuple[Dependency, ...]]:
    """The edges that hold while the services `out` are brought back; declared breaks are none, as while the fleet runs.

    Onto a service that is out: at boot too, and `needs` says how many ready members open it.
    """
    return {
        name: tuple(
            _counted(inventory, edge, out)
            for edge in service.depends_on
            if edge.stand_in is None and _holds(edge, consumer_out=name in out, provider_out=edge.provider in out)
        )
        for name, service in inventory.services.items()
    }


def _holds(edge: Dependency, *, consumer_out: bool, provider_out: bool) -> bool:
    if edge.at == "both":
        return True
    return (provider_out or consumer_out) if edge.at == "boot" else not consumer_out


def _counted(inventory: Inventory, edge: Dependency, out: frozenset[str]) -> Dependency:
    if edge.kind != "requires" or edge.provider not in out:
        return edge
    return replace(edge, needs=opens_with(inventory.services[edge.provider], edge.needs))
