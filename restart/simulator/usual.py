"""The physics of a fleet of which nothing is known but its inventory: hosts boot about as long as the plan expects."""

from __future__ import annotations

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
    return Physics(
        hosts=hosts,
        services={name: ServiceFigures(warm_s=length_s) for name, length_s in warm_s.items() if length_s},
        stuck=(Stuck(hosts=tuple(inventory.hosts), chance=never_return),) if never_return else (),
        latency_s=LATENCY_S,
        strikes_after_s=STRIKES_AFTER_S,
        # What the first stage starts is off. Where there is no power control a person switches it on (`restart.simulator.person`).
        off=frozenset(
            move.host for wave in plan.waves if wave.stage == 1 for move in wave.moves if move.act == "start"
        ),
    )
