"""Kinds: hosts that no rule of waves tells apart. The planner packs kinds, not hosts, so that large fleets stay cheap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from restart.model.inventory import Host
from restart.planner.scope import Scope
from restart.rules.limits import DomainTable
from restart.rules.named import canary_rule
from restart.rules.pace import canaries_of, stratum

Domain = tuple[str, str]
"""A `max_domains` limit's name as `--override` takes it, and the label's value."""


@dataclass(slots=True, kw_only=True)
class Kind:
    """Hosts with the same services (as numbers), the same domains and the same verdicts; `hosts` in their order of going.

    `costs` are the services whose budget a move takes from, `unsure` those where the host counts as down already (UNKNOWN),
    `sick` those where a FAIL proves it down: there a move takes nothing (design: rule 1).
    """

    number: int
    services: tuple[int, ...]
    costs: tuple[int, ...]
    unsure: tuple[int, ...]
    sick: tuple[int, ...]
    domains: tuple[Domain, ...]
    hosts: list[str] = field(default_factory=list)

    @property
    def down(self) -> bool:
        """Whether the observation saw these hosts not ready."""
        return bool(self.unsure or self.sick)


class Fleet:
    """The services as numbers and the kinds of the moving hosts that are not on the path."""

    def __init__(self, scope: Scope, durations_s: Mapping[str, float], mode: str = "rolling") -> None:
        """In a cold start (`mode`) neither budgets nor `max_domains` hold anybody back: nothing is up that could be lost."""
        inventory = scope.inventory
        self.scope = scope
        self.cold = mode == "cold-start"
        self.names = tuple(inventory.services)
        self.number_of = {name: at for at, name in enumerate(self.names)}
        services = tuple(inventory.services.values())
        self.members = [len(service.hosts) for service in services]
        self.may = [len(service.hosts) if self.cold else scope.may_be_down(service.name) for service in services]
        """Members of each service that may be down at once."""
        moving = set(scope.moving)
        self.lost = [len(scope.lost(name, moving)) for name in self.names]
        """Members that are down and stay so: this plan does not bring them back."""
        self.domains = DomainTable(replace(inventory, limits={}) if self.cold else inventory, scope.waived)
        self.numbered: dict[tuple[str, ...], tuple[int, ...]] = {}
        """The services of a host as numbers, by their names."""
        self.leading = _leading(scope, mode)
        """Hosts that should lead a stratum, with their place."""
        self.kinds: list[Kind] = []
        self.kind_of: dict[str, Kind] = {}
        self._sort_into_kinds(durations_s)
        self.left = [0] * len(self.names)
        """Moves of each service not on the path."""
        for kind in self.kinds:
            for at in kind.services:
                self.left[at] += len(kind.hosts)

    def room(self, at: int) -> int:
        """Members of service `at` that may move at once, those that stay down counted; at least one."""
        return max(1, self.may[at] - self.lost[at])

    def load(self, at: int) -> int:
        """Waves that the moves of service `at` need by its budget alone."""
        return ceil(self.left[at] / self.room(at))

    def _sort_into_kinds(self, durations_s: Mapping[str, float]) -> None:
        scope = self.scope
        hosts = scope.inventory.hosts
        seen_down = {host for members in scope.down.values() for host in members}
        by_likeness: dict[tuple[object, ...], Kind] = {}
        with_domains = bool(self.domains.limits)
        for name in scope.moving:
            if name in scope.path:
                continue
            carried = scope.services_of[name]
            domains = self._domains_of(hosts[name]) if with_domains else ()
            down = self._verdicts(name, carried) if name in seen_down else ()
            likeness = (carried, domains, down)
            kind = by_likeness.get(likeness)
            if kind is None:
                kind = by_likeness[likeness] = self._new_kind(carried, domains, down)
            kind.hosts.append(name)
            self.kind_of[name] = kind
        crowded = _crowded_labels(scope)
        for kind in self.kinds:
            if len(kind.hosts) > 1:
                _put_in_order(kind, scope, durations_s, self.leading, crowded)

    def _new_kind(self, carried: tuple[str, ...], domains: tuple[Domain, ...], down: tuple[bool | None, ...]) -> Kind:
        numbers = self.numbered.setdefault(carried, tuple(self.number_of[name] for name in carried))
        verdicts = down or (False,) * len(numbers)
        kind = Kind(
            number=len(self.kinds),
            services=numbers,
            costs=tuple(at for at, is_down in zip(numbers, verdicts, strict=True) if is_down is False),
            unsure=tuple(at for at, is_down in zip(numbers, verdicts, strict=True) if is_down is None),
            sick=tuple(at for at, is_down in zip(numbers, verdicts, strict=True) if is_down is True),
            domains=domains,
        )
        self.kinds.append(kind)
        return kind

    def _verdicts(self, host: str, carried: tuple[str, ...]) -> tuple[bool | None, ...]:
        """For each service: True for FAIL, None for UNKNOWN, False for ready."""
        return tuple(
            True if host in self.scope.sick.get(name, ()) else None if host in self.scope.down.get(name, ()) else False
            for name in carried
        )

    def _domains_of(self, host: Host) -> tuple[Domain, ...]:
        return tuple((slot.limit, slot.value) for slot in self.domains.domains(host))


def _leading(scope: Scope, mode: str) -> dict[str, int]:
    """Hosts that should lead a stratum, longest uptime first, else in inventory order (design: rule 8), with their place.

    Leaders go first of their kind, so that every image of a service is tried in the service's first wave.
    """
    inventory = scope.inventory
    strata: dict[str, list[str]] = {}
    service_of: dict[str, str] = {}
    known: dict[tuple[tuple[str, ...], str | None], tuple[str, ...]] = {}
    for host in scope.moving:
        carried = scope.services_of[host]
        likeness = (carried, inventory.hosts[host].labels.get("image"))
        if likeness not in known:
            known[likeness] = stratum(inventory.hosts[host], carried)
        for service, name in zip(carried, known[likeness], strict=True):
            strata.setdefault(name, []).append(host)
            service_of[name] = service
    leading: dict[str, int] = {}
    for name, hosts in strata.items():
        canaries = 0 if canary_rule(name) in scope.waived else canaries_of(inventory, service_of[name], mode)
        if len(hosts) > 1 and canaries:
            oldest = sorted(hosts, key=lambda host: -scope.uptime_s.get(host, -1.0))
            for place, host in enumerate(oldest[:canaries]):
                leading[host] = min(place, leading.get(host, place))
    return leading


def _crowded_labels(scope: Scope) -> tuple[str, ...]:
    """Labels whose limit may hold a wave up from inside: hosts of one value are spread over the waves."""
    return tuple(
        limit.per
        for limit in scope.inventory.limits.values()
        if limit.per is not None
        and not (limit.max_in_flight is None and limit.shared is None and limit.capacity is None)
    )


def _put_in_order(
    kind: Kind,
    scope: Scope,
    durations_s: Mapping[str, float],
    leading: Mapping[str, int],
    crowded: tuple[str, ...],
) -> None:
    """Leaders first, then the longest moves (those of one length end a wave together), each crowded label's values in turn."""
    turn: dict[str, int] = {}
    seen: dict[tuple[str, str], int] = {}
    hosts = scope.inventory.hosts
    if crowded:
        for name in kind.hosts:
            turns = [0]
            for label in crowded:
                value = hosts[name].labels.get(label)
                if value is not None:
                    turns.append(seen.get((label, value), 0))
                    seen[label, value] = turns[-1] + 1
            turn[name] = max(turns)
    never = len(kind.hosts)
    kind.hosts.sort(key=lambda name: (leading.get(name, never), -durations_s[name], turn.get(name, 0)))
