"""Groups whose members must be up together before any is ready: as many as that takes find their places at once (design: rule 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from restart.engine.parking import Hold
from restart.engine.slots import Slots
from restart.engine.state import MoveState
from restart.engine.table import IN_FLIGHT, Phase
from restart.model.inventory import Inventory
from restart.rules.groups import forms_with

UP = frozenset({Phase.DONE, Phase.NOT_REBOOTED})


class Groups:
    """Holds back the members of the services `names` until enough of them may begin: alone none of them would ever be ready."""

    def __init__(
        self,
        inventory: Inventory,
        states: Mapping[str, MoveState],
        names: Iterable[str],
        *,
        slots: Slots,
        lost: Callable[[Iterable[str]], bool],
    ) -> None:
        """`lost`: whether only an operator can let any of these hosts go."""
        self._inventory = inventory
        self._states = states
        self._slots = slots
        self._lost = lost
        self._members = {
            name: tuple(host for host in inventory.services[name].hosts if host in states) for name in names
        }

    def hold(self, state: MoveState) -> Hold | None:
        """Why a member may not begin yet."""
        for name in state.move.services:
            hold = self._group(name) if self._members.get(name) else None
            if hold is not None:
                return hold
        return None

    def _group(self, name: str) -> Hold | None:
        service, members = self._inventory.services[name], self._members[name]
        phases = {host: self._states[host].phase for host in members}
        begun = sum(phase in IN_FLIGHT or phase in UP for phase in phases.values())
        missing = forms_with(service) - (len(service.hosts) - len(members)) - begun
        waiting = [host for host, phase in phases.items() if phase is Phase.WAITING]
        if missing <= 1:
            return None
        rule, topics = f"ready_when.{name}", (("unfinished", name), ("booted", name))
        if len(waiting) < missing:
            why = f"{forms_with(service)} of {len(service.hosts)} must be up together, {begun + len(waiting)} can still be"
            return Hold(rule=rule, why=why, waits="order", lasting=True, queue=("group", name), topics=topics)
        room = self._slots.beside(waiting)
        if room >= missing:
            return None
        slots = dict.fromkeys(slot for host in waiting for slot in self._slots.needed(host))
        holders = {host for slot in slots for host in self._slots.held_by(slot)}
        return Hold(
            rule=rule,
            why=f"{missing} of {len(service.hosts)} must start together, the limits let {room} start now",
            waits="slot",
            lasting=not holders or self._lost(holders),
            queue=("group", name),
            topics=(*topics, *(("slot", slot) for slot in slots), *(("slot taken", slot) for slot in slots)),
        )
