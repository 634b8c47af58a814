"""The rung `service_restart`: restart systemd units, proved by their `InvocationID`s (phases READING and RESTARTING)."""

from __future__ import annotations

from restart.engine import facts
from restart.engine.drains import TRIES_MAX
from restart.engine.ladder import Ladder, rung_of
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState
from restart.engine.table import Sign
from restart.model.answer import Answer, NoAnswer, Units, silence
from restart.model.request import ReadUnits, RestartUnits


class UnitRestarts:
    """Takes a move through a service restart. A repeated one does nothing to a unit that was restarted already."""

    def __init__(self, outbox: Outbox, ladder: Ladder) -> None:
        self._outbox = outbox
        self._ladder = ladder

    def read(self, state: MoveState) -> None:
        """Read which invocations are to be replaced."""
        rung = rung_of(state)
        self._outbox.send(
            lambda id: ReadUnits(id=id, host=state.host, units=rung.units),
            lambda answer: self._units_read(state, answer),
        )

    def restart(self, state: MoveState) -> None:
        """Restart the units that still run in the invocations read."""
        rung = rung_of(state)
        state.acted_s = self._outbox.now_s
        state.taken = state.touched = True
        self._outbox.tell(
            facts.REBOOTING, host=state.host, rung=rung.kind, number=state.rung + 1, boot_id=state.boot_id
        )
        self._outbox.send(
            lambda id: RestartUnits(
                id=id, host=state.host, units=rung.units, invocations=state.invocations, within_s=rung.ready_within_s
            ),
            lambda answer: self._units_restarted(state, answer),
        )

    def _units_read(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, Units):
            before = state.invocations
            state.invocations = tuple(answer.invocations.get(unit, "") for unit in rung_of(state).units)
            if state.lost_with_process:
                self._proved_by_units(state, before)
            elif not self._ladder.held_back(state):
                self._ladder.sign(state, Sign.READ)
        else:
            state.lost_with_process = False
            state.why = f"units could not be read: {silence(answer)}"
            self._ladder.rung_failed(state)

    def _proved_by_units(self, state: MoveState, before: tuple[str, ...]) -> None:
        """The controller died over a service restart: was it carried out? If not, what allowed it then allows nothing now."""
        state.lost_with_process = False
        if all(now and now != was for now, was in zip(state.invocations, before, strict=True)):
            self._units_are_new(state)
        else:
            state.acted_s, state.sick_in, state.invocations = None, frozenset(), ()
            self._ladder.judge_again(state)

    def _units_are_new(self, state: MoveState) -> None:
        state.booted_s = self._outbox.now_s
        state.why = ""
        state.streaks.clear()
        self._ladder.sign(state, Sign.RESTARTED)

    def _units_restarted(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, NoAnswer) and state.tries < TRIES_MAX:
            state.tries += 1
            self.restart(state)
            return
        units = rung_of(state).units
        now = answer.invocations if isinstance(answer, Units) else {}
        stale = [
            unit for unit, was in zip(units, state.invocations, strict=True) if not now.get(unit) or now[unit] == was
        ]
        if stale:
            why = silence(answer) if isinstance(answer, NoAnswer) else f"{', '.join(stale)} not running anew"
            state.why = f"service restart failed: {why}"
            self._ladder.rung_failed(state)
        else:
            self._units_are_new(state)
