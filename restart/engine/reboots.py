"""The rung `reboot`: compare-and-reboot over SSH (phase REBOOTING); and for every rung, the proof by the boot id (phase AWAITING)."""

from __future__ import annotations

from restart.engine import facts
from restart.engine.drains import TRIES_MAX
from restart.engine.ladder import Ladder, rung_of
from restart.engine.offs import Offs
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState
from restart.engine.table import Sign
from restart.model.answer import Answer, Booted, RebootDeclined, RebootTaken, StillUp, silence
from restart.model.request import AwaitBoot, PowerOff, Reboot

NOT_AFTER_S = 60.0
"""A reboot command may act until this long after the host's uptime was read; a later one does nothing."""


class Reboots:
    """Takes a move through a reboot. Whatever was sent, only a new boot id says that the host rebooted."""

    def __init__(self, outbox: Outbox, ladder: Ladder) -> None:
        self._outbox = outbox
        self._ladder = ladder
        self._offs = Offs(outbox, ladder)

    def reboot(self, state: MoveState) -> None:
        """Send the command, bound to the boot id and uptime that were measured."""
        state.acted_s = self._outbox.now_s
        state.taken = False  # what an earlier rung was told says nothing of this command
        state.dark = True
        self._outbox.tell(
            facts.REBOOTING, host=state.host, rung=rung_of(state).kind, number=state.rung + 1, boot_id=state.boot_id
        )
        not_after_s = state.uptime_s + NOT_AFTER_S
        command = PowerOff if rung_of(state).kind == "poweroff" else Reboot
        self._outbox.send(
            lambda id: command(id=id, host=state.host, boot_id=state.boot_id, not_after_uptime_s=not_after_s),
            lambda answer: self._rebooted(state, answer),
        )

    def await_boot(self, state: MoveState) -> None:
        """Wait until the host answers in another boot; one that is stopped, until it is off."""
        if state.move.act == "stop":
            self._offs.await_off(state)
            return
        down_within_s, back_within_s = self._patience_s(state)
        self._outbox.send(
            lambda id: AwaitBoot(
                id=id, host=state.host, boot_id=state.boot_id,
                down_within_s=down_within_s, back_within_s=max(back_within_s, down_within_s),
            ),
            lambda answer: self._awaited(state, answer),
        )  # fmt: skip

    def _patience_s(self, state: MoveState) -> tuple[float, float]:
        """How long the host may still answer in its old boot, and how long until it answers in a new one."""
        rung = rung_of(state)
        if rung.kind == "approve":
            return rung.back_within_s, rung.back_within_s
        if rung.kind == "power":
            # The switch took its part of the rung's time; what comes after it is left at least half.
            spent_s = 0.0 if state.acted_s is None else self._outbox.now_s - state.acted_s
            left_s = max(rung.back_within_s - spent_s, rung.back_within_s / 2)
            return (left_s if state.switched == "graceful" else min(NOT_AFTER_S, left_s)), left_s
        # Without the host's word the command may still act until its not-after; to ask earlier proves nothing.
        return (rung.down_within_s if state.taken else max(rung.down_within_s, NOT_AFTER_S + 5.0)), rung.back_within_s

    def _rebooted(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, RebootDeclined):
            state.dark = False
        anew = ("too-late", "boot-id") if state.move.act == "stop" else ("too-late",)
        if isinstance(answer, RebootDeclined) and answer.reason in anew and state.tries < TRIES_MAX:
            state.tries += 1
            if state.move.act == "stop":
                self._ladder.sign(state, Sign.AGAIN)
            else:
                # A command that came too late was allowed by answers that are older still.
                self._anew(state)
        elif isinstance(answer, RebootDeclined) and answer.reason != "boot-id":
            what = "switch off" if state.move.act == "stop" else "reboot"
            state.declined = state.why = f"the host declined to {what}: {answer.reason} {answer.detail}".rstrip()
            self._ladder.rung_failed(state)
        else:
            # Taken, or in another boot already, or no word: only the boot id can tell.
            state.taken = isinstance(answer, RebootTaken | RebootDeclined)
            state.touched = True
            self._ladder.sign(state, Sign.SENT)

    def _awaited(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, StillUp):
            state.dark = False
        if isinstance(answer, Booted):
            self._ladder.is_back(state, answer.boot_id, "")
        elif rung_of(state).kind == "power":
            self._not_back_by_power(state, answer)
        elif isinstance(answer, StillUp):
            self._still_up(state, answer)
        elif state.lost_with_process and not state.taken:
            state.why = f"a reboot was under way when the controller died, and the host is silent: {silence(answer)}"
            self._outbox.tell(facts.IN_DOUBT, host=state.host, why=state.why)
            self._ladder.sign(state, Sign.LOST)
        else:
            state.still_up = False
            state.why = f"did not come back within {rung_of(state).back_within_s:g}s: {silence(answer)}"
            self._ladder.rung_failed(state)

    def _still_up(self, state: MoveState, answer: StillUp) -> None:
        """It answers in its old boot, as far as its boot id says."""
        restarted = self._has_restarted(state, answer)
        if not state.taken and not restarted and state.tries < TRIES_MAX:
            # The command never arrived, and past its not-after it never can: to send it anew is safe.
            state.tries += 1
            state.lost_with_process = False
            self._anew(state)
            return
        state.still_up = not state.rebooted
        state.why = f"still up in the old boot {answer.boot_id} {rung_of(state).down_within_s:g}s after the reboot"
        if restarted:
            state.why = (
                f"still in the boot {answer.boot_id} by its boot id, but up for {answer.uptime_s:.0f}s only, "
                f"after {state.uptime_s:.0f}s before the reboot"
            )
        self._ladder.rung_failed(state)

    def _has_restarted(self, state: MoveState, answer: StillUp) -> bool:
        """Whether the host's uptime shows a restart that its boot id denies (an image that brings its own id along, a container).

        That is no proof of a reboot, but it forbids to ask for a second one. A host that stayed up has been so for what was measured
        and the time since; one that restarted, for less than the time since. Between the two lies half of what was measured,
        which leaves room for the controller's clock.
        """
        since_s = 0.0 if state.acted_s is None else self._outbox.now_s - state.acted_s
        return answer.uptime_s < max(state.uptime_s, since_s + state.uptime_s / 2)

    def _anew(self, state: MoveState) -> None:
        """The same rung again, as if it had not been asked for: the first act may be called off, a later one waits in its place."""
        if state.rung:
            self._ladder.wait_again(state)
            return
        # Nothing was done to the host: it has its slots still, and all that guards a first act guards this one.
        state.acted_s, state.touched, state.taken = None, False, False
        self._ladder.judge_again(state)

    def _not_back_by_power(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, StillUp):
            state.still_up, state.lost_with_process = not state.rebooted, False
            state.why = f"still up in the old boot {answer.boot_id} after {state.switched} by its power control"
        elif state.lost_with_process and not state.taken:
            self._ladder.sign(state, Sign.UNSURE)
            return
        else:
            state.still_up = False
            within_s = rung_of(state).back_within_s
            state.why = (
                f"did not come back within {within_s:g}s of {state.switched} by its power control: {silence(answer)}"
            )
        self._ladder.rung_failed(state)
