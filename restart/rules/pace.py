"""Pace: how many moves of a stratum may be under way (design: rule 8). A stratum is a service and an image label."""

from __future__ import annotations

from restart.model.inventory import Host, Inventory
from restart.rules.groups import starts_together


def stratum(host: Host, services: tuple[str, ...]) -> tuple[str, ...]:
    """The strata a host belongs to: one for each of its services, `SERVICE/IMAGE` (`SERVICE/` without the label)."""
    image = host.labels.get("image", "")
    return tuple(f"{service}/{image}" for service in services)


def pace_of(inventory: Inventory, service: str, mode: str = "rolling") -> str:
    """`slow` or `fixed`; rolling's default is slow. Of a group that starts together nobody waits for anybody."""
    if mode == "cold-start" and starts_together(inventory.services[service]):
        return "fixed"
    return inventory.services[service].pace or inventory.policy.pace or ("slow" if mode == "rolling" else "fixed")


def canaries_of(inventory: Inventory, service: str, mode: str = "rolling") -> int:
    """How many canaries lead each stratum of `service`; rolling's default is 1, that of the other modes 0."""
    if mode == "cold-start" and starts_together(inventory.services[service]):
        return 0
    stated = inventory.services[service].canaries
    if stated is None:
        stated = inventory.policy.canaries
    return (1 if mode == "rolling" else 0) if stated is None else stated


def canary_for_s(inventory: Inventory, service: str) -> float:
    """How long, in seconds, the checks and gates of a canary of `service` must hold before its stratum opens."""
    stated = inventory.services[service].canary_for_s
    return inventory.policy.canary_for_s if stated is None else stated


def step(passed: int, canaries: int) -> int:
    """Slow start: how many moves of a stratum may be under way after `passed` of its moves were proved good.

    Doubling in steps: with 1 canary 1, then 2, 4, 8, ...; the n-th step is open when all steps before it are proved.
    """
    return _steps(passed, canaries)[0]


def halved(passed: int, canaries: int) -> int:
    """How many moves count as proved after trouble: so many that half as many may be under way, and never fewer than at first."""
    return _steps(passed, canaries)[1]


def _steps(passed: int, canaries: int) -> tuple[int, int]:
    """The size of the step that is open, and how many moves had to be proved for the one before it to open."""
    size, proved, before = max(1, canaries), 0, 0
    while proved + size <= passed:
        before, proved, size = proved, proved + size, size * 2
    return size, before
