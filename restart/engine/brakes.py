"""Brakes: how many failures a run bears, and which patterns of failure halt it at once (design: section 4, Failure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb, floor

from restart.model.inventory import Host, Policy

CLUSTER_CHANCE_MAX = 0.001
"""Failures that share a label value halt when chance alone gives that many with at most this probability."""

MELTDOWN_FAILED_MIN, MELTDOWN_SHARE_MIN, MELTDOWN_WINDOW_S = 5, 0.20, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Braking:
    """What a failure leads to: `halt`, `contain` or `bear`, by which rule, and why in numbers."""

    action: str
    rule: str
    why: str


class Brakes:
    """Counts finished and failed moves; pure arithmetic over what it is told."""

    def __init__(self, policy: Policy, hosts: Mapping[str, Host], moves: int) -> None:
        self._policy = policy
        self._hosts = hosts
        usual = max(1, floor(policy.never_return * moves + 1e-9))
        default = usual if policy.on_failure == "contain" else 0
        self.failures_max = default if policy.max_failures is None else policy.max_failures
        self._finished: dict[str, float] = {}
        self._failed: dict[str, float] = {}
        self._canaries: set[str] = set()

    def finished(self, host: str, at_s: float) -> None:
        """The move of `host` ended well."""
        self._finished[host] = at_s
        self._failed.pop(host, None)
        self._canaries.discard(host)

    def forgive(self, host: str) -> None:
        """An operator decided on `host`: it counts no longer."""
        self._finished.pop(host, None)
        self._failed.pop(host, None)
        self._canaries.discard(host)

    def failed(self, host: str, at_s: float, *, canary: bool) -> Braking:
        """The move of `host` failed: what follows."""
        self._finished[host] = self._failed[host] = at_s
        if canary:
            self._canaries.add(host)
        return self._canary_pair() or self._cluster(host) or self._meltdown(at_s) or self._count(host)

    def _count(self, host: str) -> Braking:
        failed, borne = len(self._failed), self.failures_max
        numbers = f"{failed} failed, max_failures is {borne}"
        if failed <= borne:
            return Braking(action="bear", rule="max_failures", why=numbers)
        if self._policy.on_failure == "contain":
            # The first beyond what is borne is always contained, also where 1.5 times a small number is less than one more.
            ceiling = max(borne + 1, floor(1.5 * borne))
            if failed <= ceiling:
                return Braking(action="contain", rule="max_failures", why=f"{numbers}: consumers of {host} are held")
            return Braking(action="halt", rule="max_failures", why=f"{failed} failed, more than 1.5 times {borne}")
        return Braking(action="halt", rule="max_failures", why=numbers)

    def _labels(self, host: str) -> list[tuple[str, str]]:
        labels = self._hosts[host].labels
        return [(label, labels[label]) for label in self._policy.cluster_by if label in labels]

    def _canary_pair(self) -> Braking | None:
        seen: dict[tuple[str, str], str] = {}
        for host in sorted(self._canaries):
            for shared in self._labels(host):
                if shared in seen:
                    why = f"canaries {seen[shared]} and {host} failed and share {shared[0]}={shared[1]}"
                    return Braking(action="halt", rule="canaries", why=why)
                seen[shared] = host
        return None

    def _cluster(self, host: str) -> Braking | None:
        for label, value in self._labels(host):
            among = [name for name in self._finished if self._hosts[name].labels.get(label) == value]
            failed = sum(name in self._failed for name in among)
            chance = at_least(failed, len(among), self._policy.never_return)
            if failed >= 2 and chance <= CLUSTER_CHANCE_MAX + 1e-12:
                why = f"{failed} of {len(among)} finished hosts with {label}={value} failed; chance alone gives that in {chance:.2%}"
                return Braking(action="halt", rule="cluster", why=why)
        return None

    def _meltdown(self, at_s: float) -> Braking | None:
        recent = [name for name, when_s in self._finished.items() if at_s - when_s <= MELTDOWN_WINDOW_S]
        failed = sum(name in self._failed for name in recent)
        if failed >= MELTDOWN_FAILED_MIN and failed >= MELTDOWN_SHARE_MIN * len(recent):
            why = f"{failed} of {len(recent)} moves that ended within {MELTDOWN_WINDOW_S / 60:g} minutes failed"
            return Braking(action="halt", rule="meltdown", why=why)
        return None


def at_least(failed: int, among: int, chance: float) -> float:
    """Probability of at least `failed` failures among `among` moves that each fail with probability `chance`.

    At 10 %: 3 of 3 is 0.1 %, 4 of 5 is 0.046 %, 6 of 10 is 0.015 %.
    """
    return sum(comb(among, k) * chance**k * (1 - chance) ** (among - k) for k in range(failed, among + 1))
