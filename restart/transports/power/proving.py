"""Off is proved, not assumed: asking a power control until it says what was switched."""

from __future__ import annotations

import time
from collections.abc import Callable

from restart.model.answer import NoAnswer, PowerState, PowerSwitched

POLL_S = 1.0
"""Between two looks at a power control. Real ones take 0.1 to 3 s for an answer."""


class Deadline:
    """The end of all that one call may take."""

    def __init__(self, within_s: float) -> None:
        self.within_s = within_s
        self._end_s = time.monotonic() + within_s

    @property
    def left_s(self) -> float:
        """Seconds left; 0 when there are none."""
        return max(0.0, self._end_s - time.monotonic())


def proved(
    wanted: str, state: Callable[[], PowerState], deadline: Deadline, *, poll_s: float = POLL_S
) -> PowerSwitched | NoAnswer:
    """Ask `state` until it is `wanted`; `NoAnswer` (`timeout`) with the last state when time is over."""
    while True:
        seen = state()
        if seen.state == wanted:
            return PowerSwitched(detail=f"proved {wanted}: {seen.detail}" if seen.detail else f"proved {wanted}")
        if deadline.left_s <= poll_s:
            said = f"{seen.state}, {seen.detail}" if seen.detail else seen.state
            return NoAnswer(reason="timeout", detail=f"not {wanted} within {deadline.within_s:g} s; it says {said}")
        time.sleep(poll_s)


def off_then_on(
    off: Callable[[], NoAnswer | None],
    on: Callable[[], NoAnswer | None],
    state: Callable[[], PowerState],
    deadline: Deadline,
) -> PowerSwitched | NoAnswer:
    """Switch off, prove it, switch on. `off` and `on` give None where the switch was taken. It is never switched on again unproved."""
    refused = off()
    if refused is not None:
        return refused
    gone = proved("off", state, deadline)
    if isinstance(gone, NoAnswer):
        return gone
    refused = on()
    return PowerSwitched(detail="off, proved off, on") if refused is None else _left_off(refused)


def _left_off(refused: NoAnswer) -> NoAnswer:
    return NoAnswer(reason=refused.reason, detail=f"it is off and was not switched on again: {refused.detail}")
