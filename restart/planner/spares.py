"""Spares: hosts that stand by to take a lost member's place (design: rule 19). They are restarted only where nothing else of the plan needs them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from restart.model.inventory import Inventory
from restart.model.plan import Plan, StandBy
from restart.planner.document import sealed


def stand_bys(
    inventory: Inventory, offered: Iterable[str], moving: Collection[str], kept_out: Collection[str]
) -> tuple[StandBy, ...]:
    """Those of the `offered` hosts that stand by for a service of which a member moves, services and hosts in inventory order.

    Who is `kept_out`, the path's hosts and the controller's, stands by for nobody: to lose sight is no way to repair.
    """
    spares = {host for service in inventory.services.values() if service.spares for host in service.spares.hosts}
    members = set(moving) - spares
    free = set(offered) - set(kept_out)
    return tuple(
        StandBy(
            host=host,
            service=service.name,
            playbook=service.spares.playbook,
            why=f"takes the place of a member of {service.name} that is given up, by the playbook {service.spares.playbook}",
        )
        for service in inventory.services.values()
        if service.spares is not None and not members.isdisjoint(service.hosts)
        for host in service.spares.hosts
        if host in free
    )


def still_standing(inventory: Inventory, standing: Iterable[StandBy], moving: Iterable[str]) -> tuple[StandBy, ...]:
    """Those of whose service a member is among the hosts `moving` in the end."""
    members = set(moving)
    return tuple(found for found in standing if not members.isdisjoint(inventory.services[found.service].hosts))


def spare_notes(inventory: Inventory, standing: Iterable[StandBy]) -> tuple[str, ...]:
    """Why spares that stand by would be of no use."""
    names = sorted({found.service for found in standing})
    policy = inventory.policy
    if names and policy.on_failure == "halt" and not policy.max_failures:
        return (
            f"no spare of {', '.join(names)} can ever take a place: the first host that is given up halts the run "
            "(state policy.max_failures, or on_failure: contain)",
        )
    return ()


def never_called_up(plan: Plan) -> Plan:
    """A cold start's plan, with a sentence for whoever relies on its spares: they are hosts like any other to it."""
    moving = {move.host for move in plan.moves()}
    names = [
        service.name
        for service in plan.inventory.services.values()
        if service.spares is not None and not moving.isdisjoint(service.hosts)
    ]
    if not names:
        return plan
    note = f"a cold start calls up no spare: those of {', '.join(names)} are started like any other host in scope"
    return sealed(replace(plan, notes=(*plan.notes, note)))
