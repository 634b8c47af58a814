"""R10: things that were set up by hand and never made to survive a boot. The next boot loses them, and what rests on them does not work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from restart.simulator.physics.fleet import Fleet, Rule
from restart.simulator.physics.members import Member, Step

LOSABLE = ":443 (or tcp:443), unit:web.service, mount:/srv, route:default"
"""What a boot may lose, for people."""
_LOSABLE = re.compile(r"tcp:[0-9]{1,5}|unit:[^ ]{1,200}|mount:/[^ ]{0,200}|route:[^ ]{1,100}")


def losable(said: str) -> str | None:
    """The key of what is `said` to be lost, as an allow-list of `same_as_before` takes it; None: no boot loses that."""
    key = f"tcp{said}" if said.startswith(":") else said
    return key if _LOSABLE.fullmatch(key) else None


class Unkept(Rule):
    """What each host will lose at its next boot, and has lost: keys such as `tcp:443`, `unit:web.service`, `mount:/srv`, `route:default`."""

    def __init__(self, fleet: Fleet, ports: Callable[[str], frozenset[int]]) -> None:
        """`ports` are those on which a service's members listen."""
        self._fleet = fleet
        self._ports = ports
        self._to_lose: dict[str, set[str]] = {}
        self._lost: dict[str, set[str]] = {}

    def set_up(self, hosts: Iterable[str], key: str) -> None:
        """`key` is there on `hosts`, until they boot."""
        for host in hosts:
            self._to_lose.setdefault(host, set()).add(key)

    def came_up(self, host: str) -> None:
        lost = self._to_lose.pop(host, None)
        if lost is not None:
            self._lost.setdefault(host, set()).update(lost)
            self._fleet.tell("unkept", host, f"has lost {', '.join(sorted(lost))}")

    def before_ready(self, member: Member, go: Callable[[], None]) -> bool:
        """A stage of `Members`: one that lacks what it rests on runs, at most, and does not function."""
        lost = self._lost.get(member.host)
        if lost is None or not any(self._hits(key, member) for key in lost):
            return False
        member.step = Step.FAILED if f"unit:{member.service}.service" in lost else Step.BROKEN
        self._fleet.refresh((member.host,))
        return True

    def still_there(self, host: str) -> frozenset[str]:
        """What the host's next boot will lose."""
        return frozenset(self._to_lose.get(host, ()))

    def lost(self, host: str) -> frozenset[str]:
        """What the host has lost."""
        return frozenset(self._lost.get(host, ()))

    def _hits(self, key: str, member: Member) -> bool:
        """A port is one service's, where a service has it; what else is lost is lost to all that the host carries."""
        kind, _, name = key.partition(":")
        carried = self._fleet.services_of[member.host]
        if kind == "tcp" and name.isdecimal():
            owners = [service for service in carried if int(name) in self._ports(service)]
        elif kind == "unit":
            owners = [service for service in carried if name == f"{service}.service"]
        else:
            owners = []
        return member.service in (owners or carried)
