"""One fleet with all its physics, ready to be acted upon."""

from __future__ import annotations

from restart.model.inventory import Inventory
from restart.simulator.clock import Agenda
from restart.simulator.physics.boot import Machines
from restart.simulator.physics.figures import Physics
from restart.simulator.physics.fleet import Fleet
from restart.simulator.physics.members import Members


class Site:
    """What stands in the data centre: the fleet, its machines and members, and every rule that holds there."""

    def __init__(self, inventory: Inventory, physics: Physics, seed: int) -> None:
        self.inventory = inventory
        self.physics = physics
        self.seed = seed
        self.agenda = Agenda()
        self.fleet = Fleet(inventory, physics, self.agenda, seed)
        self.members = Members(self.fleet)
        self.machines = Machines(self.fleet)
        self.fleet.rules.append(self.members)
        for service in inventory.services.values():
            for host in service.hosts:
                if not self.fleet.truth[host].up:
                    self.members.stop(self.members.of[service.name, host])
        self.fleet.refresh(inventory.hosts)
        for group in self.fleet.groups.values():
            group.history[:] = [(0.0, group.available)]

    def restart_units(self, host: str) -> None:
        """Restart the processes of every service on `host`, without a boot."""
        for service in self.fleet.services_of[host]:
            member = self.members.of[service, host]
            self.members.stop(member)
            restart_s = self.fleet.groups[service].figures.restart_s
            self.members.later(member, restart_s, lambda member=member: self.members.start(member))  # type: ignore[misc]
        self.fleet.refresh((host,))

    def measure(self, quantity: str) -> float | None:
        """The value of `ready SERVICE`; None: nothing of that name is measured."""
        word, _, service = quantity.partition(" ")
        group = self.fleet.groups.get(service)
        if group is None:
            return None
        return float(group.available) if word == "ready" else None
