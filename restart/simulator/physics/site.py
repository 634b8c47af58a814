"""One fleet with all its physics, ready to be acted upon."""

from __future__ import annotations

from collections.abc import Callable

from restart.model.inventory import Inventory
from restart.simulator.clock import Agenda
from restart.simulator.physics.boot import Machines
from restart.simulator.physics.capacity import Capacity
from restart.simulator.physics.figures import Physics
from restart.simulator.physics.fleet import Fleet
from restart.simulator.physics.leaders import Leaders
from restart.simulator.physics.members import Member, Members
from restart.simulator.physics.ports import Ports
from restart.simulator.physics.power import PowerLimit
from restart.simulator.physics.quorum import Quorums
from restart.simulator.physics.rebuild import Rebuilds, Relapses
from restart.simulator.physics.shared import SharedServer
from restart.simulator.physics.spoilt import Spoilt
from restart.simulator.physics.unkept import Unkept


class Site:
    """What stands in the data centre: the fleet, its machines and members, and every rule that holds there."""

    def __init__(self, inventory: Inventory, physics: Physics, seed: int) -> None:
        self.inventory = inventory
        self.physics = physics
        self.seed = seed
        self.agenda = Agenda()
        self.fleet = Fleet(inventory, physics, self.agenda, seed)
        self.members = Members(self.fleet)
        self._sealed: dict[str, dict[tuple[str, int], Callable[[], None]]] = {}
        self.machines = Machines(self.fleet)
        self.spoilt = Spoilt(self.fleet)
        self.quorums = Quorums(self.fleet, self.members)
        self.capacity = Capacity(self.fleet, self.members)
        self.ports = Ports(inventory)
        self.unkept = Unkept(self.fleet, self.ports.of)
        # What a boot has lost is lost before anything starts in it.
        self.fleet.rules += [self.unkept, self.members, self.quorums]
        for service in inventory.services.values():
            for host in service.hosts:
                if not self.fleet.truth[host].up:
                    self.members.stop(self.members.of[service.name, host])
        self.fleet.refresh(inventory.hosts)
        for group in self.fleet.groups.values():
            group.history[:] = [(0.0, group.available)]
        self._add_rules()

    def _add_rules(self) -> None:
        """The rules that look at who is ready when they are made."""
        self.members.stages += [self.spoilt.before_ready, self.unkept.before_ready]
        for transfer in self.physics.transfers:
            server = SharedServer(self.fleet, transfer)
            self.fleet.rules.append(server)
            self.machines.before_boot.append(server.before_boot)
            self.members.stages.append(server.before_ready)
        self.members.stages.append(self.quorums.before_ready)
        self.members.stages.append(self._behind_a_seal)
        for power in self.physics.power:
            limit = PowerLimit(self.fleet, self.machines, power)
            self.fleet.rules.append(limit)
            self.machines.dark.append(limit.dark)
        self.leaders = Leaders(self.fleet)
        self.fleet.rules.append(self.leaders)
        self.fleet.rules += [Rebuilds(self.fleet, self.machines), Relapses(self.fleet, self.machines), self.capacity]

    def unseal(self, service: str) -> None:
        """A person unseals every member of `service` that waits for it."""
        for go in self._sealed.pop(service, {}).values():
            go()

    def join(self, service: str, host: str) -> None:
        """`host` is a member of `service` from now on, and its process starts; a no-op where it is one."""
        if (service, host) in self.members.of:
            return
        fleet, group = self.fleet, self.fleet.groups[service]
        fleet.services_of[host] = (*fleet.services_of[host], service)
        fleet.truth[host].ready[service] = False
        group.hosts = (*group.hosts, host)
        member = self.members.of[service, host] = Member(service, host)
        if fleet.truth[host].up:
            self.members.start(member)
        fleet.refresh((host,))

    def _behind_a_seal(self, member: Member, go: Callable[[], None]) -> bool:
        """A stage of `Members`: a member that comes up sealed waits for a person, each time."""
        if not self.fleet.groups[member.service].figures.sealed:
            return False
        self._sealed.setdefault(member.service, {})[member.host, member.life] = go
        return True

    def restart_units(self, host: str) -> None:
        """Restart the processes of every service on `host`, without a boot."""
        for service in self.fleet.services_of[host]:
            member = self.members.of[service, host]
            self.members.stop(member)
            restart_s = self.fleet.groups[service].figures.restart_s
            self.members.later(member, restart_s, lambda member=member: self.members.start(member))  # type: ignore[misc]
        self.fleet.refresh((host,))

    def measure(self, quantity: str) -> float | None:
        """The value of `ready SERVICE`, `demand SERVICE`, `served SERVICE` or `waiting SERVICE`; None: nothing of that name is measured."""
        word, _, service = quantity.partition(" ")
        group = self.fleet.groups.get(service)
        if group is None:
            return None
        return float(group.available) if word == "ready" else self.capacity.measure(word, service)
