"""Pace: canaries first, then slow start, per stratum of service and image (design: rule 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from restart.model.inventory import Inventory
from restart.model.plan import Move
from restart.rules.pace import canaries_of, pace_of, step, stratum

CANARIES_LOST_MAX = 2
"""A second canary lost closes its stratum."""


@dataclass(slots=True)
class Stratum:
    """One stratum: how many of its moves must lead, which the plan chose, how many were proved good, which are under way."""

    name: str
    slow: bool
    canaries: int
    chosen: set[str] = field(default_factory=set)
    size: int = 0
    good: int = 0
    under_way: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)


class Pace:
    """Says whether the strata of a host let its move begin."""

    def __init__(
        self,
        inventory: Inventory,
        moves: Iterable[Move],
        wave_of: Mapping[str, int],
        stirred: Callable[[str], None],
        mode: str = "rolling",
    ) -> None:
        """`wave_of`: a canary leads those of its own wave and of later ones, never of earlier ones that it waits for.

        `stirred(stratum)` hears where more may begin.
        """
        self._stirred = stirred
        self._wave_of = wave_of
        self._strata: dict[str, Stratum] = {}
        self._of: dict[str, tuple[Stratum, ...]] = {}
        for move in moves:
            mine = []
            names = stratum(inventory.hosts[move.host], move.services)
            for service, name in zip(move.services, names, strict=True):
                if name not in self._strata:
                    slow = pace_of(inventory, service, mode) == "slow"
                    self._strata[name] = Stratum(name, slow, canaries_of(inventory, service, mode))
                mine.append(self._strata[name])
                self._strata[name].size += 1
                if move.canary:
                    self._strata[name].chosen.add(move.host)
            self._of[move.host] = tuple(mine)
        for found in self._strata.values():
            if found.size == 1:
                found.canaries = 0

    def closed(self, host: str) -> str | None:
        """Why the move of `host` may not begin yet: the stratum and its numbers; None: it may."""
        for found in self._of[host]:
            if found.canaries and len(found.lost) >= CANARIES_LOST_MAX and found.good < found.canaries:
                return f"canary: {len(found.lost)} canaries of {found.name} lost ({', '.join(sorted(found.lost))})"
            if found.good < found.canaries:
                if len(found.under_way) >= found.canaries - found.good:
                    return f"canary: {', '.join(sorted(found.under_way))} leads {found.name} and has not held yet"
                wave = self._wave_of[host]
                leading = {name for name in found.chosen - found.lost if self._wave_of[name] <= wave}
                if leading and host not in found.chosen:
                    return f"canary: {', '.join(sorted(leading))} leads {found.name}"
            elif found.slow and len(found.under_way) >= step(found.good, found.canaries):
                allowed = step(found.good, found.canaries)
                return (
                    f"pace: {len(found.under_way)} of {allowed} of {found.name} under way after {found.good} good ones"
                )
        return None

    def closed_for_good(self, host: str) -> bool:
        """The stratum lost its canaries: only an operator opens it again."""
        return any(
            found.canaries and found.good < found.canaries and len(found.lost) >= CANARIES_LOST_MAX
            for found in self._of[host]
        )

    def of(self, host: str) -> tuple[tuple[str, bool], ...]:
        """The strata of `host`, and of each whether the plan chose it to lead: those alike in this and in their wave wait for the same."""
        return tuple((found.name, host in found.chosen) for found in self._of[host])

    def begin(self, host: str) -> None:
        """The move of `host` is under way."""
        for found in self._of[host]:
            found.under_way.add(host)

    def end(self, host: str, *, good: bool | None) -> bool:
        """The move of `host` has ended: proved good, failed, or neither (None: called off or not rebooted). True: it was a lost canary."""
        was_canary = False
        for found in self._of[host]:
            found.under_way.discard(host)
            if good:
                found.good += 1
                found.lost.discard(host)
            elif good is False:
                if found.good < found.canaries:
                    found.lost.add(host)
                    was_canary = True
                found.good = found.good // 2 if found.good >= found.canaries * 2 else found.good
            elif found.good < found.canaries:
                found.chosen.discard(host)
            self._stirred(found.name)
        return was_canary

    def forgive(self, host: str) -> None:
        """An operator wants the move of `host` tried again."""
        for found in self._of[host]:
            found.lost.discard(host)
            self._stirred(found.name)
