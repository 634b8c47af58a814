"""Plans of recovery: after an event, only what needs it (design: section 4 and rule 17).

They are rolling plans over the hosts that are not well. Those are not ready already, so that they take nothing from the
budgets of their services; where such a host also carries a service that is up, that one's budget holds. Where a service is down as a
whole, cold-start rules hold for it (`restart.rules.outages`). A host that may still come back by itself gets a conditional move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from restart.errors import Refusal, Refused
from restart.model.inventory import Inventory, Service
from restart.model.observation import HostSeen, Observation
from restart.model.plan import LeftAlone, Move, Plan
from restart.planner.cold_reasons import opening
from restart.planner.cold_refusals import groups, torn_groups
from restart.planner.compared import returned
from restart.planner.graph import Order
from restart.planner.refusals import some
from restart.planner.scope import Scope
from restart.rules.breaks import moving_services
from restart.rules.durations import spoken
from restart.rules.moments import between_s
from restart.rules.outages import forms_together, outages, recovering_edges
from restart.rules.recovery import WELL, act_of, state_of

MODE = "recover"


def paced(inventory: Inventory, observation: Observation) -> Inventory:
    """`inventory` with the pace of a recovery where none is stated: fixed and without canaries, as in a cold start.

    What is restarted is broken already, and members of a quorum that wait for each other's checks would wait for ever: of a group
    that is out and forms together, nobody is a canary whatever is stated.
    """
    policy = inventory.policy
    out = outages(inventory, observation, inventory.hosts)
    return replace(
        inventory,
        services={
            name: replace(service, pace="fixed", canaries=0) if name in out and forms_together(service) else service
            for name, service in inventory.services.items()
        },
        policy=replace(policy, pace=policy.pace or "fixed", canaries=0 if policy.canaries is None else policy.canaries),
    )


def narrowed(scope: Scope, observation: Observation) -> Scope:
    """`scope` with only the hosts that need it moving; the others are left alone, and each says why."""
    seen, inventory = observation.hosts, scope.inventory
    stay = {host: alone_because(seen.get(host)) for host in scope.moving if act_of(seen.get(host)) is None}
    moving = tuple(host for host in scope.moving if host not in stay)
    out = outages(inventory, observation, moving)
    among = moving_services(inventory, moving) if out else None
    return replace(
        scope,
        out=out,
        order=Order(inventory, recovering_edges(inventory, out), among, scope.waived) if out else scope.order,
        moving=moving,
        # A path through which nobody sees anything needs no sparing until the end: it comes back in its turn, as in a cold start.
        path={
            host: why
            for host, why in scope.path.items()
            if host not in stay and out.isdisjoint(scope.services_of[host])
        },
        added={host: why for host, why in scope.added.items() if host not in stay},
        left_alone=(*scope.left_alone, *(LeftAlone(host=host, why=why) for host, why in stay.items())),
    )


def alone_because(seen: HostSeen | None) -> str:
    """Why a host that a recovery does not touch is left alone, in words."""
    if seen is None:
        return "was not looked at: not touched"
    if seen.state == "returned":
        return f"returned by itself: {seen.why}" if seen.why else "returned by itself, healthy"
    if seen.state == "never-went-down":
        return f"never went down: {seen.why}" if seen.why else "never went down, healthy"
    return f"unknown, so not touched: {seen.why or 'nothing was learnt'}"


def refusals_of_outages(scope: Scope) -> tuple[Refusal, ...]:
    """What no patience brings back: groups that no limit lets form, and those whose first member somebody has to choose (design: rules 4 and 19)."""
    services = [scope.inventory.services[name] for name in scope.inventory.services if name in scope.out]
    seeded = (
        Refusal(
            rule=f"services.{service.name}.seed",
            what=f"{service.name} is down as a whole, and which member starts first is asked only in a cold start",
            way_out=f"start it first: --mode cold-start --limit service:{service.name}",
        )
        for service in services
        if service.seed is not None
    )
    return (*seeded, *groups(scope, frozenset(), lambda service: _together(scope, service)))


def _together(scope: Scope, service: Service) -> bool:
    return service.name in scope.out and forms_together(service)


def told(plan: Plan, observation: Observation, scope: Scope) -> Plan:
    """The rolling plan `plan` as a recovery: which ladder each move climbs, which are conditional, and what the reader should know.

    Raises `Refused` where the members of a group that is out cannot stand in one wave."""
    torn = torn_groups(
        scope, [[move.host for move in wave.moves] for wave in plan.waves], lambda service: _together(scope, service)
    )
    if torn:
        raise Refused(torn)
    waves = tuple(replace(wave, moves=tuple(_move(move, observation) for move in wave.moves)) for wave in plan.waves)
    return replace(plan, mode=MODE, waves=waves, notes=(*_out(scope), *_notes(plan, observation, scope), *plan.notes))


def _move(move: Move, observation: Observation) -> Move:
    seen = observation.hosts[move.host]
    act = act_of(seen) or "restart"
    why = f"{_SAID.get(state_of(seen), state_of(seen))}: {seen.why or 'no reason told'}"
    if state_of(seen) != "returning":
        return replace(move, act=act, why=(why, *move.why))
    until_s = 0.0 if seen.returning_until is None else max(0.0, between_s(observation.at, seen.returning_until))
    waits = f"may come back by itself: nothing is done to it before {seen.returning_until or observation.at}"
    return replace(move, act=act, conditional=True, returning_until_s=round(until_s, 3), why=(why, waits, *move.why))


_SAID: Mapping[str, str] = {
    "unhealthy": "up but unhealthy",
    "stuck": "stuck",
    "down": "down",
    "returning": "returning",
}


def _out(scope: Scope) -> tuple[str, ...]:
    """How each service that is out comes back."""
    found = []
    for name in (name for name in scope.inventory.services if name in scope.out):
        service = scope.inventory.services[name]
        together = ", its members start together" if forms_together(service) and len(service.hosts) > 1 else ""
        found.append(
            f"{name} is down as a whole: no budget holds for it{together}; its consumers wait until {opening(service)}"
        )
    return tuple(found)


def _notes(plan: Plan, observation: Observation, scope: Scope) -> tuple[str, ...]:
    conditional = [move.host for move in plan.moves() if state_of(observation.hosts[move.host]) == "returning"]
    found = []
    if conditional:
        waits_s = max(
            between_s(observation.at, until)
            for host in conditional
            if (until := observation.hosts[host].returning_until or observation.at)
        )
        found.append(
            f"{len(conditional)} may still come back by themselves ({some(conditional)}): they are waited for up to "
            f"{spoken(max(0.0, waits_s))} from when they were seen, and the times assume that they need no waiting"
        )
    back = [one.host for one in plan.left_alone if state_of(observation.hosts.get(one.host)) == "returned"]
    found += returned(scope.inventory, scope.services_of, back)
    blind = [
        alone.host
        for alone in plan.left_alone
        if alone.host in observation.hosts and state_of(observation.hosts[alone.host]) not in WELL
    ]
    if blind:
        more = (
            ""
            if observation.since
            else "; when the event was is not known, --since TIME tells silent hosts from stuck ones"
        )
        found.append(f"{len(blind)} are left alone because nobody can say how they are ({some(blind)}){more}")
    return tuple(found)
