"""Random small fleets whose plans are held against optimal ones, and their rules restated: nothing here may import `restart.rules`.

What they share with the optimum (see `restated`): services with budgets, `requires` and `after`, `needs: k`, hosts of several
services, racks with a cap in flight, a fleet-wide cap, at most one zone touched at a time, moves of unequal length. What is left
out: canaries (0), slow start (`pace: fixed`), gates, settling, the path, sick members and rings of co-located hosts.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from restart.model.inventory import Amount, Dependency, Expect, Inventory, Limit, Policy, Service
from tests.planner.fleets import down_max, enough, fleet, host


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for the waves of a fleet. Hosts are numbers.

    `budgets`: of these hosts so many may be in one wave. `before`: each host's waits, as (hosts, how many of them must have moved).
    `ready`: while one of the consumers moves, at most so many of the members may (consumers, members, most). `near`: pairs (earlier,
    later) of hosts that wait for each other's earlier waves under the barrier `service`. `caps`: of these hosts so many in flight.
    """

    hosts: tuple[str, ...]
    budgets: tuple[tuple[frozenset[int], int], ...]
    before: tuple[tuple[tuple[frozenset[int], int], ...], ...]
    ready: tuple[tuple[frozenset[int], frozenset[int], int], ...]
    zones: tuple[str | None, ...]
    near: frozenset[tuple[int, int]]
    caps: tuple[tuple[frozenset[int], int], ...]


def draw(seed: int, hosts_max: int = 30) -> Inventory:
    """The fleet of this number."""
    while True:
        inventory = _drawn(Random(seed), hosts_max)
        if not _has_ring(inventory):
            return inventory
        seed += 1_000_003


def _drawn(chance: Random, hosts_max: int) -> Inventory:
    count = chance.randint(min(4, hosts_max), hosts_max)
    names = [f"h{number:02}" for number in range(count)]
    free = list(names)
    services: list[Service] = []
    while free and len(services) < 8:
        size = min(len(free), chance.randint(1, max(2, count // 3)))
        members, free = free[:size], free[size:]
        if services and chance.random() < 0.2:
            members += chance.sample([name for name in names if name not in members], min(2, count - size))
        services.append(_service(chance, f"s{len(services)}", sorted(members), services))
    zoned = chance.random() < 0.25
    hosts = []
    for at, name in enumerate(names):
        labels = {"rack": f"r{at % max(2, count // 6)}"} | (
            {"zone": chance.choice(["z1", "z2", "z3"])} if zoned else {}
        )
        hosts.append(host(name, labels=labels, expect=Expect(boot_s=chance.choice([60.0, 120.0, 180.0, 240.0]))))
    limits = {"fleet": Limit(name="fleet", max_in_flight=chance.randint(2, 10))}
    if chance.random() < 0.5:
        limits["rack"] = Limit(name="rack", per="rack", max_in_flight=chance.randint(1, 3))
    if zoned:
        limits["zone"] = Limit(name="zone", per="zone", max_domains=1)
    policy = Policy(pace="fixed", canaries=0, barrier="service")
    return fleet(hosts, services, limits=limits, policy=policy)


def _service(chance: Random, name: str, members: list[str], before: list[Service]) -> Service:
    edges = []
    for other in before:
        if chance.random() < 0.35 and not set(other.hosts) & set(members):
            kind = chance.choice(["requires", "requires", "after"])
            k = chance.randint(1, len(other.hosts)) if kind == "requires" and chance.random() < 0.25 else None
            edges.append(Dependency(provider=other.name, kind=kind, needs=k))
    budget = chance.choice([None, 1, 2, 3, 4])
    most = None if budget is None else Amount(number=min(budget, len(members)))
    return Service(name=name, hosts=tuple(members), depends_on=tuple(edges), max_unavailable=most)


def _has_ring(inventory: Inventory) -> bool:
    """Whether hosts wait for each other only because services share them: those have rules of their own."""
    waits: dict[str, set[str]] = {name: set() for name in inventory.hosts}
    for service in inventory.services.values():
        for edge in service.depends_on:
            for member in service.hosts:
                waits[member] |= set(inventory.services[edge.provider].hosts)
    left = dict(waits)
    while done := [name for name, others in left.items() if not others & left.keys()]:
        for name in done:
            del left[name]
    return bool(left)


def restated(inventory: Inventory) -> Rules:
    """The rules of planning for this fleet (design: rules 1 to 3, 5 and 7)."""
    names = tuple(inventory.hosts)
    number = {name: at for at, name in enumerate(names)}
    members = {name: frozenset(number[one] for one in found.hosts) for name, found in inventory.services.items()}
    before: list[list[tuple[frozenset[int], int]]] = [[] for _ in names]
    ready, near = [], set()
    for service in inventory.services.values():
        mine = members[service.name]
        near |= {(one, other) for one in mine for other in mine if one != other}
        for edge in service.depends_on:
            theirs, provider = members[edge.provider], inventory.services[edge.provider]
            for at in mine:
                before[at].append((theirs, len(theirs) if edge.needs is None else edge.needs))
            near |= {(one, other) for one in theirs for other in mine}
            if edge.kind == "requires":
                near |= {(one, other) for one in mine for other in theirs}
                if edge.needs is not None:
                    ready.append((mine, theirs, len(theirs) - enough(provider, edge.needs)))
    hosts = list(inventory.hosts.values())
    caps = []
    for limit in inventory.limits.values():
        if limit.max_in_flight is not None:
            groups: dict[str, set[int]] = {}
            for at, one in enumerate(hosts):
                groups.setdefault("" if limit.per is None else one.labels[limit.per], set()).add(at)
            caps += [(frozenset(group), limit.max_in_flight) for group in groups.values()]
    return Rules(
        hosts=names,
        budgets=tuple((members[name], down_max(found)) for name, found in inventory.services.items()),
        before=tuple(tuple(found) for found in before),
        ready=tuple(ready),
        zones=tuple(one.labels.get("zone") for one in hosts),
        near=frozenset(near),
        caps=tuple(caps),
    )


def waves_min(rules: Rules) -> int:
    """The least number of waves, by trying every set of hosts that may have moved; for a dozen hosts at most."""
    everyone = (1 << len(rules.hosts)) - 1
    reached, steps = {0}, 0
    while everyone not in reached:
        reached = {moved | wave for moved in reached for wave in _waves_after(rules, moved, everyone)}
        steps += 1
    return steps


def _waves_after(rules: Rules, moved: int, everyone: int) -> list[int]:
    """Every wave that may follow, given who has moved, as bits; none that another contains."""
    free = [at for at in range(len(rules.hosts)) if not moved >> at & 1 and _may(rules, at, moved)]
    found = [0]
    for at in free:
        found += [wave | 1 << at for wave in found if _keeps(rules, wave | 1 << at)]
    largest: list[int] = []
    for wave in sorted(found, key=int.bit_count, reverse=True):
        if wave and not any(wave & other == wave for other in largest):
            largest.append(wave)
    return largest


def _may(rules: Rules, at: int, moved: int) -> bool:
    return all(
        sum(moved >> one & 1 for one in members) >= min(count, len(members)) for members, count in rules.before[at]
    )


def _keeps(rules: Rules, wave: int) -> bool:
    zones = {zone for at, zone in enumerate(rules.zones) if wave >> at & 1 and zone is not None}
    return (
        len(zones) <= 1
        and all(sum(wave >> at & 1 for at in members) <= most for members, most in rules.budgets)
        and all(
            not any(wave >> at & 1 for at in consumers) or sum(wave >> at & 1 for at in members) <= most
            for consumers, members, most in rules.ready
        )
    )
