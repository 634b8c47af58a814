"""The path: what the controller needs to see and reach the fleet (design: rule 10)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from restart.model.check import Check
from restart.model.inventory import Inventory

_OF_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)", re.IGNORECASE)
"""The host in a URL, after what may stand before an @."""


def path_hosts(inventory: Inventory) -> dict[str, str]:
    """Each host on the path and why it is there, in the order in which they go: services first, gateways, the controller.

    A host that is several of these is named for the last, because the most hangs on it.
    """
    why: dict[str, str] = {}
    seen_through = _seen_through(inventory)
    for service in inventory.services.values():
        reason = "path: true" if service.path else seen_through.get(service.name)
        if reason:
            for member in service.hosts:
                why.setdefault(member, f"{service.name} is on the path ({reason})")
    for host in inventory.hosts.values():
        if host.on_path and not host.controller:
            why.setdefault(host.name, f"found on the path: {host.on_path}")
    gateways = {inventory.ssh_of(host).gateway for host in inventory.hosts}
    for host in inventory.hosts.values():
        if host.name in gateways:
            why.pop(host.name, None)
            why[host.name] = "a gateway, other hosts are reached through it"
    for host in inventory.hosts.values():
        if host.controller:
            why.pop(host.name, None)
            why[host.name] = (
                f"the controller runs here ({host.on_path})" if host.on_path else "the controller runs here"
            )
    return why


def _seen_through(inventory: Inventory) -> dict[str, str]:
    """Services that a check's `service:` names, and where."""
    found: dict[str, str] = {}

    def note(checks: Iterable[Check], where: str) -> None:
        for check in checks:
            if check.service is not None:
                found.setdefault(check.service, where)

    note(inventory.watch, "a watch asks through it")
    for service in inventory.services.values():
        note((*service.gate, *service.ready), f"checks of {service.name} ask through it")
    return found


def path_alone(inventory: Inventory) -> frozenset[str]:
    """The path hosts with nobody beside them: while one restarts, the controller is blind or cut off.

    A gateway and the controller's own host have no second; a host of a service on the path has one if it is not the only member.
    """
    seen_through = _seen_through(inventory)
    alone = {gateway for host in inventory.hosts if (gateway := inventory.ssh_of(host).gateway) in inventory.hosts}
    alone.update(host.name for host in inventory.hosts.values() if host.controller)
    reasons = Counter(host.on_path for host in inventory.hosts.values() if host.on_path)
    alone.update(host.name for host in inventory.hosts.values() if reasons[host.on_path] == 1)
    for service in inventory.services.values():
        if len(service.hosts) == 1 and (service.path or service.name in seen_through):
            alone.add(service.hosts[0])
    return frozenset(name for name in alone if name is not None)


def called_by(check: Check) -> str | None:
    """The name or address that the check's own words call; None: none, or a place to be filled in, such as `{address}`."""
    url, address = check.params.get("url"), check.params.get("address")
    if isinstance(url, str):
        found = _OF_URL.match(url)
        called = found[1].strip("[]").lower() if found else None
    else:
        called = address if isinstance(address, str) else None
    return None if not called or "{" in called else called
