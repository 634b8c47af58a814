"""Pace: canaries first, then slow start, per stratum of service and image (design: rule 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from restart.model.inventory import Inventory
from restart.model.plan import Move
from restart.rules.named import canary_rule, pace_rule
from restart.rules.pace import canaries_of, canary_for_s, halved, pace_of, step, stratum
from restart.rules.waived import NOTHING_WAIVED, Waived

CANARIES_LOST_MAX = 2
"""A second canary lost closes its stratum."""


@dataclass(slots=True)
class Stratum:
    """One stratum: how many of its moves must lead, which the plan chose, how many were proved good, which are under way.

    `paced`: how many of the good ones count for slow start, which trouble sets back.
    """

    name: str
    slow: bool
    canaries: int
    watch_s: float = 0.0
    chosen: set[str] = field(default_factory=set)
    size: int = 0
    good: int = 0
    paced: int = 0
    under_way: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)


class Pace:
    """Says whether the strata of a host let its move begin."""

    def __init__(
        self,
        inventory: Inventory,
        moves: Iterable[Move],
        wave_of: dict[str, int],
        stirred: Callable[[str], None],
        mode: str = "rolling",
        waived: Waived = NOTHING_WAIVED,
    ) -> None:
        """`waived`: rules that hold nothing up. `wave_of`: a canary leads those of its own wave and of later ones, never of earlier ones that it waits for.

        `stirred(stratum)` hears where more may begin.
        """
        self._stirred = stirred
        self._waived = waived
        self._wave_of = wave_of
        self._strata: dict[str, Stratum] = {}
        self._of: dict[str, tuple[Stratum, ...]] = {}  # a spare that takes a place is of none
        for move in moves:
            mine = []
            names = stratum(inventory.hosts[move.host], move.services)
            for service, name in zip(move.services, names, strict=True):
                if name not in self._strata:
                    slow = pace_of(inventory, service, mode) == "slow"
                    self._strata[name] = Stratum(
                        name, slow, canaries_of(inventory, service, mode), canary_for_s(inventory, service)
                    )
                mine.append(self._strata[name])
                self._strata[name].size += 1
                if move.canary:
                    self._strata[name].chosen.add(move.host)
            self._of[move.host] = tuple(mine)
        for found in self._strata.values():
            if found.size == 1:
                found.canaries = 0

    def closed(self, host: str) -> tuple[str, str] | None:
        """Why the move of `host` may not begin yet: the rule, and the stratum and its numbers; None: it may."""
        return next((found for found in self._closed(host) if found[0] not in self._waived), None)

    def let_through(self, host: str) -> list[tuple[str, str]]:
        """The rules of pace overridden by name that would hold the move of `host`, each with its numbers."""
        return [found for found in self._closed(host) if found[0] in self._waived] if self._waived else []

    def _closed(self, host: str) -> Iterator[tuple[str, str]]:
        for found in self._of.get(host, ()):
            rule = canary_rule(found.name)
            left = found.canaries - found.good
            if left > 0 and (why := self._led(host, found)):
                yield rule, f"{why}; {found.good} of {found.canaries} canaries of {found.name} have held"
            canaries = 0 if rule in self._waived else found.canaries
            may = step(found.paced, canaries)
            if found.slow and found.good >= canaries and len(found.under_way) >= may:
                fewer = "" if found.paced == found.good else f" and trouble, which has set it back to {found.paced}"
                why = f"{len(found.under_way)} of {may} of {found.name} under way after {found.good} good ones{fewer}"
                yield pace_rule(found.name), why

    def _led(self, host: str, found: Stratum) -> str | None:
        """Why `host` waits for the canaries of the stratum."""
        if len(found.lost) >= CANARIES_LOST_MAX:
            return f"{len(found.lost)} canaries lost ({', '.join(sorted(found.lost))})"
        if len(found.under_way) >= found.canaries - found.good:
            return f"{', '.join(sorted(found.under_way))} leads and has not held yet"
        wave = self._wave_of[host]
        leading = {name for name in found.chosen - found.lost if self._wave_of[name] <= wave}
        return f"{', '.join(sorted(leading))} leads" if leading and host not in found.chosen else None

    def closed_for_good(self, host: str) -> bool:
        """The stratum lost its canaries: only an operator opens it again."""
        return any(
            found.good < found.canaries
            and len(found.lost) >= CANARIES_LOST_MAX
            and canary_rule(found.name) not in self._waived
            for found in self._of.get(host, ())
        )

    def of(self, host: str) -> tuple[tuple[str, bool], ...]:
        """The strata of `host`, and of each whether the plan chose it to lead: those alike in this and in their wave wait for the same."""
        return tuple((found.name, host in found.chosen) for found in self._of.get(host, ()))

    def change_places(self, first: str, second: str) -> bool:
        """Two moves change their waves; True: in the same strata, so that the one leads where the other would have."""
        waves = self._wave_of
        waves[first], waves[second] = waves[second], waves[first]
        strata = self._of.get(first, ())
        if strata != self._of.get(second, ()):
            return False
        for found in strata:
            leading = {first: second, second: first}
            found.chosen = {leading.get(host, host) for host in found.chosen}
            self._stirred(found.name)
        return True

    def begin(self, host: str) -> None:
        """The move of `host` is under way."""
        for found in self._of.get(host, ()):
            found.under_way.add(host)

    def leads(self, host: str) -> bool:
        """Whether the move of `host`, under way, is a canary's."""
        return any(
            found.good < found.canaries and canary_rule(found.name) not in self._waived
            for found in self._of.get(host, ())
        )

    def watch_s(self, host: str) -> float:
        """How long the canary on `host`, whose move has ended well, is watched; 0: it is none, or not at all."""
        leading = (found for found in self._of.get(host, ()) if found.good < found.canaries)
        return max((found.watch_s for found in leading if canary_rule(found.name) not in self._waived), default=0.0)

    def end(self, host: str, *, good: bool | None) -> bool:
        """The move of `host` has ended: proved good, failed, or neither (None: called off or not rebooted). True: it was a lost canary."""
        was_canary = False
        for found in self._of.get(host, ()):
            found.under_way.discard(host)
            if good:
                found.good, found.paced = found.good + 1, found.paced + 1
                found.lost.discard(host)
            elif good is False:
                if found.good < found.canaries and canary_rule(found.name) not in self._waived:
                    found.lost.add(host)
                    was_canary = True
                canaries = 0 if canary_rule(found.name) in self._waived else found.canaries
                found.paced = halved(found.paced, canaries)
            elif found.good < found.canaries:
                found.chosen.discard(host)
            self._stirred(found.name)
        return was_canary

    def forgive(self, host: str) -> None:
        """An operator wants the move of `host` tried again."""
        for found in self._of.get(host, ()):
            found.lost.discard(host)
            self._stirred(found.name)
