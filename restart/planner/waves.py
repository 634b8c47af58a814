"""Waves: as few as possible, by list scheduling with the longest chain first.

Every wave takes, in order of priority, each host that order, budgets, `max_domains` and the readiness of its providers let
go even if the whole wave were down at once. A kind that is kept out is parked in the queue of the rule that keeps it out;
within a wave rules only get tighter, so only the head of each queue has to be looked at again in the next wave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from restart.errors import Refusal, Refused
from restart.planner.doors import Doors, Live
from restart.planner.kinds import Fleet, Kind
from restart.planner.refusals import some
from restart.planner.spread import Spread
from restart.rules.limits import domains_rule
from restart.rules.named import budget_rule


class Rule(NamedTuple):
    """A rule that kept a kind out of a wave: `budget`, `unsure`, `domains` or `ready`, about whom, and its number.

    All kinds parked under equal rules fare alike in every wave.
    """

    name: str
    about: str
    value: str | int = ""
    own: bool = False


Priority = tuple[bool, float, float, float, float, int]


@dataclass(frozen=True, slots=True)
class Packed:
    """The hosts of each wave, in order of priority, and for each host the rule that kept it out of the wave before (None: order).

    `chain_waves`: so many the longest chain of budgets and order asks for; where no edge states `needs`, none can do with less.
    """

    waves: list[list[str]]
    kept_out: Mapping[str, Rule]
    doors: Doors
    chain_waves: int


@dataclass(slots=True)
class _Wave:
    """What the wave under construction holds."""

    hosts: list[str] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)
    down_max: dict[int, int] = field(default_factory=dict)
    """For a provider that must stay ready for a consumer of this wave: how many of its members may be down."""


class Packing:
    """One packing of a fleet into waves; `pack` runs it once."""

    def __init__(self, fleet: Fleet, tails: Tails, spread: Spread, leaning: int = 0) -> None:
        """`leaning`: 0 for the priorities that large fleets are packed by, 1 and up for others."""
        self._fleet = fleet
        self._spread = spread
        self._tails = tails
        self._leaning = leaning
        self._doors = Doors(fleet)
        self._live: dict[int, tuple[Live, ...]] = {}
        self._next = [0] * len(fleet.kinds)  # index of each kind's first host that is not placed yet
        self._left = list(fleet.left)
        self._room = [fleet.room(at) for at in range(len(fleet.names))]
        self._chain_s = [max((tails.seconds[at] for at in kind.services), default=0.0) for kind in fleet.kinds]
        self._down = self._down_at_first()
        self._active, self._domain_left = self._domains_at_first()
        self._queues: dict[Rule, list[tuple[Priority, int]]] = {}
        self._kept_out: dict[str, Rule] = {}
        self._kept: dict[int, tuple[Rule, int]] = {}  # kind -> rule and wave that last kept it out
        self._wave = _Wave()
        # Taken once a wave: a count that every move changes would make every queued priority stale.
        self._domain_weight = dict(self._domain_left)

    def pack(self) -> Packed:
        """Pack all. Raises `Refused` where hosts are left that no wave can take."""
        total = len(self._fleet.kind_of)
        told = max(
            (self._fleet.load(at) + self._tails.waves[at] for at in range(len(self._left)) if self._left[at]), default=0
        )
        placed = 0
        waves: list[list[str]] = []
        fresh = self._doors.open()
        while placed < total:
            self._wave = _Wave()
            self._spread.new_wave()
            self._domain_weight = dict(self._domain_left)
            self._fill(fresh, len(waves) + 1)
            if not self._wave.hosts:
                raise Refused(self._stuck(total - placed))
            waves.append(self._wave.hosts)
            placed += len(self._wave.hosts)
            self._come_back()
            fresh = self._doors.finish(self._wave.kinds)
        return Packed(waves, self._kept_out, self._doors, told)

    def _fill(self, fresh: list[Kind], number: int) -> None:
        heap: list[tuple[Priority, int, Rule | None]] = [(self._priority(kind), kind.number, None) for kind in fresh]
        heap += [(*heappop(queue), rule) for rule, queue in self._queues.items() if queue]
        self._queues = {rule: queue for rule, queue in self._queues.items() if queue}
        # Priorities are unique up to the kind's number, so no two entries compare their rules.
        heapify(heap)
        while heap:
            _, at, woken_by = heappop(heap)
            kind = self._fleet.kinds[at]
            now = self._priority(kind)
            if heap and now > heap[0][0]:
                heappush(heap, (now, at, woken_by))
                continue
            rule = self._kept_out_by(kind)
            if rule is None:
                self._place(kind, number)
                if self._next[at] < len(kind.hosts):
                    heappush(heap, (self._priority(kind), at, woken_by))
                    continue
            else:
                heappush(self._queues.setdefault(rule, []), (now, at))
                self._kept[at] = (rule, number)
            if woken_by is not None and woken_by != rule and self._queues.get(woken_by):
                heappush(heap, (*heappop(self._queues[woken_by]), woken_by))

    def _priority(self, kind: Kind) -> Priority:
        """Smallest first: the sick; the longest chain in waves; most waves of its own; longest chain in seconds; fullest domain."""
        left, room, tail = self._left, self._room, self._tails.waves
        chain = own = 0
        for at in kind.services:
            load = -(-left[at] // room[at])
            own += load
            if load + tail[at] > chain:
                chain = load + tail[at]
        domain = sum(self._domain_weight[domain] for domain in kind.domains) if kind.domains else 0
        seconds = self._chain_s[kind.number]
        if self._leaning:
            return self._leant((not kind.down, -chain, -own, -seconds, -domain, kind.number))
        return (not kind.down, -chain, -own, -seconds, -domain, kind.number)

    def _leant(self, usual: Priority) -> Priority:
        """`usual` leaning another way: to the longest chain in seconds first, or by as much as two waves either way, kind by kind."""
        well, chain, own, seconds, domain, number = usual
        if self._leaning == 1:
            return (well, seconds, chain, own, domain, number)
        return (
            well,
            chain - _lean(number, self._leaning),
            own - _lean(number, -self._leaning),
            seconds,
            domain,
            number,
        )

    def _kept_out_by(self, kind: Kind) -> Rule | None:
        """The first rule that keeps the next host of `kind` out of this wave; None: it may go."""
        fleet, down, down_max = self._fleet, self._down, self._wave.down_max
        for at in kind.costs:
            if down[at] >= fleet.may[at]:
                return Rule("budget", fleet.names[at])
            if at in down_max and down[at] >= down_max[at]:
                return Rule("ready", fleet.names[at])
        for at in kind.unsure:
            if down[at] > fleet.may[at]:
                return Rule("unsure", fleet.names[at])
        for limit, value in kind.domains:
            active = self._active[limit]
            cap = self._domain_cap(limit)
            if not kind.sick and (len(active) > cap or (value not in active and len(active) >= cap)):
                return Rule("domains", limit, value)
        for live in self._live_of(kind):
            if self._others_down(kind, live) > live.down_max:
                return Rule("ready", fleet.names[live.provider], live.down_max, live.own)
        return None

    def _place(self, kind: Kind, number: int) -> None:
        at = self._next[kind.number]
        self._spread.bring_forward(kind, at)
        host = kind.hosts[at]
        self._next[kind.number] = at + 1
        for live in self._live_of(kind):
            room = live.down_max + (1 if live.own else 0)
            held = self._wave.down_max.get(live.provider, room)
            self._wave.down_max[live.provider] = min(room, held)
        for service in kind.costs:
            self._down[service] += 1
        for service in kind.services:
            self._left[service] -= 1
        for limit, value in kind.domains:
            if not kind.down:
                self._active[limit][value] = self._active[limit].get(value, 0) + 1
            self._domain_left[limit, value] -= 1
        rule, when = self._kept.get(kind.number, (None, 0))
        if rule is not None and when == number - 1:
            self._kept_out[host] = rule
        self._wave.hosts.append(host)
        self._wave.kinds.append(kind)

    def _come_back(self) -> None:
        """The wave is over: its hosts are up, those that were down before it too."""
        for kind in self._wave.kinds:
            for service in kind.services:
                self._down[service] -= 1
            for limit, value in kind.domains:
                active = self._active[limit]
                active[value] -= 1
                if not active[value]:
                    del active[value]

    def _others_down(self, kind: Kind, live: Live) -> int:
        """Members of the provider that are down, the consumer's own host not counted."""
        down = self._down[live.provider]
        return down - 1 if live.own and live.provider not in kind.costs else down

    def _live_of(self, kind: Kind) -> tuple[Live, ...]:
        live = self._live.get(kind.number)
        if live is None:
            # From cold nothing can be lost by moving together, and members of a group must.
            live = self._live[kind.number] = () if self._fleet.cold else self._doors.live(kind)
        return live

    def _domain_cap(self, limit: str) -> int:
        return self._tails.domain_caps[limit]

    def _down_at_first(self) -> list[int]:
        return [len(self._fleet.scope.down.get(name, ())) for name in self._fleet.names]

    def _domains_at_first(self) -> tuple[dict[str, dict[str, int]], dict[tuple[str, str], int]]:
        """Hosts down in each domain of each limit, and moves left in each domain."""
        scope, table = self._fleet.scope, self._fleet.domains
        active: dict[str, dict[str, int]] = {domains_rule(limit): {} for limit in table.limits}
        left: dict[tuple[str, str], int] = {}
        if table.limits:
            for host in sorted({host for members in scope.down.values() for host in members}):
                for slot in table.domains(scope.inventory.hosts[host]):
                    active[slot.limit][slot.value] = active[slot.limit].get(slot.value, 0) + 1
            for kind in self._fleet.kinds:
                for domain in kind.domains:
                    left[domain] = left.get(domain, 0) + len(kind.hosts)
        return active, left

    def _stuck(self, count: int) -> tuple[Refusal, ...]:
        """Why nothing more can go, for the first host kept out by each rule."""
        fleet, found = self._fleet, []
        for rule, queue in self._queues.items():
            if not queue:
                continue
            kind = fleet.kinds[min(queue)[1]]
            host = kind.hosts[self._next[kind.number]]
            if rule.name == "domains":
                name, what = (
                    rule.about,
                    f"{some(self._active[rule.about])} is touched or down, {rule.value} would be one more",
                )
            else:
                at = fleet.number_of[rule.about]
                most = fleet.may[at] if rule.name != "ready" else rule.value
                name = budget_rule(rule.about)
                what = (
                    f"{self._down[at]} of {fleet.members[at]} members of {rule.about} are down, at most {most} may be"
                )
            found.append(
                Refusal(
                    rule=name,
                    what=f"{host}: {what}, in every wave; {count} hosts wait",
                    way_out="repair what is down first",
                )
            )
        if not found:
            what = f"{count} hosts wait for each other and for hosts that are down"
            found.append(Refusal(rule="order", what=what, way_out="repair what is down first"))
        return tuple(sorted(found, key=str))


@dataclass(frozen=True, slots=True)
class Tails:
    """What follows each service: the longest chain of its consumers' moves, in waves and in seconds, itself not counted."""

    waves: list[int]
    seconds: list[float]
    domain_caps: Mapping[str, int]


def tails(fleet: Fleet, longest_s: list[float]) -> Tails:
    """`longest_s`: the longest move of each service, in seconds."""
    waves = [0] * len(fleet.names)
    seconds = [0.0] * len(fleet.names)
    edges = fleet.scope.order.waits
    for name in reversed(fleet.scope.order.upward):
        consumer = fleet.number_of[name]
        if not fleet.left[consumer]:
            continue
        load = fleet.load(consumer)
        for edge in edges[name]:
            provider = fleet.number_of[edge.provider]
            waves[provider] = max(waves[provider], load + waves[consumer])
            seconds[provider] = max(seconds[provider], load * longest_s[consumer] + seconds[consumer])
    caps = {domains_rule(limit): limit.max_domains or 0 for limit in fleet.domains.limits}
    return Tails(waves, seconds, caps)


LEANING_WAVES = 2.0


def _lean(number: int, leaning: int) -> float:
    """From 0 to `LEANING_WAVES`, unlike for each kind and leaning, always the same: a multiplication that mixes bits (Knuth, 6.4)."""
    mixed = (number * 2654435761 + leaning * 3928391) & 0xFFFFFFFF
    mixed = ((mixed ^ mixed >> 15) * 2246822519) & 0xFFFFFFFF
    return LEANING_WAVES * ((mixed ^ mixed >> 13) % 1000) / 1000


def pack(fleet: Fleet, durations_s: Mapping[str, float], leaning: int = 0) -> Packed:
    """The waves of `fleet`, path hosts not among them. Raises `Refused`."""
    longest_s = [0.0] * len(fleet.names)
    for kind in fleet.kinds:
        slowest_s = max(durations_s[host] for host in kind.hosts)
        for at in kind.services:
            longest_s[at] = max(longest_s[at], slowest_s)
    spread = Spread(fleet.scope.inventory, durations_s, fleet.leading)
    return Packing(fleet, tails(fleet, longest_s), spread, leaning).pack()
