"""Who leads a service, asked live before each of its members and never kept (design: rule 19): the leader goes last.

Before a member of a service with a `role` may begin, every member that could lead is asked, and the answers count for that one start only:
for the next they are asked anew, because leadership moves. Whoever turns out to lead waits until no other member of its service is
left. Where the plan's waves would have it go first, it changes places with one that waits.

Where hosts are stopped it is the same. But of a service that goes down as a whole (`ending`) the run itself takes the majority away: once fewer than that
are left nobody can lead, or even say so, and a run never waits for what it causes itself.

Nobody is guessed. A member that is ready and cannot say its role, two that say they lead, or none (an election) hold the start by name and
are asked again; `restart.engine.stall` ends a run that this holds for too long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from restart.engine.outbox import Outbox
from restart.engine.parking import Hold, Topic
from restart.engine.readiness import Readiness
from restart.engine.state import MoveState
from restart.engine.table import COUNTS_AS_DOWN, FINISHED, IN_FLIGHT, Phase
from restart.model.answer import Answer, StepRan, silence
from restart.model.check import Verdict
from restart.model.inventory import Inventory, Role, Service
from restart.model.request import Read
from restart.rules.fill import fill
from restart.rules.named import role_rule

AGAIN_S = 5.0
"""Where the answers let nobody begin they are asked for again after this long."""

TIMEOUT_S = 10.0
"""A member has this long to say its role."""


@dataclass(slots=True)
class Round:
    """One time of asking all members of a service. `said`: by member, whether it leads; None: it could not say, as `why` tells."""

    number: int
    open: set[str] = field(default_factory=set)
    said: dict[str, bool | None] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    ended_s: float | None = None


class Roles:
    """Holds the leaders back."""

    def __init__(
        self,
        inventory: Inventory,
        states: Mapping[str, MoveState],
        outbox: Outbox,
        readiness: Readiness,
        stir: Callable[[Topic], None],
        ending: Collection[str] = (),
    ) -> None:
        """`stir` hears the topics of which something has changed (see `restart.engine.parking`); `ending`: services that this run stops as a whole."""
        self._inventory = inventory
        self._states = states
        self._outbox = outbox
        self._readiness = readiness
        self._stir = stir
        self._ending = ending
        self._led = frozenset(name for name, service in inventory.services.items() if service.role is not None)
        self._rounds: dict[str, Round] = {}
        self._asked = 0
        self._gives_way: dict[str, str] = {}

    def forget(self) -> None:
        """After a resume nobody has been asked."""
        self._rounds.clear()
        self._gives_way.clear()

    def entered(self, state: MoveState) -> None:
        """A move that begins has used the answers up, and one that has ended may have changed what they say."""
        if state.phase is Phase.CLAIMING or state.phase in FINISHED:
            for name in state.move.services:
                if self._rounds.pop(name, None) is not None:
                    # Whoever waits for those answers waits for nothing any more, and asks anew.
                    self._stir(("role", name))

    def gives_way(self) -> Mapping[str, str]:
        """Each leader that would have to go before members of later waves, with the member that takes its place; told once."""
        found, self._gives_way = self._gives_way, {}
        return found

    def hold(self, state: MoveState) -> Hold | None:
        """Why the host may not go yet for who leads its services; None: it may. Asks along the way."""
        if state.move.act == "start":
            return None
        for name in state.move.services:
            if name not in self._led or (state.member is not None and name == state.move.services[0]):
                continue  # a spare that takes a place leads nobody yet
            hold = self._of_service(state, self._inventory.services[name])
            if hold is not None:
                return hold
        return None

    def _of_service(self, state: MoveState, service: Service) -> Hold | None:
        name, now_s = service.name, self._outbox.now_s
        asked = self._rounds.get(name)
        if asked is None or (
            asked.ended_s is not None and (now_s >= asked.ended_s + AGAIN_S or state.host not in asked.said)
        ):
            asked = self._ask(state, service)
        if asked.ended_s is None:
            return self._hold(name, "asking", "the members are asked which of them leads", queue=("role", name))
        again_s = asked.ended_s + AGAIN_S
        why = self._unclear(state, service, asked)
        if why is not None:
            return self._hold(name, "ready", why, queue=("role", name), until_s=again_s)
        if (
            asked.said.get(state.host)
            and sum(map(bool, asked.said.values())) == 1
            and (hold := self._leader(state, service, again_s)) is not None
        ):
            return hold
        if asked.ended_s != now_s:
            # What was said at an earlier event lets nobody go now.
            return self._hold(name, "asking", "who leads is asked anew", queue=("role", name), until_s=again_s)
        return None

    def _leader(self, state: MoveState, service: Service, again_s: float) -> Hold | None:
        """The hold on the leader while others of its service are still to go."""
        others = [
            self._states[host]
            for host in service.hosts
            if host != state.host and host in self._states and self._states[host].phase not in FINISHED
        ]
        left = [other for other in others if other.phase is Phase.WAITING or other.phase in IN_FLIGHT]
        if not left:
            return None
        waiting = [other for other in left if other.phase is Phase.WAITING]
        if state.phase is Phase.WAITING and waiting and all(other.wave != state.wave for other in left):
            alike = (other for other in waiting if other.move.services == state.move.services)
            takes = min(alike, key=lambda other: other.wave, default=None)
            if takes is not None and takes.wave > state.wave:
                self._gives_way[state.host] = takes.host
        names = ", ".join(other.host for other in left[:5])
        why = f"{state.host} leads {service.name} and goes last; before it: {names}"
        return self._hold(
            service.name,
            "order",
            why,
            queue=("role", service.name, state.host),
            topics=(("unfinished", service.name),),
            until_s=again_s,
        )

    def _unclear(self, state: MoveState, service: Service, asked: Round) -> str | None:
        """Why nobody can say who leads; None: exactly one does, or the run itself has left too few for one to lead."""
        if service.name in self._ending and 2 * sum(map(self._stands, service.hosts)) <= len(service.hosts):
            return None
        leaders = [host for host, leads in asked.said.items() if leads]
        if len(leaders) > 1:
            return f"{', '.join(leaders)} all say that they lead {service.name}"
        for host, leads in asked.said.items():
            ready = self._readiness.verdict(service.name, host) is Verdict.PASS
            if leads is None and (ready or host == state.host) and not (leaders and not ready):
                return f"nobody can say whether {host} leads {service.name} ({asked.why[host]})"
        return None if leaders else f"no member of {service.name} leads: an election, or a role command that sees none"

    def _hold(
        self,
        service: str,
        waits: str,
        why: str,
        *,
        queue: Topic,
        topics: tuple[Topic, ...] = (),
        until_s: float | None = None,
    ) -> Hold:
        return Hold(
            rule=role_rule(service),
            why=why,
            waits=waits,
            queue=queue,
            topics=(("role", service), *topics),
            until_s=until_s,
        )

    # --- questions ----------------------------------------------------------------------------------------------------

    def _ask(self, state: MoveState, service: Service) -> Round:
        self._asked += 1
        asked = self._rounds[service.name] = Round(self._asked)
        role = service.role
        for host in self._members(service, but=state):
            try:
                command = fill(role.run if role else "", self._inventory.hosts[host], service.name)
            except ValueError as error:
                asked.said[host], asked.why[host] = None, str(error)
                continue
            asked.open.add(host)
            self._outbox.send(
                lambda id, host=host, command=command: Read(  # type: ignore[misc]
                    id=id, host=host, service=service.name, about="role", command=command, timeout_s=TIMEOUT_S
                ),
                lambda answer, host=host: self._heard(service, asked, host, answer),  # type: ignore[misc]
            )
        if not asked.open:
            asked.ended_s = self._outbox.now_s
        return asked

    def _members(self, service: Service, but: MoveState) -> Iterable[str]:
        """Who may lead: all but those that this run holds down, or has stopped."""
        return (host for host in service.hosts if host == but.host or self._stands(host))

    def _stands(self, host: str) -> bool:
        """Whether this run holds the host down neither now nor for good."""
        state = self._states.get(host)
        if state is None:
            return True
        return state.phase not in COUNTS_AS_DOWN and not (state.move.act == "stop" and state.phase is Phase.DONE)

    def _heard(self, service: Service, asked: Round, host: str, answer: Answer) -> None:
        asked.open.discard(host)
        if isinstance(answer, StepRan) and answer.exit_status == 0 and service.role is not None:
            asked.said[host] = _leads(service.role, answer.output)
        else:
            said = f"exit {answer.exit_status} {answer.output}" if isinstance(answer, StepRan) else silence(answer)
            asked.said[host], asked.why[host] = None, said.strip()
        if not asked.open:
            asked.ended_s = self._outbox.now_s
            if self._rounds.get(service.name) is asked:
                self._stir(("role", service.name))


def _leads(role: Role, output: str) -> bool:
    return re.search(role.leader, output) is not None
