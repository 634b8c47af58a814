"""What becomes of a group below its floor, and of consumers whose provider was lost: they must all be built, or started, again."""

from __future__ import annotations

from restart.simulator.physics.boot import Machines
from restart.simulator.physics.figures import Rebuild, Relapse
from restart.simulator.physics.fleet import Fleet, Group, Rule


class Rebuilds(Rule):
    """Services that must be built again as a whole once too few members are ready."""

    def __init__(self, fleet: Fleet, machines: Machines) -> None:
        self._fleet = fleet
        self._machines = machines
        self._armed: set[str] = set()
        self._figures: dict[str, Rebuild] = {
            name: group.figures.rebuild for name, group in fleet.groups.items() if group.figures.rebuild is not None
        }
        for name in self._figures:
            self.counted(name)

    def counted(self, service: str) -> None:
        figures = self._figures.get(service)
        if figures is None:
            return
        group = self._fleet.groups[service]
        if group.available >= figures.below:
            self._armed.add(service)
        elif service in self._armed:
            self._armed.discard(service)
            self._fleet.tell("rebuild", service, f"{group.available} ready, {figures.below} needed")
            self._fleet.cut(service, "rebuild", on=True)
            raise_all(self._machines, group)
            took_s = spent_s(group, figures.work_s, figures.at_once)
            self._fleet.agenda.after(took_s, lambda: self._fleet.cut(service, "rebuild", on=False))


class Relapses(Rule):
    """Consumers that must be started again after their provider was lost under them."""

    def __init__(self, fleet: Fleet, machines: Machines) -> None:
        self._fleet = fleet
        self._machines = machines
        self._of: dict[str, list[str]] = {}
        self._figures: dict[str, Relapse] = {}
        for name, group in fleet.groups.items():
            if group.figures.relapse is not None:
                self._figures[name] = group.figures.relapse
                self._of.setdefault(group.figures.relapse.provider, []).append(name)
        self._fine = {provider: fleet.enough(provider, None) for provider in self._of}
        self._lives: dict[str, int] = {}

    def counted(self, service: str) -> None:
        if service not in self._of:
            return
        was, self._fine[service] = self._fine[service], self._fleet.enough(service, None)
        if was and not self._fine[service]:
            for consumer in self._of[service]:
                self._lives[consumer] = self._lives.get(consumer, 0) + 1
                self._fleet.tell("relapse", consumer, f"lost {service}")
                self._fleet.cut(consumer, "relapse", on=True)
        elif self._fine[service] and not was:
            for consumer in self._of[service]:
                if "relapse" in self._fleet.groups[consumer].cuts:
                    self._restart(consumer)

    def _restart(self, consumer: str) -> None:
        group, figures, life = self._fleet.groups[consumer], self._figures[consumer], self._lives[consumer]
        raise_all(self._machines, group)

        def back() -> None:
            if self._lives[consumer] == life:
                self._fleet.cut(consumer, "relapse", on=False)

        self._fleet.agenda.after(spent_s(group, figures.work_s, figures.at_once or len(group.hosts)), back)


def raise_all(machines: Machines, group: Group) -> None:
    """Members without power are switched on: the group is built again with all of them."""
    for host in group.hosts:
        machines.power_on(host)


def spent_s(group: Group, work_s: float, at_once: int) -> float:
    """How long all members take, so many at a time, in seconds."""
    return -(-len(group.hosts) // at_once) * work_s
