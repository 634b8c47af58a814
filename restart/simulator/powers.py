"""The power controls of a simulated fleet: they read and switch, whatever the host's own network does."""

from __future__ import annotations

from collections.abc import Callable

from restart.model.answer import Answer, NoAnswer, PowerState, PowerSwitched
from restart.model.request import ReadPower, SwitchPower
from restart.simulator.physics.boot import State
from restart.simulator.physics.site import Site

OFF_FOR_S = 5.0
"""How long a `cycle` leaves a host off: until off is proved."""


class PowerControls:
    """One power control for each host. `unknown` are those that nobody can reach."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._machines = site.machines
        self.unknown: set[str] = set()

    def read(self, request: ReadPower) -> Answer:
        """Whether the host has power, as its control says."""
        if request.host in self.unknown:
            return PowerState(state="unknown", detail="its power control does not answer")
        return PowerState(state="off" if self._machines.all[request.host].state is State.OFF else "on")

    def switch(self, request: SwitchPower, alive: Callable[[], bool]) -> tuple[Answer, float]:
        """Switch; the answer, and how long it takes. `alive`: the controller that sent it still lives; without it no second half comes."""
        host, machines = request.host, self._machines
        if host in self.unknown:
            return NoAnswer(reason="timeout", detail="its power control does not answer"), request.within_s
        off = machines.all[host].state is State.OFF
        if not off and request.reset != "on":
            truth = self._site.fleet.truth[host]
            truth.ours_down, truth.restarts_by_us = True, truth.restarts_by_us + 1
        took_s = 0.0
        match request.reset:
            case "on":
                machines.power_on(host)
            case "off":
                machines.power_off(host)
            case "graceful":
                machines.reboot(host)
            case "force" if not off:
                machines.reboot(host, way="power")
            case "cycle" if not off:
                machines.power_off(host)
                took_s = OFF_FOR_S
                self._site.agenda.after(took_s, lambda: self._on_again(host, alive))
            case "cycle":
                machines.power_on(host, way="power")
            case _:
                return NoAnswer(reason="refused", detail=f"{request.reset} needs a host that is on"), took_s
        return PowerSwitched(detail=request.reset), took_s

    def _on_again(self, host: str, alive: Callable[[], bool]) -> None:
        """The second half of a cycle is sent by the controller, once off is proved."""
        if alive():
            self._machines.power_on(host, way="power")
