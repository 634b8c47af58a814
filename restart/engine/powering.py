"""The rung `power`: switch a host's power, proved by its boot id (phases PROBING, SENSING and SWITCHING, then AWAITING).

Power is the one way that asks no leave of the host, so it is asked for before it is used: first the host itself (it may answer, be in
another boot already, or carry a foreign claim), then its power control. Where that cannot say whether the host is on, nothing but
`graceful` and `on` is sent, unless the rung says `blind: true`. A host that merely declined an earlier rung keeps its power.

What was sent and not answered is never sent again blindly: power that is off by now is switched on (that may be repeated), else only the
boot id can tell. After a crash, what it cannot tell is in doubt.
"""

from __future__ import annotations

from restart.engine import facts
from restart.engine.drains import TRIES_MAX
from restart.engine.ladder import Ladder, rung_of
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState
from restart.engine.table import Sign
from restart.model.answer import Answer, Claimed, HeldBy, PowerState, PowerSwitched, silence
from restart.model.request import ReadPower, SwitchPower

SWITCH_S = 120.0
"""A power control has this long for one switch, and half of the rung's `back_within` at most."""

HARMLESS = frozenset({"graceful", "on"})
"""Resets that cut no power: they are sent even where nobody can say whether the host is on."""


class Powering:
    """Takes a move through a power rung."""

    def __init__(self, outbox: Outbox, ladder: Ladder) -> None:
        self._outbox = outbox
        self._ladder = ladder

    def probed(self, state: MoveState, answer: Answer) -> None:
        """What came of claiming the host just before its power is to be switched."""
        state.answers = isinstance(answer, Claimed)
        stopping = state.move.act == "stop"
        if stopping and isinstance(answer, Claimed):
            state.boot_id = answer.boot_id  # whichever boot it is in, it is to be off
        if isinstance(answer, Claimed) and answer.boot_id != state.boot_id:
            how = "rebooted by itself meanwhile" if state.boot_id else "up already"
            self._ladder.is_back(state, answer.boot_id, how)
        elif isinstance(answer, HeldBy):
            self._fail(state, state.declined)
        elif state.declined and not state.touched and not stopping:
            self._fail(state, f"{state.declined}; its power is not switched for that")
        elif state.answers and rung_of(state).reset == "on":
            self._fail(state, f"up in its old boot {state.boot_id}: to switch it on changes nothing")
        elif not (state.answers and self._ladder.answers_again(state)):
            self._ladder.sign(state, Sign.PROBED)

    def sense(self, state: MoveState) -> None:
        """Ask the power control whether the host is on."""
        self._outbox.send(lambda id: ReadPower(id=id, host=state.host), lambda answer: self._sensed(state, answer))

    def switch(self, state: MoveState) -> None:
        """Send the reset that was settled on."""
        state.taken, state.touched, state.dark = False, True, True
        within_s = min(SWITCH_S, rung_of(state).back_within_s / 2)
        self._outbox.send(
            lambda id: SwitchPower(id=id, host=state.host, reset=state.switched, within_s=within_s),
            lambda answer: self._switched(state, answer),
        )

    def _sensed(self, state: MoveState, answer: Answer) -> None:
        known = isinstance(answer, PowerState)
        said = answer.state if isinstance(answer, PowerState) else "unknown"
        detail = answer.detail if isinstance(answer, PowerState) else silence(answer)
        self._outbox.tell(
            facts.POWER, host=state.host, evidence=f"power is {said}" + (f" ({detail})" if detail else ""), state=said
        )
        if state.switched:
            self._sensed_again(state, said)
        elif not self._ladder.held_back(state):
            self._settle_on_reset(state, said, detail if known else silence(answer))

    def _settle_on_reset(self, state: MoveState, said: str, detail: str) -> None:
        """The rung's own switch: what is to be sent to a host whose power is `said` to be on, off or unknown."""
        rung = rung_of(state)
        reset = rung.reset or "cycle"
        if said == "unknown" and reset not in HARMLESS and not rung.blind:
            why = f"nobody can say whether it is on ({detail}): {reset} is not sent without `blind: true`"
            if state.answers and not state.touched:
                state.declined = why
            self._fail(state, why)
            return
        if said == "off" and reset != "off":
            reset = "on"
        state.switched, state.acted_s = reset, self._outbox.now_s
        if said == reset:
            # It has power and may be on its way up, or it is off: there is nothing to send.
            state.taken = state.touched = True
            self._ladder.sign(state, Sign.SENT)
            return
        self._outbox.tell(
            facts.REBOOTING,
            host=state.host,
            rung=rung.kind,
            number=state.rung + 1,
            boot_id=state.boot_id,
            reset=reset,
        )
        self._ladder.sign(state, Sign.SWITCH)

    def _sensed_again(self, state: MoveState, said: str) -> None:
        """Nobody knows what became of the switch: off is proof that the host waits for power, anything else proves nothing."""
        if state.switched == "off":
            # To switch off may be repeated; that it is off is proved by whoever waits for it.
            self._ladder.sign(state, Sign.SWITCH if said == "on" and state.tries < TRIES_MAX else Sign.SENT)
        elif said == "off":
            if state.lost_with_process:
                state.lost_with_process, state.acted_s = False, self._outbox.now_s
            if self._ladder.held_back(state):
                return
            state.switched = "on"
            self._ladder.sign(state, Sign.SWITCH)
        elif state.lost_with_process:
            state.why = (
                f"its power was being switched ({state.switched}) when the controller died; now it is {said}, "
                "and the host is silent"
            )
            self._outbox.tell(facts.IN_DOUBT, host=state.host, why=state.why)
            self._ladder.sign(state, Sign.LOST)
        else:
            self._ladder.sign(state, Sign.SENT)

    def _switched(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, PowerSwitched):
            state.taken = True
            self._ladder.sign(state, Sign.SENT)
        elif state.tries < TRIES_MAX:
            state.tries += 1
            self._ladder.sign(state, Sign.UNSURE)
        else:
            self._ladder.sign(state, Sign.SENT)

    def _fail(self, state: MoveState, why: str) -> None:
        state.why = why
        self._ladder.rung_failed(state)
