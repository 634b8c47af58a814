"""Timing: when each move of the waves starts and ends, by playing the plan through, event by event.

What waves leave to the clock is kept here: limits in flight, admission, rates, canaries, slow start, barriers with their
gates and `settle`. A move that cannot start is parked in the queue of what it waits for, and only that wakes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from heapq import heapify, heappop, heappush

from restart.errors import must
from restart.planner.calendar import Calendar
from restart.planner.holds import ms
from restart.planner.strata import draw_strata
from restart.planner.timeline import Batch, Pieces, Station, Timeline
from restart.rules.groups import starts_together
from restart.rules.limits import DomainTable, Slot, domains_rule

Key = tuple[str, int | str, str]
"""What a parked move waits for: a slot from now or one from when it has booted (`later`), a stratum, or a domain of a limit."""


def time_plan(pieces: Pieces, barrier: str) -> Timeline:
    """Play the waves through under `barrier` (`fleet` or `service`)."""
    return _Play(pieces, barrier).run()


class _Play:
    def __init__(self, pieces: Pieces, barrier: str) -> None:
        self._pieces = pieces
        self._scope = pieces.scope
        self._by_service = barrier == "service"
        self._wave_of = {host: index for index, wave in enumerate(pieces.waves) for host in wave}
        self._length_ms = {host: ms(pieces.durations_s[host]) for host in self._wave_of}
        self._table = pieces.holds
        self._held: dict[int, float] = {}
        self._later = Calendar()
        self._holds = {host: pieces.holds.holds(host) for host in self._wave_of}
        self._strata, self._strata_of = draw_strata(self._scope, pieces.guards, self._wave_of, pieces.mode)
        domains_hold = self._by_service and pieces.mode != "cold-start"
        self._domains = DomainTable(self._scope.inventory, self._scope.waived) if domains_hold else None
        self._active = self._domains_at_first()
        self._stations_of: dict[str, list[Station]] = {}
        self._priority = self._priorities()
        self._events: list[tuple[int, int, Callable[[str], None], str]] = []
        self._sequence = 0
        self._now_ms = 0
        self._parked: dict[Key, list[tuple[tuple[int, ...], str]]] = {}
        self._woken: dict[Key, str] = {}
        self._since: dict[Key, int] = {}
        self._waited: dict[Slot, int] = {}
        self._opened: list[tuple[str, str]] = []
        self._start: dict[str, int] = {}
        self._finish: dict[str, int] = {}
        self._cause: dict[str, str] = {}
        self._canaries: set[str] = set()
        if self._by_service:
            self._rest_on_services()
        else:
            self._rest_on_waves()

    def run(self) -> Timeline:
        self._start_what_can()
        while self._events:
            self._now_ms = self._events[0][0]
            while self._events and self._events[0][0] == self._now_ms:
                _, _, happen, host = heappop(self._events)
                happen(host)
            self._start_what_can()
        must(len(self._finish) == len(self._wave_of), "every move of the plan gets a time")
        return Timeline(
            start_ms=self._start,
            finish_ms=self._finish,
            cause=self._cause,
            canaries=frozenset(self._canaries),
            makespan_ms=self._end_ms(),
            waited_ms=self._waited,
        )

    # What a move waits for before it is even looked at: stations.

    def _rest_on_waves(self) -> None:
        """Barrier `fleet`: a wave starts when every move and gate of the one before is done, plus the longest settle."""
        guards, before = self._pieces.guards, None
        for wave in self._pieces.waves:
            services = self._touched(wave)
            gate_s = max((guards.held_s[service] for service in services), default=0.0)
            station = Station(len(wave), ms(gate_s + guards.settle_s(services)))
            for host in wave:
                self._stations_of[host] = [station]
            self._queue(Batch(list(wave)), [] if before is None else [before])
            before = station

    def _rest_on_services(self) -> None:
        """Barrier `service`: a move waits only for what it rests on (design: rule 5); the path for everything else."""
        guards, waves = self._pieces.guards, self._pieces.waves
        last: dict[str, Station] = {}
        near = self._resting()
        everything = Station()
        for wave in waves[: self._pieces.path_from]:
            batches: dict[tuple[str, ...], list[str]] = {}
            for host in wave:
                batches.setdefault(self._scope.services_of[host], []).append(host)
            for services, hosts in batches.items():
                rests_on = {id(last[name]): last[name] for own in services for name in near[own] if name in last}
                self._queue(Batch(hosts), rests_on.values())
            opening: dict[str, Station] = {}
            for services, hosts in batches.items():
                mine = []
                for name in services or ("",):
                    if name not in opening:
                        delay_s = guards.held_s[name] + guards.settle_s((name,)) if name else 0.0
                        opening[name] = Station(delay_ms=ms(delay_s), feeds=everything)
                        everything.left += 1
                    opening[name].left += len(hosts)
                    mine.append(opening[name])
                for host in hosts:
                    self._stations_of[host] = mine
            opening.pop("", None)
            last.update(opening)
        before = everything
        for wave in waves[self._pieces.path_from :]:
            services = self._touched(wave)
            gate_s = max((guards.held_s[service] for service in services), default=0.0)
            station = Station(len(wave), ms(gate_s + guards.settle_s(services)))
            for host in wave:
                self._stations_of[host] = [station]
            self._queue(Batch(list(wave)), [before] if before.left else [])
            before = station

    def _resting(self) -> dict[str, dict[str, None]]:
        """For each service those whose earlier waves a move on it waits for: itself, its providers, its consumers.

        Consumers, because a provider's later member must not go down while a consumer that needs it is still on its way.
        """
        near: dict[str, dict[str, None]] = {name: {name: None} for name in self._scope.inventory.services}
        for consumer, edges in self._scope.order.edges.items():
            for edge in edges:
                if edge in self._scope.order.waits[consumer]:
                    near[consumer][edge.provider] = None
                if edge.kind == "requires":
                    near[edge.provider][consumer] = None
        return near

    def _queue(self, batch: Batch, rests_on: Iterable[Station]) -> None:
        for station in rests_on:
            station.batches.append(batch)
            batch.waits += 1
        if not batch.waits:
            self._opened.extend((host, "") for host in batch.hosts)

    def _touched(self, wave: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(service for host in wave for service in self._scope.services_of[host]))

    # What happens.

    def _at(self, when_ms: int, happen: Callable[[str], None], host: str) -> None:
        self._sequence += 1
        heappush(self._events, (when_ms, self._sequence, happen, host))

    def _start_what_can(self) -> None:
        """Start, by priority, every move that stations have opened or freed keys let go, now."""
        heap: list[tuple[tuple[int, ...], str, str, Key | None]] = [
            (self._priority[host], host, cause, None) for host, cause in self._opened
        ]
        self._opened = []
        for key, cause in self._woken.items():
            if self._parked.get(key):
                heap.append((*heappop(self._parked[key]), cause, key))
        woken, self._woken = self._woken, {}
        heapify(heap)
        while heap:
            _, host, cause, woken_by = heappop(heap)
            blocked = self._blocked_by(host)
            if blocked is None:
                self._begin(host, cause)
            else:
                heappush(self._parked.setdefault(blocked, []), (self._priority[host], host))
                self._since.setdefault(blocked, self._now_ms)
            if woken_by is not None and woken_by != blocked and self._parked.get(woken_by):
                heappush(heap, (*heappop(self._parked[woken_by]), cause, woken_by))
        for key in woken:
            if not self._parked.get(key) and key in self._since:
                self._count_wait(key)

    def _count_wait(self, key: Key) -> None:
        """Nothing waits for `key` any more."""
        since_ms = self._since.pop(key)
        if isinstance(key[1], int):
            slot = self._table.slots[key[1]]
            self._waited[slot] = self._waited.get(slot, 0) + self._now_ms - since_ms

    def _blocked_by(self, host: str) -> Key | None:
        caps, held = self._table.caps, self._held
        for slot, amount, _, _, _ in self._holds[host]:
            if held.get(slot, 0) + amount > caps[slot]:
                return ("slot", slot, "")
        for name in self._strata_of[host]:
            if not self._strata[name].has_room():
                return ("stratum", name, "")
        if self._domains is not None and host not in self._scope.path:
            for domain in self._domains.domains(self._scope.inventory.hosts[host]):
                active = self._active[domain.limit]
                if not self._is_down(host) and domain.value not in active and len(active) >= self._domains.cap(domain):
                    return ("domain", domain.limit, domain.value)
        return self._later_blocked_by(host) if self._table.any_later else None

    def _later_blocked_by(self, host: str) -> Key | None:
        """A slot that will not be free when the host has booted; it is looked at again when it may start after all."""
        for hold in self._table.later(host):
            free = self._later.free_at(hold, self._now_ms, self._table.caps[hold.slot])
            if free is not None:
                at_ms, by = free
                key: Key = ("later", hold.slot, "")
                self._at(at_ms, partial(self._wake, key, by), host)
                return key
        return None

    def _wake(self, key: Key, cause: str, _: str) -> None:
        self._woken.setdefault(key, cause)

    def _begin(self, host: str, cause: str) -> None:
        now, length = self._now_ms, self._length_ms[host]
        self._start[host] = now
        if cause:
            self._cause[host] = cause
        for slot, amount, _, until_ms, keeps in self._holds[host]:
            self._held[slot] = self._held.get(slot, 0) + amount
            # What the move's own end frees needs no event of its own.
            if until_ms != length:
                self._at(now + until_ms, partial(self._free, slot, amount - keeps), host)
        if self._table.any_later:
            for hold in self._table.later(host):
                self._later.reserve(hold, now, host)
        for name in self._strata_of[host]:
            found = self._strata[name]
            if found.started < found.canaries:
                self._canaries.add(host)
            found.started += 1
            found.under_way += 1
        if self._domains is not None and not self._is_down(host):
            for domain in self._domains.domains(self._scope.inventory.hosts[host]):
                active = self._active[domain.limit]
                active[domain.value] = active.get(domain.value, 0) + 1
        self._at(now + length, self._ended, host)

    def _free(self, slot: int, amount: float, host: str) -> None:
        self._held[slot] -= amount
        self._woken.setdefault(("slot", slot, ""), host)

    def _prove(self, name: str, host: str) -> None:
        self._strata[name].under_way -= 1
        self._strata[name].passed += 1
        self._woken.setdefault(("stratum", name, ""), host)

    def _ended(self, host: str) -> None:
        self._finish[host] = self._now_ms
        length = self._length_ms[host]
        for slot, amount, _, until_ms, keeps in self._holds[host]:
            if until_ms == length:
                self._free(slot, amount - keeps, host)
        for name in self._strata_of[host]:
            proof_ms = self._strata[name].proved_after_ms()
            if proof_ms:
                self._at(self._now_ms + proof_ms, partial(self._prove, name), host)
            else:
                self._prove(name, host)
        if self._domains is not None:
            for domain in self._domains.domains(self._scope.inventory.hosts[host]):
                active = self._active[domain.limit]
                active[domain.value] -= 1
                if not active[domain.value]:
                    del active[domain.value]
                    for key in self._parked:
                        if key[0] == "domain" and key[1] == domain.limit:
                            self._woken.setdefault(key, host)
        for station in self._stations_of[host]:
            self._count_down(station, host)

    def _count_down(self, station: Station, host: str) -> None:
        station.left -= 1
        if not station.left:
            self._at(self._now_ms + station.delay_ms, partial(self._open, station), host)

    def _open(self, station: Station, host: str) -> None:
        for batch in station.batches:
            batch.waits -= 1
            if not batch.waits:
                self._opened.extend((waiting, host) for waiting in batch.hosts)
        if station.feeds is not None:
            self._count_down(station.feeds, host)

    # What it starts from.

    def _priorities(self) -> dict[str, tuple[int, ...]]:
        """Smallest first: earlier waves, the sick, the longest uptime of those that could lead a stratum, the longest move."""
        priority: dict[str, tuple[int, ...]] = {}
        count = 0
        longest, first = self._groups()
        leading = {names: any(self._strata[name].canaries for name in names) for names in set(self._strata_of.values())}
        for index, wave in enumerate(self._pieces.waves):
            for host in wave:
                lead = leading[self._strata_of[host]]
                uptime = -ms(self._scope.uptime_s.get(host, 0.0)) if lead else 0
                sick, length = 0 if self._is_down(host) else 1, longest.get(host, self._length_ms[host])
                priority[host] = (index, sick, uptime, -length, first.get(host, count), count)
                count += 1
        return priority

    def _groups(self) -> tuple[dict[str, int], dict[str, int]]:
        """For members of groups that start together: the longest move of their group, and the place of its first member."""
        longest: dict[str, int] = {}
        first: dict[str, int] = {}
        if self._pieces.mode == "cold-start":
            place = {host: count for count, host in enumerate(self._wave_of)}
            for service in self._scope.inventory.services.values():
                members = [host for host in service.hosts if host in place]
                if members and starts_together(service):
                    longest.update(dict.fromkeys(members, max(self._length_ms[host] for host in members)))
                    first.update(dict.fromkeys(members, min(place[host] for host in members)))
        return longest, first

    def _is_down(self, host: str) -> bool:
        down = self._scope.down
        return bool(down) and any(host in down.get(service, ()) for service in self._scope.services_of[host])

    def _domains_at_first(self) -> dict[str, dict[str, int]]:
        if self._domains is None:
            return {}
        active: dict[str, dict[str, int]] = {domains_rule(limit): {} for limit in self._domains.limits}
        for host in sorted({host for members in self._scope.down.values() for host in members}):
            for slot in self._domains.domains(self._scope.inventory.hosts[host]):
                active[slot.limit][slot.value] = active[slot.limit].get(slot.value, 0) + 1
        return active

    def _end_ms(self) -> int:
        """The run ends when the gates asked after the last moves have held; a recovery may have none."""
        if not self._pieces.waves:
            return 0
        if self._by_service:
            held_s = self._pieces.guards.held_s
            return max(
                finish + max((ms(held_s[service]) for service in self._scope.services_of[host]), default=0)
                for host, finish in self._finish.items()
            )
        last = self._pieces.waves[-1]
        gate_s = max((self._pieces.guards.held_s[service] for service in self._touched(last)), default=0.0)
        return max(self._finish[host] for host in last) + ms(gate_s)
