"""Strata: canaries and slow start of each service and image, as timing plays them (design: rule 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from restart.planner.guards import Guards
from restart.planner.holds import ms
from restart.planner.scope import Scope
from restart.rules.named import canary_rule, pace_rule
from restart.rules.pace import canaries_of, canary_for_s, pace_of, step, stratum


@dataclass(slots=True)
class Stratum:
    """Slow start of one service and image: `passed` moves were proved good, `under_way` are not yet."""

    size: int = 0
    canaries: int = 0
    slow: bool = True
    proof_ms: int = 0
    canary_ms: int = 0
    started: int = 0
    under_way: int = 0
    passed: int = 0

    def proved_after_ms(self) -> int:
        """How long after its end the next move is proved good: a canary must hold longer."""
        return max(self.proof_ms, self.canary_ms) if self.passed < self.canaries else self.proof_ms

    def has_room(self) -> bool:
        """Whether one more may start now (design: rule 8)."""
        if self.passed < self.canaries:
            return self.under_way < self.canaries - self.passed
        return not self.slow or self.under_way < step(self.passed, self.canaries)


def draw_strata(
    scope: Scope, guards: Guards, hosts: Iterable[str], mode: str = "rolling"
) -> tuple[dict[str, Stratum], dict[str, tuple[str, ...]]]:
    """The strata of `hosts` by name, and for each host those that may hold it back."""
    inventory = scope.inventory
    strata: dict[str, Stratum] = {}
    of: dict[str, tuple[str, ...]] = {}
    known: dict[tuple[tuple[str, ...], str | None], tuple[str, ...]] = {}
    for host in hosts:
        carried = scope.services_of[host]
        likeness = (carried, inventory.hosts[host].labels.get("image"))
        if likeness not in known:
            known[likeness] = stratum(inventory.hosts[host], carried)
        of[host] = known[likeness]
        for service, name in zip(carried, of[host], strict=True):
            if name not in strata:
                slow = pace_of(inventory, service, mode) == "slow" and pace_rule(name) not in scope.waived
                canaries = 0 if canary_rule(name) in scope.waived else canaries_of(inventory, service, mode)
                proof_ms = ms(guards.held_s[service])
                strata[name] = Stratum(canaries=canaries, slow=slow, proof_ms=proof_ms)
                if canaries:
                    strata[name].canary_ms = ms(canary_for_s(inventory, service))
            strata[name].size += 1
    for found in strata.values():
        if found.size == 1:
            found.canaries = 0
    bound = {name for name, found in strata.items() if found.size > 1 and (found.slow or found.canaries)}
    binding = {names: tuple(name for name in names if name in bound) for names in known.values()}
    return strata, {host: binding[names] for host, names in of.items()}
