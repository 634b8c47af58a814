"""Reasons: why each move and each wave is where it is, in short sentences with rule and numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from restart.model.inventory import Dependency
from restart.planner.doors import Doors
from restart.planner.kinds import Fleet, Kind
from restart.planner.refusals import some, stated_budget
from restart.planner.scope import Scope
from restart.planner.waves import Rule
from restart.rules.budgets import budget, may_be_down
from restart.rules.pace import stratum

PROVIDERS_MAX = 3
"""Providers named in the reasons of one service; the last to finish come first."""


def span(first: int, last: int) -> str:
    """`wave 3` or `waves 1 to 3`."""
    return f"wave {first}" if first == last else f"waves {first} to {last}"


class Reasons:
    """Sentences for moves and waves. Alike moves share their sentences: a plan for 100,000 hosts holds few of them."""

    def __init__(
        self, fleet: Fleet, doors: Doors, waves: Sequence[Sequence[str]], kept_out: Mapping[str, Rule]
    ) -> None:
        self._fleet = fleet
        self._scope = fleet.scope
        self._doors = doors
        self._kept_out = kept_out
        self._spans: dict[str, tuple[int, int]] = {}
        """First and last wave of each service's moves that are not on the path."""
        for number, wave in enumerate(waves, 1):
            for host in wave:
                if host not in self._scope.path:
                    for service in self._scope.services_of[host]:
                        first, _ = self._spans.get(service, (number, number))
                        self._spans[service] = (first, number)
        self._shared: dict[tuple[object, ...], tuple[str, ...]] = {}
        self._budgets: dict[str, str] = {}
        self._orders: dict[tuple[str, int], list[str]] = {}

    def of_move(self, host: str, canary: bool, wave: int) -> tuple[str, ...]:
        """Why the move of `host` is where it is."""
        scope = self._scope
        special: list[str] = []
        if host in scope.added:
            special.append(scope.added[host])
        if host in scope.path:
            special.append(f"on the path, so last and alone: {scope.path[host]}")
        if canary:
            carried = scope.services_of[host]
            led = ", ".join(name.rstrip("/") for name in stratum(scope.inventory.hosts[host], carried))
            special.append(f"canary of {led}: nothing else of it starts until its checks and gates held")
        general = self._general(host, wave)
        return (*special, *general) if special else general

    def of_wave(self, number: int, hosts: Sequence[str]) -> str:
        """Why wave `number` is there: what moves in it, and what kept it out of the wave before."""
        scope = self._scope
        if hosts[0] in scope.path:
            return f"{hosts[0]} goes alone, after everything else: {scope.path[hosts[0]]}"
        counts = Counter(service for host in hosts for service in scope.services_of[host])
        listed = [f"{name} {counts[name]} of {len(scope.inventory.services[name].hosts)}" for name in counts]
        loose = sum(1 for host in hosts if not scope.services_of[host])
        if loose:
            listed.append(f"{loose} host{'s' if loose > 1 else ''} of no service")
        if number == 1:
            return f"nothing in the plan has to go before these: {some(listed)}"
        rules = Counter(
            said(self._kept_out[host]) if host in self._kept_out else self._ordered(host, number) for host in hosts
        )
        # Equal counts in order of their names: the same plan, byte for byte.
        kept_out = [rule for rule, _ in sorted(rules.items(), key=lambda item: (-item[1], item[0]))]
        return f"{some(listed)}; kept out of wave {number - 1} by {some(kept_out, 3)}"

    def _ordered(self, host: str, number: int) -> str:
        """The order that kept `host` out of the wave before `number`: the consumer whose provider moved until then."""
        for service in self._scope.services_of[host]:
            for edge in self._scope.order.waits[service]:
                if edge.provider in self._spans and self._spans[edge.provider][1] >= number - 1:
                    return f"the order ({service} after {edge.provider})"
        return "the order"

    def _general(self, host: str, wave: int) -> tuple[str, ...]:
        kind = self._fleet.kind_of.get(host)
        rule = self._kept_out.get(host)
        carried = self._scope.services_of[host]
        likeness: tuple[object, ...] = (carried, rule, wave if rule else 0, kind.number if kind else -1)
        if likeness not in self._shared:
            lines = [line for service in carried for line in self._ordered_by(service, kind)]
            lines += [self.budget(service) for service in carried if not self._is_sick(kind, service)]
            if kind and kind.sick:
                names = ", ".join(self._fleet.names[at] for at in kind.sick)
                lines.append(f"proved not ready (FAIL) in {names}: takes nothing from that budget, so it goes first")
            if rule is not None:
                lines.append(f"wave {wave - 1} was closed to it by {said(rule)}")
            if not carried:
                lines.append("member of no service: only limits hold it")
            self._shared[likeness] = tuple(lines)
        return self._shared[likeness]

    def _is_sick(self, kind: Kind | None, service: str) -> bool:
        return kind is not None and self._fleet.number_of[service] in kind.sick

    def _ordered_by(self, consumer: str, kind: Kind | None) -> list[str]:
        key = (consumer, kind.number if kind else -1)
        if key not in self._orders:
            self._orders[key] = self._order(consumer, kind)
        return self._orders[key]

    def _order(self, consumer: str, kind: Kind | None) -> list[str]:
        found: list[tuple[int, str]] = []
        for edge in self._scope.order.waits[consumer]:
            if edge.provider not in self._spans:
                continue
            first, last = self._spans[edge.provider]
            ring = kind is not None and self._doors.ring_of(kind, self._fleet.number_of[edge.provider])
            found.append((-last, self._waiting(consumer, edge, span(first, last), ring)))
        found.sort(key=lambda item: item[0])
        lines = [line for _, line in found[:PROVIDERS_MAX]]
        if len(found) > PROVIDERS_MAX:
            lines.append(
                f"and waits for {len(found) - PROVIDERS_MAX} more providers of {consumer}, which finish earlier"
            )
        return lines

    def _waiting(self, consumer: str, edge: Dependency, when: str, ring: bool) -> str:
        if ring:
            return f"shares hosts with {edge.provider} ({when}), so it waits only for the others, or for it to be ready"
        if edge.kind == "after":
            return f"waits for {edge.provider} ({when}), {consumer} goes after it"
        if edge.needs is not None:
            of = len(self._scope.inventory.services[edge.provider].hosts)
            return f"waits for {edge.needs} of {of} members of {edge.provider} ({when}), which {consumer} requires"
        return f"waits for {edge.provider} ({when}), which {consumer} requires"

    def budget(self, name: str) -> str:
        """What the budget of service `name` allows, as a sentence."""
        if name not in self._budgets:
            self._budgets[name] = budget_sentence(self._scope, name)
        return self._budgets[name]


def budget_sentence(scope: Scope, name: str) -> str:
    """`1 of 3 members of postgres may be down (min_available quorum)`."""
    service = scope.inventory.services[name]
    if len(service.hosts) == 1:
        return f"the only host of {name}: an outage of it"
    if budget(service) is None:
        return f"1 of {len(service.hosts)} members of {name} at a time (no budget stated)"
    return f"{max(0, may_be_down(service))} of {len(service.hosts)} members of {name} may be down ({stated_budget(service)})"


def said(rule: Rule) -> str:
    """The rule for people."""
    if rule.name in ("budget", "unsure"):
        return f"the budget of {rule.about}"
    if rule.name == "domains":
        return f"{rule.about} (max_domains)"
    return f"readiness of {rule.about}"
