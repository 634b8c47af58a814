"""Peers: the other members of the services of a plan's hosts, which the plan itself does not touch.

A budget holds for a service, and two controllers with two stores can each keep it and break it together: one restarts
web-1, the other web-3. So whoever has claimed a host looks for claims on its peers before the first act. Each of two claims
first and looks then: at least one of them sees the other, whatever their clocks and their order.

A peer that does not answer over SSH is passed over: whoever would restart it needs the same way, and where it is not
ready it counts against the budget as ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from restart.model.answer import HeldBy, NoAnswer
from restart.model.inventory import Inventory
from restart.model.question import Shell, ShellReply
from restart.probes import claim
from restart.rules.durations import spoken

LOOK_S = 30.0
"""How long the looks of one host's peers may take together; each is a few milliseconds on a host that answers."""

LOOKING_MAX = 32
"""Peers that are looked at side by side."""


class Peers:
    """Looks at each peer once, whichever of its hosts is claimed first. Used from any number of threads."""

    def __init__(self, inventory: Inventory, moving: Set[str], *, passed: Callable[[str], bool]) -> None:
        """`passed` tells of a run whether its claim stands in nobody's way: it is this one, or is known to have ended."""
        self._passed = passed
        self._others: dict[str, tuple[str, ...]] = {}  # by service; those that are looked at are taken out
        self._services: dict[str, list[str]] = {}
        for service in inventory.services.values():
            self._others[service.name] = tuple(name for name in service.hosts if name not in moving)
            for host in service.hosts:
                self._services.setdefault(host, []).append(service.name)
        self._lock = threading.Lock()
        self._looked: set[str] = set()
        self._found: HeldBy | None = None

    def foreign(self, host: str, run: Callable[[Shell], ShellReply | NoAnswer]) -> HeldBy | NoAnswer | None:
        """A foreign claim that was met on a peer, to be called once `host` is claimed; None: none was seen. `run` sends a command.

        `NoAnswer` where not all peers could be looked at in time; the next call goes on with the rest.
        """
        with self._lock:
            # Whoever comes meanwhile waits for what is found: its own peers may be among these.
            services = self._services.get(host, ())
            others = dict.fromkeys(name for service in services for name in self._others[service])
            names = [name for name in others if name not in self._looked]
            if names and self._found is None:
                self._look(names, run)
            for service in services:
                self._others[service] = tuple(name for name in self._others[service] if name not in self._looked)
            left = sum(name not in self._looked for name in names)
            if self._found is None and left:
                detail = f"{left} of {len(names)} other members of its services could not be looked at for claims within {spoken(LOOK_S)}"
                return NoAnswer(reason="timeout", detail=detail)
            return self._found

    def _look(self, names: list[str], run: Callable[[Shell], ShellReply | NoAnswer]) -> None:
        until_s = time.monotonic() + LOOK_S

        def look(name: str) -> HeldBy | None:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return None
            reply = run(Shell(host=name, command=claim.look_text(), timeout_s=left_s))
            self._looked.add(name)
            held = claim.parse_look(reply) if isinstance(reply, ShellReply) else None
            return None if held is None or self._passed(held.run) else replace(held, on=name)

        with ThreadPoolExecutor(LOOKING_MAX, thread_name_prefix="restart peers") as crew:
            self._found = next((held for held in crew.map(look, names) if held is not None), None)
