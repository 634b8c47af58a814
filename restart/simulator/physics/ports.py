"""On which ports the members of each service listen."""

from __future__ import annotations

from restart.model.inventory import Inventory

FIRST_PORT = 20_000
"""Members of services whose checks name no port listen from here on."""


class Ports:
    """On which ports the members of each service listen: those that its checks name, else one of its own."""

    def __init__(self, inventory: Inventory) -> None:
        self._ports: dict[str, frozenset[int]] = {}
        for index, service in enumerate(inventory.services.values()):
            named = named_ports(inventory, service.name)
            self._ports[service.name] = named or frozenset((FIRST_PORT + index % 10_000,))

    def of(self, service: str) -> frozenset[int]:
        """The ports of one service's members; never empty."""
        return self._ports[service]


def named_ports(inventory: Inventory, service: str) -> frozenset[int]:
    """The ports that the checks of a service name."""
    checks = inventory.services[service]
    return frozenset(check.params.get("port", 0) for check in (*checks.ready, *checks.gate) if check.kind == "tcp")
