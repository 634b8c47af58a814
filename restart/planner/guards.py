"""Guards: the gates near each service, and how long they add to a plan (design: rules 6 and 9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from restart.model.inventory import Inventory
from restart.planner.graph import Order
from restart.rules.moves import gate_s
from restart.rules.named import gate_rule, settle_rule
from restart.rules.waived import NOTHING_WAIVED, Waived


class Guards:
    """For each service the services whose gates guard moves on it: itself, direct providers and direct consumers."""

    def __init__(
        self, inventory: Inventory, order: Order, waived: Waived = NOTHING_WAIVED, *, cold: bool = False,
        out: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        """Gates and settling that are `waived` are not waited for. `cold`: consumers are off when a provider starts, so their gates guard nothing then; `out`: these are."""
        self._inventory = inventory
        self._waived = waived
        gated = {name for name, service in inventory.services.items() if service.gate and gate_rule(name) not in waived}
        self._gate_s = {name: gate_s(service) if name in gated else 0.0 for name, service in inventory.services.items()}
        near: dict[str, dict[str, None]] = {name: {name: None} if name in gated else {} for name in inventory.services}
        for consumer, edges in order.edges.items():
            for edge in edges:
                if edge.provider in gated:
                    near[consumer][edge.provider] = None
                if consumer in gated and not cold and consumer not in out:
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
        found = self._inventory.services
        return max(
            (found[service].settle_s for service in services if settle_rule(service) not in self._waived), default=0.0
        )
