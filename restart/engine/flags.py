"""Stop flags: an operator's standing "touch nothing", for everything, a fleet, or a service (design: section 7, rule 4).

A flag holds, it does not halt: nothing that would change a host is begun while it stands, save what takes back what was begun (a drain
is undone, a host whose checks held is undrained). When it is lifted the run goes on. A move that has not come to its first act is called
off; a later rung of a ladder waits. A flag on a service holds the moves that touch it: those of its members, and those whose drains run on
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.engine.parking import Hold, Topic
from restart.engine.state import MoveState
from restart.model.event import Word
from restart.model.inventory import Inventory
from restart.rules.named import flag_rule

TOPIC: Topic = ("flag",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One that stands: its rule (`flag.3`), on which service (None: on the whole run), and why, with who set it."""

    rule: str
    service: str | None
    why: str


class Flags:
    """The flags that stand, as far as the run was told. They outlive a resume: only a word lifts one."""

    def __init__(self, inventory: Inventory, outbox: Outbox, stir: Callable[[Topic], None]) -> None:
        self._outbox = outbox
        self._stir = stir
        self._standing: dict[str, Flag] = {}
        self._touched: dict[str, frozenset[str]] = {}
        self._services_of: dict[str, list[str]] = {}
        for service in inventory.services.values():
            for host in service.hosts:
                self._services_of.setdefault(host, []).append(service.name)

    @property
    def standing(self) -> tuple[str, ...]:
        """The targets of the words that set them."""
        return tuple(self._standing)

    def hear(self, word: Word) -> bool:
        """Take in `flag` or `unflag`; False: it is another word. Said twice, it changes nothing."""
        if word.word not in ("flag", "unflag"):
            return False
        target = word.target or ""
        service = target.partition(" service ")[2] or None
        if word.word == "flag" and target not in self._standing:
            why = f"a stop flag stands on {_scope(target)}, set by {word.by or 'operator'}: {word.reason}"
            self._standing[target] = Flag(rule=flag_rule(target), service=service, why=why)
            self._outbox.tell(facts.FLAGGED, service=service, why=why, flag=target)
        elif word.word == "unflag" and self._standing.pop(target, None) is not None:
            said = f"{word.by}: {word.reason}" if word.reason else word.by
            why = f"the stop flag on {_scope(target)} is lifted by {said}"
            self._outbox.tell(facts.UNFLAGGED, service=service, why=why, flag=target)
        self._stir(TOPIC)
        return True

    def closed(self) -> tuple[str, str] | None:
        """The rule that holds the whole run, and why; None: no flag on everything or on the fleet stands."""
        if not self._standing:
            return None
        return next(((flag.rule, flag.why) for flag in self._standing.values() if flag.service is None), None)

    def hold(self, state: MoveState) -> Hold | None:
        """Why nothing may be done to the host of this move; None: no flag touches it."""
        if not self._standing:
            return None
        touched = self._touched.get(state.host)
        if touched is None:
            where = (state.host, *(step.on for step in state.playbook.drain if step.on is not None))
            names = [name for host in where for name in self._services_of.get(host, ())]
            touched = self._touched[state.host] = frozenset((*state.move.services, *names))
        found = (flag for flag in self._standing.values() if flag.service is None or flag.service in touched)
        flag = next(found, None)
        if flag is None:
            return None
        return Hold(rule=flag.rule, why=flag.why, waits="flag", queue=("flag", flag.rule), topics=(TOPIC,))


def _scope(target: str) -> str:
    """`3 service web` -> `service web`: what stands before it is the flag's number."""
    return target.partition(" ")[2] or target
