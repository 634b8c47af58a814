"""Waiting until a host is proved off: by its power control, or without one by its silence (design: rule 20)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from restart.model.answer import NoAnswer, PowerState, StillUp, WentOff
from restart.model.request import AwaitOff
from restart.probes.probe import Seen
from restart.rules.durations import spoken

SILENT_S = 30.0
"""Without a power control a host is off when SSH was refused or silent for so long without a break."""

_GONE = frozenset({"unreachable", "refused", "connect", "banner", "dropped"})
"""What a host that is off looks like over SSH. A gateway that does not answer says nothing of the host behind it."""


class OffWait:
    """One wait. `look` is a fresh log-in, `power` reads the power control (None: there is none that can tell)."""

    def __init__(
        self,
        request: AwaitOff,
        *,
        look: Callable[[], Seen | NoAnswer],
        power: Callable[[], PowerState] | None,
        poll_s: float,
    ) -> None:
        self._request = request
        self._look = look
        self._power = power
        self._poll_s = poll_s
        # A host that this run never spoke to and that refuses is up: somebody answers for it.
        self._gone = _GONE if request.boot_id else _GONE - {"refused"}

    def answer(self, closing: threading.Event) -> WentOff | StillUp | NoAnswer:
        """What came of it; `NoAnswer` where neither on nor off could be proved in time."""
        start_s = time.monotonic()
        return (
            self._by_silence(closing, start_s) if self._power is None else self._by_power(self._power, closing, start_s)
        )

    def _by_power(
        self, power: Callable[[], PowerState], closing: threading.Event, start_s: float
    ) -> WentOff | StillUp | NoAnswer:
        while True:
            state = power()
            took_s = time.monotonic() - start_s
            if state.state == "off":
                return WentOff(how=f"its power control says off ({state.detail})", took_s=took_s)
            if took_s >= self._request.within_s:
                if state.state == "on":
                    return StillUp(boot_id=self._request.boot_id)
                within = spoken(self._request.within_s)
                return NoAnswer(reason="timeout", detail=f"not proved off within {within}: {state.detail}")
            if closing.wait(5 * self._poll_s):
                return _let_go()

    def _by_silence(self, closing: threading.Event, start_s: float) -> WentOff | StillUp | NoAnswer:
        silent_since_s: float | None = None
        while True:
            seen = self._look()
            now_s = time.monotonic()
            if isinstance(seen, Seen):
                silent_since_s = None
                # Another boot is no way off at all: it restarted.
                if now_s - start_s >= self._request.within_s or seen.boot_id != self._request.boot_id.lower():
                    return StillUp(boot_id=seen.boot_id, uptime_s=seen.uptime_s)
            elif seen.reason in self._gone:
                silent_since_s = now_s if silent_since_s is None else silent_since_s
                if now_s - silent_since_s >= SILENT_S:
                    how = f"SSH {seen.reason} for {spoken(SILENT_S)}"
                    return WentOff(how=how, took_s=silent_since_s - start_s)
            else:
                silent_since_s = None
                if now_s - start_s >= self._request.within_s:
                    detail = f"not proved off within {spoken(self._request.within_s)}: {seen.reason}, {seen.detail}"
                    return NoAnswer(reason="timeout", detail=detail)
            if closing.wait(self._poll_s if isinstance(seen, NoAnswer) else 5 * self._poll_s):
                return _let_go()


def _let_go() -> NoAnswer:
    return NoAnswer(reason="broken", detail="the run let go while waiting for the host to go off")
