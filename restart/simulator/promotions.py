"""What the promotion of a spare does to a simulated fleet: once its playbook has been carried out on it, it is a member that starts."""

from __future__ import annotations

from restart.model.inventory import Inventory
from restart.rules.fill import fill
from restart.simulator.physics.site import Site


class Promotions:
    """Knows by their text the commands that promote: the last of each `spares` playbook, or, where it has none, a restart."""

    def __init__(self, inventory: Inventory, site: Site) -> None:
        self._inventory = inventory
        self._site = site
        self._last: dict[str, list[tuple[str, str]]] = {}  # host -> service and the text of its last command
        for service in inventory.services.values():
            if service.spares is None:
                continue
            steps = [step.run for step in inventory.playbooks[service.spares.playbook].drain if step.run]
            for host in service.spares.hosts:
                self._last.setdefault(host, []).append((service.name, steps[-1] if steps else ""))

    def ran(self, host: str, command: str) -> None:
        """A step of a playbook was carried out for `host`."""
        for service, text in self._last.get(host, ()):
            members = self._inventory.services[service].hosts
            found = self._inventory.hosts[host]
            if text and any(command == fill(text, found, service, member=member) for member in members):
                self._site.join(service, host)

    def restarted(self, host: str) -> None:
        """`host` has taken a command that restarts it, or its units."""
        for service, text in self._last.get(host, ()):
            if not text:
                self._site.join(service, host)
