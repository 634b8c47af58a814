"""Seeds: which member of a service starts first when all are off (phase SEEDING; design: rule 19).

Members are booted, then each is asked for a number, and the one with the largest runs the seed's `start` first; the others follow. A tie, a member that
gives no number, or one that never booted, stops the choice and asks a person: `restart approve RUN HOST` picks. Where a member of the service
is up already there is nothing to choose: the others start beside it. Both commands may be repeated, and are after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from restart.engine import facts
from restart.engine.drains import TRIES_MAX
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState
from restart.engine.table import FINISHED, Phase, Sign
from restart.model.answer import Answer, NoAnswer, StepRan, silence
from restart.model.inventory import Inventory, Seed, Service
from restart.model.request import Read, RunStep
from restart.rules.fill import fill

COMMAND_TIMEOUT_S = 60.0
UP = frozenset({Phase.DONE, Phase.NOT_REBOOTED})
STARTED = UP | {Phase.CHECKING, Phase.CONFIRMING, Phase.UNDRAINING}


class Seeding:
    """Asks the members of seeded services, chooses, and starts them in turn."""

    def __init__(
        self,
        inventory: Inventory,
        states: Mapping[str, MoveState],
        outbox: Outbox,
        sign: Callable[[MoveState, Sign], None],
    ) -> None:
        self._inventory = inventory
        self._states = states
        self._outbox = outbox
        self._sign = sign
        self._chosen: dict[str, str] = {}
        self._said: dict[str, tuple[float | None, str]] = {}  # host -> its number, and what it said

    def begin(self, state: MoveState) -> None:
        """On entry to SEEDING, and again after a crash."""
        service = self._service(state)
        state.tries = 0
        chosen = self._chosen.get(service.name)
        if self._is_alive(service) or chosen == state.host:
            self._start(state)
        elif chosen is None and state.host not in self._said:
            self._ask(state, service)
        elif chosen is None:
            self._judge(service)

    def reached(self, state: MoveState) -> None:
        """A move has ended or is in doubt: the others may wait for it no longer."""
        for name in state.move.services:
            service = self._inventory.services[name]
            if service.seed is None or self._chosen.get(name) not in (None, state.host):
                continue
            if self._chosen.pop(name, None) is not None and state.phase in UP:
                self._chosen[name] = state.host
                continue
            # The one that was to start first has failed: who of the others does is a person's to say.
            self._judge(service)

    def pick(self, state: MoveState) -> None:
        """A person has picked this member."""
        self._choose(self._service(state), state, "picked by an operator")

    def _service(self, state: MoveState) -> Service:
        services = (self._inventory.services[name] for name in state.move.services)
        return next(service for service in services if service.seed is not None)

    def _is_alive(self, service: Service) -> bool:
        """Whether a member is up that was not among those to choose from, or has been started already."""
        return any(
            host not in self._states
            or self._states[host].up_already
            or (host == self._chosen.get(service.name) and self._states[host].phase in STARTED)
            for host in service.hosts
        )

    def _ask(self, state: MoveState, service: Service) -> None:
        seed = _seed(service)
        try:
            command = fill(seed.run, self._inventory.hosts[state.host], service.name)
        except ValueError as error:
            self._note(state, service, None, str(error))
            return
        self._outbox.send(
            lambda id: Read(
                id=id, host=state.host, service=service.name, about="seed", command=command, timeout_s=COMMAND_TIMEOUT_S
            ),
            lambda answer: self._heard(state, service, answer),
        )

    def _heard(self, state: MoveState, service: Service, answer: Answer) -> None:
        if state.phase is not Phase.SEEDING:
            return
        if isinstance(answer, NoAnswer) and state.tries < TRIES_MAX:
            state.tries += 1
            self._ask(state, service)
        elif isinstance(answer, StepRan) and answer.exit_status == 0:
            self._note(state, service, _number(answer.output), answer.output.strip() or "nothing")
        else:
            said = f"exit {answer.exit_status}" if isinstance(answer, StepRan) else silence(answer)
            self._note(state, service, None, said)

    def _note(self, state: MoveState, service: Service, number: float | None, said: str) -> None:
        self._said[state.host] = (number, said)
        self._outbox.tell(facts.SEED, host=state.host, service=service.name, evidence=said)
        self._judge(service)

    def _judge(self, service: Service) -> None:
        """Choose, once everybody has answered or has been given up; what does not settle it is a person's to say."""
        members = [self._states[host] for host in service.hosts if host in self._states]
        here = [state for state in members if state.phase is Phase.SEEDING]
        given_up = [state for state in members if state.phase in FINISHED or state.phase is Phase.IN_DOUBT]
        if not here or len(here) + len(given_up) < len(members) or any(state.host not in self._said for state in here):
            return
        numbers = {state.host: self._said[state.host][0] for state in here}
        known = [number for number in numbers.values() if number is not None]
        best = [state for state in here if numbers[state.host] is not None and numbers[state.host] == max(known)]
        if len(best) == 1 and len(known) == len(members):
            self._choose(service, best[0], f"{self._said[best[0].host][1]} is the largest")
            return
        listed = [f"{state.host}: {self._said[state.host][1]}" for state in here]
        listed += [f"{state.host}: {state.phase.value}" for state in given_up]
        text = f"which member of {service.name} starts first? ({', '.join(listed)})"
        for state in here:
            if state.approval is None:
                state.approval = text
                self._outbox.tell(
                    facts.APPROVAL_WANTED, host=state.host, service=service.name, evidence=text, target=state.host
                )

    def _choose(self, service: Service, state: MoveState, why: str) -> None:
        self._chosen[service.name] = state.host
        for host in service.hosts:
            if host in self._states and self._states[host].phase is Phase.SEEDING:
                self._states[host].approval = None
        self._outbox.tell(facts.SEED_CHOSEN, host=state.host, service=service.name, why=why)
        self._start(state)

    def _start(self, state: MoveState) -> None:
        service = self._service(state)
        start = _seed(service).start
        if start is None:
            self._started(state, service)
            return
        try:
            command = fill(start, self._inventory.hosts[state.host], service.name)
        except ValueError as error:
            self._fail(state, str(error))
            return
        self._outbox.send(
            lambda id: RunStep(id=id, host=state.host, on=state.host, command=command, timeout_s=COMMAND_TIMEOUT_S),
            lambda answer: self._ran(state, service, answer),
        )

    def _ran(self, state: MoveState, service: Service, answer: Answer) -> None:
        if state.phase is not Phase.SEEDING:
            return
        if isinstance(answer, StepRan) and answer.exit_status == 0:
            self._started(state, service)
        elif isinstance(answer, NoAnswer) and state.tries < TRIES_MAX:
            state.tries += 1
            self._start(state)
        else:
            said = (
                f"exit {answer.exit_status} {answer.output}".rstrip()
                if isinstance(answer, StepRan)
                else silence(answer)
            )
            self._fail(state, said)

    def _fail(self, state: MoveState, why: str) -> None:
        state.why = f"could not be started: {why}"
        self._sign(state, Sign.STEP_FAILED)

    def _started(self, state: MoveState, service: Service) -> None:
        first = self._chosen.get(service.name) == state.host
        self._sign(state, Sign.STARTED)
        for host in service.hosts if first else ():
            other = self._states.get(host)
            if other is not None and other.phase is Phase.SEEDING:
                self._start(other)


def _seed(service: Service) -> Seed:
    return service.seed or Seed(run="true")


def _number(output: str) -> float | None:
    """The number that a member prints, in the last word of what it says; None: none."""
    words = output.replace(",", "").split()
    try:
        return float(words[-1]) if words else None
    except ValueError:
        return None
