"""Spreading: which of a kind's alike hosts goes, so that a wave does not queue behind one rack while others stand idle.

It never changes how many waves there are, only how long one lasts.
"""

from __future__ import annotations

from collections.abc import Mapping

from restart.model.inventory import Inventory
from restart.planner.kinds import Kind

LOOK_AHEAD = 8
"""Hosts of a kind that are compared; the kind's own order already takes each label's values in turn."""


class Spread:
    """Counts the moves of the wave under construction under each labelled in-flight limit."""

    def __init__(self, inventory: Inventory, durations_s: Mapping[str, float], leading: Mapping[str, int]) -> None:
        self._hosts = inventory.hosts
        self._durations_s = durations_s
        self._leading = leading
        self._limits = [
            (limit.per, limit.max_in_flight, None if limit.hosts is None else frozenset(limit.hosts))
            for limit in inventory.limits.values()
            if limit.per is not None and limit.max_in_flight is not None
        ]
        self._taken: dict[tuple[int, str], int] = {}

    def new_wave(self) -> None:
        """Nothing is taken yet."""
        self._taken.clear()

    def bring_forward(self, kind: Kind, at: int) -> None:
        """Put the best of the next hosts of `kind` at index `at`, and count it as taken."""
        if not self._limits:
            return
        hosts = kind.hosts
        slots = self._slots(hosts[at])
        best, least = at, self._turns(slots)
        if least > 1 and hosts[at] not in self._leading:
            for index in range(at + 1, min(at + LOOK_AHEAD, len(hosts))):
                # A shorter move would end the wave's longest later: only hosts that take as long may change places.
                if self._durations_s[hosts[index]] != self._durations_s[hosts[at]]:
                    break
                theirs = self._slots(hosts[index])
                turns = self._turns(theirs)
                if turns < least:
                    best, least, slots = index, turns, theirs
        if best != at:
            hosts[at : best + 1] = [hosts[best], *hosts[at:best]]
        for slot, _ in slots:
            self._taken[slot] = self._taken.get(slot, 0) + 1

    def _turns(self, slots: list[tuple[tuple[int, str], int]]) -> int:
        """How many turns the fullest of a host's limits would need for the wave with it; 1 is no wait."""
        most = 1
        for slot, cap in slots:
            turns = -(-(self._taken.get(slot, 0) + 1) // cap)
            if turns > most:
                most = turns
        return most

    def _slots(self, host: str) -> list[tuple[tuple[int, str], int]]:
        labels = self._hosts[host].labels
        return [
            ((number, labels[per]), cap)
            for number, (per, cap, members) in enumerate(self._limits)
            if per in labels and (members is None or host in members)
        ]
