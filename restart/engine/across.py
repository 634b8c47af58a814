"""Limits that span the runs of one store (`across_runs`): a slot of such a limit is the store's to give.

A move that has everything else asks for its slots before it begins; without the store's yes it does not begin (no answer, no slot). It gives them
back exactly when its slots in this run are freed (`restart.engine.slots`): by evidence, by the clock where `held_until` is a duration, or by an
operator's recorded decision, and never because a process ended. So the slots of a run that died stay held in the store until it is resumed, or
an operator takes them away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from restart.engine.outbox import Outbox
from restart.engine.parking import Hold, Topic
from restart.engine.state import MoveState
from restart.engine.table import Phase
from restart.model.answer import Answer, SlotsGiven, SlotsRefused, silence
from restart.model.inventory import Inventory
from restart.model.request import GiveSlots, KeepSlots, SlotWanted, TakeSlots
from restart.rules.limits import Slot, SlotTable, Take
from restart.rules.waived import Waived

AGAIN_S = 5.0
"""How long after a no the store is asked again, in seconds."""


class Across:
    """The slots that the store has given to each host of this run."""

    def __init__(
        self,
        inventory: Inventory,
        services_of: Mapping[str, tuple[str, ...]],
        outbox: Outbox,
        stir: Callable[[Topic], None],
        *,
        cold: bool,
        waived: Waived,
    ) -> None:
        """`waived` limits are counted in the store and hold nothing up."""
        self._outbox = outbox
        self._stir = stir
        self._waived = waived
        self._given: dict[str, dict[Slot, None]] = {}
        self._asking: set[str] = set()
        self._fresh: dict[str, None] = {}  # hosts that were given slots with this event
        self._refused: dict[str, tuple[str, str, float]] = {}  # host -> rule, why, when to ask again
        self._takes: dict[str, tuple[Take, ...]] = {}
        if not any(limit.across_runs for limit in inventory.limits.values()):
            return
        self._table = SlotTable(inventory, off=frozenset(services_of) if cold else frozenset())
        spanning = {part.key for part in self._table.parts if part.limit.across_runs and not part.term.rate}
        for host, services in services_of.items():
            takes = self._table.takes(inventory.hosts[host], services)
            self._takes[host] = tuple(take for take in takes if take.slot.limit in spanning)

    def hold(self, state: MoveState) -> Hold | None:
        """Why the move may not begin, or take its next rung, for the store; None: it has all its slots. Asks for what it lacks."""
        host = state.host
        lacking = [take for take in self._takes.get(host, ()) if take.slot not in self._given.get(host, ())]
        if not lacking:
            return None
        rule = lacking[0].slot.limit
        topic: Topic = ("store", host)
        if host not in self._asking:
            refused = self._refused.get(host)
            if refused is not None and self._outbox.now_s < refused[2]:
                rule, why, until_s = refused
                return Hold(rule=rule, why=why, waits="store", queue=topic, topics=(topic,), until_s=until_s)
            self._ask(host, lacking)
        return Hold(
            rule=rule, why="the store is being asked", waits="asking", queue=("store asked", host), topics=(topic,)
        )  # fmt: skip

    @property
    def busy(self) -> bool:
        """Whether the store has still to answer: what it gives then must be given back."""
        return bool(self._asking)

    def settle(self, states: Mapping[str, MoveState]) -> None:
        """End of one event: what was given to a move that has not begun with it, because something holds it after all, is given back."""
        for host in self._fresh:
            if states[host].phase is Phase.WAITING and (slots := tuple(self._given.pop(host, ()))):
                self._give(host, slots)
        self._fresh.clear()

    def freed(self, slot: Slot, host: str) -> None:
        """The move of `host` has freed `slot` in this run."""
        if slot in self._given.get(host, ()):
            del self._given[host][slot]
            self._give(host, (slot,))

    def resumed(self, states: Iterable[MoveState]) -> None:
        """No answer will come any more. The store is told what this run still holds: it forgets the rest, and counts what it had forgotten."""
        if not self._takes:
            return
        self._asking.clear()
        self._refused.clear()
        kept: list[tuple[str, SlotWanted]] = []
        for state in states:
            if state.phase is Phase.WAITING:
                self._given.pop(state.host, None)  # it asks anew when its turn comes
            given = self._given.get(state.host, {})
            kept += [(state.host, self._wanted(take)) for take in self._takes[state.host] if take.slot in given]
        hosts, slots = tuple(host for host, _ in kept), tuple(wanted for _, wanted in kept)
        self._outbox.send(lambda id: KeepSlots(id=id, hosts=hosts, slots=slots), lambda answer: None)

    def deadline_s(self) -> float | None:
        """When, in run seconds, the store is next to be asked again."""
        if not self._refused:
            return None
        later = [until_s for _, _, until_s in self._refused.values() if until_s > self._outbox.now_s]
        return min(later, default=None)

    def _ask(self, host: str, lacking: list[Take]) -> None:
        self._asking.add(host)
        self._refused.pop(host, None)
        slots = tuple(self._wanted(take) for take in lacking)
        self._outbox.send(
            lambda id: TakeSlots(id=id, host=host, slots=slots), partial(self._heard, host, tuple(lacking))
        )

    def _wanted(self, take: Take) -> SlotWanted:
        cap = None if take.slot.limit in self._waived else self._table.cap(take.slot)
        return SlotWanted(slot=str(take.slot), amount=take.amount, cap=cap)

    def _heard(self, host: str, lacking: tuple[Take, ...], answer: Answer) -> None:
        self._asking.discard(host)
        if isinstance(answer, SlotsGiven):
            self._given.setdefault(host, {}).update(dict.fromkeys(take.slot for take in lacking))
            self._fresh[host] = None
        else:
            if isinstance(answer, SlotsRefused):
                rule = answer.slot.partition(" ")[0]
                why = f"{answer.slot} spans the runs of this store: {answer.held:g} of {answer.cap:g} held by {', '.join(answer.by)}"
                why += "; a run that died keeps them until it is resumed, or restart resolve RUN HOST --free-slots"
            else:
                rule, why = "store", f"no answer from the store, no slot of {lacking[0].slot}: {silence(answer)}"
            self._refused[host] = (rule, why, self._outbox.now_s + AGAIN_S)
        self._stir(("store", host))

    def _give(self, host: str, slots: tuple[Slot, ...]) -> None:
        names = tuple(str(slot) for slot in slots)
        self._outbox.send(lambda id: GiveSlots(id=id, host=host, slots=names), lambda answer: None)
