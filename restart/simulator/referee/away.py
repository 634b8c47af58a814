"""Who is away, by what really reached the hosts: from a move's first act until its checks have held, and what it holds of the limits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from restart.model.inventory import Inventory, Limit
from restart.simulator.referee.restated import Cap, caps
from restart.simulator.referee.told import HAIR_S, Streak
from restart.simulator.truth import HostTruth

Place = tuple[str, str]
"""A limit's name as the inventory has it (`admission.NAME` for admissions), and the label's value."""


@dataclass(slots=True)
class Away:
    """One host that this run has begun to take away. Times are run seconds.

    `decided_s`: when the run decided on it; `boots_before` and `boot_before`: its boots and its boot id before that. `acted`: it was
    restarted at `acted_s`, not only drained; `booted`: it has come up in another boot since; `held_s`: since when its checks have held.
    `in_vain`: it was told to be still up in its old boot, long after the act.
    `freed`: an operator took the matter into their hands. `troubled`: what its checks said that was not PASS.
    """

    host: str
    services: tuple[str, ...]
    decided_s: float
    boots_before: int
    boot_before: str = ""
    acted: bool = False
    acted_s: float = 0.0
    booted: bool = False
    booted_s: float = 0.0
    held_s: float | None = None
    freed: bool = False
    troubled: str = ""
    in_vain: bool = False
    streaks: dict[str | None, Streak] = field(default_factory=dict)

    def holds(self, at_s: float) -> bool:
        """Whether the checks of all its services hold at `at_s`: at once, not one after the other."""
        names = self.services or (None,)
        return all(name in self.streaks and self.streaks[name].holds(at_s) for name in names)


class Aways:
    """All hosts away, by host, by service, and by the places that they take under the limits."""

    def __init__(self, inventory: Inventory, off: Iterable[str] = ()) -> None:
        """`off`: hosts that this run is to start from cold; they draw nothing before, and `max_domains` does not apply."""
        self._inventory = inventory
        self._cold = bool(off)
        self._off = set(off)
        self._caps = caps(inventory, cold=self._cold)
        self._admissions = [
            (
                service.name,
                Cap(
                    name=f"admission.{service.name}",
                    kind="count",
                    most=service.admission,
                    until=service.admission_held_until,
                ),
            )
            for service in inventory.services.values()
            if service.admission is not None
        ]
        self._domains = tuple(
            limit for limit in inventory.limits.values() if limit.max_domains is not None and not self._cold
        )
        self._hosts = {
            limit.name: frozenset(limit.hosts) for limit in inventory.limits.values() if limit.hosts is not None
        }
        self._now: dict[str, Away] = {}
        self._of: dict[str, dict[str, Away]] = {name: {} for name in inventory.services}
        self._held: dict[Place, dict[str, Away]] = {}
        self._cap_of: dict[Place, Cap] = {}
        self._touched: dict[str, dict[str, dict[str, Away]]] = {limit.name: {} for limit in self._domains}
        self._starts: dict[Place, deque[float]] = {}
        self._under: dict[Place, int] = {}
        for cap in self._caps if any(cap.kind == "capacity" for cap in self._caps) else ():
            for host in inventory.hosts.values():
                value = cap.value(host)
                if value is not None and host.name not in self._off:
                    self._under[cap.name, value] = self._under.get((cap.name, value), 0) + 1

    @property
    def hosts(self) -> Set[str]:
        """All that are away."""
        return self._now.keys()

    def switched_on(self, host: str) -> None:
        """The host has power: from now on it draws."""
        if host in self._off:
            self._off.discard(host)
            for cap in self._caps:
                value = cap.value(self._inventory.hosts[host])
                if cap.kind == "capacity" and value is not None:
                    self._under[cap.name, value] = self._under.get((cap.name, value), 0) + 1

    def get(self, host: str) -> Away | None:
        """The host, where it is away; None: it is not."""
        return self._now.get(host)

    def of(self, service: str) -> Mapping[str, Away]:
        """Members of `service` that are away."""
        return self._of[service]

    def add(self, away: Away) -> None:
        """A host's first act has reached it."""
        self._now[away.host] = away
        for service in away.services:
            self._of[service][away.host] = away
        for place, cap in self.places(away.host, away.services):
            if cap.kind != "rate":
                self._held.setdefault(place, {})[away.host] = away
                self._cap_of[place] = cap
        for limit, value in self.domains(away.host):
            self._touched[limit.name].setdefault(value, {})[away.host] = away

    def come_back(self, host: str, *, freed: bool = False) -> None:
        """Its checks have held, or (`freed`) it was put back as it was, or an operator decided on it. Limits free it by their own rule."""
        away = self._now.pop(host, None)
        if away is None:
            return
        away.freed = freed
        for service in away.services:
            self._of[service].pop(host, None)
        for limit, value in self.domains(host):
            held = self._touched[limit.name].get(value, {})
            held.pop(host, None)
            if not held:
                self._touched[limit.name].pop(value, None)

    def saw(self, truth: HostTruth, at_s: float) -> bool:
        """The truth of one host at `at_s`; True where it has booted after our act, though it may be down again."""
        away = self._now.get(truth.name)
        if away is None or away.booted or not away.acted or truth.boots <= away.boots_before:
            return False
        away.booted, away.booted_s = True, at_s
        return True

    def places(self, host: str, services: tuple[str, ...]) -> Iterator[tuple[Place, Cap]]:
        """Every limit that a move of `host` falls under, and its place there."""
        for cap in self._caps:
            value = cap.value(self._inventory.hosts[host])
            if value is not None:
                yield (cap.name, value), cap
        for provider, cap in self._admissions:
            if any(
                edge.provider == provider for name in services for edge in self._inventory.services[name].depends_on
            ):
                yield (cap.name, ""), cap

    def holders(self, place: Place, now_s: float, gates_held_s: Callable[[Away], float | None]) -> list[str]:
        """Who holds `place` at `now_s`. `gates_held_s` says when the gates of a move's services had last held."""
        found = self._held.get(place, {})
        for host, away in list(found.items()):
            if self._is_free(away, self._cap_of[place], now_s, gates_held_s):
                del found[host]
        return [host for host, away in found.items() if away.booted or not self._cap_of[place].from_booted]

    def anyway(self, place: Place, cap: Cap) -> float:
        """What all hosts under a capacity draw together while they run; one that is down may come up at any moment."""
        return cap.running * self._under.get(place, 0) if cap.kind == "capacity" else 0.0

    def start(self, place: Place, at_s: float, span_s: float) -> int:
        """One more start under a rate; how many there were in the span that ends now, this one too."""
        starts = self._starts.setdefault(place, deque())
        while starts and starts[0] <= at_s - span_s + HAIR_S:
            starts.popleft()
        starts.append(at_s)
        return len(starts)

    def let_go(self, now_s: float, gates_held_s: Callable[[Away], float | None]) -> None:
        """Forget what is free by now everywhere: what was told is about to be forgotten, and freed it."""
        for place in self._held:
            self.holders(place, now_s, gates_held_s)

    def domains(self, host: str) -> Iterator[tuple[Limit, str]]:
        """Every `max_domains` limit that `host` falls under, and its domain there; without a label each host is one."""
        for limit in self._domains:
            value = host if limit.per is None and self._inside(limit, host) else self._value(limit, host)
            if value is not None:
                yield limit, value

    def touched(self, limit: Limit) -> set[str]:
        """The domains of `limit` in which hosts are away."""
        return set(self._touched[limit.name])

    def _inside(self, limit: Limit, host: str) -> bool:
        return limit.name not in self._hosts or host in self._hosts[limit.name]

    def _value(self, limit: Limit, host: str) -> str | None:
        if not self._inside(limit, host):
            return None
        return "" if limit.per is None else self._inventory.hosts[host].labels.get(limit.per)

    def _is_free(self, away: Away, cap: Cap, now_s: float, gates_held_s: Callable[[Away], float | None]) -> bool:
        if away.freed:
            return True
        if cap.held_s is not None:
            since_s = away.booted_s if cap.from_booted else away.acted_s
            by_boot = cap.from_booted or (cap.kind == "capacity" and not cap.from_act)
            begun = away.booted if by_boot else away.acted
            return (begun and now_s >= since_s + cap.held_s - HAIR_S) or (away.held_s is not None and not away.booted)
        if cap.until == "booted":
            return away.booted or away.held_s is not None
        if away.held_s is None or cap.until != "gate":
            return away.held_s is not None
        passed_s = gates_held_s(away)
        return passed_s is None or passed_s >= away.held_s - HAIR_S
