"""Draining a host before its restart, and undraining it: the playbook's steps, each idempotent, undone in reverse order."""

from __future__ import annotations

from collections.abc import Callable

from restart.engine import facts
from restart.engine.on_others import OnOthers, Owed
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState
from restart.engine.table import Phase, Sign
from restart.model.answer import Answer, NoAnswer, StepRan, silence
from restart.model.inventory import Inventory
from restart.model.playbook import Step
from restart.model.request import RunStep
from restart.rules.fill import fill, fill_known

TRIES_MAX = 3
"""How often a step is tried whose answer was lost."""


class Drains:
    """Takes a move through its drain and back."""

    def __init__(
        self,
        inventory: Inventory,
        outbox: Outbox,
        sign: Callable[[MoveState, Sign], None],
        starting: Callable[[MoveState], bool],
        closed: Callable[[], bool],
        on_others: OnOthers,
    ) -> None:
        """`starting`: nothing has halted or stopped the run, and no flag holds the move; where something does, no further step is taken.

        `closed`: a pause or a watch holds the run for now: a drain that is under way goes on, none begins.
        """
        self._starting = starting
        self._closed = closed
        self._inventory = inventory
        self._outbox = outbox
        self._sign = sign
        self._on_others = on_others

    def drain(self, state: MoveState) -> None:
        """Take the next step of the drain; signs DRAINED after the last."""
        if state.step >= len(state.playbook.drain):
            self._sign(state, Sign.DRAINED)
            return
        begins = state.step == 0 and not state.stepping
        if not self._starting(state) or (begins and self._closed()):
            self.call_off(state)
            return
        step = state.playbook.drain[state.step]
        if step.approve is not None:
            host, service = self._inventory.hosts[state.host], next(iter(state.move.services), None)
            self.ask_approval(state, fill_known(step.approve, host, service, member=state.member))
        else:
            self._run_step(state, step, step.run, undo=False)

    def call_off(self, state: MoveState) -> None:
        """The move goes no further; what may have been drained is undone."""
        if state.stepping:
            state.drained.append(state.step)
            state.stepping = False
        state.approval, state.why = None, ""
        self._sign(state, Sign.CALLED_OFF)

    def not_begun(self, state: MoveState) -> None:
        """The step at hand was not carried out: nothing of it needs to be undone."""
        state.stepping = False
        self.call_off(state)

    def stepped(self, state: MoveState) -> None:
        """The step at hand is taken: by a command, or by a person who agreed."""
        state.stepping = False
        state.drained.append(state.step)
        state.step += 1
        self.drain(state)

    def ask_approval(self, state: MoveState, text: str) -> None:
        """Tell that a person is waited for."""
        state.approval = text
        self._outbox.tell(facts.APPROVAL_WANTED, host=state.host, evidence=text, target=state.host)

    def undrain(self, state: MoveState) -> None:
        """Undo the drain's next step, in reverse order; signs how the move ends after the last."""
        while state.drained:
            step = state.undone[state.drained[-1]]
            if step.undo is not None and not self._is_owed(state, step, step.undo):
                self._run_step(state, step, step.undo, undo=True)
                return
            state.drained.pop()
        owed = self._on_others.owed(state) if state.phase is Phase.UNDRAINING else None
        if owed is not None:
            self._pay(state, owed)
            return
        state.step = state.tries = 0
        if state.phase is Phase.UNDOING:
            self._sign(state, Sign.UNDONE_FAILED if state.why else Sign.UNDONE)
        else:
            self._sign(state, Sign.UNDRAINED_UNPROVED if state.still_up else Sign.UNDRAINED)

    def _run_step(self, state: MoveState, step: Step, text: str, *, undo: bool) -> None:
        host = self._inventory.hosts[state.host]
        service = state.move.services[0] if state.move.services else None
        try:
            command = fill(text, host, service, member=state.member)
        except ValueError as error:
            self._step_ran(state, StepRan(exit_status=2, output=str(error)), undo=undo)
            return
        if not undo and self._on_others.leaves_out(state, step.on, command):
            state.step += 1
            self.drain(state)
            return
        state.stepping = not undo
        self._outbox.tell(facts.UNDRAINING if undo else facts.DRAINING, host=state.host, evidence=command)
        self._outbox.send(
            lambda id: RunStep(
                id=id, host=state.host, on=step.on or state.host, command=command, timeout_s=step.timeout_s, undo=undo
            ),
            lambda answer: self._step_ran(state, answer, undo=undo),
        )

    def _is_owed(self, state: MoveState, step: Step, text: str) -> bool:
        """Whether the step is undone later, on a host that is still to come."""
        service = state.move.services[0] if state.move.services else None
        try:
            command = fill(text, self._inventory.hosts[state.host], service, member=state.member)
        except ValueError:
            return False
        return state.phase is Phase.UNDRAINING and self._on_others.owes(state, step.on, command, step.timeout_s)

    def _pay(self, state: MoveState, owed: Owed) -> None:
        """Undo for another host what was owed to it until this one is up."""
        self._outbox.tell(facts.UNDRAINING, host=owed.host, evidence=owed.command)
        self._outbox.send(
            lambda id: RunStep(
                id=id, host=owed.host, on=state.host, command=owed.command, timeout_s=owed.timeout_s, undo=True
            ),
            lambda answer: self._paid(state, owed, answer),
        )

    def _paid(self, state: MoveState, owed: Owed, answer: Answer) -> None:
        if isinstance(answer, StepRan) and answer.exit_status == 0:
            state.tries = 0
            self._on_others.paid(state)
            self.undrain(state)
        elif isinstance(answer, NoAnswer) and state.tries < TRIES_MAX:
            state.tries += 1
            self.undrain(state)
        else:
            said = f"exit {answer.exit_status} {answer.output}" if isinstance(answer, StepRan) else silence(answer)
            state.tries = 0
            state.why = (
                f"undrain failed: {said}".rstrip() + f"; still drained there: {self._on_others.still_owed(state.host)}"
            )
            self._sign(state, Sign.STEP_FAILED)

    def _step_ran(self, state: MoveState, answer: Answer, *, undo: bool) -> None:
        if isinstance(answer, StepRan) and answer.exit_status == 0:
            state.tries = 0
            if undo:
                state.drained.pop()
                self.undrain(state)
            else:
                self.stepped(state)
        elif isinstance(answer, NoAnswer) and state.tries < TRIES_MAX:
            state.tries += 1
            (self.undrain if undo else self.drain)(state)
        else:
            said = f"exit {answer.exit_status} {answer.output}" if isinstance(answer, StepRan) else silence(answer)
            state.tries = 0
            state.why = f"{'undrain' if undo else 'drain'} failed: {said}".rstrip()
            state.stepping = False
            if not undo:
                # The failed step may have done half its work; its undo belongs to the undoing.
                state.drained.append(state.step)
            self._sign(state, Sign.STEP_FAILED)
