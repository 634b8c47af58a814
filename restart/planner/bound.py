"""The lower bound: no schedule that keeps order, budgets and limits is shorter (design: rule 12).

Barriers, gates, pace, canaries and the path's place at the end are left out, so the bound holds for every better planner too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from restart.planner.doors import Doors
from restart.planner.holds import ms
from restart.planner.kinds import Fleet
from restart.planner.timeline import Pieces, Timeline
from restart.rules.limits import EPSILON, domains_rule


@dataclass(frozen=True, slots=True)
class Bound:
    """The bound in milliseconds, and in a few words what sets it."""

    at_least_ms: int
    by: str


def lower_bound(fleet: Fleet, doors: Doors, pieces: Pieces) -> Bound:
    """The best of the longest chain and of work over capacity, budgets within the chain included."""
    best = _Chains(fleet, doors, pieces.durations_s).best()
    for candidate in (*_limits(pieces), *_domains(fleet, pieces), *_budgets(fleet, pieces)):
        if candidate.at_least_ms > best.at_least_ms:
            best = candidate
    return best


def _limits(pieces: Pieces) -> list[Bound]:
    """Work over capacity of each slot, and what every move does before and after it holds one.

    A slot held beyond its move's end counts only up to that end.
    """
    table = pieces.holds
    work: dict[int, float] = {}
    before: dict[int, int] = {}
    after: dict[int, int] = {}
    for host in pieces.scope.moving:
        whole_ms = ms(pieces.durations_s[host])
        for slot, amount, from_ms, until_ms, _ in (*table.holds(host), *table.later(host)):
            # A loop over every move and each of its slots: comparisons here are much cheaper than `min` and `max`.
            held_ms = (until_ms if until_ms < whole_ms else whole_ms) - from_ms
            left_ms = whole_ms - until_ms if until_ms < whole_ms else 0
            if held_ms < 0:
                held_ms = 0
            if slot not in work:
                work[slot], before[slot], after[slot] = amount * held_ms, from_ms, left_ms
                continue
            work[slot] += amount * held_ms
            if from_ms < before[slot]:
                before[slot] = from_ms
            if left_ms < after[slot]:
                after[slot] = left_ms
    return [
        Bound(before[slot] + ceil(total / table.cap(slot) - EPSILON) + after[slot], table.name(slot))
        for slot, total in work.items()
    ]


def _domains(fleet: Fleet, pieces: Pieces) -> list[Bound]:
    """Each domain is busy for its longest move at least, and only so many may be at once."""
    longest: dict[str, dict[str, int]] = {}
    hosts = pieces.scope.inventory.hosts
    for host in pieces.scope.moving if fleet.domains.limits else ():
        for slot in fleet.domains.domains(hosts[host]):
            busy = longest.setdefault(slot.limit, {})
            busy[slot.value] = max(busy.get(slot.value, 0), ms(pieces.durations_s[host]))
    caps = {domains_rule(limit): limit.max_domains or 1 for limit in fleet.domains.limits}
    down = {host for members in pieces.scope.down.values() for host in members}
    if down:
        return []  # a domain that is down already may be busy beside others
    return [
        Bound(sum(busy.values()) // caps[name], f"{name} (at most {caps[name]} domains at once)")
        for name, busy in longest.items()
    ]


def _budgets(fleet: Fleet, pieces: Pieces) -> list[Bound]:
    """Work over what may be down, for every service, its path hosts included."""
    found = []
    scope, moving = pieces.scope, set(pieces.scope.moving)
    for at, name in enumerate(fleet.names):
        sick = scope.sick.get(name, ())
        work = sum(
            ms(pieces.durations_s[host])
            for host in scope.inventory.services[name].hosts
            if host in moving and host not in sick
        )
        if work:
            room = fleet.room(at)
            found.append(Bound(-(-work // room), f"the budget of {name} (at most {room} at once)"))
    return found


class _Chains:
    """Earliest ends along the order, kind by kind: providers' groups come first by their rank."""

    def __init__(self, fleet: Fleet, doors: Doors, durations_s: Mapping[str, float]) -> None:
        self._fleet = fleet
        self._doors = doors
        self._length_ms = {host: ms(durations_s[host]) for host in fleet.kind_of}
        self._starts = [0] * len(fleet.kinds)
        self._cached: dict[tuple[int, int, int | None], tuple[int, str]] = {}
        self._kinds_of: list[list[int]] = [[] for _ in fleet.names]
        self._chain: list[str] = [""] * len(fleet.kinds)
        for kind in fleet.kinds:
            for at in kind.services:
                self._kinds_of[at].append(kind.number)

    def best(self) -> Bound:
        fleet = self._fleet
        best = Bound(0, "nothing")
        for kind in sorted(fleet.kinds, key=lambda kind: (self._doors.rank[kind.number], kind.number)):
            start, chain = 0, ""
            for at in kind.services:
                for edge in fleet.scope.order.waits[fleet.names[at]]:
                    provider = fleet.number_of[edge.provider]
                    ring = self._doors.rank[kind.number] if self._doors.ring_of(kind, provider) else -1
                    ends, by = self._ends(provider, ring, edge.needs)
                    if ends > start:
                        start, chain = ends, by
            self._starts[kind.number], self._chain[kind.number] = start, chain
        for at, name in enumerate(fleet.names):
            if self._kinds_of[at]:
                ends, by = self._ends(at, -1, None)
                if ends > best.at_least_ms:
                    best = Bound(ends, f"the chain {by}" if " -> " in by else self._own(name))
        for kind in fleet.kinds:
            if not kind.services:
                longest = max(self._length_ms[host] for host in kind.hosts)
                if longest > best.at_least_ms:
                    best = Bound(longest, "the longest move")
        return best

    def _own(self, name: str) -> str:
        return f"the longest move of {name}" if self._fleet.cold else f"the budget of {name}"

    def _ends(self, service: int, ring: int, needs: int | None) -> tuple[int, str]:
        """No earlier than this have the moves of `service` (those of ring `ring` left out; `needs` of them) ended."""
        key = (service, ring, needs)
        if key in self._cached:
            return self._cached[key]
        fleet = self._fleet
        kinds = [fleet.kinds[at] for at in self._kinds_of[service] if self._doors.rank[at] != ring]
        single = sorted(self._starts[kind.number] + self._length_ms[host] for kind in kinds for host in kind.hosts)
        name = fleet.names[service]
        if needs is None:
            first = min((self._starts[kind.number] for kind in kinds), default=0)
            costly = [kind for kind in kinds if service not in kind.sick]
            work = sum(self._length_ms[host] for kind in costly for host in kind.hosts)
            ends = max(single[-1] if single else 0, first + -(-work // fleet.room(service)) if work else 0)
        else:
            mine = sum(len(fleet.kinds[at].hosts) for at in self._kinds_of[service] if self._doors.rank[at] == ring)
            others = fleet.members[service] - mine
            wanted = min(needs, others) - (others - len(single))
            ends = single[wanted - 1] if wanted > 0 else 0
        before = next((self._chain[kind.number] for kind in kinds if self._chain[kind.number]), "")
        self._cached[key] = (ends, f"{before} -> {name}" if before else name)
        return self._cached[key]


def critical_path(timeline: Timeline) -> tuple[str, ...]:
    """The hosts whose moves, each let go by the end of the one before, take the plan to its end."""
    if not timeline.finish_ms:
        return ()
    last = max(timeline.finish_ms, key=lambda host: timeline.finish_ms[host])
    path = [last]
    while path[-1] in timeline.cause:
        path.append(timeline.cause[path[-1]])
    return tuple(reversed(path))
