"""Faults: what goes wrong in a simulated fleet, when, and with whom. One by one, from a script, in words, or drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restart.model.event import LeaseLost, Word
from restart.simulator.clock import Rank, micros
from restart.simulator.deaths import Deaths
from restart.simulator.journal import Kept
from restart.simulator.physics.figures import Stuck
from restart.simulator.physics.unkept import losable

if TYPE_CHECKING:
    from restart.simulator.world import SimulatedWorld

FOR_EVER_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. `kind` is one of `KINDS`; `hosts` or `services` are whom it befalls, at `at_s` of the run, for `for_s` (None: for good).

    `by_s` is how late a host is or how far a clock steps; `event` is the number of the event at which the controller dies or the disk
    is full (from 1); `moment` where in it; `chance` how likely each answer is lost; `word` and `target` what an operator says; `target` also which alert fires, or what a boot loses;
    `phase` where SSH hangs; `times` how often a host does not return.
    """

    kind: str
    hosts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    at_s: float = 0.0
    for_s: float | None = None
    by_s: float = 0.0
    event: int | None = None
    moment: str = "appended"
    chance: float = 1.0
    word: str = ""
    target: str | None = None
    phase: str = "banner"
    times: int | None = None


class Faults:
    """Lets the faults of a run happen."""

    def __init__(self, world: SimulatedWorld, journal: Kept, faults: Iterable[Fault], seed: int) -> None:
        self._world = world
        self._site = world.site
        self._agenda = world.site.agenda
        self._journal = journal
        self.deaths = Deaths(journal)
        self._seed = seed
        self.last_s = 0.0
        """By when, in run seconds, every fault has come, and gone where it goes."""
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """One more fault."""
        self.last_s = max(self.last_s, fault.at_s + fault.by_s + (fault.for_s or 0.0))
        if fault.kind in ("controller_dies", "disk_full") and fault.event is not None:
            self.deaths.add(fault.kind, fault.event, fault.moment)
            return
        strike = KINDS[fault.kind]
        if fault.at_s <= 0:
            strike(self, fault)
        else:
            self._agenda.at(micros(fault.at_s), lambda: strike(self, fault), Rank.ARRIVAL)

    # --- hosts -------------------------------------------------------------------------------------------------------

    def _never_returns(self, fault: Fault) -> None:
        self._site.machines.stuck.add(Stuck(hosts=fault.hosts, times=fault.times, chance=fault.chance))

    def _returns_late(self, fault: Fault) -> None:
        for host in fault.hosts:
            self._site.machines.all[host].late_s = fault.by_s

    def _same_boot_id(self, fault: Fault) -> None:
        for host in fault.hosts:
            self._site.machines.all[host].same_boot_id = True

    def _ignores_reboot(self, fault: Fault) -> None:
        self._world.network.no_reboot.update(fault.hosts)
        self._end(fault, lambda: self._world.network.no_reboot.difference_update(fault.hosts))

    def _goes_down(self, fault: Fault) -> None:
        for host in fault.hosts:
            self._site.machines.vanish(host)
            self._site.fleet.tell("down", host, "went down by itself")
        if fault.for_s is not None:
            self._end(fault, lambda: self._come_back(fault.hosts))

    def _come_back(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            self._site.machines.power_on(host)

    def _someone_reboots(self, fault: Fault) -> None:
        for host in fault.hosts:
            self._site.machines.reboot(host)
            self._site.fleet.tell("rebooted", host, "by someone else")

    def _lies(self, fault: Fault) -> None:
        self._sick(fault.hosts, "lies", on=True)
        self._end(fault, lambda: self._sick(fault.hosts, "lies", on=False))

    def _flaps(self, fault: Fault) -> None:
        """Well for `by_s`, sick for `by_s`, and so on, until the fault ends."""
        end_us = self._agenda.now_us + micros(FOR_EVER_S if fault.for_s is None else fault.for_s)
        beat_us = max(1, micros(fault.by_s or 5.0))

        def turn(on: bool) -> None:
            over = self._agenda.now_us >= end_us
            self._sick(fault.hosts, "flaps", on=on and not over)
            if not over:
                self._agenda.at(self._agenda.now_us + beat_us, lambda: turn(not on))

        turn(True)

    def _comes_back_corrupt(self, fault: Fault) -> None:
        self._site.spoilt.spoil(fault.hosts, fault.for_s)

    def _loses_at_boot(self, fault: Fault) -> None:
        self._site.unkept.set_up(fault.hosts, losable(fault.target or "") or "route:default")

    def _sick(self, hosts: Iterable[str], why: str, *, on: bool) -> None:
        for host in hosts:
            for service in self._site.fleet.services_of[host]:
                sick = self._site.members.of[service, host].sick
                (sick.add if on else sick.discard)(why)
        self._site.fleet.refresh(hosts)

    # --- the network -------------------------------------------------------------------------------------------------

    def _ssh_hangs(self, fault: Fault) -> None:
        self._cut_off(fault.hosts, fault.phase)
        self._end(fault, lambda: self._cut_off(fault.hosts, ""))

    def _cut_off(self, hosts: Iterable[str], phase: str) -> None:
        for host in hosts:
            self._site.machines.all[host].cut_off = phase
            self._site.fleet.touch(host)

    def _unknown(self, fault: Fault) -> None:
        until_us = self._until_us(fault)
        network = self._world.network
        network.unknown_hosts.update(dict.fromkeys(fault.hosts, until_us))
        network.unknown_gates.update(dict.fromkeys(fault.services, until_us))
        if not fault.hosts and not fault.services:
            network.unknown_watches_us = until_us

    def _alert(self, fault: Fault) -> None:
        name = fault.target or "SomethingIsWrong"
        self._world.alerts.fire(name, fault.hosts)
        self._end(fault, lambda: self._world.alerts.cease(name, fault.hosts))

    def _answers_lost(self, fault: Fault) -> None:
        self._world.network.lossy.update(dict.fromkeys(fault.hosts, (self._until_us(fault), fault.chance)))

    def _power_unknown(self, fault: Fault) -> None:
        self._world.powers.unknown.update(fault.hosts)
        self._end(fault, lambda: self._world.powers.unknown.difference_update(fault.hosts))

    def _step_fails(self, fault: Fault) -> None:
        self._world.network.steps_fail.update(fault.hosts)
        self._end(fault, lambda: self._world.network.steps_fail.difference_update(fault.hosts))

    def _hook_fails(self, fault: Fault) -> None:
        name = fault.target or ""
        self._world.network.hooks_fail.add(name)
        self._end(fault, lambda: self._world.network.hooks_fail.discard(name))

    # --- the controller ----------------------------------------------------------------------------------------------

    def _foreign_claim(self, fault: Fault) -> None:
        for host in fault.hosts:
            self._world.network.claim(host, "another-run", FOR_EVER_S if fault.for_s is None else fault.for_s)

    def _lease_lost(self, fault: Fault) -> None:
        self._world.say(LeaseLost(at_s=0.0, why="another controller has taken the lease"))

    def _says(self, fault: Fault) -> None:
        self._world.say(Word(at_s=0.0, word=fault.word, by="script", target=fault.target))

    def _unseals(self, fault: Fault) -> None:
        for service in fault.services:
            self._site.unseal(service)

    def _clock_steps(self, fault: Fault) -> None:
        self._journal.stepped_s += fault.by_s

    def _controller_dies(self, fault: Fault) -> None:
        self.deaths.dying = True

    def _disk_full(self, fault: Fault) -> None:
        self._journal.full = True
        self._end(fault, self._make_room)

    def _make_room(self) -> None:
        self._journal.full = False

    # --- when --------------------------------------------------------------------------------------------------------

    def _until_us(self, fault: Fault) -> int:
        return self._agenda.now_us + micros(FOR_EVER_S if fault.for_s is None else fault.for_s)

    def _end(self, fault: Fault, act: Callable[[], None]) -> None:
        if fault.for_s is not None:
            self._agenda.after(fault.for_s, act)


KINDS: dict[str, Callable[[Faults, Fault], None]] = {
    "never_returns": Faults._never_returns,
    "returns_late": Faults._returns_late,
    "same_boot_id": Faults._same_boot_id,
    "ignores_reboot": Faults._ignores_reboot,
    "goes_down": Faults._goes_down,
    "someone_reboots": Faults._someone_reboots,
    "lies": Faults._lies,
    "flaps": Faults._flaps,
    "comes_back_corrupt": Faults._comes_back_corrupt,
    "loses_at_boot": Faults._loses_at_boot,
    "ssh_hangs": Faults._ssh_hangs,
    "unknown": Faults._unknown,
    "alert": Faults._alert,
    "answers_lost": Faults._answers_lost,
    "power_unknown": Faults._power_unknown,
    "step_fails": Faults._step_fails,
    "hook_fails": Faults._hook_fails,
    "foreign_claim": Faults._foreign_claim,
    "lease_lost": Faults._lease_lost,
    "says": Faults._says,
    "unseals": Faults._unseals,
    "clock_steps": Faults._clock_steps,
    "controller_dies": Faults._controller_dies,
    "disk_full": Faults._disk_full,
}
"""Every kind of fault, and how it strikes."""
