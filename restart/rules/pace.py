"""Pace: how many moves of a stratum may be under way (design: rule 8). A stratum is a service and an image label."""

from __future__ import annotations

from restart.model.inventory import Host, Inventory


def stratum(host: Host, services: tuple[str, ...]) -> tuple[str, ...]:
    """The strata a host belongs to: one for each of its services, `SERVICE/IMAGE` (`SERVICE/` without the label)."""
    image = host.labels.get("image", "")
    return tuple(f"{service}/{image}" for service in services)


def pace_of(inventory: Inventory, service: str) -> str:
    """`slow` or `fixed`; rolling's default is slow."""
    return inventory.services[service].pace or inventory.policy.pace or "slow"


def canaries_of(inventory: Inventory, service: str) -> int:
    """How many canaries lead each stratum of `service`; rolling's default is 1."""
    stated = inventory.services[service].canaries
    if stated is None:
        stated = inventory.policy.canaries
    return 1 if stated is None else stated


def step(passed: int, canaries: int) -> int:
    """Slow start: how many moves of a stratum may be under way after `passed` of its moves were proved good.

    Doubling in steps: with 1 canary 1, then 2, 4, 8, ...; the n-th step is open when all steps before it are proved.
    """
    size = max(1, canaries)
    proved = 0
    while proved + size <= passed:
        proved += size
        size *= 2
    return size
