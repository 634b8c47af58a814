"""R1: machines. `off -> booting -> up`; a reboot ends one boot and begins the next; some never come back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from restart.simulator.clock import Entry, Rank
from restart.simulator.physics.fleet import Fleet
from restart.simulator.physics.stuck import StuckHosts

Gate = Callable[[str, Callable[[], None]], bool]
"""Takes a host before its boot and calls back when it may go on; False: this host need not wait here."""


class State(StrEnum):
    """What a machine does. `GONE`: it has power and will not answer, until it is started again."""

    OFF = "off"
    WAITING = "waiting"
    BOOTING = "booting"
    UP = "up"
    GONE = "gone"


@dataclass(slots=True)
class Machine:
    """One machine: its state, since when its boot counts (microseconds, may lie before the run), how many boots it had."""

    name: str
    state: State = State.UP
    boot_us: int = 0
    boots: int = 0
    attempts: int = 0
    coming: Entry | None = None
    late_s: float = 0.0
    same_boot_id: bool = False
    cut_off: str = ""


class Machines:
    """All machines. What waits before a boot (an image from a shared server) stands in `before_boot`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._agenda = fleet.agenda
        self.stuck = StuckHosts(fleet)
        self.all: dict[str, Machine] = {}
        self.before_boot: list[Gate] = []
        self.dark: list[Callable[[str], bool]] = []
        """Says of a host that there is no power to be had."""
        for name in fleet.inventory.hosts:
            machine = self.all[name] = Machine(name)
            truth = fleet.truth[name]
            if name in fleet.physics.off:
                machine.state, truth.up, truth.powered = State.OFF, False, False
                continue
            if name in fleet.physics.hung:
                machine.state, truth.up = State.GONE, False
                continue
            uptime_s = fleet.figures(name).uptime_s
            if uptime_s is None:
                uptime_s = fleet.chance("uptime", name).randrange(10 * 86400, 100 * 86400)
            machine.boot_us = -round(uptime_s * 1_000_000)
            truth.boot_id = boot_id(fleet.seed, name, 0)

    def take_as_seen(self, boot_ids: Mapping[str, str | None]) -> None:
        """The boots that a survey saw are those that the machines stand in as the run begins; None: it saw none."""
        for name, seen in boot_ids.items():
            if seen is not None and self._fleet.truth[name].up:
                self._fleet.truth[name].boot_id = seen

    def uptime_s(self, name: str) -> float:
        """Seconds since the boot that the machine is in."""
        return (self._agenda.now_us - self.all[name].boot_us) / 1_000_000

    def answers(self, name: str) -> bool:
        """Whether the machine can be reached at all."""
        machine = self.all[name]
        return machine.state is State.UP and not machine.cut_off

    def reboot(self, name: str, way: str = "reboot") -> None:
        """The machine ends its boot and begins the next; one without power does nothing for `reboot`."""
        if way == "reboot" and self.all[name].state is not State.UP:
            return
        self._down(name, State.BOOTING)
        self._begin(name, way)

    def power_on(self, name: str, way: str = "start") -> None:
        """Give the machine power; one that runs or boots takes no notice."""
        if self.all[name].state in (State.OFF, State.GONE) and not any(dark(name) for dark in self.dark):
            self._begin(name, way)

    def power_off(self, name: str) -> None:
        """Take the machine's power."""
        if self.all[name].state is not State.OFF:
            self._down(name, State.OFF)
            for rule in self._fleet.rules:
                rule.unpowered(name)

    def vanish(self, name: str) -> None:
        """The machine stops answering for good, its power still on."""
        if self.all[name].state is not State.OFF:
            self._down(name, State.GONE)

    def _down(self, name: str, state: State) -> None:
        machine, truth = self.all[name], self._fleet.truth[name]
        if machine.coming is not None:
            machine.coming.cancel()
            machine.coming = None
        machine.state = state
        truth.powered = state is not State.OFF
        machine.attempts += 1
        truth.up, truth.boot_finished_s, truth.claimed_by = False, None, None
        for rule in self._fleet.rules:
            rule.went_down(name)
        self._fleet.refresh((name,))

    def _begin(self, name: str, way: str) -> None:
        machine = self.all[name]
        machine.attempts += 1
        self._fleet.truth[name].powered = True
        for rule in self._fleet.rules:
            rule.powered(name, way)
        if self.stuck.strikes(name, way):
            machine.state = State.GONE
            self._fleet.tell("lost", name, f"does not come back from {way}")
            return
        machine.state = State.WAITING
        self._pass(name, machine.attempts, 0)

    def _pass(self, name: str, attempt: int, index: int) -> None:
        """Through each gate before the boot, in turn; a later attempt makes this one void."""
        if self.all[name].attempts != attempt:
            return
        while index < len(self.before_boot):
            index += 1
            if self.before_boot[index - 1](name, lambda index=index: self._pass(name, attempt, index)):  # type: ignore[misc]
                return
        self._boot(name)

    def _boot(self, name: str) -> None:
        machine, figures = self.all[name], self._fleet.figures(name)
        machine.state = State.BOOTING
        boot_s = figures.boot_s
        if figures.spread:
            drawn = self._fleet.chance("boot", name, machine.boots).uniform(-1.0, 1.0)
            boot_s *= 1.0 + figures.spread * drawn
        late_s, machine.late_s = machine.late_s, 0.0
        machine.coming = self._agenda.after(boot_s + late_s, lambda: self._up(name), Rank.PHYSICS)

    def _up(self, name: str) -> None:
        machine, truth = self.all[name], self._fleet.truth[name]
        machine.coming = None
        machine.state = State.UP
        machine.boots += 1
        if machine.same_boot_id and truth.boot_id:
            machine.same_boot_id = False
        else:
            truth.boot_id = boot_id(self._fleet.seed, name, machine.boots)
        machine.boot_us = self._agenda.now_us
        truth.up, truth.boots, truth.boot_finished_s = True, truth.boots + 1, self._agenda.now_s
        for rule in self._fleet.rules:
            rule.came_up(name)
        self._fleet.refresh((name,))


def boot_id(seed: int, host: str, boots: int) -> str:
    """A boot id of the shape that Linux gives (a UUID), the same for the same seed, host and number of boots."""
    drawn = hashlib.sha256(f"{seed}/{host}/{boots}".encode()).hexdigest()
    return f"{drawn[:8]}-{drawn[8:12]}-{drawn[12:16]}-{drawn[16:20]}-{drawn[20:32]}"
