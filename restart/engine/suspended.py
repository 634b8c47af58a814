"""Suspended questions: a watch or gate that asks through a service which a cold start is bringing up waits for it (design: rule 10).

A monitoring system that is off answers nothing, and it is this very run that switches it on. Where a check names no `service:` but was found
to ask a host that the plan starts, it waits for that host, until its move is over: when the host was given up, that the watch has no
answer is news.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from restart.model.inventory import Inventory
from restart.rules.groups import opens_with


class Suspended:
    """The services that a plan starts and that have not been ready yet. Once ready, always: from then on their silence counts."""

    def __init__(self, inventory: Inventory, starting: Collection[str]) -> None:
        """`starting`: the hosts that the plan starts from cold; none: nothing is ever suspended."""
        hosts = set(starting)
        self._asking: dict[str, set[str]] = {}  # rule -> the hosts that it asks and that are not over
        for host in starting:
            for rule in inventory.hosts[host].asked_by:
                self._asking.setdefault(rule, set()).add(host)
        self._missing: dict[str, int] = {}
        self._waiting: dict[str, set[str]] = {}
        for name, service in inventory.services.items():
            mine = hosts.intersection(service.hosts)
            if mine:
                self._waiting[name] = mine
                self._missing[name] = opens_with(service) - (len(service.hosts) - len(mine))

    def ready(self, host: str, services: Iterable[str]) -> None:
        """The checks of `host` have held."""
        for name in services:
            if host in self._waiting.get(name, ()):
                self._waiting[name].discard(host)
                self._missing[name] -= 1

    def over(self, host: str) -> None:
        """The move of `host` is over, however it ended."""
        for waiting in self._asking.values():
            waiting.discard(host)

    def is_off(self, rule: str, service: str | None) -> bool:
        """Whether the question of the watch or gate called `rule` is suspended, which goes through `service` (None: it does not say)."""
        return bool(self._asking.get(rule)) or (service is not None and self._missing.get(service, 0) > 0)

    @property
    def services(self) -> Mapping[str, int]:
        """How many members each service still lacks; those that lack none are ready."""
        return self._missing
