"""R1 and R2: from the end of a boot to a member that functions: boot dependencies, transfers, warm-up, sync, ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from restart.model.inventory import Dependency
from restart.simulator.clock import Entry, Rank, micros
from restart.simulator.physics.fleet import Fleet, Rule

Stage = Callable[["Member", Callable[[], None]], bool]
"""Takes a member and calls back when it may go on; False: this member need not wait here."""


class Step(StrEnum):
    """Where a member is. From STARTING on its process runs and its port is open; only UP can function."""

    DOWN = "down"
    WAITING = "waiting"
    STARTING = "starting"
    SYNCING = "syncing"
    UP = "up"
    FAILED = "failed_start"
    BROKEN = "broken"


RUNNING = frozenset({Step.STARTING, Step.SYNCING, Step.UP, Step.BROKEN})


@dataclass(slots=True)
class Member:
    """One member of a service. `life` counts its starts, so that what an earlier one had begun is void; `sick` are faults."""

    service: str
    host: str
    step: Step = Step.DOWN
    life: int = 0
    sick: set[str] = field(default_factory=set)
    pending: list[Entry] = field(default_factory=list)
    waits_for: list[tuple[str, int | None]] = field(default_factory=list)
    softly: bool = False


class Members(Rule):
    """All members. What comes after the boot dependencies stands in `stages`, in order; each rule adds its own."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._agenda = fleet.agenda
        self.of: dict[tuple[str, str], Member] = {}
        self.stages: list[Stage] = []
        self.by_command: set[str] = set()
        """Services whose members do not start with their hosts, but when they are told to."""
        self.no_boot_edges: set[tuple[str, str]] = set()
        """Edges that a stand-in bridges, as (consumer's host, provider)."""
        self._hard = {name: _hard(service.depends_on) for name, service in fleet.inventory.services.items()}
        self._waiting: dict[str, dict[tuple[str, str], None]] = {}
        for service in fleet.inventory.services.values():
            for host in service.hosts:
                up = fleet.truth[host].up
                at_first = Step.FAILED if (service.name, host) in fleet.physics.dead else Step.UP
                self.of[service.name, host] = Member(service.name, host, at_first if up else Step.DOWN)
        fleet.functions = self.functions

    def functions(self, service: str, host: str) -> bool:
        """Whether this member does its work: the truth behind every functional probe. A spare does none before it is one."""
        member = self.of.get((service, host))
        return (
            member is not None and member.step is Step.UP and not member.sick and not self._fleet.groups[service].cuts
        )

    def running(self, service: str, host: str) -> bool:
        """Whether the member's process runs and its port is open."""
        member = self.of.get((service, host))
        return member is not None and member.step in RUNNING

    def failed(self) -> list[str]:
        """Hosts with a member that failed to start."""
        return list(dict.fromkeys(member.host for member in self.of.values() if member.step is Step.FAILED))

    def start(self, member: Member) -> None:
        """The member's process is started (anew)."""
        self.stop(member)
        member.step = Step.WAITING
        member.waits_for = [
            (edge.provider, edge.needs)
            for edge in self._hard[member.service]
            if (member.host, edge.provider) not in self.no_boot_edges
        ]
        missing = self._missing(member)
        if missing:
            timeout_s = self._fleet.figures(member.host).dep_timeout_s
            self._wait_for(member, [provider for provider, _ in missing], timeout_s, self._give_up)
        else:
            self._wait_softly(member)

    def bridge(self, host: str, provider: str) -> None:
        """From now on members on `host` start without `provider`; one that waits for it goes on."""
        self.no_boot_edges.add((host, provider))
        for service in self._fleet.services_of[host]:
            member = self.of[service, host]
            member.waits_for = [waited for waited in member.waits_for if waited[0] != provider]
        self.counted(provider)

    def stop(self, member: Member) -> None:
        """The member's process ends, and all that it was about."""
        member.life += 1
        member.softly = False
        self._cancel(member)
        member.step = Step.DOWN
        for waiting in self._waiting.values():
            waiting.pop((member.service, member.host), None)
        for rule in self._fleet.rules:
            rule.stopped(member.service, member.host)

    def later(self, member: Member, delay_s: float, act: Callable[[], None], rank: Rank = Rank.PHYSICS) -> None:
        """Do `act` in `delay_s` seconds, if this life of the member goes on till then."""
        member.pending.append(self._agenda.after(delay_s, act, rank))

    def went_down(self, host: str) -> None:
        for service in self._fleet.services_of[host]:
            self.stop(self.of[service, host])

    def came_up(self, host: str) -> None:
        for service in self._fleet.services_of[host]:
            if service not in self.by_command:
                self.start(self.of[service, host])

    def counted(self, service: str) -> None:
        for key in list(self._waiting.get(service, ())):
            member = self.of[key]
            if member.step is not Step.WAITING or self._missing(member):
                continue
            if not self._soft(member):
                self._cancel(member)
                self._on(member)
            elif not member.softly:
                self._cancel(member)
                self._wait_softly(member)

    # --- boot dependencies -------------------------------------------------------------------------------------------

    def _missing(self, member: Member) -> list[tuple[str, int | None]]:
        return [(provider, needs) for provider, needs in member.waits_for if not self._fleet.enough(provider, needs)]

    def _soft(self, member: Member) -> dict[str, float]:
        """Providers that are missed for a while only, and how long."""
        soft = self._fleet.groups[member.service].figures.soft
        return {provider: wait_s for provider, wait_s in soft.items() if not self._fleet.enough(provider, None)}

    def _wait_for(self, member: Member, providers: list[str], timeout_s: float, then: Callable[[Member], None]) -> None:
        for provider in providers:
            self._waiting.setdefault(provider, {})[member.service, member.host] = None
        # One microsecond more: a time-out strikes only when later than its figure.
        at_us = self._agenda.now_us + micros(timeout_s) + (1 if then is self._give_up else 0)
        member.pending.append(self._agenda.at(at_us, lambda: then(member), Rank.TIMEOUT))

    def _wait_softly(self, member: Member) -> None:
        soft = self._soft(member)
        member.softly = bool(soft)
        if soft:
            self._wait_for(member, list(soft), max(soft.values()), self._on)
        else:
            self._on(member)

    def _cancel(self, member: Member) -> None:
        for entry in member.pending:
            entry.cancel()
        member.pending.clear()

    def _give_up(self, member: Member) -> None:
        lacking = ", ".join(provider for provider, _ in self._missing(member))
        member.step = Step.FAILED
        self._fleet.tell("failed_start", member.host, f"{member.service} waited for {lacking}")
        self._fleet.refresh((member.host,))

    # --- from the dependencies to ready ------------------------------------------------------------------------------

    def _on(self, member: Member) -> None:
        for waiting in self._waiting.values():
            waiting.pop((member.service, member.host), None)
        member.step = Step.STARTING
        self._fleet.touch(member.host)
        warm_s = self._fleet.groups[member.service].figures.warm_s
        if warm_s:
            self.later(member, warm_s, lambda: self._through(member, member.life, 0))
        else:
            self._through(member, member.life, 0)

    def _through(self, member: Member, life: int, index: int) -> None:
        """Through each stage in turn; a later life makes this one void."""
        if member.life != life:
            return
        while index < len(self.stages):
            index += 1
            if self.stages[index - 1](member, lambda index=index: self._through(member, life, index)):  # type: ignore[misc]
                return
        member.step = Step.UP
        self._fleet.refresh((member.host,))


def _hard(edges: tuple[Dependency, ...]) -> tuple[Dependency, ...]:
    return tuple(edge for edge in edges if edge.kind == "requires" and edge.at in ("boot", "both"))
