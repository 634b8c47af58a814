"""Where the way to a host leads next: its address and settings, and the gateway before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from restart.model.inventory import Inventory, Ssh


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A host of the inventory, or a gateway outside it. `name` is how it was called."""

    name: str
    address: str
    ssh: Ssh


def hop(inventory: Inventory, name: str) -> Hop:
    """The hop called `name`: a host, or as in ssh_config's ProxyJump `[user@]host[:port]`, or a chain of these with commas.

    One from outside the inventory is reached with the key, the ssh_config and the known_hosts of the defaults.
    """
    host = inventory.hosts.get(name)
    if host is not None:
        return Hop(name=name, address=host.address, ssh=inventory.ssh_of(name))
    earlier, _, last = name.rpartition(",")
    user, _, place = last.strip().removeprefix("ssh://").rpartition("@")
    address, mark, port = place.rpartition(":")
    if not mark or not port.isdigit() or (":" in address and not address.endswith("]")):
        # No port, but perhaps the colons of a bare IPv6 address.
        address, port = place, ""
    ssh = dataclasses.replace(
        inventory.ssh, user=user or None, port=int(port) if port else None, gateway=earlier or None, sudo=False
    )
    return Hop(name=name, address=address.strip("[]"), ssh=ssh)


def gateway(inventory: Inventory, to: Hop, address: str, settings: Mapping[str, str]) -> str | None:
    """The name of the gateway before `to`, or None. The inventory's word goes before ssh_config's `proxyjump`.

    `address` is where ssh_config says that `to` is. A gateway never goes through itself.
    """
    named = to.ssh.gateway
    if named is not None:
        return None if named == to.name else named
    jump = settings.get("proxyjump", "none")
    if jump.lower() == "none" or hop(inventory, jump).address in (address, to.address, to.name):
        return None
    return jump
