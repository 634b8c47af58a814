"""R7: hosts that do not come back from a way of restarting them."""

from __future__ import annotations

from restart.simulator.physics.figures import Stuck
from restart.simulator.physics.fleet import Fleet


class StuckHosts:
    """Says of each attempt to bring a host up whether it ends in silence."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._rules: dict[str, list[Stuck]] = {}
        self._met: dict[tuple[str, int], int] = {}
        for rule in fleet.physics.stuck:
            self.add(rule)

    def add(self, rule: Stuck) -> None:
        """One more reason not to come back."""
        for host in rule.hosts:
            self._rules.setdefault(host, []).append(rule)

    def strikes(self, host: str, way: str) -> bool:
        """Whether the attempt that now begins ends in silence."""
        struck = False
        for index, rule in enumerate(self._rules.get(host, ())):
            if rule.ways and way not in rule.ways:
                continue
            met = self._met[host, index] = self._met.get((host, index), 0) + 1
            if rule.times is not None and met > rule.times:
                continue
            drawn = rule.chance >= 1.0 or self._fleet.chance("stuck", host, index, met).random() < rule.chance
            struck = struck or drawn
        return struck
