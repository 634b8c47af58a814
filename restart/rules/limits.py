"""Limits: which of them a host's move falls under, how much of each it takes, and when (design: rule 7).

Five things are capped by time, each as a slot with a cap, an amount that a move takes of it, and a term that says when:

* moves in flight (`max_in_flight`) and a provider's `admission`: 1 each, or what the host `uses`;
* a server that n clients share (`shared`): 1 each for the transfer, at most as many as saturate it. Predictions count the transfer's
  work; a run frees the place on proof (`held_until`, as ever: `ready` where nothing is said, since a transfer may follow the boot);
* starts (`max_rate`): 1 each, until the rate's span has passed since the act, whatever becomes of the move;
* a capacity in a unit: what a start draws above what the host draws anyway, out of what all of them up leave over.

Capacity errs to the safe side at every instant of a rolling restart. Every host under the limit counts as up and drawing
`running`, also one that is down; a moving one draws `starting` from its first act (nobody knows when it is switched on again)
until `starting_for` after it has booted (it may have been switched on a moment before); one that never came back draws it still.
In a cold start it is known who is off: such a host draws nothing, then `starting` for `starting_for` from when it is switched on, then `running`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import floor, inf
from typing import NamedTuple

from restart.model.inventory import Host, Inventory, Limit, Shared
from restart.rules.durations import spoken
from restart.rules.named import admission_rule, limit_rule
from restart.rules.waived import NOTHING_WAIVED, Waived

DEFAULT_IN_FLIGHT = 10
"""Moves in flight at once where no fleet-wide limit is written."""

EPSILON = 1e-9
"""0.95 * 6000 may be a hair off 5700; a hair must not cost or grant a start."""


class Slot(NamedTuple):
    """A place under one limit: its name as `--override` takes it, and the label's value or consumer's provider it is for."""

    limit: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.limit} {self.value}" if self.value else self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """From when until when a slot is held.

    `held_from` is `start` or `booted`. With `clock_s` a slot is free that many seconds after `clock_from` (`start`, `act`: the host took
    the command that restarts it, `booted`); without, once the move has reached `until` (`booted`, `ready`, `gate`). `planned_s`: how many seconds
    after `held_from` a prediction takes it to be free, where that is sooner than what proves it. `rate`: what became of the start does not matter.
    """

    held_from: str = "start"
    until: str = "ready"
    clock_s: float | None = None
    clock_from: str = "act"
    planned_s: float | None = None
    rate: bool = False

    def __str__(self) -> str:
        if self.clock_s is not None:
            since = {"start": "its start", "act": "its restart", "booted": "when it has booted"}[self.clock_from]
            return f"held for {spoken(self.clock_s)} from {since}"
        counted = "" if self.planned_s is None else f" (predicted: {spoken(self.planned_s)})"
        return f"held until {'the gate has passed' if self.until == 'gate' else self.until}{counted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A move holds `amount` of `slot`, and `keeps` so much of it for good once the rest is free: a host that was off draws from then on."""

    slot: Slot
    amount: float = 1
    keeps: float = 0


# --- arithmetic of shared servers and capacities --------------------------------------------------------------------------


def transfer_s(shared: Shared, clients: int) -> float:
    """How long one transfer takes while `clients` share the server, in seconds: they slow each other down beyond `at_once`."""
    return shared.work_s * max(1.0, clients / shared.at_once)


def bearable_s(shared: Shared, headroom: float) -> float:
    """The longest a transfer may take, in seconds: the time-out less headroom."""
    return shared.timeout_s * (1 - headroom)


def clients_max(shared: Shared, headroom: float) -> int:
    """How many clients the server bears before transfers come too near to the time-out; 0: not even one."""
    if shared.work_s > bearable_s(shared, headroom) + EPSILON:
        return 0
    return floor(shared.at_once * bearable_s(shared, headroom) / shared.work_s + EPSILON)


def saturating(limit: Limit) -> int:
    """The planned number of transfers at once: the smallest that saturates the server, or what is written where that is less.

    More would only make every transfer slower: the total is the same for every number from `at_once` on.
    """
    found = limit.shared
    at_once = 0 if found is None else found.at_once
    return at_once if limit.max_in_flight is None else min(at_once, limit.max_in_flight)


def usable(limit: Limit) -> float:
    """What may be drawn of a capacity, in its unit: the capacity less headroom."""
    return (limit.capacity or 0.0) * (1 - limit.headroom)


def draw(limit: Limit, *, up: int, starting: int) -> float:
    """What `up` running hosts and `starting` ones draw together, in the limit's unit."""
    return up * (limit.running or 0.0) + starting * _starting(limit, None)


def startable(limit: Limit, *, up: int) -> int:
    """How many hosts that are off may start at once beside `up` running ones, and the capacity is still kept."""
    left = usable(limit) - draw(limit, up=up, starting=0)
    each = _starting(limit, None)
    return 0 if left < -EPSILON or not each else max(0, floor(left / each + EPSILON))


def domains_rule(limit: Limit) -> str:
    """`limit.zone.max_domains`: how many domains may be touched at once."""
    return limit_rule(limit.name, "max_domains")


def _starting(limit: Limit, host: Host | None) -> float:
    """What a start draws: the host's own `uses`, else `starting`, else no more than running does."""
    own = None if host is None else host.uses.get(limit.name)
    if own is not None:
        return own
    return limit.starting if limit.starting is not None else limit.running or 0.0


def fits(held: float, amount: float, cap: float) -> bool:
    """At the cap is allowed, above it is not."""
    return held + amount <= cap + EPSILON


# --- which slots a move takes ---------------------------------------------------------------------------------------------


def limits(inventory: Inventory) -> tuple[Limit, ...]:
    """The limits in force: those written, and the default one where none says how many may be at it at once, fleet-wide."""
    written = tuple(inventory.limits.values())
    if any(
        limit.per is None and limit.hosts is None and (limit.max_in_flight is not None or limit.shared is not None)
        for limit in written
    ):
        return written
    name = "fleet" if "fleet" not in inventory.limits else "default"
    return (*written, Limit(name=name, max_in_flight=DEFAULT_IN_FLIGHT))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One of the things that a limit caps: its key, its cap (of a capacity: before what runs is taken off), its term."""

    key: str
    limit: Limit
    cap: float
    term: Term
    members: frozenset[str] | None
    plain: bool
    """Every host takes 1."""

    def value(self, host: Host) -> str | None:
        """The label's value that the limit is for; None: the host is outside the limit."""
        if self.members is not None and host.name not in self.members:
            return None
        return "" if self.limit.per is None else host.labels.get(self.limit.per)

    def amount(self, host: Host, *, off: bool = False) -> float:
        """How much a start of `host` takes; `off`: it draws nothing before."""
        if self.term.rate:
            return 1
        if self.key.endswith(".capacity"):
            running = self.limit.running or 0.0
            return max(0.0, _starting(self.limit, host) - (0.0 if off else running), running if off else 0.0)
        return 1 if self.limit.capacity is not None else host.uses.get(self.limit.name, 1)


def _parts(limit: Limit, *, cold: bool = False) -> Iterator[tuple[str, float, Term]]:
    key = limit_rule(limit.name)
    clock_from = "booted" if limit.held_from == "booted" else "act"
    # A place that is taken when the host has booted is not free again at that same instant.
    until = "ready" if (limit.held_from, limit.held_until) == ("booted", "booted") else limit.held_until
    term = Term(held_from=limit.held_from, until=until, clock_s=limit.held_s, clock_from=clock_from)
    if limit.shared is not None:
        # A transfer is over when the host is what `held_until` says, not when it is expected to be: only predictions count its work.
        if limit.held_s is None and until != "gate":
            term = replace(term, planned_s=limit.shared.work_s)
        yield key, saturating(limit), term
    elif limit.max_in_flight is not None:
        yield key, limit.max_in_flight, term
    if limit.max_rate is not None:
        yield f"{key}.max_rate", limit.max_rate, Term(clock_s=limit.max_rate_per_s, clock_from="start", rate=True)
    if limit.capacity is not None:
        started = limit.starting_for_s
        drawing = (
            Term(until=limit.held_until, clock_s=limit.held_s)
            if started is None
            # Who switches a host on knows when; who restarts one that is up knows only when it was back.
            else Term(clock_s=started, clock_from="act" if cold else "booted")
        )
        yield f"{key}.capacity", usable(limit), drawing


class SlotTable:
    """Which slots each host's move takes, how much of each there is, and for how long. Built once per plan.

    A limit's slots are named `limit.NAME` (in flight, or transfers of a shared server), `limit.NAME.max_rate` and
    `limit.NAME.capacity`, a service's admission `admission.NAME`.
    """

    def __init__(
        self, inventory: Inventory, waived: Waived = NOTHING_WAIVED, *, off: frozenset[str] = frozenset()
    ) -> None:
        """Of the limits that are `waived` there is no end.

        `off`: hosts that are off and about to be started. They draw nothing of a capacity before, and it is known when they begin to.
        """
        self._off = off
        used = {name for host in inventory.hosts.values() for name in host.uses}
        self.parts: tuple[_Part, ...] = tuple(
            _Part(
                key=key,
                limit=limit,
                cap=cap,
                term=term,
                members=None if limit.hosts is None else frozenset(limit.hosts),
                plain=term.rate or (not key.endswith(".capacity") and limit.name not in used),
            )
            for limit in limits(inventory)
            for key, cap, term in _parts(limit, cold=bool(off))
        )
        self.terms: dict[str, Term] = {part.key: part.term for part in self.parts}
        self._cap: dict[str, float] = {part.key: part.cap for part in self.parts}
        self._units = {part.key: part.limit.unit or "" for part in self.parts if part.key.endswith(".capacity")}
        self._waived = waived
        self._per = {part.key: part.limit.per for part in self.parts}
        self._running = self._drawn_by_running(inventory)
        self._admitting: dict[str, list[str]] = {}
        self._known: dict[tuple[str, str], Take] = {}
        self._known_admissions: dict[tuple[str, ...], tuple[Take, ...]] = {}
        for provider in inventory.services.values():
            if provider.admission is not None:
                key = admission_rule(provider.name)
                self._cap[key] = provider.admission
                self.terms[key] = Term(until=provider.admission_held_until)
        for consumer in inventory.services.values():
            for edge in consumer.depends_on:
                if inventory.services[edge.provider].admission is not None:
                    self._admitting.setdefault(consumer.name, []).append(admission_rule(edge.provider))

    def _drawn_by_running(self, inventory: Inventory) -> dict[Slot, tuple[int, float]]:
        """For each slot of a capacity how many hosts are under it, and what they draw while they run."""
        found: dict[Slot, tuple[int, float]] = {}
        for part in self.parts if self._units else ():
            if part.key in self._units:
                values = (part.value(host) for host in inventory.hosts.values() if host.name not in self._off)
                for value, hosts in Counter(value for value in values if value is not None).items():
                    drawn = draw(part.limit, up=hosts, starting=0)
                    found[Slot(limit=part.key, value=value)] = (hosts, drawn)
        return found

    def cap(self, slot: Slot) -> float:
        """How much of `slot` may be held at once; of a capacity, what is left over while all its hosts run (may be negative)."""
        if self._waived and slot.limit in self._waived:
            return inf
        return self._cap[slot.limit] - self._drawn(slot)[1]

    def _drawn(self, slot: Slot) -> tuple[int, float]:
        return self._running.get(slot, (0, 0.0))

    def takes(self, host: Host, services: Iterable[str]) -> tuple[Take, ...]:
        """All that the move of `host`, a member of `services`, must hold."""
        taken = []
        known, labels = self._known, host.labels
        for part in self.parts:
            if part.members is not None and host.name not in part.members:
                continue
            value = "" if part.limit.per is None else labels.get(part.limit.per)
            if value is None:
                continue
            found = known.get((part.key, value))
            if found is None:
                found = known[part.key, value] = Take(slot=Slot(limit=part.key, value=value))
            if part.plain:
                taken.append(found)
            elif amount := part.amount(host, off=host.name in self._off):
                keeps = (part.limit.running or 0.0) if host.name in self._off and part.key in self._units else 0.0
                taken.append(Take(slot=found.slot, amount=amount, keeps=keeps))
        carried = tuple(services)
        if carried not in self._known_admissions:
            admitting = {key for service in carried for key in self._admitting.get(service, ())}
            self._known_admissions[carried] = tuple(Take(slot=Slot(limit=key)) for key in sorted(admitting))
        return (*taken, *self._known_admissions[carried])

    def slots(self, host: Host, services: Iterable[str]) -> tuple[Slot, ...]:
        """Every slot that the move of `host`, a member of `services`, must hold."""
        return tuple(take.slot for take in self.takes(host, services))

    def fleet_wide(self) -> tuple[str, ...]:
        """The limits that every host takes 1 of, and that only a move's progress frees."""
        return tuple(
            part.key
            for part in self.parts
            if part.plain and part.members is None and part.limit.per is None and part.term.clock_s is None
        )

    def up(self, slot: Slot) -> tuple[int, float]:
        """How many hosts are under the slot of a capacity, and what they draw while all run."""
        return self._drawn(slot)

    def place(self, slot: Slot) -> str:
        """Where the slot is, for people: `rack r1`, or nothing for a limit that is for all."""
        per = self._per.get(slot.limit)
        return f"{per} {slot.value}" if per and slot.value else slot.value

    def told(self, slot: Slot) -> str:
        """The cap for people: `at most 10 at once`, `at most 20 starts in 60s`, `at most 5700 W`, `overridden`."""
        if self._waived and slot.limit in self._waived:
            return "overridden"
        if slot.limit in self._units:
            hosts, drawn = self._drawn(slot)
            whole = f"{self._cap[slot.limit]:g} {self._units[slot.limit]}".rstrip()
            return f"at most {whole}, {hosts} hosts up draw {drawn:g}"
        term = self.terms[slot.limit]
        if term.rate:
            return f"at most {self.cap(slot):g} starts in {spoken(term.clock_s or 0.0)}"
        return f"at most {self.cap(slot):g} at once"

    def held_of(self, slot: Slot, held: float) -> str:
        """What is taken, for people: `4 of 10 held`, `5400 of 5700 W drawn`, `20 of 20 starts in 60s`."""
        if slot.limit in self._units:
            _, drawn = self._drawn(slot)
            return f"{drawn + held:g} of {self._cap[slot.limit]:g} {self._units[slot.limit]}".rstrip() + " drawn"
        term = self.terms[slot.limit]
        if term.rate:
            return f"{held:g} of {self.cap(slot):g} starts in {spoken(term.clock_s or 0.0)}"
        return f"{held:g} of {self.cap(slot):g} held"


class DomainTable:
    """For each `max_domains` limit, the domain of each host. Domains count those touched or down in one wave."""

    def __init__(self, inventory: Inventory, waived: Waived = NOTHING_WAIVED) -> None:
        """Limits whose rule is `waived` are left out."""
        self.limits = tuple(
            limit for limit in limits(inventory) if limit.max_domains is not None and domains_rule(limit) not in waived
        )
        self._members = {limit.name: frozenset(limit.hosts) for limit in self.limits if limit.hosts is not None}

    def rules(self) -> tuple[str, ...]:
        """The names of these limits as rules."""
        return tuple(domains_rule(limit) for limit in self.limits)

    def domains(self, host: Host) -> tuple[Slot, ...]:
        """`limit.NAME.max_domains` and the label's value, for each `max_domains` limit that holds for `host`."""
        found = []
        for limit in self.limits:
            if limit.name in self._members and host.name not in self._members[limit.name]:
                continue
            value = host.name if limit.per is None else host.labels.get(limit.per)
            if value is not None:
                found.append(Slot(limit=domains_rule(limit), value=value))
        return tuple(found)

    def cap(self, slot: Slot) -> int:
        """How many domains of the slot's limit may be touched in one wave."""
        return next(limit.max_domains or 0 for limit in self.limits if domains_rule(limit) == slot.limit)
