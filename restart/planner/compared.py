"""Notes on what restarted hosts are compared with (`same_as_before`): where that is switched off, and where there is nothing to compare with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from restart.model.inventory import Inventory
from restart.planner.refusals import some
from restart.rules.comparing import KIND, comparison

STARTED = f"{KIND} is not asked of what is started"
"""How the note begins that says so."""


def not_compared(inventory: Inventory, services_of: Mapping[str, Sequence[str]], hosts: Iterable[str]) -> list[str]:
    """One sentence for those of `hosts`, to be restarted, that are not compared with what they were; none where all are."""
    known: dict[tuple[str, ...], bool] = {}
    without = []
    for host in hosts:
        carried = tuple(services_of.get(host, ()))
        if carried not in known:
            known[carried] = comparison(inventory, carried) is not None
        if not known[carried]:
            without.append(host)
    if not without:
        return []
    what = f"{KIND} is switched off for {some(without)}"
    return [f"{what}: nobody asks whether all that ran there before runs again, only their checks are asked"]


def returned(inventory: Inventory, services_of: Mapping[str, Sequence[str]], hosts: Iterable[str]) -> list[str]:
    """One sentence for those of `hosts`, back by themselves and left alone, that would be compared if anybody had looked before."""
    held = [host for host in hosts if comparison(inventory, tuple(services_of.get(host, ()))) is not None]
    if not held:
        return []
    what = f"{KIND} is not asked of what came back by itself ({some(held)})"
    return [f"{what}: nobody had looked at it before it went, so that only its checks say that it is well"]


def started(inventory: Inventory) -> list[str]:
    """One sentence for hosts that are started from off, where hosts are compared at all."""
    if inventory.same_as_before is None and all(one.same_as_before is None for one in inventory.services.values()):
        return []
    return [f"{STARTED}: nobody has seen what stood on it before it was off"]
