"""Spares: where a member is given up, one that stands by takes its place (design: rule 19).

A spare's move is a move like any other, but that its playbook is the one that promotes it, with `{member}` filled. It begins to be in the plan's
order when it is called up, in the wave of the member whose place it takes; what guards any start guards this one, but for the budget and the gate of
the service itself, which are what it repairs. After a halt or a stop nobody is called up.

From then on the spare is the member, and the lost one is not: the number of members stays the same, so that no budget grows or shrinks by the exchange.
Until its move has ended well it counts as down, whatever its checks say. A spare that fails is given up as any host, and the next one takes the place. A
lost member that an operator brings back is a member again once its own move has ended well; then there is one more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState, state_of
from restart.engine.table import FAILED, Phase
from restart.model.inventory import Inventory, Service
from restart.model.plan import Move, Plan, StandBy

BACK = frozenset({Phase.DONE, Phase.NOT_REBOOTED})
"""A host in one of these is up, and its checks have held."""


@dataclass(slots=True)
class Place:
    """A place in `service` that was `lost`'s. `holder`: who is the member now, the lost one or a spare."""

    service: str
    lost: str
    holder: str


class Spares:
    """Who stands by for which service, and whose place is taken."""

    def __init__(
        self,
        plan: Plan,
        inventory: Inventory,
        services: dict[str, Service],
        states: dict[str, MoveState],
        outbox: Outbox,
        *,
        joins: Callable[[MoveState], None],
        changed: Callable[[str, str | None, str], None],
    ) -> None:
        """`services` and `states` are the engine's own: here members are exchanged and spares' moves added. `joins` hears of each such move;

        `changed(service, gone, come)`: `come` is a member, in the place of `gone` (None: beside all that are).
        """
        self._inventory = inventory
        self._services = services
        self._states = states
        self._outbox = outbox
        self._joins = joins
        self._changed = changed
        self._free: list[StandBy] = [found for found in plan.spares if found.host not in states]
        self._places: dict[tuple[str, str], Place] = {}

    def hosts(self) -> Mapping[str, tuple[str, ...]]:
        """The hosts that stand by, each with all services that it carries or may come to carry."""
        found: dict[str, tuple[str, ...]] = {}
        for spare in self._free:
            mine = found.get(spare.host, self._carried(spare.host))
            found[spare.host] = tuple(dict.fromkeys((spare.service, *mine)))
        return found

    def entered(self, state: MoveState) -> None:
        """A move has come into another phase: who was given up leaves a place, who is back is a member."""
        if state.phase is Phase.QUARANTINED and state.member is None:
            for service in state.move.services:
                if any(found.service == service for found in self._free):
                    self._places.setdefault((service, state.host), Place(service, state.host, state.host))
        elif state.phase in BACK:
            for service in state.move.services:
                place = self._places.get((service, state.host))
                if place is not None and place.holder != state.host:
                    del self._places[service, state.host]
                    gone = place.holder if self._states[place.holder].phase in FAILED else None
                    self._exchange(service, gone, state.host)

    def call_up(self) -> None:
        """For each place whose holder is lost: the next spare that is free. Told once where there is none."""
        for place in list(self._places.values()):
            holder, lost = self._states[place.holder], self._states[place.lost]
            is_open = holder.phase in FAILED or holder.phase is Phase.SKIPPED
            if holder is lost:
                is_open = lost.phase is Phase.QUARANTINED
            if not is_open or lost.phase is not Phase.QUARANTINED:
                if holder is lost:
                    del self._places[place.service, place.lost]  # an operator decided on it first
                continue
            spare = next((found for found in self._free if found.service == place.service), None)
            if spare is None:
                why = f"no spare of {place.service} is left to take the place of {place.lost}"
                self._outbox.tell_change(facts.NO_SPARE, why, service=place.service, why=why, member=place.lost)
            else:
                self._promote(place, spare)

    def _promote(self, place: Place, spare: StandBy) -> None:
        self._free = [found for found in self._free if found.host != spare.host]
        gone, place.holder = place.holder, spare.host
        wave = self._states[place.lost].wave
        why = f"takes the place of {place.lost} in {place.service}"
        carried = (place.service, *(name for name in self._carried(spare.host) if name != place.service))
        move = Move(host=spare.host, services=carried, playbook=spare.playbook, why=(why,))
        state = state_of(self._inventory, move, wave, ())
        state.member = place.lost
        self._outbox.tell(
            facts.PROMOTED, host=spare.host, service=place.service, wave=wave, why=why, member=place.lost,
            services=list(carried),
        )  # fmt: skip
        # It is known to be on its way, and so to count as down, before it is a member.
        self._states[spare.host] = state
        self._exchange(place.service, gone, spare.host)
        self._joins(state)

    def _exchange(self, name: str, gone: str | None, come: str) -> None:
        service = self._services[name]
        if come in service.hosts:
            return
        if gone is None or gone not in service.hosts:
            gone, hosts = None, (*service.hosts, come)
        else:
            hosts = tuple(come if host == gone else host for host in service.hosts)
        self._services[name] = replace(service, hosts=hosts)
        self._changed(name, gone, come)

    def _carried(self, host: str) -> tuple[str, ...]:
        return tuple(name for name, service in self._services.items() if host in service.hosts)
