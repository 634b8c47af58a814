"""How many members of each service are available, told where it changes."""

from __future__ import annotations

from collections.abc import Callable

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.model.check import Verdict
from restart.model.inventory import Inventory
from restart.rules.budgets import budget


class Available:
    """Counts, for the eyes alone: a member nobody has asked about counts as available. What is started is judged elsewhere."""

    def __init__(
        self,
        inventory: Inventory,
        outbox: Outbox,
        down_for_us: Callable[[str], bool],
        last_known: Callable[[str, str], Verdict | None],
    ) -> None:
        self._services = inventory.services
        self._outbox = outbox
        self._down_for_us = down_for_us
        self._last_known = last_known
        self._gone: dict[str, set[str]] = {}  # those whose places have been taken
        self._down: dict[str, set[str]] = {
            name: {host for host in service.hosts if down_for_us(host)} for name, service in inventory.services.items()
        }

    def exchange(self, service: str, gone: str | None, come: str) -> None:
        """`come` is a member of `service`, in the place of `gone` (None: beside all that are)."""
        if gone is not None:
            self._gone.setdefault(service, set()).add(gone)
            self._down[service].discard(gone)
        self._gone.get(service, set()).discard(come)
        self.count(service, come)

    def count(self, service: str, host: str) -> None:
        """Something was learnt of `host` as a member of `service`."""
        if host in self._gone.get(service, ()):
            return
        down = self._down[service]
        known_bad = self._last_known(service, host) not in (None, Verdict.PASS)
        (down.add if self._down_for_us(host) or known_bad else down.discard)(host)
        found = self._services[service]
        available = len(found.hosts) - len(down)
        if available == self._outbox.known(facts.AVAILABLE, service=service):
            return
        self._outbox.tell_change(
            facts.AVAILABLE, available, service=service, available=available, of=len(found.hosts), budget=budget(found)
        )  # fmt: skip
