"""The chat site's physics: what depends on what, who logs in where, and what breaks. Pure; told the time.

The model is the midnight of a chat company (Olark, May 2018), in seconds where that night had minutes: applications that start before their
database fail to start; all of them logging their sessions in at once drown the database; failed log-ins are repeated at
once, so that a drowned database does not come back by itself. A site whose members return a few at a time, providers
first and with a warm cache, never comes near those cliffs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil

STEP_S = 0.05
"""The physics goes in steps of at most this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """The site's numbers. Times in seconds, rates a second, `cap` and `demand` in database queries a second."""

    boot_s: Mapping[str, float] = field(
        default_factory=lambda: {"db": 1.2, "queue": 0.9, "cache": 0.7, "app": 0.8, "lb": 0.6}
    )
    crash_recovery_s: float = 3.0  # a database member that finds no quorum to follow replays its log
    follow_s: float = 0.5  # one that finds a quorum catches up with it
    sync_s: float = 0.4
    reseed_s: float = 20.0  # a queue that lost its quorum while a member was syncing is built anew
    warm_s: float = 0.2  # cache and load balancer, from booted to serving
    dep_timeout_s: float = 1.0
    sessions: int = 250  # that one application holds
    login_rate: float = 250.0  # log-ins a second of one application
    cold_queries: float = 2.0  # a log-in costs the database this many queries while the cache is cold
    warm_queries: float = 0.2
    warm_after: int = 1000  # log-ins that warm the cache
    cap: float = 800.0
    collapse_after_s: float = 0.8
    clear_below: float = 400.0
    clear_s: float = 3.0
    demand_max: float = 600.0  # above it the database's group health says no, before the cap does
    site_share: float = 0.5  # a load balancer needs this share of the applications


class Phase(StrEnum):
    """Where a member of a service is. `READY` serves; `FAILED` has given up, and only another restart helps it."""

    OFF = "off"
    WAITING = "waits for its providers"
    CATCHING_UP = "catches up"
    LOGGING_IN = "logs its sessions in"
    READY = "ready"
    FAILED = "failed to start"


@dataclass(slots=True, kw_only=True)
class Member:
    """One host as a member of its service. `since_s`: when it entered its phase; `takes_s`: how long it catches up."""

    host: str
    service: str
    phase: Phase = Phase.READY
    since_s: float = 0.0
    takes_s: float = 0.0
    sessions: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a health page says: whether it is well, and one line of evidence."""

    well: bool
    text: str


class Site:
    """The whole site at one moment. `advance` first, then tell or ask; times are seconds that never run back."""

    def __init__(self, hosts: Mapping[str, str], physics: Physics, now_s: float = 0.0) -> None:
        """`hosts` maps each host to its service; everything is up, warm and logged in."""
        self.physics = physics
        self.members = {host: Member(host=host, service=service) for host, service in hosts.items()}
        self._services: dict[str, list[Member]] = {}
        for member in self.members.values():
            self._services.setdefault(member.service, []).append(member)
            if member.service == "app":
                member.sessions = float(physics.sessions)
        self._now_s = now_s
        self._drained: dict[str, frozenset[str]] = {}
        self._warmth = float(physics.warm_after)
        self._corrupt_until_s = -1.0
        self._over_s = 0.0
        self._under_s = 0.0
        self.collapsed = False
        self.demand = 0.0
        self.demand_peak = 0.0
        self.collapses = 0
        self.sessions_cut = 0.0
        self.carried = 0.0
        self.whole_outage_s = 0.0
        self.outage_s = dict.fromkeys(self._services, 0.0)

    # What happens to it.

    def off(self, host: str) -> None:
        """The host went down. Sessions that no load balancer had moved away are cut."""
        member = self.members[host]
        had_quorum = self._ready("queue") >= self.quorum("queue")
        self.sessions_cut += member.sessions
        member.sessions = 0.0
        self._enter(member, Phase.OFF, "")
        if member.service == "queue" and had_quorum and self._ready("queue") < self.quorum("queue"):
            syncing = any(m.phase is Phase.CATCHING_UP for m in self._services["queue"])
            if syncing:
                self._corrupt_until_s = self._now_s + self.physics.reseed_s
        if member.service == "cache" and not self._ready("cache"):
            self._warmth = 0.0

    def up(self, host: str) -> None:
        """The host has booted; its service starts."""
        member = self.members[host]
        if member.service == "app":
            self._enter(member, Phase.WAITING, "")
            return
        physics = self.physics
        if member.service == "db":
            follows = self._ready("db") >= self.quorum("db")
            member.takes_s = physics.follow_s if follows else physics.crash_recovery_s
            why = "follows the quorum" if follows else "crash recovery: no quorum to follow"
        else:
            member.takes_s = physics.sync_s if member.service == "queue" else physics.warm_s
            why = ""
        self._enter(member, Phase.CATCHING_UP, why)

    def drain(self, balancer: str, hosts: frozenset[str]) -> None:
        """The load balancer now sends nothing new to `hosts`. Once all balancers agree, a host's sessions move away."""
        before = self._drained_everywhere()
        self._drained[balancer] = hosts
        after = self._drained_everywhere()
        others = {m.host for m in self._services.get("app", ()) if m.phase is Phase.READY} - after
        for host in after - before:
            if host in self.members and others:
                self.carried += self.members[host].sessions
                self.members[host].sessions = 0.0
        for host in before - after:
            if host in self.members and self.members[host].phase is Phase.READY:
                self._take_back(self.members[host])

    def advance(self, now_s: float) -> None:
        """Let time pass until `now_s`, in small steps."""
        while now_s - self._now_s > 1e-9:
            step_s = min(STEP_S, now_s - self._now_s)
            self._now_s += step_s
            self._step(step_s)

    # What it looks like.

    def serving(self, service: str) -> Health:
        """Whether the service works as a group, asked functionally: a database that answers, a queue that carries a message."""
        if service == "db":
            if self.collapsed:
                return Health(well=False, text=f"collapsed: {self._load()} asked, none served")
            return self._counted("db", self._ready("db"), self.quorum("db"))
        if service == "app":
            need = ceil(len(self._services["app"]) * self.physics.site_share)
            return self._counted("app", sum(self.health(m.host).well for m in self._services["app"]), need)
        if service == "queue":
            if self._now_s < self._corrupt_until_s:
                return Health(well=False, text="corrupt: quorum lost while a member was syncing; reseeding")
            return self._counted("queue", self._ready("queue"), self.quorum("queue"))
        if service == "lb":
            return self._counted("lb", sum(self.health(m.host).well for m in self._services["lb"]), 1)
        return self._counted(service, self._ready(service), 1)

    def gate(self, service: str) -> Health:
        """Whether more of it, or of its consumers, may be restarted now: it serves, and a database is not busy with log-ins."""
        found = self.serving(service)
        if service != "db" or not found.well:
            return found
        return Health(well=self.demand <= self.physics.demand_max, text=f"{found.text}; {self._load()}")

    def health(self, host: str) -> Health:
        """What the host's own /health page says."""
        member = self.members[host]
        if member.phase is Phase.LOGGING_IN:
            return Health(well=False, text=f"{member.sessions:.0f} of {self.physics.sessions} sessions logged in")
        if member.phase is not Phase.READY:
            return Health(well=False, text=f"{member.phase}: {member.why}" if member.why else str(member.phase))
        if member.service == "app":
            for provider in ("db", "queue"):
                if provider in self._services and not (found := self.serving(provider)).well:
                    return Health(well=False, text=f"{provider}: {found.text}")
            return Health(well=True, text=f"{member.sessions:.0f} sessions")
        if member.service == "lb":
            apps = self._services.get("app", [])
            backends = [
                a for a in apps if a.host not in self._drained.get(host, frozenset()) and self.health(a.host).well
            ]
            need = ceil(len(apps) * self.physics.site_share)
            return Health(well=len(backends) >= need, text=f"{len(backends)} of {len(apps)} backends, {need} needed")
        if member.service == "db" and self.collapsed:
            return Health(well=False, text="collapsed under log-ins")
        return Health(well=True, text=str(member.phase))

    def whole(self) -> Health:
        """Whether somebody can chat: database, queue and a load balancer with enough applications behind it."""
        for service in ("db", "queue", "lb"):
            if service in self._services and not (found := self.serving(service)).well:
                return Health(well=False, text=f"{service}: {found.text}")
        return Health(well=True, text=f"{self.online():.0f} sessions")

    def online(self) -> float:
        """Sessions that are logged in, wherever they were moved to."""
        return sum(m.sessions for m in self._services.get("app", ())) + self.carried

    def full(self) -> int:
        """Sessions when everything is up."""
        return self.physics.sessions * len(self._services.get("app", ()))

    def quorum(self, service: str) -> int:
        """How many members make a quorum of the service."""
        return len(self._services.get(service, ())) // 2 + 1

    @property
    def cache_warm(self) -> bool:
        """Whether log-ins are cheap."""
        return self._ready("cache") > 0 and self._warmth >= self.physics.warm_after

    # How it works.

    def _step(self, step_s: float) -> None:
        for member in self.members.values():
            age_s = self._now_s - member.since_s
            if member.phase is Phase.CATCHING_UP and age_s >= member.takes_s:
                alone = member.service == "queue" and self._up("queue") < self.quorum("queue")
                if not alone:
                    self._enter(member, Phase.READY, "")
            elif member.phase is Phase.WAITING:
                missing = [
                    f"{name}: {self.serving(name).text}"
                    for name in ("db", "cache", "queue")
                    if name in self._services and not self.serving(name).well
                ]
                if not missing:
                    self._enter(member, Phase.LOGGING_IN, "")
                elif age_s >= self.physics.dep_timeout_s:
                    self._enter(member, Phase.FAILED, f"gave up after {self.physics.dep_timeout_s:g} s on {missing[0]}")
        self._log_in(step_s)
        for service in self._services:
            if not self.serving(service).well:
                self.outage_s[service] += step_s
        if not self.whole().well:
            self.whole_outage_s += step_s

    def _log_in(self, step_s: float) -> None:
        """Log-ins against the database: served up to its capacity; too many for too long collapse it."""
        physics = self.physics
        waiting = [m for m in self.members.values() if m.phase is Phase.LOGGING_IN]
        cost = physics.warm_queries if self.cache_warm else physics.cold_queries
        self.demand = len(waiting) * physics.login_rate * cost
        self.demand_peak = max(self.demand_peak, self.demand)
        has_quorum = self._ready("db") >= self.quorum("db")
        if self.collapsed:
            self._under_s = self._under_s + step_s if self.demand < physics.clear_below else 0.0
            if self._under_s >= physics.clear_s:
                self.collapsed, self._over_s = False, 0.0
            return
        if not has_quorum:
            return
        share = min(1.0, physics.cap / self.demand) if self.demand else 1.0
        for member in waiting:
            served = min(physics.login_rate * step_s * share, physics.sessions - member.sessions)
            member.sessions += served
            self.carried = max(0.0, self.carried - served)
            if self._ready("cache"):
                self._warmth += served
            if member.sessions >= physics.sessions - 1e-6:
                self._enter(member, Phase.READY, "")
        self._over_s = self._over_s + step_s if self.demand > physics.cap else 0.0
        if self._over_s >= physics.collapse_after_s:
            self.collapsed, self._under_s = True, 0.0
            self.collapses += 1

    def _load(self) -> str:
        return f"{self.demand:.0f} queries/s of log-ins (it can do {self.physics.cap:.0f})"

    def _counted(self, service: str, have: int, need: int) -> Health:
        return Health(well=have >= need, text=f"{have} of {len(self._services[service])} serve, {need} needed")

    def _ready(self, service: str) -> int:
        return sum(m.phase is Phase.READY for m in self._services.get(service, ()))

    def _up(self, service: str) -> int:
        return sum(m.phase is not Phase.OFF for m in self._services.get(service, ()))

    def _take_back(self, member: Member) -> None:
        back = min(self.carried, self.physics.sessions - member.sessions)
        member.sessions += back
        self.carried -= back

    def _drained_everywhere(self) -> frozenset[str]:
        lists = [self._drained.get(m.host, frozenset()) for m in self._services.get("lb", ())]
        return frozenset.intersection(*lists) if lists else frozenset()

    def _enter(self, member: Member, phase: Phase, why: str) -> None:
        member.phase, member.since_s, member.why = phase, self._now_s, why
