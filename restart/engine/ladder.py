"""The ladder of a move: which rung is at hand, and what it comes to when one has brought the host back or has failed."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from restart.engine import facts
from restart.engine.drains import TRIES_MAX
from restart.engine.outbox import Outbox
from restart.engine.parking import Hold
from restart.engine.state import MoveState
from restart.engine.table import Phase, Sign
from restart.model.playbook import Rung

SIGN_OF = {
    "reboot": Sign.RUNG_REBOOT,
    "poweroff": Sign.RUNG_REBOOT,
    "service_restart": Sign.RUNG_UNITS,
    "power": Sign.RUNG_POWER,
    "approve": Sign.RUNG_APPROVAL,
}
"""By which sign a rung of each kind is begun."""


class Ladder:
    """What all kinds of rungs share. `sign` moves on by the table; `call_off` ends a move before its first act."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        sign: Callable[[MoveState, Sign], None],
        call_off: Callable[[MoveState], None],
        starting: Callable[[], bool],
        closed: Callable[[], bool],
        slots: Callable[[MoveState], Hold | None],
        withheld: Callable[[MoveState], Hold | None],
        missed: Callable[[MoveState], None],
        judged: Callable[[MoveState, str], Hold | None],
        doubted: Callable[[MoveState], Hold | None],
    ) -> None:
        """`starting`, `closed`, `slots`, `withheld`, `missed`, `judged` and `doubted` are as `Moving` has them."""
        self.sign = sign
        self._outbox = outbox
        self._call_off = call_off
        self._starting = starting
        self._closed = closed
        self._slots = slots
        self._withheld = withheld
        self._missed = missed
        self._judged = judged
        self._doubted = doubted

    def next(self, state: MoveState) -> None:
        """On entry to CLIMBING: the next rung, or the same one again where it was not carried out."""
        if state.same_rung:
            state.same_rung, state.switched = False, ""
            self.climb(state)
            return
        if state.up_already:
            # What a cold start finds up it does not touch, whatever its checks say.
            state.why = f"up already, but {state.why or 'its checks did not hold'}"
            self.sign(state, Sign.LADDER_ENDED)
            return
        state.rung += 1
        state.tries, state.switched = 0, ""
        ladder = ladder_of(state)
        if not ladder and state.rung == 0:
            # A spare that is promoted by the steps of its playbook alone.
            self.sign(state, Sign.NO_RUNGS)
            return
        if state.rung >= len(ladder):
            # Past the ladder's end a host in its old boot is checked once, not for ever.
            if state.still_up and state.rung == len(ladder):
                self._outbox.tell(facts.NOT_REBOOTED, host=state.host, why=state.why)
                self.sign(state, Sign.LADDER_ENDED_UP)
            elif state.declined and not state.touched:
                self.sign(state, Sign.LADDER_ENDED_UNTOUCHED)
            else:
                self.sign(state, Sign.LADDER_ENDED)
            return
        self.climb(state)

    def climb(self, state: MoveState) -> None:
        """In CLIMBING: take the rung at hand once its host can be spared, there are slots for it, and no flag stands."""
        if self._withheld(state) is not None:
            return
        spared = self._judged(state, rung_of(state).kind)
        if spared is not None:
            if spared.lasting:
                self._not_spared(state, spared)
            return
        hold = self._slots(state)
        if hold is None:
            self.sign(state, SIGN_OF[rung_of(state).kind])
        elif hold.lasting:
            why = f"no slot for its next rung, {hold.why}"
            state.why = f"{state.why}; {why}" if state.why else why
            self.sign(state, Sign.LADDER_ENDED)

    def _not_spared(self, state: MoveState, hold: Hold) -> None:
        why = f"its next rung ({rung_of(state).kind}) is not taken, {hold.rule}: {hold.why}"
        state.why = f"{state.why}; {why}" if state.why else why
        self.sign(state, Sign.LADDER_ENDED_UNTOUCHED if state.declined and not state.touched else Sign.LADDER_ENDED)

    def answers_again(self, state: MoveState) -> bool:
        """It was silent since our last act, and stands in its old boot: whether to take it down is judged by what is known now."""
        was, state.dark = state.dark, False
        if was and state.move.act == "restart":
            self.wait_again(state)
            return True
        return False

    def judge_again(self, state: MoveState) -> None:
        """Back to where a move waits for its first act to be allowed; then the same rung is taken.

        One that is owed a look goes back to its beginning.
        """
        state.same_rung, state.judged_s = True, -inf
        self.sign(state, Sign.DOUBTED)
        if state.owed_look:
            self._call_off(state)

    def held_back(self, state: MoveState) -> bool:
        """While its first act was being prepared the run was halted or stopped (called off), or is held, or its providers are ready no more (judged again)."""
        withheld = self._withheld(state) is not None
        if withheld and state.acted_s is not None:
            self.wait_again(state)
            return True
        if state.acted_s is not None:
            return False
        if self._starting() and not self._closed() and not withheld and self._doubted(state) is None:
            return False
        if self._starting():
            self.judge_again(state)
        else:
            self._call_off(state)
        return True

    def not_begun(self, state: MoveState) -> None:
        """The world has not begun the act at hand, because a flag stands: as if it had not been asked for."""
        if state.rung == 0 and state.tries == 0:
            state.acted_s, state.touched, state.taken = None, False, False
            self.judge_again(state)
        else:
            self.wait_again(state)

    def wait_again(self, state: MoveState) -> None:
        """A rung that is not the first act waits where it would begin, and is judged there."""
        state.same_rung = True
        self.sign(state, Sign.WITHHELD)

    def is_back(self, state: MoveState, boot_id: str, how: str) -> None:
        """The host answers in the boot `boot_id`, which is not its old one; `how` it came to be, where not by the rung."""
        state.still_up, state.lost_with_process, state.dark = False, False, False
        state.taken = state.touched = True
        state.booted_s = self._outbox.now_s
        took_s = 0.0 if state.acted_s is None else round(state.booted_s - state.acted_s, 3)
        state.boot_id_now = boot_id
        state.why = ""
        self._outbox.tell(
            facts.BOOTED, host=state.host, evidence=how or f"new boot id {boot_id}", boot_id=boot_id, was=state.boot_id, took_s=took_s
        )  # fmt: skip
        state.streaks.clear()
        bare = state.seeded or any(bridge.on is None for bridge in state.bridges)
        self.sign(state, Sign.BOOTED_BARE if bare else Sign.BOOTED)

    def rebooted_meanwhile(self, state: MoveState, boot_id: str) -> None:
        """Somebody else rebooted it while its checks held: a proof of its restart as good as ours, and its checks begin anew.

        They get their whole time each time, `TRIES_MAX` times: a host that goes on rebooting is not waited for for ever.
        """
        state.boot_id_now = boot_id
        state.still_up = False
        if state.reboots_seen < TRIES_MAX:
            state.reboots_seen += 1
            state.streaks.clear()

    def not_well(self, state: MoveState) -> None:
        """It came back by itself, and its checks did not hold: its move begins after all."""
        state.by_itself, state.booted_s, state.judged_s = False, None, -inf
        state.streaks.clear()
        self.sign(state, Sign.NOT_WELL)

    def rung_failed(self, state: MoveState) -> None:
        """The rung at hand did not bring the host back: the next one is for `next` to find."""
        if not state.up_already and ladder_of(state):  # else no rung was tried
            self._outbox.tell(
                facts.RUNG_FAILED, host=state.host, why=state.why, rung=rung_of(state).kind, number=state.rung + 1
            )
        state.streaks.clear()
        if state.rung == 0 and state.touched and len(ladder_of(state)) > 1:
            self._missed(state)
        if state.phase is Phase.CHECKING and state.boot_id_now != state.boot_id:
            # The next rung starts from the boot that the host is in now.
            state.boot_id, state.rebooted = state.boot_id_now, True
        self.sign(state, Sign.RUNG_FAILED)


def ladder_of(state: MoveState) -> tuple[Rung, ...]:
    """The ladder that the move climbs."""
    ladders = {"restart": state.playbook.restart, "start": state.playbook.start, "stop": state.playbook.stop}
    return ladders[state.move.act]


def rung_of(state: MoveState) -> Rung:
    """The rung at hand."""
    ladder = ladder_of(state)
    return ladder[min(max(state.rung, 0), len(ladder) - 1)]
