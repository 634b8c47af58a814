"""Switching off: the wait until a host is proved off (design: rule 20), and the warning when there is no power any more.

A move that stops a host ends where it is proved off, and nothing of its drain is undone. A host that nobody reaches when its turn comes is
asked for first: where it is off already it is left alone. What is not proved off stays in the ladder, and counts as up.
"""

from __future__ import annotations

from collections.abc import Mapping

from restart.engine import facts
from restart.engine.drains import TRIES_MAX
from restart.engine.ladder import Ladder, ladder_of, rung_of
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState
from restart.engine.table import FINISHED, Sign
from restart.model.answer import Answer, StillUp, WentOff, silence
from restart.model.request import AwaitOff
from restart.rules.durations import spoken

NOT_AFTER_S = 60.0
"""A command may act until this long after the host's uptime was read (`restart.engine.reboots`)."""

LOOK_S = 5.0
"""How long a host may go on answering that was silent, or is said to be off, before it counts as up."""

NAMED_MAX = 20


class Offs:
    """Takes a move that stops a host to its end."""

    def __init__(self, outbox: Outbox, ladder: Ladder) -> None:
        self._outbox = outbox
        self._ladder = ladder

    def await_off(self, state: MoveState) -> None:
        """Wait until the host is proved off."""
        within_s = self._patience_s(state)
        self._outbox.send(
            lambda id: AwaitOff(id=id, host=state.host, boot_id=state.boot_id, within_s=within_s),
            lambda answer: self._awaited(state, answer),
        )

    def _patience_s(self, state: MoveState) -> float:
        if not 0 <= state.rung < len(ladder_of(state)) or not _acted(state):
            return LOOK_S
        rung = rung_of(state)
        if rung.kind == "approve":
            return rung.back_within_s
        # Without the host's word the command may still act until its not-after; to ask earlier proves nothing.
        return rung.down_within_s if state.taken else max(rung.down_within_s, NOT_AFTER_S + LOOK_S)

    def _awaited(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, StillUp):
            state.dark = False
        if isinstance(answer, WentOff):
            state.why, state.lost_with_process, state.booted_s = "", False, self._outbox.now_s
            already = "" if _acted(state) else "off already, left alone: "
            self._outbox.tell(facts.OFF, host=state.host, evidence=f"{already}{answer.how}")
            self._ladder.sign(state, Sign.OFF)
        elif state.rung < 0:
            # It was silent, and it is not off: its ladder says how to go on.
            state.why = f"not reached, and not proved off: {silence(answer)}"
            self._ladder.sign(state, Sign.DOUBTED)
        elif isinstance(answer, StillUp) and _acted(state) and not state.taken and state.tries < TRIES_MAX:
            # The command never arrived, and past its not-after it never can: to send it anew is safe.
            state.tries += 1
            state.lost_with_process = False
            self._ladder.judge_again(state)
        else:
            state.why = self._why(state, answer)
            state.lost_with_process = False
            self._ladder.rung_failed(state)

    def _why(self, state: MoveState, answer: Answer) -> str:
        if not isinstance(answer, StillUp):
            return f"not proved off: {silence(answer)}"
        if answer.boot_id != state.boot_id:
            state.boot_id = answer.boot_id
            return f"it went down and is up again, in boot {answer.boot_id}"
        return f"still up after {spoken(self._patience_s(state))}"


def _acted(state: MoveState) -> bool:
    """Whether the host may have been told to switch off by this run."""
    return state.touched or state.lost_with_process


class PowerTime:
    """Tells who is not off yet when the time is over for which there was power."""

    def __init__(self, within_s: float | None, states: Mapping[str, MoveState], outbox: Outbox) -> None:
        self._within_s = within_s
        self._states = states
        self._outbox = outbox

    def deadline_s(self) -> float | None:
        """When, in run seconds, it wants to look; None: never (again)."""
        return self._within_s

    def look(self) -> None:
        """Tell it once."""
        if self._within_s is None or self._outbox.now_s < self._within_s:
            return
        left = [host for host, state in self._states.items() if state.phase not in FINISHED]
        if left:
            named = ", ".join(left[:NAMED_MAX]) + (
                f" and {len(left) - NAMED_MAX} more" if len(left) > NAMED_MAX else ""
            )
            why = f"the {spoken(self._within_s)} are over and {len(left)} of {len(self._states)} hosts are not off: {named}"
            self._outbox.tell(facts.TIME_OVER, why=why, left=len(left))
        self._within_s = None
