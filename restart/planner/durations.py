"""Durations: how long each move is expected to take, whole, and until its host has booted (design: rule 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from restart.model.inventory import Expect, Inventory
from restart.model.plan import Duration
from restart.rules.moves import expected_s, soak_s


def expected_durations(
    inventory: Inventory,
    services_of: Mapping[str, tuple[str, ...]],
    moving: Iterable[str],
    history: Mapping[str, Duration],
) -> tuple[dict[str, Duration], dict[str, float]]:
    """The duration of each move, and after how many seconds its host has booted. `history` wins where it knows a host."""
    durations: dict[str, Duration] = {}
    booted_s: dict[str, float] = {}
    known: dict[tuple[tuple[str, ...], Expect | None], tuple[Duration, float]] = {}
    for host in moving:
        likeness = (services_of[host], inventory.hosts[host].expect)
        if likeness not in known:
            boot_s, warm_s, source = expected_s(inventory, inventory.hosts[host], services_of[host])
            whole_s = boot_s + warm_s + soak_s(inventory, services_of[host])
            known[likeness] = (Duration(value_s=whole_s, source=source), boot_s)
        durations[host], booted_s[host] = known[likeness]
        if host in history:
            durations[host] = history[host]
            booted_s[host] = min(booted_s[host], history[host].value_s)
    return durations, booted_s
