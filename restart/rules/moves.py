"""How long a move is expected to take (design: rule 6)."""

from __future__ import annotations

from collections.abc import Iterable

from restart.model.check import SSH_CHECK, Check
from restart.model.inventory import Host, Inventory, Service
from restart.rules.comparing import comparison

DEFAULT_BOOT_S = 180.0
DEFAULT_WARM_S = 0.0


def ready_checks(service: Service) -> tuple[Check, ...]:
    """The questions asked of each member; `ssh` where the service states none."""
    return service.ready or (SSH_CHECK,)


def expected_s(inventory: Inventory, host: Host, services: Iterable[str]) -> tuple[float, float, str]:
    """Boot and warm-up in seconds, and where they come from: `host`, `service`, `defaults` or `built-in`.

    The host's own value wins over the longest of its services', then the inventory's defaults, then 3 minutes and 0.
    """
    members = [inventory.services[name].expect for name in services]
    source = "built-in"
    found = []
    for field, built_in in (("boot_s", DEFAULT_BOOT_S), ("warm_s", DEFAULT_WARM_S)):
        own = getattr(host.expect, field) if host.expect else None
        of_services = [getattr(expect, field) for expect in members if expect and getattr(expect, field) is not None]
        general = getattr(inventory.expect, field)
        if own is not None:
            value, where = own, "host"
        elif of_services:
            value, where = max(of_services), "service"
        elif general is not None:
            value, where = general, "defaults"
        else:
            value, where = built_in, "built-in"
        if field == "boot_s":
            source = where
        found.append(value)
    return found[0], found[1], source


def soak_s(inventory: Inventory, services: Iterable[str]) -> float:
    """The longest `healthy_for` of the checks that a host of `services` must hold, in seconds; a host of none: ssh's."""
    return max(check.healthy_for_s for check in held_checks(inventory, tuple(services)))


def held_checks(inventory: Inventory, services: tuple[str, ...]) -> list[Check]:
    """All the checks that a restarted host of `services` must hold; never empty."""
    checks = [check for name in services for check in ready_checks(inventory.services[name])] or [SSH_CHECK]
    compared = comparison(inventory, services)
    return checks if compared is None else [*checks, compared]


def duration_s(inventory: Inventory, host: Host, services: Iterable[str]) -> float:
    """The whole move without history, in seconds: boot + warm-up + the longest `healthy_for` (drain and undrain count 0)."""
    names = tuple(services)
    boot_s, warm_s, _ = expected_s(inventory, host, names)
    return boot_s + warm_s + soak_s(inventory, names)


def gate_s(service: Service) -> float:
    """What the service's gate adds between waves, in seconds: the longest `healthy_for` of its checks; 0 without one.

    How long a person takes to approve nobody can say, so `approve` counts 0.
    """
    return max((check.healthy_for_s for check in service.gate if check.kind != "approve"), default=0.0)
