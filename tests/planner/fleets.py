"""Random small fleets for property tests, and the rules of planning restated: nothing here may import `restart.rules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor

from hypothesis import strategies as st

from restart.model.check import Check, Verdict
from restart.model.inventory import Amount, Dependency, Expect, Host, Inventory, Limit, Policy, Service, Ssh
from restart.model.observation import HostSeen, Observation
from restart.model.plan import Plan

AT = "2026-11-22T00:10:00Z"


def host(name: str, **fields: object) -> Host:
    return Host(name=name, address=f"{name}.internal", **fields)  # type: ignore[arg-type]


def fleet(hosts: list[Host], services: list[Service], **fields: object) -> Inventory:
    return Inventory(
        fleet="toy",
        hosts={each.name: each for each in hosts},
        services={each.name: each for each in services},
        **fields,  # type: ignore[arg-type]
    )


def amounts() -> st.SearchStrategy[Amount]:
    return st.one_of(
        st.integers(1, 3).map(lambda number: Amount(number=number)),
        st.sampled_from([10.0, 25.0, 34.0, 50.0, 75.0]).map(lambda percent: Amount(percent=percent)),
        st.just(Amount(quorum=True)),
    )


@st.composite
def services(draw: st.DrawFn, names: list[str], hosts: list[str], cyclic_after: bool) -> list[Service]:
    found: list[Service] = []
    for index, name in enumerate(names):
        members = draw(st.lists(st.sampled_from(hosts), min_size=0, max_size=len(hosts), unique=True))
        edges = []
        others = names if cyclic_after else names[:index]
        for provider in draw(st.lists(st.sampled_from(others), max_size=3, unique=True)) if others else []:
            earlier = names.index(provider) < index
            if provider == name:
                continue
            kind = draw(st.sampled_from(["requires", "after"])) if earlier else "after"
            needs = draw(st.none() | st.integers(1, 3)) if kind == "requires" else None
            at = draw(st.sampled_from(["both", "both", "run", "boot"]))
            edges.append(Dependency(provider=provider, kind=kind, needs=needs, at=at))
        gate = (Check(kind="tcp", healthy_for_s=draw(st.sampled_from([5.0, 20.0]))),) if draw(st.booleans()) else ()
        budget = draw(st.sampled_from(["none", "none", "min", "max"]))
        found.append(
            Service(
                name=name,
                hosts=tuple(each for each in hosts if each in members),
                depends_on=tuple(edges),
                min_available=draw(amounts()) if budget == "min" else None,
                max_unavailable=draw(amounts()) if budget == "max" else None,
                gate=gate,
                settle_s=draw(st.sampled_from([0.0, 0.0, 7.0])),
                admission=draw(st.none() | st.integers(1, 3)),
                expect=draw(st.none() | st.sampled_from([Expect(boot_s=30.0), Expect(boot_s=90.5, warm_s=10.0)])),
                canaries=draw(st.none() | st.integers(0, 2)),
                path=draw(st.integers(0, 9)) == 0,
            )
        )
    return found


@st.composite
def inventories(draw: st.DrawFn, hosts_max: int = 12) -> Inventory:
    names = [f"h{number}" for number in range(1, draw(st.integers(1, hosts_max)) + 1)]
    hosts = [
        host(
            name,
            labels={
                key: value
                for key in ("rack", "zone", "image")
                if (value := draw(st.sampled_from(["", f"{key}a", f"{key}b", f"{key}c"])))
            },
            expect=draw(st.none() | st.just(Expect(boot_s=60.0))),
            ssh=Ssh(gateway=names[0]) if draw(st.integers(0, 14)) == 0 else None,
        )
        for name in names
    ]
    limits = [
        Limit(name="fleet", max_in_flight=draw(st.integers(1, 6)), held_until=draw(held())),
        Limit(name="rack", per="rack", max_in_flight=draw(st.integers(1, 2)), held_until=draw(held())),
        Limit(name="zone", per="zone", max_domains=draw(st.integers(1, 2))),
        Limit(name="odd", hosts=tuple(names[::2]), max_in_flight=1, held_until="ready", held_s=15.0),
        Limit(name="rate", max_rate=2, max_rate_per_s=60.0),
    ]
    chosen = draw(st.lists(st.sampled_from(limits), max_size=3, unique_by=lambda limit: limit.name))
    drawn = draw(services([f"s{number}" for number in range(draw(st.integers(0, 5)))], names, draw(st.booleans())))
    policy = Policy(
        barrier=draw(st.sampled_from(["fleet", "service"])),
        pace=draw(st.sampled_from([None, "slow", "fixed"])),
        canaries=draw(st.none() | st.integers(0, 2)),
    )
    return fleet(hosts, drawn, limits={limit.name: limit for limit in chosen}, policy=policy)


def held() -> st.SearchStrategy[str]:
    return st.sampled_from(["booted", "ready", "gate"])


@st.composite
def observations(draw: st.DrawFn, inventory: Inventory) -> Observation | None:
    if draw(st.booleans()):
        return None
    verdicts = st.sampled_from([Verdict.PASS] * 8 + [Verdict.FAIL, Verdict.UNKNOWN])
    seen = {}
    for name in inventory.hosts:
        ready = {each.name: draw(verdicts) for each in inventory.services.values() if name in each.hosts}
        seen[name] = HostSeen(ready=ready, uptime_s=float(draw(st.integers(0, 5)) * 1000))
    return Observation(at=AT, hosts=seen)


# The rules, restated.


def floor_of(service: Service) -> int | None:
    """Members that must be available, rounded to the safe side."""
    n = len(service.hosts)

    def amount(stated: Amount, up: bool) -> int:
        if stated.quorum:
            return n // 2 + 1 if up else n - (n // 2 + 1)
        if stated.percent is not None:
            exact = n * stated.percent / 100
            return ceil(exact - 1e-9) if up else floor(exact + 1e-9)
        assert stated.number is not None
        return stated.number

    floors = []
    if service.min_available is not None:
        floors.append(amount(service.min_available, up=True))
    if service.max_unavailable is not None:
        floors.append(n - min(n, amount(service.max_unavailable, up=False)))
    return max(floors) if floors else None


def down_max(service: Service) -> int:
    stated = floor_of(service)
    return 1 if stated is None else len(service.hosts) - stated


def enough(service: Service, needs: int | None) -> int:
    if needs is not None:
        return needs
    stated = floor_of(service)
    return max(1, len(service.hosts) - 1 if stated is None else stated)


def edges(inventory: Inventory, consumer: str) -> list[Dependency]:
    return [
        edge
        for edge in inventory.services[consumer].depends_on
        if edge.at != "boot" and edge.stand_in is None and not closes_a_circle(inventory, consumer, edge)
    ]


def closes_a_circle(inventory: Inventory, consumer: str, edge: Dependency) -> bool:
    """An `after` edge whose provider rests on the consumer."""
    if edge.kind != "after":
        return False
    reached, line = {edge.provider}, [edge.provider]
    while line:
        for further in inventory.services[line.pop()].depends_on:
            if further.at != "boot" and further.stand_in is None and further.provider not in reached:
                reached.add(further.provider)
                line.append(further.provider)
    return consumer in reached


def path(inventory: Inventory) -> set[str]:
    asked_through = {
        check.service
        for checks in (inventory.watch, *((*each.gate, *each.ready) for each in inventory.services.values()))
        for check in checks
        if check.service
    }
    on_path = {inventory.ssh_of(name).gateway for name in inventory.hosts} & set(inventory.hosts)
    on_path |= {name for name, each in inventory.hosts.items() if each.controller}
    for service in inventory.services.values():
        if service.path or service.name in asked_through:
            on_path |= set(service.hosts)
    return {name for name in on_path if name is not None}


@dataclass
class Reading:
    """A plan as the checks see it."""

    plan: Plan

    def __post_init__(self) -> None:
        self.inventory = self.plan.inventory
        self.wave_of = {move.host: wave.number for wave in self.plan.waves for move in wave.moves}
        self.start = {move.host: move.start_s for move in self.plan.moves()}
        self.finish = {move.host: move.finish_s for move in self.plan.moves()}
        self.path = path(self.inventory)
        self.seen: Mapping[str, HostSeen] = self.plan.observation.hosts if self.plan.observation else {}
        self.carried = {
            name: [each.name for each in self.inventory.services.values() if name in each.hosts]
            for name in self.inventory.hosts
        }

    def verdict(self, name: str, service: str) -> Verdict:
        return self.seen[name].ready.get(service, Verdict.PASS) if name in self.seen else Verdict.PASS

    def down_in(self, service: str, wave: int) -> set[str]:
        """Members down if all of `wave` were: its moves, and those seen down that no earlier wave brought back."""
        return {
            name
            for name in self.inventory.services[service].hosts
            if self.wave_of.get(name) == wave
            or (self.verdict(name, service) is not Verdict.PASS and self.wave_of.get(name, wave) >= wave)
        }

    def waits(self) -> dict[str, set[str]]:
        """Host pairs, which the planner never lists: who waits for whom by the order, rings not yet cut."""
        found: dict[str, set[str]] = {name: set() for name in self.wave_of if name not in self.path}
        for name in found:
            for service in self.carried[name]:
                for edge in edges(self.inventory, service):
                    found[name] |= {
                        other
                        for other in self.inventory.services[edge.provider].hosts
                        if other != name and other in found
                    }
        return found

    def rings(self) -> dict[str, set[str]]:
        """For each host, itself and the hosts that wait for it while it waits for them."""
        waits = self.waits()
        reach = {name: self._reach(waits, name) for name in waits}
        return {name: {name} | {other for other in reach[name] if name in reach[other]} for name in waits}

    @staticmethod
    def _reach(waits: dict[str, set[str]], start: str) -> set[str]:
        reached: set[str] = set()
        line = [start]
        while line:
            for other in waits[line.pop()]:
                if other not in reached:
                    reached.add(other)
                    line.append(other)
        return reached

    def starts_in_turn(self) -> bool:
        return all(
            max(self.finish[move.host] for move in before.moves)
            <= min(self.start[move.host] for move in after.moves) + 1e-6
            for before, after in pairwise(self.plan.waves)
        )
