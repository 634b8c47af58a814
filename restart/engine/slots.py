"""Slots: what the moves hold of the limits, from their first act until evidence, the clock or an operator frees them.

A slot that the clock frees is held without a clock until the host has taken the command that restarts it, because nobody knows how
long its drain takes, and whether the command arrives. A limit that counts only from when a host has booted (`held_from: booted`) is reserved
from the start all the same: a host that is booting cannot be held back when its moment comes, so its place must be there.
A later rung of a ladder needs all of them again before it acts, and counts as one more start. A rate counts a start from when its move
begins until its span has passed since the act: neither moves nor restarts ever begin at more than the rate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import heappop, heappush

from restart.model.inventory import Inventory
from restart.rules.limits import DomainTable, Slot, SlotTable, Take, fits
from restart.rules.waived import NOTHING_WAIVED, Waived

_ORDER = ("booted", "ready", "gate", "all")


class Slots:
    """The slots held by each host's move. A failed move keeps its own (design: section 2)."""

    def __init__(
        self,
        inventory: Inventory,
        services_of: Mapping[str, tuple[str, ...]],
        stirred: Callable[[Slot], None] = lambda slot: None,
        took: Callable[[Slot], None] = lambda slot: None,
        *,
        cold: bool = False,
        waived: Waived = NOTHING_WAIVED,
        freed: Callable[[Slot, str], None] = lambda slot, host: None,
    ) -> None:
        """`cold`: the hosts are off, and `max_domains` does not apply. `waived` limits are counted and hold nothing up.

        `stirred(slot)` hears where a place has become free, or only an operator can free it; `took(slot)` where one was taken; `freed(slot, host)` that `host` holds it no longer."""
        self._stirred = stirred
        self._took = took
        self._freed = freed
        self._waived = waived
        self._table = SlotTable(inventory, off=frozenset(services_of) if cold else frozenset())
        self._domains = DomainTable(replace(inventory, limits={}) if cold else inventory)
        taken = {host: self._table.takes(inventory.hosts[host], services) for host, services in services_of.items()}
        self._takes = {
            host: tuple(take for take in takes if not self._rated(take.slot)) for host, takes in taken.items()
        }
        self._rates = {
            host: tuple(take.slot for take in takes if self._rated(take.slot)) for host, takes in taken.items()
        }
        self._domains_of = {host: self._domains.domains(inventory.hosts[host]) for host in services_of}
        fleet_wide = (Slot(limit=key) for key in self._table.fleet_wide() if key not in waived)
        self._fleet_wide = tuple((slot, self._table.cap(slot)) for slot in fleet_wide)
        self._held: dict[Slot, dict[str, float]] = {}  # slot -> host -> how much of it
        self._sum: dict[Slot, float] = {}  # of what is held of each slot
        self._clock: dict[tuple[Slot, str], float] = {}  # run seconds when the clock frees it
        self._times: list[tuple[float, Slot, str]] = []  # a heap of these, and of such as count no longer
        self._keeps: dict[tuple[Slot, str], float] = {
            (take.slot, host): take.keeps for host, takes in self._takes.items() for take in takes if take.keeps
        }
        self._kept: set[tuple[Slot, str]] = set()  # what a host that was off draws for good, now that its start is over
        self._powered: set[str] = set()  # hosts whose start has come to an act
        self._acts: dict[Slot, deque[float]] = {}  # of each rate: when the acts within its span were
        self._starting: dict[
            Slot, set[str]
        ] = {}  # of each rate: hosts whose start is counted and that have not acted yet
        self._touched: dict[str, dict[str, set[str]]] = {}  # limit -> domain -> hosts in flight or failed there

    def full(self, host: str) -> tuple[str, str] | None:
        """Why the move of `host` may not begin or act: the limit, and its numbers and who holds it; None: there is room."""
        return next(self._full(host, waived=False), None)

    def let_through(self, host: str) -> Iterator[tuple[str, str]]:
        """The limits overridden by name that have no room for `host`, each with its numbers and who holds it."""
        return self._full(host, waived=True) if self._waived else iter(())

    def _full(self, host: str, *, waived: bool) -> Iterator[tuple[str, str]]:
        for take in self._short(host, waived=waived):
            held = self._held.get(take.slot, {})
            more = "" if take.amount == 1 else f", {take.amount:g} more are needed"
            by = f" by {_names(held)}" if held else ""
            taken = self._table.held_of(take.slot, self._sum.get(take.slot, 0))
            yield take.slot.limit, f"{self._at(take.slot)}{taken}{by}{more}"
        for slot in self._rates_short(host, waived=waived):
            yield slot.limit, f"{self._at(slot)}{self._table.held_of(slot, self._counted(slot))}"
        for slot in self._domains_shut(host, waived=waived):
            others = ", ".join(sorted(self._other_domains(slot)))
            yield (
                slot.limit,
                f"{others} touched, {slot.value} would be one more, at most {self._domains.cap(slot)} at once",
            )

    def _at(self, slot: Slot) -> str:
        place = self._table.place(slot)
        return f"{place}: " if place else ""

    def in_the_way(self, host: str) -> tuple[tuple[Slot, float], ...]:
        """All that `host` needs and there is no room for, each with how much of it: those alike in this wait for the same."""
        return (
            *((take.slot, take.amount) for take in self._short(host)),
            *((slot, 1) for slot in self._rates_short(host)),
            *((slot, 0) for slot in self._domains_shut(host)),
        )

    def stir(self, host: str) -> None:
        """Whether an operator alone can free what `host` holds has changed."""
        for take in self._takes[host]:
            self._stirred(take.slot)
        for slot in self._domains_of[host]:
            self._stirred(Slot(limit=slot.limit))

    def never(self, host: str) -> bool:
        """Whether `host` needs more of a limit than there is of it."""
        return any(
            not fits(0, take.amount, self._table.cap(take.slot))
            for take in self._takes[host]
            if take.slot.limit not in self._waived
        )

    def gone_for_good(self, host: str) -> bool:
        """Whether something that `host` needs is used up by what hosts that are up draw, and no move holds any of it that could free it."""
        return any(self._held.get(take.slot) and not self.held_by(take.slot) for take in self._short(host))

    def lacking(self, host: str) -> bool:
        """Whether the move of `host` has given up slots that it needs for another act."""
        return any(not self._has(take, host) for take in self._takes[host]) or any(
            host not in self._starting.get(slot, ()) for slot in self._rates[host]
        )

    def holders(self, host: str) -> frozenset[str]:
        """The hosts whose moves hold the slots, or touch the domains, that stand in the way of `host`. What a host that is up draws for good is not held by its move."""
        found: set[str] = set()
        for take in self._short(host):
            found.update(self.held_by(take.slot))
        for slot in self._domains_shut(host):
            found.update(*self._other_domains(slot).values())
        return frozenset(found)

    def beside(self, hosts: Iterable[str]) -> int:
        """How many of `hosts`, which hold nothing, could hold beside each other now what only their checks free.

        What the boot or the clock frees is free again before a group must be ready: it only makes its members follow each other.
        """
        more: dict[Slot, float] = {}
        count = 0
        for host in hosts:
            takes = [take for take in self._takes[host] if self._until_ready(take.slot)]
            held = {take.slot: self._sum.get(take.slot, 0) for take in takes}
            if all(
                take.slot.limit in self._waived
                or fits(held[take.slot] + more.get(take.slot, 0), take.amount, self._table.cap(take.slot))
                for take in takes
            ):
                count += 1
                for take in takes:
                    more[take.slot] = more.get(take.slot, 0) + take.amount
        return count

    def needed(self, host: str) -> tuple[Slot, ...]:
        """The slots of a start of `host` that only its checks free."""
        return tuple(take.slot for take in self._takes[host] if self._until_ready(take.slot))

    def _until_ready(self, slot: Slot) -> bool:
        term = self._table.terms[slot.limit]
        return term.clock_s is None and term.until != "booted"

    def held_by(self, slot: Slot) -> frozenset[str]:
        """The hosts whose moves hold some of `slot`: what those that are up draw for good no move frees."""
        return frozenset(host for host in self._held.get(slot, ()) if (slot, host) not in self._kept)

    def fleet_full(self) -> bool:
        """A fleet-wide limit is used up until a move has come further: no further candidate needs to be looked at."""
        return any(len(self._held.get(slot, ())) >= cap for slot, cap in self._fleet_wide)

    def holding(self, host: str) -> bool:
        """Whether the move of `host` holds any slot still."""
        return any(host in self._held.get(take.slot, ()) for take in self._takes[host])

    def found_up(self, host: str) -> None:
        """The host was taken to be off, and is up before anything was done to it: it draws from its capacities as long as it runs."""
        for take in self._takes[host]:
            if take.keeps and host not in self._held.setdefault(take.slot, {}):
                self._powered.add(host)
                self._held[take.slot][host] = take.keeps
                self._sum[take.slot] = self._sum.get(take.slot, 0) + take.keeps
                self._kept.add((take.slot, host))
                self._took(take.slot)

    def take(self, host: str) -> None:
        """The move of `host` begins, or a later rung of its ladder takes its slots anew: no clock frees them until it has acted."""
        for take in self._takes[host]:
            held = self._held.setdefault(take.slot, {})
            if not self._has(take, host):
                self._sum[take.slot] = self._sum.get(take.slot, 0) + take.amount - held.get(host, 0)
                held[host] = take.amount
                self._kept.discard((take.slot, host))
                self._took(take.slot)
            self._clock.pop((take.slot, host), None)
        for slot in self._rates[host]:
            self._starting.setdefault(slot, set()).add(host)
            self._took(slot)
        for slot in self._domains_of[host]:
            self._touched.setdefault(slot.limit, {}).setdefault(slot.value, set()).add(host)

    def spend(self, host: str, now_s: float) -> None:
        """The start of `host` has led to an act, or will lead to none: from now on rates let its span pass, and another act is another start."""
        for slot in self._rates[host]:
            starting = self._starting.get(slot, set())
            if host in starting:
                starting.remove(host)
                self._acts.setdefault(slot, deque()).append(now_s)

    def acted(self, host: str, now_s: float) -> None:
        """The host has taken the command that restarts it."""
        self._powered.add(host)
        self._wind(host, now_s, ("act",))
        self.spend(host, now_s)

    def free(self, host: str, reached: str, now_s: float) -> None:
        """The move of `host` has `reached` `booted`, `ready` or `gate` (each implies those before it), or `all` of them."""
        if reached != "all":
            self._powered.add(host)
        for take in self._takes[host]:
            term = self._table.terms[take.slot.limit]
            by_evidence = term.clock_s is None and _ORDER.index(term.until) <= _ORDER.index(reached)
            if reached == "all" or by_evidence:
                self._release(take.slot, host)
        # An act is known at the latest by its consequence.
        self._wind(host, now_s, ("act", "booted"))
        self.spend(host, now_s)
        if reached in ("ready", "gate", "all"):
            for slot in self._domains_of[host]:
                domains = self._touched.get(slot.limit, {})
                domains.get(slot.value, set()).discard(host)
                if not domains.get(slot.value, True):
                    del domains[slot.value]
                    self._stirred(Slot(limit=slot.limit))

    def expire(self, now_s: float) -> None:
        """Free what the engine's clock frees."""
        while self._times and self._times[0][0] <= now_s:
            at_s, slot, host = heappop(self._times)
            if self._clock.get((slot, host)) == at_s:
                self._release(slot, host)
        for slot, acts in self._acts.items():
            while acts and acts[0] + self._span_s(slot) <= now_s:
                acts.popleft()
                self._stirred(slot)

    def next_expiry_s(self) -> float | None:
        """When, in run seconds, the clock next frees a slot or a rate lets one more start."""
        while self._times and self._clock.get(self._times[0][1:]) != self._times[0][0]:
            heappop(self._times)
        first_s = self._times[0][0] if self._times else None
        for slot, acts in self._acts.items():
            if acts:
                more_s = acts[0] + self._span_s(slot)
                first_s = more_s if first_s is None else min(first_s, more_s)
        return first_s

    def _rated(self, slot: Slot) -> bool:
        return self._table.terms[slot.limit].rate

    def _span_s(self, slot: Slot) -> float:
        return self._table.terms[slot.limit].clock_s or 0.0

    def _short(self, host: str, *, waived: bool = False) -> Iterator[Take]:
        """What the move of `host` needs and does not hold, and there is no room for; of the limits that are `waived`, or of the others."""
        for take in self._takes[host]:
            others = self._sum.get(take.slot, 0) - self._held.get(take.slot, {}).get(host, 0)
            if self._has(take, host) or fits(others, take.amount, self._table.cap(take.slot)):
                continue
            if (take.slot.limit in self._waived) == waived:
                yield take

    def _has(self, take: Take, host: str) -> bool:
        """Whether the move of `host` holds all that a start takes of the slot."""
        return host in self._held.get(take.slot, ()) and (take.slot, host) not in self._kept

    def _rates_short(self, host: str, *, waived: bool = False) -> Iterable[Slot]:
        return (
            slot
            for slot in self._rates[host]
            if host not in self._starting.get(slot, ())
            and self._counted(slot) >= self._table.cap(slot)
            and (slot.limit in self._waived) == waived
        )

    def _domains_shut(self, host: str, *, waived: bool = False) -> Iterable[Slot]:
        return (
            slot
            for slot in self._domains_of[host]
            if len(self._other_domains(slot)) >= self._domains.cap(slot) and (slot.limit in self._waived) == waived
        )

    def _counted(self, slot: Slot) -> int:
        return len(self._acts.get(slot, ())) + len(self._starting.get(slot, ()))

    def _other_domains(self, slot: Slot) -> dict[str, set[str]]:
        return {name: held for name, held in self._touched.get(slot.limit, {}).items() if name != slot.value}

    def _release(self, slot: Slot, host: str) -> None:
        held = self._held.get(slot, {})
        if host in held:
            amount = held.pop(host)
            # Nothing held is nothing, whatever fractions have added up to.
            self._sum[slot] = self._sum[slot] - amount if held else 0
            if (keeps := self._keeps.get((slot, host))) is not None and host in self._powered:
                held[host] = keeps
                self._sum[slot] += keeps
                self._kept.add((slot, host))
            else:
                self._freed(slot, host)
            self._stirred(slot)
        self._clock.pop((slot, host), None)

    def _wind(self, host: str, now_s: float, since: tuple[str, ...]) -> None:
        """Start the clocks of what `host` holds that run from one of `since`, where they do not run yet."""
        for take in self._takes[host]:
            term = self._table.terms[take.slot.limit]
            if term.clock_s is not None and term.clock_from in since and host in self._held.get(take.slot, ()):
                key = (take.slot, host)
                if key not in self._clock:
                    self._clock[key] = now_s + term.clock_s
                    heappush(self._times, (now_s + term.clock_s, *key))


def _names(hosts: Iterable[str]) -> str:
    names = sorted(hosts)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
