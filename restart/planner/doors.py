"""Doors: when the order lets a kind of hosts go (design: rule 3 b), without ever listing pairs of hosts.

A consumer service's door opens when each of its providers has finished enough moves. Co-location bends two rules: a host
that carries provider and consumer does not wait for itself, and hosts that wait for each other in a ring do not wait
inside that ring. Rings are the strongly connected groups of a graph of kinds, doors and providers, linear in the fleet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from restart.planner.graph import groups
from restart.planner.kinds import Fleet, Kind
from restart.rules.budgets import ready_enough

NO_RING = -1


@dataclass(slots=True)
class Door:
    """What kinds of one consumer service wait behind: how many waits are left, and who waits."""

    waits: int = 0
    kinds: list[Kind] = field(default_factory=list)


@dataclass(slots=True)
class Wait:
    """Moves of one provider still to finish, those of ring `ring` not counted, before `doors` are opened by one wait."""

    left: int
    ring: int
    doors: list[Door] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A `requires` edge whose provider may move in the consumer's own wave: `down_max` of its members may be down then.

    `own`: the consumer's host is itself a member, and that is no hindrance (co-location).
    """

    provider: int
    down_max: int
    own: bool


class Doors:
    """The order among kinds. `rings` are the groups of kinds that wait for each other only because hosts are shared."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._edges = [fleet.scope.order.waits[name] for name in fleet.names]
        self._kinds_of: list[list[Kind]] = [[] for _ in fleet.names]
        for kind in fleet.kinds:
            for at in kind.services:
                self._kinds_of[at].append(kind)
        self.rank: list[int] = []
        """The group of each kind in the graph of waits; providers' groups have lower numbers."""
        self.rings: list[list[Kind]] = []
        self._provider_rank: list[int] = []
        self._find_rings()
        self._waits: dict[tuple[int, int, int | None], Wait] = {}
        self._waits_on: list[list[Wait]] = [[] for _ in fleet.names]
        self.closed = [0] * len(fleet.kinds)
        """Doors still closed before each kind."""
        self._hang_doors()

    def live(self, kind: Kind) -> tuple[Live, ...]:
        """The edges of `kind` that must hold against moves of the provider in the same wave (design: rule 3 a)."""
        fleet, services = self._fleet, tuple(self._fleet.scope.inventory.services.values())
        found = []
        for at in kind.services:
            for edge in fleet.scope.order.edges[fleet.names[at]]:
                provider = fleet.number_of[edge.provider]
                # Whoever does not wait for the provider's moves must at least find it ready.
                in_ring = self._provider_rank[provider] == self.rank[kind.number] or edge not in self._edges[at]
                if edge.provider in fleet.scope.out:
                    continue  # nothing of it is up that could be lost by moving together
                if edge.kind == "requires" and fleet.left[provider] and (edge.needs is not None or in_ring):
                    enough = ready_enough(services[provider], edge.needs)
                    down_max = fleet.members[provider] - enough
                    found.append(Live(provider=provider, down_max=down_max, own=provider in kind.services))
        return tuple(found)

    def ring_of(self, kind: Kind, provider: int) -> bool:
        """Whether `kind` does not wait for some members of `provider`, because they are in its own ring."""
        return self._provider_rank[provider] == self.rank[kind.number]

    def open(self) -> list[Kind]:
        """The kinds that wait for nobody."""
        return [kind for kind in self._fleet.kinds if not self.closed[kind.number]]

    def finish(self, moved: Iterable[Kind]) -> list[Kind]:
        """One host of each of `moved` has finished; the kinds whose last door this opens."""
        opened = []
        for kind in moved:
            ring = self.rank[kind.number]
            for at in kind.services:
                for wait in self._waits_on[at]:
                    if wait.ring == ring or not wait.left:
                        continue
                    wait.left -= 1
                    if not wait.left:
                        opened.extend(self._release(wait))
        return opened

    def _release(self, wait: Wait) -> list[Kind]:
        opened = []
        for door in wait.doors:
            door.waits -= 1
            if not door.waits:
                for kind in door.kinds:
                    self.closed[kind.number] -= 1
                    if not self.closed[kind.number]:
                        opened.append(kind)
        return opened

    def _find_rings(self) -> None:
        fleet, kinds, services = self._fleet, len(self._fleet.kinds), len(self._fleet.names)
        followers: list[list[int]] = [
            [kinds + at for at in kind.services if self._edges[at]] for kind in fleet.kinds
        ]  # fmt: skip
        followers += [[kinds + services + fleet.number_of[edge.provider] for edge in edges] for edges in self._edges]
        followers += [[kind.number for kind in members] for members in self._kinds_of]
        rank = [0] * len(followers)
        for number, group in enumerate(groups(followers)):
            inside = [fleet.kinds[vertex] for vertex in group if vertex < kinds]
            for vertex in group:
                rank[vertex] = number
            if len(inside) > 1 or (len(group) > 1 and inside and len(inside[0].hosts) > 1):
                self.rings.append(inside)
        self.rank = rank[:kinds]
        self._provider_rank = rank[kinds + services :]
        # A provider without moves waits for nobody and belongs to no ring.
        for at, members in enumerate(self._kinds_of):
            if not members:
                self._provider_rank[at] = NO_RING

    def _hang_doors(self) -> None:
        hung: dict[tuple[int, int], Door] = {}
        for kind in self._fleet.kinds:
            ring = self.rank[kind.number]
            for at in kind.services:
                if not self._edges[at]:
                    continue
                inside = any(
                    self._provider_rank[self._fleet.number_of[edge.provider]] == ring for edge in self._edges[at]
                )
                key = (at, ring if inside else NO_RING)
                if key not in hung:
                    hung[key] = self._door(at, key[1])
                if hung[key].waits:
                    hung[key].kinds.append(kind)
                    self.closed[kind.number] += 1

    def _door(self, consumer: int, ring: int) -> Door:
        door = Door()
        for edge in self._edges[consumer]:
            provider = self._fleet.number_of[edge.provider]
            within = ring if self._provider_rank[provider] == ring else NO_RING
            wait = self._wait(provider, within, edge.needs)
            if wait.left:
                wait.doors.append(door)
                door.waits += 1
        return door

    def _wait(self, provider: int, ring: int, needs: int | None) -> Wait:
        key = (provider, ring, needs)
        if key not in self._waits:
            inside = [kind for kind in self._kinds_of[provider] if self.rank[kind.number] == ring]
            mine = sum(len(kind.hosts) for kind in inside)
            left = self._fleet.left[provider] - mine
            if needs is not None:
                # Members that do not move count as finished (rule 3 b); those of the ring are neither here nor there.
                others = self._fleet.members[provider] - mine
                left = max(0, min(needs, others) - (others - left))
            self._waits[key] = Wait(left, ring)
            self._waits_on[provider].append(self._waits[key])
        return self._waits[key]
