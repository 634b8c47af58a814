"""May this host be started now? The rules of a cold start (design: rules 4, 8, 9 and 10), in place of a rolling restart's.

Nothing is up yet, so there are no budgets to keep. A consumer waits until the group of each provider it requires is ready, freshly known; a
group whose members need each other is started as many at once as it takes to form; the path, and what it needs, goes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.engine.groups import UP, Groups
from restart.engine.parking import Hold
from restart.engine.starts import Starts
from restart.engine.state import MoveState
from restart.engine.table import FINISHED, IN_FLIGHT, ONLY_AN_OPERATOR, Phase
from restart.model.inventory import Inventory, Service
from restart.rules.breaks import boot_edges
from restart.rules.groups import gate_guards_with, opens_with, starts_together
from restart.rules.moves import gate_s
from restart.rules.named import order_rule, requires_rule, settle_rule


class ColdStarts(Starts):
    """Judges the starts of hosts that are off."""

    def __init__(self, inventory: Inventory, states: Mapping[str, MoveState], **given: Any) -> None:
        super().__init__(inventory, states, **given)
        self._edges = boot_edges(inventory, states)
        self._near = {
            name: (name, *dict.fromkeys(edge.provider for edge in edges)) for name, edges in self._edges.items()
        }
        self._drains_on = dict.fromkeys(states, frozenset())
        self._members = {
            name: tuple(host for host in service.hosts if host in states)
            for name, service in inventory.services.items()
        }
        together = [name for name, service in inventory.services.items() if starts_together(service)]
        self._groups = Groups(inventory, states, together, slots=self._slots, lost=self.lost)

    def entered(self, state: MoveState) -> None:
        """Beside the usual: a host that has booted, which `after` waits for."""
        super().entered(state)
        if state.phase in (Phase.CHECKING, Phase.BRIDGING) or state.phase in ONLY_AN_OPERATOR:
            for service in state.move.services:
                self._stir(("booted", service))

    def _static(self, state: MoveState) -> Hold | None:
        return self.hold_early(state) or self._behind_path(state) or self._order(state) or self._groups.hold(state)

    def _behind_path(self, state: MoveState) -> Hold | None:
        """The path's hosts of earlier waves go first."""
        if not self._path or state.host in self._path:
            return None
        before = [
            host
            for host in self._states
            if host in self._path and self._states[host].wave < state.wave and self._states[host].phase not in FINISHED
        ]
        if not before:
            return None
        lasting = all(self._states[host].phase is Phase.IN_DOUBT for host in before)
        why = f"path hosts go first; {len(before)} of them are not finished: {', '.join(before[:5])}"
        topics = tuple(("unfinished", name) for host in before for name in self._states[host].move.services)
        return Hold(
            rule="path", why=why, waits="order", lasting=lasting, queue=("path first", state.wave),
            topics=(*topics, *(("in flight", host) for host in before)),
        )  # fmt: skip

    def _order(self, state: MoveState) -> Hold | None:
        """Providers that are order only have booted; under the barrier `service`, providers have settled."""
        for service in state.move.services:
            for edge in self._edges[service]:
                hold = self._booted_before(state, service, edge.provider) if edge.kind == "after" else None
                hold = hold or self._settling(state, edge.provider)
                if hold is not None:
                    return hold
        return None

    def _booted_before(self, state: MoveState, consumer: str, provider: str) -> Hold | None:
        left = [
            host for host in self._members[provider] if host != state.host and not self._has_booted(host, state.wave)
        ]
        why = f"{len(left)} hosts of {provider} before it have not booted: {', '.join(left[:5])}"
        if not left or self._lets(state, order_rule(consumer, provider), why):
            return None
        return Hold(
            rule=order_rule(consumer, provider),
            why=why,
            waits="order",
            lasting=all(self._states[host].phase in ONLY_AN_OPERATOR for host in left),
            queue=("booted", state.wave, state.move.services),
            topics=(("booted", provider), ("unfinished", provider)),
        )

    def _has_booted(self, host: str, wave: int) -> bool:
        """It has booted or was given up, or does not go before that wave at all."""
        found = self._states[host]
        booted = found.booted_s is not None and found.phase in IN_FLIGHT
        return booted or found.wave >= wave or found.phase in FINISHED

    def _settling(self, state: MoveState, provider: str) -> Hold | None:
        service, ended_s = self._inventory.services[provider], self.last_end_s.get(provider)
        if not self._service_barrier or ended_s is None or not service.settle_s:
            return None
        settled_s = ended_s + gate_s(service) + service.settle_s
        why = f"{provider} settles for {settled_s - self._now_s():.0f}s more, of {service.settle_s:g}s"
        if self._now_s() >= settled_s or self._lets(state, settle_rule(provider), why):
            return None
        return Hold(
            rule=settle_rule(provider),
            why=why,
            waits="settle",
            queue=("settle", state.wave, state.move.services),
            topics=(("unfinished", provider),),
            until_s=settled_s,
        )

    def _budget(self, state: MoveState, sick: frozenset[str]) -> Hold | None:
        return None

    def _providers(self, state: MoveState) -> Hold | None:
        """The group of each provider it requires is ready."""
        for name in state.move.services:
            for edge in self._edges[name]:
                if edge.kind != "requires":
                    continue
                provider = self._inventory.services[edge.provider]
                ready = len(provider.hosts) - self._readiness.down_without(edge.provider, state.host)
                needed = opens_with(provider, edge.needs)
                needed = min(needed, self._waited_for(state, edge.provider))
                if ready < needed:
                    lost = len(self._lost_in[edge.provider].keys() - {state.host})
                    why = f"{name} requires {edge.provider}: {ready} of {len(provider.hosts)} ready, {needed} open it"
                    if self._lets(state, requires_rule(name, edge.provider), why):
                        continue
                    return Hold(
                        rule=requires_rule(name, edge.provider),
                        why=why,
                        waits="ready",
                        lasting=len(provider.hosts) - lost < needed,
                    )
        return None

    def _waited_for(self, state: MoveState, provider: str) -> int:
        """How many members of `provider` can be ready before it: neither itself, nor those that wait for it through shared hosts.

        The plan's waves hold the order: what is not in an earlier wave waits for nobody in this one.
        """
        late = sum(host == state.host or self._states[host].wave >= state.wave for host in self._members[provider])
        return len(self._inventory.services[provider].hosts) - late

    def _guarding(self, state: MoveState, gates: tuple[str, ...]) -> tuple[str, ...]:
        """The gates near it guard it once enough of their services is up that they can pass; until then readiness holds it."""
        return tuple(name for name in gates if self._can_pass(self._inventory.services[name]))

    def _can_pass(self, service: Service) -> bool:
        if not self._members[service.name]:
            return True
        up = sum(self._states[host].phase in UP for host in self._members[service.name])
        return up + len(service.hosts) - len(self._members[service.name]) >= gate_guards_with(service)
