"""Plans of recovery: after an event, only what needs it (design: section 4 and rule 17).

They are rolling plans over the hosts that are not well. Those are not ready already, so that they take nothing from the
budgets of their services; where such a host also carries a service that is up, that one's budget holds. A host that may
still come back by itself gets a conditional move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from restart.model.inventory import Inventory
from restart.model.observation import HostSeen, Observation
from restart.model.plan import LeftAlone, Move, Plan
from restart.planner.refusals import some
from restart.planner.scope import Scope
from restart.rules.durations import spoken
from restart.rules.moments import between_s
from restart.rules.recovery import WELL, act_of, state_of

MODE = "recover"


def paced(inventory: Inventory) -> Inventory:
    """`inventory` with the pace of a recovery where none is stated: fixed and without canaries, as in a cold start.

    What is restarted is broken already, and members of a quorum that wait for each other's checks would wait for ever.
    """
    policy = inventory.policy
    return replace(
        inventory,
        policy=replace(policy, pace=policy.pace or "fixed", canaries=0 if policy.canaries is None else policy.canaries),
    )


def narrowed(scope: Scope, observation: Observation) -> Scope:
    """`scope` with only the hosts that need it moving; the others are left alone, and each says why."""
    seen = observation.hosts
    stay = {host: alone_because(seen.get(host)) for host in scope.moving if act_of(seen.get(host)) is None}
    return replace(
        scope,
        moving=tuple(host for host in scope.moving if host not in stay),
        path={host: why for host, why in scope.path.items() if host not in stay},
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


def told(plan: Plan, observation: Observation) -> Plan:
    """The rolling plan `plan` as a recovery: which ladder each move climbs, which are conditional, and what the reader should know."""
    waves = tuple(replace(wave, moves=tuple(_move(move, observation) for move in wave.moves)) for wave in plan.waves)
    return replace(plan, mode=MODE, waves=waves, notes=(*_notes(plan, observation), *plan.notes))


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


def _notes(plan: Plan, observation: Observation) -> tuple[str, ...]:
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
