"""A fleet with physics: machines, the members of services on them, and the rules that hear of every change.

The true state is kept in `HostTruth`s; a rule learns of a change at once, and of its consequences for others at the end of the
instant (`settle`), so that no order of hosts decides what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from restart.model.inventory import Inventory
from restart.simulator.clock import Agenda, Entry, Rank
from restart.simulator.physics.figures import HostFigures, Physics, ServiceFigures
from restart.simulator.truth import HostTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that befell the fleet: `what` is `collapse`, `trip`, `corrupt`, `failed_start`, `timeout`, ..., at `at_s`."""

    at_s: float
    what: str
    where: str
    detail: str = ""


@dataclass(slots=True)
class Group:
    """One service as a group: how many members function, since when, and what cuts all of them off at once."""

    name: str
    hosts: tuple[str, ...]
    figures: ServiceFigures
    available: int = 0
    cuts: set[str] = field(default_factory=set)
    history: list[tuple[float, int]] = field(default_factory=list)


class Rule:
    """One piece of physics. It overrides what it wants to hear of."""

    def powered(self, host: str, way: str) -> None:
        """The host gets power, or starts anew while it has it; `way` is `start`, `reboot` or `power`."""

    def unpowered(self, host: str) -> None:
        """The host's power is gone."""

    def went_down(self, host: str) -> None:
        """The host stopped answering, for whatever reason."""

    def stopped(self, service: str, host: str) -> None:
        """The member's process has ended, with its host or alone."""

    def came_up(self, host: str) -> None:
        """The host's boot has ended."""

    def counted(self, service: str) -> None:
        """The number of members of `service` that function has changed in this instant."""

    def settle(self) -> bool:
        """The end of an instant; True where this changed something, so that all must settle again."""
        return False


class Fleet:
    """The state that all rules share, and how they tell each other."""

    def __init__(self, inventory: Inventory, physics: Physics, agenda: Agenda, seed: int) -> None:
        self.inventory = inventory
        self.physics = physics
        self.agenda = agenda
        self.seed = seed
        self.services_of = _services_of(inventory)
        self.truth: dict[str, HostTruth] = {name: HostTruth(name=name) for name in inventory.hosts}
        self.groups = {
            name: Group(name, service.hosts, physics.services.get(name) or _DEFAULT_SERVICE)
            for name, service in inventory.services.items()
        }
        self.changed: set[str] = set()
        self.happenings: list[Happening] = []
        self.rules: list[Rule] = []
        self.functions: Callable[[str, str], bool] = lambda service, host: False
        self.woken: list[Callable[[str], None]] = []
        """Told of each host whose truth changed: those who wait for it."""
        self._counted: dict[str, None] = {}
        self._settling: Entry | None = None
        for name, truth in self.truth.items():
            truth.ready = dict.fromkeys(self.services_of[name], False)

    def figures(self, host: str) -> HostFigures:
        """How this host boots."""
        return self.physics.hosts.get(host, _DEFAULT_HOST)

    def chance(self, *what: object) -> Random:
        """A source of chance for this one thing, which no other thing's draws disturb."""
        return Random("/".join(str(part) for part in (self.seed, *what)))

    def tell(self, what: str, where: str, detail: str = "") -> None:
        """Take down what happened."""
        self.happenings.append(Happening(at_s=self.agenda.now_s, what=what, where=where, detail=detail))

    def refresh(self, hosts: Iterable[str]) -> None:
        """Judge anew whether the members on `hosts` function."""
        for host in hosts:
            truth = self.truth[host]
            for service in self.services_of[host]:
                ready = self.functions(service, host)
                if truth.ready[service] != ready:
                    truth.ready[service] = ready
                    self._count(self.groups[service], 1 if ready else -1)
            self.touch(host)

    def touch(self, host: str) -> None:
        """The host's truth has changed."""
        truth = self.truth[host]
        if truth.ours_down and truth.up and all(truth.ready.values()):
            truth.ours_down = False
        self.changed.add(host)
        for wake in self.woken:
            wake(host)
        self.unsettle()

    def cut(self, service: str, reason: str, *, on: bool) -> None:
        """Cut all members of `service` off for `reason`, or end that."""
        group = self.groups[service]
        if (reason in group.cuts) != on:
            (group.cuts.add if on else group.cuts.discard)(reason)
            self.refresh(group.hosts)

    def enough(self, service: str, needs: int | None) -> bool:
        """Whether `service` is ready for a consumer that needs so many members (None: as the service's figures say)."""
        group = self.groups[service]
        wanted = needs or group.figures.needs or group.figures.quorum or 1
        return group.available >= wanted

    def unsettle(self) -> None:
        """Something changed: let the rules settle before this instant is over."""
        if self._settling is None:
            self._settling = self.agenda.at(self.agenda.now_us, self._settle, Rank.SETTLE)

    def _settle(self) -> None:
        self._settling = None
        again = True
        while again:
            counted, self._counted = self._counted, {}
            for service in counted:
                for rule in self.rules:
                    rule.counted(service)
            again = bool(self._counted)
            for rule in self.rules:
                again = rule.settle() or again

    def _count(self, group: Group, by: int) -> None:
        group.available += by
        now_s = self.agenda.now_s
        if group.history and group.history[-1][0] == now_s:
            group.history[-1] = (now_s, group.available)
        else:
            group.history.append((now_s, group.available))
        self._counted[group.name] = None


_DEFAULT_HOST = HostFigures()
_DEFAULT_SERVICE = ServiceFigures()


def _services_of(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {name: [] for name in inventory.hosts}
    for service in inventory.services.values():
        for host in service.hosts:
            found[host].append(service.name)
    return {host: tuple(names) for host, names in found.items()}
