"""What the commands of an inventory do to a simulated fleet: a stand-in takes a provider's place, a seed's `start` starts its member."""

from __future__ import annotations

from restart.model.inventory import Inventory
from restart.rules.fill import fill
from restart.simulator.physics.members import Members


class StandIns:
    """Knows the commands of every `break` of an inventory by their text."""

    def __init__(self, inventory: Inventory, members: Members) -> None:
        self._inventory = inventory
        self._members = members
        self._edges = [
            (service.name, edge.provider, edge.stand_in)
            for service in inventory.services.values()
            for edge in service.depends_on
            if edge.stand_in is not None
        ]

    def run_seed(self, host: str, command: str) -> bool:
        """A command was run on `host`; False: it starts no member."""
        for name in self._members.by_command:
            service = self._inventory.services[name]
            start = service.seed.start if service.seed is not None and host in service.hosts else None
            if start is not None and command == fill(start, self._inventory.hosts[host], name):
                self._members.start(self._members.of[name, host])
                return True
        return False

    def run(self, host: str, command: str) -> bool:
        """A command was run for `host`; False: it is none of these."""
        for service, provider, stand_in in self._edges:
            if host in self._inventory.services[service].hosts:
                found = self._inventory.hosts[host]
                if command == fill(stand_in.with_run, found, service):
                    self._members.bridge(host, provider)
                    return True
                if command == fill(stand_in.undo, found, service):
                    self._members.no_boot_edges.discard((host, provider))
                    return True
        return False
