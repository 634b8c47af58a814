"""Guards: the gates near each service, and how long they add to a plan (design: rules 6 and 9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from restart.model.inventory import Inventory
from restart.planner.graph import Order
from restart.rules.moves import gate_s


class Guards:
    """For each service the services whose gates guard moves on it: itself, direct providers and direct consumers."""

    def __init__(self, inventory: Inventory, order: Order, *, cold: bool = False) -> None:
        """`cold`: consumers are off when a provider starts, so their gates guard nothing then."""
        self._inventory = inventory
        self._gate_s = {name: gate_s(service) for name, service in inventory.services.items()}
        gated = {name for name, service in inventory.services.items() if service.gate}
        near: dict[str, dict[str, None]] = {name: {name: None} if name in gated else {} for name in inventory.services}
        for consumer, edges in order.edges.items():
            for edge in edges:
                if edge.provider in gated:
                    near[consumer][edge.provider] = None
                if consumer in gated and not cold:
                    near[edge.provider][consumer] = None
        self._near = near
        self.held_s: Mapping[str, float] = {
            name: max((self._gate_s[gate] for gate in gates), default=0.0) for name, gates in near.items()
        }
        """Seconds until the gates near a service have held."""

    def gates(self, services: Iterable[str]) -> tuple[str, ...]:
        """The services whose gates are asked after moves on `services`, in inventory order."""
        wanted = {gate for service in services for gate in self._near[service]}
        return tuple(name for name in self._inventory.services if name in wanted) if wanted else ()

    def own_s(self, services: Iterable[str]) -> float:
        """Seconds until the gates of `services` themselves have held."""
        return max((self._gate_s[service] for service in services), default=0.0)

    def settle_s(self, services: Iterable[str]) -> float:
        """The longest `settle` of `services`, in seconds."""
        return max((self._inventory.services[service].settle_s for service in services), default=0.0)
