"""Which playbook a host's move goes by."""

from __future__ import annotations

from collections.abc import Mapping

from restart.model.inventory import Inventory


def playbook_names(inventory: Inventory) -> dict[str, str]:
    """The playbook that each service states."""
    return {name: service.playbook for name, service in inventory.services.items() if service.playbook is not None}


def playbook_name(inventory: Inventory, books: Mapping[str, str], host: str, services: tuple[str, ...]) -> str:
    """The host's own playbook wins over the first that its services state, then the inventory's."""
    own = inventory.hosts[host].playbook
    if own is not None:
        return own
    return next((books[service] for service in services if service in books), inventory.playbook)
