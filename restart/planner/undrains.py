"""What a shutdown leaves drained, and a cold start puts back: the `undo` steps of the hosts' playbooks, idempotent by contract.

A shutdown drains and cannot undrain what is off. Whoever starts the host later, in the same plan or in another, days after, undrains it
once its checks have held; of a host that it does not touch it says so, with the commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from restart.model.inventory import Inventory
from restart.planner.books import playbook_name, playbook_names
from restart.planner.refusals import some

STAYS_DRAINED = "stays drained"


def undoes(inventory: Inventory, books: Mapping[str, str], host: str, services: tuple[str, ...]) -> tuple[str, ...]:
    """The commands that undo the drain of `host`, as its playbook has them, in the order in which they run."""
    book = inventory.playbooks.get(playbook_name(inventory, books, host, services))
    return tuple(step.undo for step in reversed(book.drain) if step.undo is not None) if book is not None else ()


def stays_drained(inventory: Inventory, hosts: Sequence[str], services_of: Mapping[str, tuple[str, ...]]) -> list[str]:
    """For a shutdown: who stays drained, who undoes that, and how it is undone by hand."""
    return [
        f"{STAYS_DRAINED} until a cold start has their checks hold, or until somebody does it by hand: {some(found)} ({by_hand})"
        for by_hand, found in _by_hand(inventory, hosts, services_of).items()
    ]


def undrained(
    inventory: Inventory, moving: Sequence[str], alone: Sequence[str], services_of: Mapping[str, tuple[str, ...]]
) -> list[str]:
    """For a cold start: who is undrained once its checks hold, and who is up already and is not."""
    found = [
        f"undrained once the checks hold, as a shutdown may have drained them: {some(hosts)} ({by_hand})"
        for by_hand, hosts in _by_hand(inventory, moving, services_of).items()
    ]
    found += [
        f"up already and not undrained: {some(hosts)}; where a shutdown drained them, by hand: {by_hand}"
        for by_hand, hosts in _by_hand(inventory, alone, services_of).items()
    ]
    return found


def _by_hand(
    inventory: Inventory, hosts: Sequence[str], services_of: Mapping[str, tuple[str, ...]]
) -> dict[str, list[str]]:
    """The undo commands in words, and the hosts to which they belong."""
    books = playbook_names(inventory)
    found: dict[str, list[str]] = {}
    for host in hosts:
        commands = undoes(inventory, books, host, services_of.get(host, ()))
        if commands:
            found.setdefault(", ".join(f"`{command}`" for command in commands), []).append(host)
    return found
