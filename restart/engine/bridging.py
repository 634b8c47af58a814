"""Stand-ins: what takes a provider's place while a fleet starts from cold (phase BRIDGING; design: rule 18).

A consumer whose required provider comes only after it is given a stand-in by the command that its edge declares. On the consumer's own host that is
run as soon as the host answers after its boot, claimed first as before any act; on another host (`on:`) just before the consumer is started. The command
may be repeated (idempotent by contract): after a crash it is. One that fails gives the host up, by name.

A host that was up already is not touched, so it gets none, and needs none taken out later.
"""

from __future__ import annotations

from collections.abc import Callable

from restart.engine import facts
from restart.engine.bridges import STEP_TIMEOUT_S, Bridge
from restart.engine.claims import Claims
from restart.engine.drains import TRIES_MAX
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState
from restart.engine.table import Sign
from restart.model.answer import Answer, Claimed, NoAnswer, StepRan, silence
from restart.model.inventory import Inventory
from restart.model.request import RunStep
from restart.rules.fill import fill


class Bridging:
    """Puts up the stand-ins of a host that has booted."""

    def __init__(
        self, inventory: Inventory, outbox: Outbox, claims: Claims, sign: Callable[[MoveState, Sign], None]
    ) -> None:
        self._inventory = inventory
        self._outbox = outbox
        self._claims = claims
        self._sign = sign

    def begin(self, state: MoveState) -> None:
        """On entry to BRIDGING: the host is claimed, then each stand-in is put up in turn."""
        state.step = 0
        self._claim(state)

    def told(self, state: MoveState) -> None:
        """Tell of the stand-ins that were put up elsewhere before the host was started."""
        for bridge in state.bridges:
            if bridge.on is not None:
                self._tell(state, bridge)

    def _claim(self, state: MoveState) -> None:
        self._claims.claim(state.host, lambda answer: self._claimed(state, answer))

    def _claimed(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, Claimed):
            state.tries = 0
            self._next(state)
        else:
            self._again(state, answer, self._claim)

    def _next(self, state: MoveState) -> None:
        own = [bridge for bridge in state.bridges if bridge.on is None]
        if state.step >= len(own):
            state.step = state.tries = 0
            self._sign(state, Sign.TO_BE_SEEDED if state.seeded else Sign.BRIDGED)
            return
        bridge = own[state.step]
        try:
            command = fill(bridge.command, self._inventory.hosts[state.host], bridge.service)
        except ValueError as error:
            self._fail(state, bridge, str(error))
            return
        self._outbox.send(
            lambda id: RunStep(id=id, host=state.host, on=state.host, command=command, timeout_s=STEP_TIMEOUT_S),
            lambda answer: self._ran(state, bridge, answer),
        )

    def _ran(self, state: MoveState, bridge: Bridge, answer: Answer) -> None:
        if isinstance(answer, StepRan) and answer.exit_status == 0:
            state.tries = 0
            state.step += 1
            self._tell(state, bridge)
            self._next(state)
        elif isinstance(answer, StepRan):
            self._fail(state, bridge, f"exit {answer.exit_status} {answer.output}".rstrip())
        else:
            self._again(state, answer, self._next)

    def _again(self, state: MoveState, answer: Answer, act: Callable[[MoveState], None]) -> None:
        if isinstance(answer, NoAnswer) and state.tries < TRIES_MAX:
            state.tries += 1
            act(state)
        else:
            state.why = f"no stand-in could be put up: {silence(answer)}"
            self._sign(state, Sign.STEP_FAILED)

    def _fail(self, state: MoveState, bridge: Bridge, why: str) -> None:
        state.why = f"the stand-in for {bridge.provider} could not be put up: {why}"
        self._sign(state, Sign.STEP_FAILED)

    def _tell(self, state: MoveState, bridge: Bridge) -> None:
        self._outbox.tell(
            facts.STAND_IN, host=state.host, service=bridge.service, evidence=bridge.command,
            provider=bridge.provider, undo=bridge.undo, on=bridge.on or state.host,
        )  # fmt: skip
