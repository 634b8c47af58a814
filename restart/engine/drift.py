"""Drift in the middle of a run: where the world has moved away from the plan by itself, so that its waves cannot be carried out (exit 8).

A difference is a host that the plan takes for up, or for ready, and that is not, though no act of this run has reached it. What the run has acted
on is the run's own business and ends it with 5, and so is a member that has not been seen ready since an act on something that its service
needs: it may well have fallen with that. A difference that the waves can bear (a budget with room for it, a failure within `max_failures`)
is told and stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.engine.parking import Hold
from restart.engine.readiness import Readiness
from restart.engine.state import MoveState
from restart.engine.table import COUNTS_AS_DOWN, FAILED, Phase
from restart.model.check import Verdict
from restart.model.inventory import Inventory
from restart.model.plan import Plan
from restart.rules.named import budget_rule, requires_rule

ACTS = frozenset({Phase.REBOOTING, Phase.SWITCHING, Phase.RESTARTING, Phase.APPROVING, Phase.BRIDGING, Phase.SEEDING})
"""Phases in which something is done to a host."""

NAMES_MAX = 10


class Drift:
    """What was found otherwise than planned. `hosts`: host -> planned and found, in words, as far as it stands."""

    def __init__(
        self, plan: Plan, inventory: Inventory, states: Mapping[str, MoveState], outbox: Outbox, readiness: Readiness
    ) -> None:
        self._inventory = inventory
        self._states = states
        self._outbox = outbox
        self._readiness = readiness
        self._seen = None if plan.observation is None else plan.observation.hosts
        self._how = "assumed, not surveyed" if plan.observation is None else f"seen at {plan.observation.at}"
        # What an earlier stage has done is not known here: nobody's state is the world's alone then.
        self._judges = not plan.waves or plan.waves[0].stage == 1
        self._acted: set[str] = set()
        self._acted_s: dict[str, float] = {}  # service -> when one of its members was last acted on, in run seconds
        self.hosts: dict[str, str] = {}

    def entered(self, state: MoveState) -> None:
        """Keep whom the run has acted on; what became of a host of the plan that was found otherwise."""
        if state.phase in ACTS or (state.phase is Phase.DRAINING and state.playbook.drain):
            self._acted.add(state.host)
            for service in state.move.services:
                self._acted_s[service] = self._outbox.now_s
        if state.phase is not Phase.QUARANTINED:
            self.hosts.pop(state.host, None)

    def resumed(self) -> None:
        """The world may have been mended: what is not given up is looked at anew."""
        given_up = {host for host, state in self._states.items() if state.phase in FAILED}
        self.hosts = {host: why for host, why in self.hosts.items() if host in given_up}

    def unreached(self, state: MoveState, silent: str) -> None:
        """A host of the plan is given up before any act, because it was never reached."""
        seen = None if self._seen is None else self._seen.get(state.host)
        if self._judges and state.host not in self._acted and (seen is None or seen.boot_id is not None):
            self._tell(state.host, None, "up", silent)

    def explains(self, state: MoveState, hold: Hold) -> bool:
        """Whether what holds `state` for good is that members are not ready which the plan takes for ready; tells of each."""
        service = self._held_by(state, hold)
        if service is None or not self._judges:
            return False
        for host in self._fallen(service):
            if host != state.host:
                self._tell(host, service, f"ready in {service}", self._readiness.evidence(service, host))
        return any(host in self.hosts for host in self._inventory.services[service].hosts)

    def alone_failed(self) -> bool:
        """Whether hosts were given up, all of them for the world's doing."""
        failed = [host for host, state in self._states.items() if state.phase in FAILED]
        return bool(failed) and all(host in self.hosts for host in failed)

    def told(self) -> str:
        """The differences, for the outcome's reason."""
        named = [f"{host} {why}" for host, why in list(self.hosts.items())[:NAMES_MAX]]
        rest = f" and {len(self.hosts) - NAMES_MAX} more" if len(self.hosts) > NAMES_MAX else ""
        return f"the world is not as the plan has it: {'; '.join(named)}{rest}"

    def _tell(self, host: str, service: str | None, planned: str, found: str) -> None:
        if host in self.hosts:
            return
        planned = f"{planned} ({self._how})"
        self.hosts[host] = f"is planned for as {planned}, found: {found}"
        why = f"planned for as {planned}, found: {found}"
        self._outbox.tell(facts.DRIFT, host=host, service=service, why=why, planned=planned, found=found)

    def _held_by(self, state: MoveState, hold: Hold) -> str | None:
        """The service of which too few are ready, where that is what holds the move."""
        for name in state.move.services:
            if hold.rule == budget_rule(name):
                return name
            for edge in self._inventory.services[name].depends_on:
                if hold.rule == requires_rule(name, edge.provider):
                    return edge.provider
        return None

    def _fallen(self, service: str) -> Iterator[str]:
        """Members that the plan takes for ready, that are not, and on which nothing of this run bears."""
        members = self._inventory.services[service].hosts
        acted_s = max((self._acted_s[name] for name in self._needs(service) if name in self._acted_s), default=None)
        for host in self._readiness.down(service, len(members)):
            state = self._states.get(host)
            if host in self._acted or (state is not None and state.phase in COUNTS_AS_DOWN):
                continue
            if not self._was_ready(service, host):
                continue
            passed_s = self._readiness.passed_s(service, host)
            if acted_s is None or (passed_s is not None and passed_s > acted_s):
                yield host

    def _was_ready(self, service: str, host: str) -> bool:
        """Whether the plan takes the member for ready."""
        if host in self._states and self._states[host].move.act == "start":
            return False
        seen = None if self._seen is None else self._seen.get(host)
        return seen is None or seen.ready.get(service) is Verdict.PASS

    def _needs(self, service: str) -> set[str]:
        """The services that `service` needs, and what those need in turn."""
        found: set[str] = set()
        waiting = [service]
        while waiting:
            for edge in self._inventory.services[waiting.pop()].depends_on:
                if edge.provider not in found and edge.provider != service:
                    found.add(edge.provider)
                    waiting.append(edge.provider)
        return found
