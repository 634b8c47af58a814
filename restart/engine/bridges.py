"""Which hosts of a cold start need a stand-in for a provider, and by which commands (design: rule 18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from restart.model.inventory import Inventory
from restart.model.playbook import Step
from restart.rules.breaks import broken

STEP_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A stand-in for `provider` on one host of `service`: the commands that put it up and take it out, and where (None: that host itself)."""

    service: str
    provider: str
    command: str
    undo: str
    on: str | None


def bridges(inventory: Inventory, moving: Iterable[str]) -> Mapping[str, tuple[Bridge, ...]]:
    """The stand-ins of each host that a cold start of `moving` hosts needs."""
    hosts = list(moving)
    found: dict[str, list[Bridge]] = {}
    used = broken(inventory, hosts)
    for service in inventory.services.values() if used else ():
        for edge in service.depends_on:
            if (service.name, edge.provider) in used and edge.stand_in is not None:
                bridge = Bridge(
                    service=service.name,
                    provider=edge.provider,
                    command=edge.stand_in.with_run,
                    undo=edge.stand_in.undo,
                    on=edge.stand_in.on,
                )
                for host in service.hosts:
                    found.setdefault(host, []).append(bridge)
    wanted = set(hosts)
    return {host: tuple(mine) for host, mine in found.items() if host in wanted}


def before(mine: Iterable[Bridge]) -> tuple[Step, ...]:
    """The stand-ins that are put up elsewhere, as steps before the host is started."""
    return tuple(
        Step(run=bridge.command, on=bridge.on, timeout_s=STEP_TIMEOUT_S) for bridge in mine if bridge.on is not None
    )
