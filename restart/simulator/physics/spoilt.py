"""R5, R9: members whose data was spoilt as they stopped. Their process runs, their port is open, and they do not function."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from restart.simulator.physics.fleet import Fleet
from restart.simulator.physics.members import Member, Step


class Spoilt:
    """Hosts that come back corrupt from their next start on, each time, until they are repaired."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._repair_s: dict[str, float | None] = {}

    def spoil(self, hosts: Iterable[str], repair_s: float | None) -> None:
        """Spoil what `hosts` hold. `repair_s` after a member has come up corrupt it is in order; None: never."""
        self._repair_s.update(dict.fromkeys(hosts, repair_s))

    def before_ready(self, member: Member, go: Callable[[], None]) -> bool:
        """A stage of `Members`: a corrupt one does not even begin to sync."""
        if member.host not in self._repair_s:
            return False
        member.step = Step.BROKEN
        self._fleet.tell("corrupt_member", member.host, f"{member.service} runs, and what it holds is corrupt")
        repair_s = self._repair_s[member.host]
        if repair_s is not None:

            def repaired() -> None:
                member.step = Step.STARTING
                self._repair_s.pop(member.host, None)
                go()

            member.pending.append(self._fleet.agenda.after(repair_s, repaired))
        return True
