"""Whose turn it is, by heart: canaries and slow start (design: rule 8). Waves and the path are in `barriers`.

A start is judged by what was so when the run decided on it, which is when it said that the move began, and called when its first act goes out.
Of other moves only those count that have really reached their hosts: what was said to begin, and stepped back before it did anything, stands in
nobody's way. So an engine that says too little is not let off: a first act of which nobody was told is judged as it goes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from restart.model.event import Fact
from restart.model.inventory import Service
from restart.simulator.referee.barriers import Row, judge_alone, path_wrong, wave_wrong
from restart.simulator.referee.grounds import Grounds
from restart.simulator.referee.told import Told

if TYPE_CHECKING:
    from restart.simulator.referee.record import Record

CANARIES_LOST_MAX = 2
"""A second canary lost closes its stratum."""


@dataclass(slots=True)
class Kind:
    """One stratum: its moves proved good, how many of them count for its pace, its canaries lost, and who is under way."""

    good: int = 0
    paced: int = 0
    lost: set[str] = field(default_factory=set)
    under_way: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """At the start of a move: so many of its stratum might be under way with it (`may`, by the rule of that name), and who was, as far as it was told."""

    stratum: str
    rule: str
    may: int
    others: tuple[str, ...]


class Turns:
    """Who has had a turn, and who is to have one. One for each stage of a plan."""

    def __init__(self, grounds: Grounds) -> None:
        self.kinds: dict[str, Kind] = {}
        self.allowed: dict[str, tuple[Allowed, ...]] = {}
        """Of each host that has begun: what was allowed then; until its first act goes out."""
        self.wrong: dict[str, tuple[tuple[int, str], ...]] = {}
        """And what was wrong with its turn: rule and text."""
        self.going: dict[str, None] = {}
        """Moves that were said to begin and have not ended."""
        self.beside: dict[str, tuple[str, ...]] = {}
        """Which of them were going when each host began."""
        self.judged: set[str] = set()
        """Hosts whose first act has gone out since they were last said to begin."""
        self.held_s: dict[str, float] = {}
        """When each gate was last told to have held before the controller died."""
        self._wave_of = dict(grounds.wave_of)
        self._services_of = {host: grounds.services_of[host] for host in self._wave_of}
        self.off_path = {host for host in self._wave_of if host not in grounds.path}
        """Hosts beside the path whose moves have not ended."""
        self._path = grounds.path
        self.touches: dict[int, dict[str, None]] = {}
        """The services of each wave's moves."""
        self.fleet = Row()
        self.of_service: dict[str, Row] = {}
        self.sizes: dict[str, int] = {}
        """How many of the plan's moves are of each stratum."""
        for host, wave in self._wave_of.items():
            image = grounds.inventory.hosts[host].labels.get("image", "")
            for name in self._services_of[host]:
                self.sizes[f"{name}/{image}"] = self.sizes.get(f"{name}/{image}", 0) + 1
            self.touches.setdefault(wave, {}).update(dict.fromkeys(self._services_of[host]))
            self.to_come(host)

    def remember(self, told: Told) -> None:
        """The controller died: what was told before proves no gate open, but a wave that its gates have closed stays closed."""
        self.held_s.update({name: gate.held_s for name, gate in told.gates.items() if gate.held_s is not None})

    def kind(self, name: str) -> Kind:
        """The stratum of this name."""
        return self.kinds.setdefault(name, Kind())

    def wave_of(self, host: str) -> int | None:
        """The wave of the plan's move of `host`; None: it has none (a spare)."""
        return self._wave_of.get(host)

    def to_come(self, host: str) -> None:
        """The move of `host` has not ended."""
        if (wave := self._wave_of.get(host)) is not None:
            for row in self._rows(host):
                row.add(wave, host)
            if host not in self._path:
                self.off_path.add(host)

    def ended(self, host: str, at_s: float | None) -> None:
        """The move of `host` has ended; None: it is about to get another wave."""
        if (wave := self._wave_of.get(host)) is not None:
            for row in self._rows(host):
                row.end(wave, host, at_s)
            self.off_path.discard(host)

    def change_places(self, first: str, second: str) -> None:
        """Two moves that have not begun change their waves."""
        if first in self._wave_of and second in self._wave_of:
            for host in (first, second):
                self.ended(host, None)
            self._wave_of[first], self._wave_of[second] = self._wave_of[second], self._wave_of[first]
            for host in (first, second):
                self.to_come(host)

    def _rows(self, host: str) -> Iterable[Row]:
        return (self.fleet, *(self.of_service.setdefault(name, Row()) for name in self._services_of[host]))


def hear_turns(record: Record, fact: Fact, host: str) -> None:
    """Take down what a fact says of the turn of `host`."""
    match fact.fact:
        case "move_started":
            _begins(record, host)
        case "move_done":
            record.turns.ended(host, fact.at_s)
            record.turns.going.pop(host, None)
            # A canary that is watched for longer counts when it has held.
            if not _is_watched(record, host):
                _proved(record, host, good=True)
        case "canary_held":
            _proved(record, host, good=True)
        case "quarantined" | "untouched":
            record.turns.ended(host, fact.at_s)
            _proved(record, host, good=False)
        case "in_doubt":
            _proved(record, host, good=False)
        case "not_rebooted" | "skipped":
            record.turns.ended(host, fact.at_s)
            _proved(record, host, good=None)
        case "resolved" if fact.data.get("word") != "none":
            for name in _strata(record, host):
                record.turns.kind(name).lost.discard(host)
            if fact.data.get("word") != "skip":
                record.turns.to_come(host)
        case "changed_places":
            record.turns.change_places(host, str(fact.data.get("other")))
        case _:
            pass


def judge_turn(record: Record, what: str, host: str) -> None:
    """The first act on `host`, called `what`, goes out: was it its turn when it was decided?"""
    turns = record.turns
    if host in turns.judged:
        return  # after a crash what was decided before it is gone on with
    if host not in turns.allowed:
        _begins(record, host)
    turns.judged.add(host)
    for rule, why in turns.wrong.pop(host, ()):
        record.call(rule, f"{what} {why}", host=host)
    judge_alone(record, what, host)
    for allowed in turns.allowed.pop(host, ()):
        others = [other for other in allowed.others if other in record.begun_moves]
        if len(others) + 1 > allowed.may:
            beside = f" beside {', '.join(sorted(others)[:5])}" if others else ""
            why = f"begins{beside}, and {allowed.rule} lets {allowed.may} of {allowed.stratum} be under way"
            record.call(9, f"{what} {why}", host=host)


def _begins(record: Record, host: str) -> None:
    turns = record.turns
    # Of those that have acted, who is away no longer has come back, or has been put back as it was.
    here = {other for other in turns.going if other in record.begun_moves and record.aways.get(other) is None}
    found = []
    for name in _strata(record, host):
        kind = turns.kind(name)
        others = tuple(other for other in kind.under_way if other != host and other not in here)
        bound = _bound(record, name, kind)
        if bound is not None:
            found.append(Allowed(stratum=name, rule=bound[0], may=bound[1], others=others))
        kind.under_way[host] = None
    beside = tuple(other for other in turns.going if other != host and other not in here)
    turns.allowed[host] = tuple(found)
    turns.wrong[host] = (*wave_wrong(record, host), *path_wrong(record, host))
    turns.beside[host] = beside
    turns.going[host] = None
    turns.judged.discard(host)
    turns.to_come(host)


def _proved(record: Record, host: str, *, good: bool | None) -> None:
    """The move of `host` is proved good, has failed, or neither."""
    turns = record.turns
    turns.going.pop(host, None)
    for name in _strata(record, host):
        kind = turns.kind(name)
        kind.under_way.pop(host, None)
        canaries = _canaries(record, name)
        if good:
            kind.good, kind.paced = kind.good + 1, kind.paced + 1
            kind.lost.discard(host)
        elif good is False:
            if kind.good < canaries:
                kind.lost.add(host)
            kind.paced = _set_back(kind.paced, canaries)


# --- canaries and slow start ----------------------------------------------------------------------------------------------


def _strata(record: Record, host: str) -> tuple[str, ...]:
    """`SERVICE/IMAGE` for each service of `host`; none for a spare, which takes a place. A shutdown brings nothing back that could be tried."""
    grounds = record.grounds
    if grounds.stops or host in record.spares or host not in grounds.moves:
        return ()
    image = record.plan.inventory.hosts[host].labels.get("image", "")
    return tuple(f"{name}/{image}" for name in grounds.services_of[host])


def leads(record: Record, host: str) -> bool:
    """Whether `host` is a canary: not enough of its stratum have been proved good."""
    return any(record.turns.kind(name).good < _canaries(record, name) for name in _strata(record, host))


def _is_watched(record: Record, host: str) -> bool:
    """Whether the move that has just ended well is a canary's that must hold for longer before it counts."""
    policy = record.plan.inventory.policy
    for name in _strata(record, host):
        service = record.plan.inventory.services[name.partition("/")[0]]
        for_s = policy.canary_for_s if service.canary_for_s is None else service.canary_for_s
        if for_s and record.turns.kind(name).good < _canaries(record, name):
            return True
    return False


def _bound(record: Record, name: str, kind: Kind) -> tuple[str, int] | None:
    """The rule, and how many of the stratum may be under way now; None: any number."""
    canaries = _canaries(record, name)
    if kind.good < canaries:
        return f"canary.{name.rstrip('/')}", 0 if len(kind.lost) >= CANARIES_LOST_MAX else canaries - kind.good
    rule = f"pace.{name.rstrip('/')}"
    if not _is_slow(record, name) or record.grounds.let_go(rule):
        return None
    return rule, _step(kind.paced, canaries)


def _canaries(record: Record, name: str) -> int:
    grounds, inventory = record.grounds, record.plan.inventory
    service = inventory.services[name.partition("/")[0]]
    if (
        _together(record, service)
        or grounds.let_go(f"canary.{name.rstrip('/')}")
        or record.turns.sizes.get(name, 0) < 2
    ):
        return 0
    stated = inventory.policy.canaries if service.canaries is None else service.canaries
    return (1 if grounds.mode == "rolling" else 0) if stated is None else stated


def _is_slow(record: Record, name: str) -> bool:
    service, policy = record.plan.inventory.services[name.partition("/")[0]], record.plan.inventory.policy
    stated = service.pace or policy.pace or ("slow" if record.grounds.mode == "rolling" else "fixed")
    return stated == "slow" and not _together(record, service)


def _together(record: Record, service: Service) -> bool:
    """Whether its members start from cold together: nobody waits for anybody's checks."""
    quorum = service.ready_when is not None and service.ready_when.quorum
    return record.grounds.cold and (quorum or service.co_start)


def _step(passed: int, canaries: int) -> int:
    """1, 2, 4, ... (or as many as there are canaries, and twice that, ...): a step opens when all before it are proved."""
    size = max(canaries, 1)
    while passed >= size:
        passed -= size
        size += size
    return size


def _set_back(passed: int, canaries: int) -> int:
    """So many proved that half as many may be under way; the first step stays."""
    half = max(_step(passed, canaries) // 2, max(canaries, 1))
    return half - max(canaries, 1)
