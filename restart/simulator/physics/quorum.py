"""R5: members that sync from a quorum of each other. A quorum lost while a member syncs is corrupt until it is seeded anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from restart.simulator.clock import Entry
from restart.simulator.physics.fleet import Fleet, Group, Rule
from restart.simulator.physics.members import Member, Members, Step


@dataclass(slots=True)
class Circle:
    """One quorum group: who is up and waits to sync, who syncs, who is synced; in the order in which they came."""

    group: Group
    quorum: int
    waiting: dict[str, Callable[[], None]] = field(default_factory=dict)
    syncing: dict[str, tuple[Entry, Callable[[], None]]] = field(default_factory=dict)
    synced: dict[str, None] = field(default_factory=dict)
    formed: bool = False
    corrupt: bool = False
    dirty: bool = True

    def up(self) -> int:
        """Members that are up, synced or not."""
        return len(self.waiting) + len(self.syncing) + len(self.synced)


class Quorums(Rule):
    """Every service whose figures state a quorum."""

    def __init__(self, fleet: Fleet, members: Members) -> None:
        self._fleet = fleet
        self._members = members
        self._circles: dict[str, Circle] = {}
        for name, group in fleet.groups.items():
            if group.figures.quorum is not None:
                circle = self._circles[name] = Circle(group, group.figures.quorum)
                circle.synced = {host: None for host in group.hosts if fleet.truth[host].up}
                circle.formed = len(circle.synced) >= circle.quorum
                if not circle.formed:
                    group.cuts.add("quorum")

    def before_ready(self, member: Member, go: Callable[[], None]) -> bool:
        """A stage of `Members`."""
        circle = self._circles.get(member.service)
        if circle is None:
            return False
        member.step = Step.SYNCING
        circle.waiting[member.host] = go
        self._touch(circle)
        return True

    def stopped(self, service: str, host: str) -> None:
        circle = self._circles.get(service)
        if circle is None:
            return
        circle.waiting.pop(host, None)
        circle.synced.pop(host, None)
        entry = circle.syncing.pop(host, None)
        if entry is not None:
            entry[0].cancel()
        self._touch(circle)

    def settle(self) -> bool:
        again = False
        for name, circle in self._circles.items():
            if circle.dirty:
                circle.dirty = False
                self._judge(name, circle)
                again = True
        return again

    def _touch(self, circle: Circle) -> None:
        circle.dirty = True
        self._fleet.unsettle()

    def _judge(self, name: str, circle: Circle) -> None:
        had, circle.formed = circle.formed, len(circle.synced) >= circle.quorum
        if had and not circle.formed and circle.syncing and not circle.corrupt:
            self._corrupt(name, circle)
        if not circle.corrupt:
            if circle.up() >= circle.quorum:
                self._sync(name, circle)
            else:
                for host, (entry, go) in list(circle.syncing.items()):
                    entry.cancel()
                    del circle.syncing[host]
                    circle.waiting[host] = go
        self._fleet.cut(name, "quorum", on=not circle.formed)

    def _sync(self, name: str, circle: Circle) -> None:
        if circle.waiting and not circle.synced and not circle.syncing:
            self._seed(name, circle)
        for host, go in list(circle.waiting.items()):
            del circle.waiting[host]
            entry = self._fleet.agenda.after(circle.group.figures.sync_s, lambda host=host: self._synced(circle, host))  # type: ignore[misc]
            circle.syncing[host] = (entry, go)

    def _synced(self, circle: Circle, host: str) -> None:
        _, go = circle.syncing.pop(host)
        circle.synced[host] = None
        self._touch(circle)
        go()

    def _seed(self, name: str, circle: Circle) -> None:
        """Nobody holds the data in memory: the member that came first gives it to all, and what it lacks is lost."""
        writes = circle.group.figures.writes
        first = next(iter(circle.waiting))
        lost = max(writes.values(), default=0) - writes.get(first, 0)
        if writes and lost > 0:
            self._fleet.tell("writes_lost", first, str(lost))

    def _corrupt(self, name: str, circle: Circle) -> None:
        circle.corrupt = True
        self._fleet.tell("corrupt", name, f"{len(circle.synced)} synced, {len(circle.syncing)} syncing")
        for host, (entry, go) in list(circle.syncing.items()):
            entry.cancel()
            circle.waiting[host] = go
        circle.syncing.clear()
        self._fleet.cut(name, "corrupt", on=True)
        reseed_s = circle.group.figures.reseed_s
        if reseed_s is not None:
            self._fleet.agenda.after(reseed_s, lambda: self._reseeded(name, circle))

    def _reseeded(self, name: str, circle: Circle) -> None:
        circle.corrupt = False
        going = list(circle.waiting.values())
        circle.synced.update(dict.fromkeys(circle.waiting))
        circle.waiting.clear()
        self._fleet.tell("reseeded", name)
        self._fleet.cut(name, "corrupt", on=False)
        self._touch(circle)
        for go in going:
            go()
