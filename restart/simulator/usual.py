"""The physics of a fleet of which nothing is known but its inventory and what the plan's survey saw: hosts boot about as long as the plan expects."""

from __future__ import annotations

from restart.model.check import Verdict
from restart.model.plan import Plan
from restart.rules.moves import expected_s, soak_s
from restart.simulator.physics.figures import HostFigures, Physics, ServiceFigures, Stuck

SPREAD = 0.25
"""Boots take 75 % to 125 % of what is expected: an assumption, and said so wherever it shows."""
LATENCY_S = 0.05
STRIKES_AFTER_S = 1.0
"""The reboot is detached from its session by a sleep of a second (design: section 9)."""


def usual_physics(plan: Plan, *, spread: float = SPREAD, never_return: float = 0.0) -> Physics:
    """Physics for `plan`'s inventory. `spread` is a fraction of each boot, `never_return` the chance that a restart ends in silence."""
    inventory = plan.inventory
    services_of: dict[str, list[str]] = {name: [] for name in inventory.hosts}
    for service in inventory.services.values():
        for member in service.hosts:
            services_of[member].append(service.name)
    warm_s: dict[str, float] = dict.fromkeys(inventory.services, 0.0)
    hosts = {}
    for name, host in inventory.hosts.items():
        boot_s, host_warm_s, _ = expected_s(inventory, host, services_of[name])
        known = plan.durations.get(name)
        if known is not None and known.samples:
            # History knows moves as a whole: the boot is what is left of one.
            boot_s = max(1.0, known.value_s - host_warm_s - soak_s(inventory, services_of[name]))
        hosts[name] = HostFigures(boot_s=boot_s, spread=spread)
        for service_name in services_of[name]:
            warm_s[service_name] = max(warm_s[service_name], host_warm_s)
    # What the first stage starts is off. Where there is no power control a person switches it on (`restart.simulator.person`).
    off = frozenset(move.host for wave in plan.waves if wave.stage == 1 for move in wave.moves if move.act == "start")
    return Physics(
        hosts=hosts,
        services={name: ServiceFigures(warm_s=length_s) for name, length_s in warm_s.items() if length_s},
        stuck=(Stuck(hosts=tuple(inventory.hosts), chance=never_return),) if never_return else (),
        latency_s=LATENCY_S,
        strikes_after_s=STRIKES_AFTER_S,
        off=off,
        hung=_silent(plan) - off,
        dead=_dead(plan),
    )


def _silent(plan: Plan) -> frozenset[str]:
    """Hosts that a survey saw silent. Those that may come back by themselves are taken not to: what a plan must bear is the worse."""
    seen = {} if plan.observation is None else plan.observation.hosts
    return frozenset(host for host, found in seen.items() if found.boot_id is None and host in plan.inventory.hosts)


def _dead(plan: Plan) -> frozenset[tuple[str, str]]:
    """Members that a survey proved not to function, on hosts that are up."""
    seen = {} if plan.observation is None else plan.observation.hosts
    return frozenset(
        (service, host)
        for host, found in seen.items()
        for service, verdict in found.ready.items()
        if verdict is Verdict.FAIL and found.boot_id is not None
    )


def seen_at_first(plan: Plan) -> tuple[str, ...]:
    """How a surveyed fleet stands when the rehearsal begins, in a sentence; nothing where all of it was well, or nobody had looked."""
    silent, dead = _silent(plan), {host for _, host in _dead(plan)}
    if plan.observation is None or not (silent or dead):
        return ()
    more = " Whoever may come back by itself does not." if any(move.conditional for move in plan.moves()) else ""
    return (
        f"Begins as the fleet was seen at {plan.observation.at}: {len(silent)} silent or off, {len(dead)} up and not ready.{more}",
    )
