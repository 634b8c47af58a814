"""R6: electric power. A domain that draws more than its limit at any instant loses its breaker, and every host in it its power."""

from __future__ import annotations

from restart.simulator.physics.boot import Machines, State
from restart.simulator.physics.figures import Power
from restart.simulator.physics.fleet import Fleet, Rule


class PowerLimit(Rule):
    """One limit, over all the domains that its label makes."""

    def __init__(self, fleet: Fleet, machines: Machines, power: Power) -> None:
        self._fleet = fleet
        self._machines = machines
        self._power = power
        self._domain: dict[str, str] = {}
        self._draws: dict[str, float] = {}
        self._total: dict[str, float] = {}
        self._starts: dict[str, int] = {}
        self._open: set[str] = set()
        self._dirty: dict[str, None] = {}
        members = frozenset(power.hosts) if power.hosts is not None else None
        for name, host in fleet.inventory.hosts.items():
            domain = "" if power.per is None else host.labels.get(power.per)
            if domain is not None and (members is None or name in members):
                self._domain[name] = domain
                self._set(name, power.steady_w if machines.all[name].state is not State.OFF else 0.0)

    def dark(self, host: str) -> bool:
        """Whether the breaker before `host` is open."""
        return self._domain.get(host) in self._open

    def powered(self, host: str, way: str) -> None:
        if host not in self._domain:
            return
        self._set(host, self._power.inrush_w)
        started = self._starts[host] = self._starts.get(host, 0) + 1
        self._fleet.agenda.after(self._power.inrush_s, lambda: self._settled(host, started))

    def unpowered(self, host: str) -> None:
        if host in self._domain:
            self._starts[host] = self._starts.get(host, 0) + 1
            self._set(host, 0.0)

    def settle(self) -> bool:
        dirty, self._dirty = self._dirty, {}
        tripped = [
            domain
            for domain in dirty
            if self._total.get(domain, 0.0) > self._power.limit_w + 1e-6 and domain not in self._open
        ]
        for domain in tripped:
            self._trip(domain)
        return bool(tripped)

    def _settled(self, host: str, started: int) -> None:
        if self._starts[host] == started:
            self._set(host, self._power.steady_w)

    def _set(self, host: str, watts: float) -> None:
        domain = self._domain[host]
        self._total[domain] = self._total.get(domain, 0.0) + watts - self._draws.get(host, 0.0)
        self._draws[host] = watts
        self._dirty[domain] = None
        self._fleet.unsettle()

    def _trip(self, domain: str) -> None:
        where = f"{self._power.name} {domain}".strip()
        self._fleet.tell("trip", where, f"{self._total[domain]:g} W, limit {self._power.limit_w:g} W")
        self._open.add(domain)
        hosts = [host for host, mine in self._domain.items() if mine == domain]
        were_on = [host for host in hosts if self._machines.all[host].state is not State.OFF]
        for host in were_on:
            self._machines.power_off(host)
        if self._power.auto_on_s is not None:
            self._fleet.agenda.after(self._power.auto_on_s, lambda: self._close(domain, were_on))

    def _close(self, domain: str, hosts: list[str]) -> None:
        self._open.discard(domain)
        for host in hosts:
            self._machines.power_on(host)
