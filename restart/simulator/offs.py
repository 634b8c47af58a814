"""Switching off in a simulated fleet: compare-and-poweroff strikes, and waits for hosts to be proved off (design: rule 20)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from restart.model.answer import Answer, NoAnswer, StillUp, WentOff
from restart.model.request import AwaitOff
from restart.simulator.clock import Rank, micros
from restart.simulator.network import Network
from restart.simulator.physics.boot import State
from restart.simulator.physics.site import Site
from restart.simulator.powers import PowerControls

SILENT_S = 30.0
"""Without a power control a host is off when it was silent for so long."""

GONE = frozenset({"timeout", "connect", "banner"})
"""What a host that is off looks like over SSH; who gets further than the banner was answered by one that is up, as in the live world."""


@dataclass(slots=True)
class _Wait:
    """An `AwaitOff` without an answer: when it reached the world, and since when the host is silent (microseconds)."""

    request: AwaitOff
    began_us: int
    answer: Callable[[Answer], None]
    silent_us: int | None = None
    done: bool = False


class Offs:
    """The waits for hosts to be off. Each ends once, unless its controller dies."""

    def __init__(self, site: Site, network: Network, powers: PowerControls) -> None:
        self._site = site
        self._network = network
        self._powers = powers
        self._agenda = site.agenda
        self._waits: dict[str, list[_Wait]] = {}

    def wait(self, request: AwaitOff, answer: Callable[[Answer], None]) -> None:
        """Have `answer` called once it is known whether the host is off."""
        found = _Wait(request, self._agenda.now_us, answer)
        self._waits.setdefault(request.host, []).append(found)
        self._agenda.after(request.within_s + 0.001, lambda: self._look(found), Rank.TIMEOUT)
        self._look(found)

    def wake(self, host: str) -> None:
        """Something about the host has changed."""
        for found in tuple(self._waits.get(host, ())):
            self._look(found)

    def forget(self) -> None:
        """The controller has died: nobody hears an answer."""
        for waits in self._waits.values():
            for found in waits:
                found.done = True
        self._waits.clear()

    def _look(self, found: _Wait) -> None:
        if found.done:
            return
        request = found.request
        timed = self._agenda.now_us - found.began_us > micros(request.within_s)
        control = self._site.inventory.hosts[request.host].power is not None
        answer = self._by_power(request, timed) if control else self._by_silence(found, timed)
        if answer is not None:
            found.done = True
            self._waits[request.host].remove(found)
            found.answer(answer)

    def _by_power(self, request: AwaitOff, timed: bool) -> Answer | None:
        if request.host in self._powers.unknown:
            return NoAnswer(reason="timeout", detail="its power control does not answer") if timed else None
        if self._site.machines.all[request.host].state is State.OFF:
            return WentOff(how="its power control says off")
        return StillUp(boot_id=request.boot_id) if timed else None

    def _by_silence(self, found: _Wait, timed: bool) -> Answer | None:
        host, now_us = found.request.host, self._agenda.now_us
        silent, truth = self._network.answers(host), self._site.fleet.truth[host]
        if silent is None:
            found.silent_us = None
            if timed or truth.boot_id != found.request.boot_id:
                return StillUp(boot_id=truth.boot_id, uptime_s=self._site.machines.uptime_s(host))
            return None
        if silent.reason not in GONE:
            # It says nothing of the host behind it, or somebody answers for it and lets nobody in.
            found.silent_us = None
            return NoAnswer(reason="timeout", detail=f"{silent.reason}: {silent.detail}") if timed else None
        if found.silent_us is None:
            found.silent_us = now_us
            self._agenda.after(SILENT_S, lambda: self._look(found), Rank.TIMEOUT)
            return None
        quiet_s = (now_us - found.silent_us) / 1_000_000
        return WentOff(how=f"silent for {SILENT_S:g} s") if quiet_s >= SILENT_S else None
