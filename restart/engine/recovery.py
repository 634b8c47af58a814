"""What was seen before the run, held against what is found: who came back by itself, who is dark (design: rule 17).

Just before its first act every host is looked at anew. One that is in another boot than was seen (in the survey, or when the run claimed
its hosts), that booted since the run began, or that answers though it was silent, came back by itself: its checks are asked, and where they
hold it is done without having been touched. Where they do not, its move goes on as planned. A host that this run has acted on before (an
operator wants it restarted again) is not asked whether it came back. In a recovery a host that may still come back is waited for first, and
no act reaches it before its time is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.engine.groups import UP, Groups
from restart.engine.parking import Hold
from restart.engine.starts import Starts
from restart.engine.state import MoveState
from restart.model.answer import Claimed
from restart.model.check import Verdict
from restart.model.inventory import Dependency, Inventory
from restart.model.plan import Plan
from restart.rules.groups import opens_with
from restart.rules.outages import forms_together, outages, recovering_edges
from restart.rules.recovery import DARK, state_of

ASK_RETURNING_S = 10.0
"""How often it is asked whether a host that may come back is back."""

MODE = "recover"


class Recovery:
    """What the plan's observation says of its hosts."""

    def __init__(self, plan: Plan) -> None:
        self._seen = {} if plan.observation is None else plan.observation.hosts
        self._recovering = plan.mode == MODE
        # What a second pass is to take away is not gone with another boot.
        self._second_pass = bool(plan.waves) and plan.waves[0].stage > 1
        self._first: dict[str, str] = {}  # the boots in which the run met its hosts
        self._acted: set[str] = set()
        moving = [move.host for move in plan.moves()]
        self.out = outages(plan.inventory, plan.observation, moving) if self._recovering else frozenset()
        """The services that were seen down as a whole: cold-start rules hold for them."""

    def met(self, host: str, found: Claimed) -> None:
        """The run has claimed its hosts, before anything is done: this is the boot that `host` is in."""
        self._first.setdefault(host, found.boot_id)

    def acted(self, host: str) -> None:
        """The run acts on `host`: from now on another boot is its own doing."""
        self._acted.add(host)

    def came_back(self, host: str, found: Claimed, now_s: float) -> str | None:
        """How it is known that the host, `found` so at its turn, came back by itself; None: it is as it was seen."""
        if host in self._acted or self._second_pass:
            return None
        seen = self._seen.get(host)
        before = self._first.get(host) if seen is None or seen.boot_id is None else seen.boot_id
        if before is not None and before != found.boot_id:
            return f"in another boot than the one seen before ({before})"
        if self.is_dark(host):
            return "answers again, it was silent when it was looked at"
        if before is None and found.uptime_s < now_s:
            return f"booted {found.uptime_s:.0f}s ago, when this run had begun already"
        return None

    def is_dark(self, host: str) -> bool:
        """It was seen silent, and this plan is there to bring it back: that it does not answer stops nothing."""
        return self._recovering and state_of(self._seen.get(host)) in DARK


class RecoverStarts(Starts):
    """Judges the starts of a recovery: a rolling restart's rules, but hosts that are down already take nothing from any budget.

    Of services that are out as a whole the group opens the consumers, its members don't wait for each other, and its gate guards
    nothing before enough of it is up that it can pass.
    """

    def __init__(
        self, inventory: Inventory, states: Mapping[str, MoveState], *, recovery: Recovery, **given: Any
    ) -> None:
        super().__init__(inventory, states, **given)
        self._recovery = recovery
        out = recovery.out
        self._edges = recovering_edges(inventory, out)
        self._out_members = {
            name: tuple(host for host in inventory.services[name].hosts if host in states) for name in sorted(out)
        }
        together = [name for name in self._out_members if forms_together(inventory.services[name])]
        self._groups = Groups(inventory, states, together, slots=self._slots, lost=self.lost)

    def sick_in(self, state: MoveState) -> frozenset[str]:
        """Beside those that a FAIL proves so: a host that was seen dark and has not PASSed since."""
        found = super().sick_in(state)
        if not self._recovery.is_dark(state.host):
            return found
        # Once it has been back, that nothing is learnt of it proves nothing any more.
        return found | {name for name in state.move.services if self._readiness.passed_s(name, state.host) is None}

    def _static(self, state: MoveState) -> Hold | None:
        return self._returning(state) or super()._static(state) or self._groups.hold(state)

    def hold_acting(self, state: MoveState) -> Hold | None:
        """It may have come back, begun its move, and fallen silent again: until its time is over that is no reason to act."""
        return self._not_yet(state) or super().hold_acting(state)

    def hold_begun(self, state: MoveState) -> Hold | None:
        """As for `hold_acting`."""
        return self._not_yet(state) or super().hold_begun(state)

    def hold_later(self, state: MoveState) -> Hold | None:
        """As for `hold_acting`."""
        return self._not_yet(state) or super().hold_later(state)

    def _opens(self, state: MoveState, edge: Dependency) -> int:
        """Of a group that is out, as many as can be ready before this host: itself and those of its own wave or a later one cannot."""
        members = self._out_members.get(edge.provider)
        if members is None:
            return super()._opens(state, edge)
        provider = self._inventory.services[edge.provider]
        late = sum(host == state.host or self._states[host].wave >= state.wave for host in members)
        return min(opens_with(provider, edge.needs), len(provider.hosts) - late)

    def _guarding(self, state: MoveState, gates: tuple[str, ...]) -> tuple[str, ...]:
        """The gate of a group that is out guards nothing before the group can be ready; until then readiness holds its consumers."""
        return tuple(name for name in gates if name not in self._out_members or self._can_pass(name))

    def _can_pass(self, name: str) -> bool:
        service, members = self._inventory.services[name], self._out_members[name]
        up = sum(self._states[host].phase in UP for host in members)
        return up + len(service.hosts) - len(members) >= opens_with(service)

    def _returning(self, state: MoveState) -> Hold | None:
        """It may still come back by itself: its move does not begin before its time, unless it is back."""
        hold = self._not_yet(state)
        if hold is None:
            return None
        services = state.move.services
        self._readiness.refresh(services)
        if services and all(self._readiness.verdict(name, state.host) is Verdict.PASS for name in services):
            return None
        return hold

    def _not_yet(self, state: MoveState) -> Hold | None:
        """Until its time is over no act reaches a host that may come back by itself."""
        move, now_s = state.move, self._now_s()
        until_s = move.returning_until_s if move.conditional else None
        if until_s is None or now_s >= until_s:
            return None
        return Hold(
            rule="returning",
            why=f"it may still come back by itself, until {until_s:.0f}s of the run",
            waits="returning",
            queue=("returning", state.host),
            topics=tuple(("ready", name) for name in move.services),
            until_s=min(until_s, now_s + ASK_RETURNING_S),
        )
