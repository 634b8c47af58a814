"""Soaks: gates that must hold for longer than something takes that nobody can ask, such as a cache's TTL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from restart.inventory.values import seconds_or
from restart.model.check import Check
from restart.model.inventory import Soak


def soak_of(entry: Mapping[str, Any] | None) -> Soak | None:
    """The soak as written."""
    return None if entry is None else Soak(longer_than_s=seconds_or(entry, "longer_than", 0.0), why=entry["why"])


def soaked(gate: tuple[Check, ...], soak: Soak | None) -> tuple[Check, ...]:
    """The gate with the first of its checks raised to the soak; `within` grows by as much, so that it can be met.

    One is enough: a gate is held when all of its checks have held. A check's streak begins with its first PASS after a move
    near it has ended, so what holds for `longer_than` has been longer since the move. An approval holds for no time.
    """
    if soak is None or any(check.healthy_for_s >= soak.longer_than_s for check in gate if check.kind != "approve"):
        return gate
    raised = []
    left = True
    for check in gate:
        if left and check.kind != "approve":
            more_s, left = soak.longer_than_s - check.healthy_for_s, False
            check = replace(check, healthy_for_s=soak.longer_than_s, within_s=check.within_s + more_s)
        raised.append(check)
    return tuple(raised)
