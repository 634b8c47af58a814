"""Restarting without a plan: all at once, in batches of a fixed size, or one by one behind a gate that sees too little."""

from __future__ import annotations

from restart.model.simulation import Result
from restart.rules.durations import spoken
from restart.simulator.clock import Rank, micros
from restart.simulator.faults import Faults
from restart.simulator.journal import MemoryJournal
from restart.simulator.physics.boot import State
from restart.simulator.physics.site import Site
from restart.simulator.scenario import Naive, Scenario
from restart.simulator.score import availability, score
from restart.simulator.world import SimulatedWorld

BY_PEOPLE = frozenset({"says", "unseals"})
"""What people do beside a planned run; here there is none that they could follow."""

_DONE = {"reboot": "restarted", "start": "started", "stop": "stopped"}
_SHOWN = {"port": "a port is open", "ready": "a check passes"}


def in_words(how: Naive) -> str:
    """What is done without a plan: `restarted all at once`, `restarted 1 at a time, the next once a port is open`."""
    done = _DONE[how.act]
    if how.batch is None:
        return f"{done} all at once"
    if how.wait_for is None:
        return f"{done} {how.batch} at a time, every {spoken(how.every_s)}"
    return f"{done} {how.batch} at a time, the next once {_SHOWN[how.wait_for]}"


def naive(scenario: Scenario, seed: int | None = None) -> Result:
    """What comes of the scenario's naive way. It ends when nothing more will happen, or at the scenario's horizon."""
    must_be = scenario.naive or Naive(act="reboot", hosts=tuple(scenario.inventory.hosts))
    seed = scenario.seed if seed is None else seed
    world = SimulatedWorld(scenario.inventory, scenario.physics, gates={}, seed=seed)
    Faults(world, MemoryJournal(), [fault for fault in scenario.faults if fault.kind not in BY_PEOPLE], seed)
    site = world.site
    _Rollout(site, must_be).begin()
    horizon_us = micros(scenario.horizon_s)
    last_us = 0
    while (next_us := site.agenda.next_us()) is not None and next_us <= horizon_us:
        site.agenda.step()
        last_us = site.agenda.now_us
    end_s = (horizon_us if next_us is not None else last_us) / 1_000_000
    return Result(
        name=scenario.name,
        seed=seed,
        side="naive",
        outcome=None,
        duration_s=end_s,
        score=score(site, must_be.hosts, scenario.horizon_s),
        availability=availability(site),
        members={name: len(group.hosts) for name, group in site.fleet.groups.items()},
        happenings=tuple(
            (found.at_s, f"{found.what} {found.where}: {found.detail}") for found in site.fleet.happenings
        ),
    )


class _Rollout:
    """Batch after batch."""

    def __init__(self, site: Site, plan: Naive) -> None:
        self._site = site
        self._plan = plan
        size = plan.batch or len(plan.hosts)
        self._batches = [plan.hosts[first : first + size] for first in range(0, len(plan.hosts), size)]
        self._current: tuple[str, ...] = ()
        self._since_us = 0
        if plan.wait_for is not None:
            site.fleet.woken.append(lambda host: self._look() if host in self._current else None)

    def begin(self) -> None:
        """The first batch, and whatever is to be done again later."""
        for at_s, hosts in self._plan.again:
            self._site.agenda.at(micros(at_s), lambda hosts=hosts: self._again(hosts), Rank.ARRIVAL)  # type: ignore[misc]
        self._site.agenda.at(0, self._next, Rank.ARRIVAL)

    def _next(self) -> None:
        if not self._batches:
            return
        self._current = self._batches.pop(0)
        self._since_us = self._site.agenda.now_us
        for host in self._current:
            self._act(host)
        if self._plan.wait_for is None:
            if self._batches:
                self._site.agenda.after(self._plan.every_s, self._next, Rank.ARRIVAL)
            return
        batch, patience_us = self._current, micros(self._plan.patience_s)
        self._site.agenda.at(self._since_us + patience_us, lambda: self._give_up(batch), Rank.TIMEOUT)
        self._look()

    def _give_up(self, batch: tuple[str, ...]) -> None:
        """Patience is over: the rollout ends where it is."""
        if self._current == batch:
            self._current = ()
            self._batches.clear()
            self._site.fleet.tell("gave_up", batch[0], f"not {self._plan.wait_for} within {self._plan.patience_s:g}s")

    def _look(self) -> None:
        """Every host of the batch shows what is waited for: on to the next."""
        if self._current and all(self._shows(host) for host in self._current):
            self._current = ()
            self._site.agenda.at(self._site.agenda.now_us, self._next, Rank.ARRIVAL)

    def _shows(self, host: str) -> bool:
        truth = self._site.fleet.truth[host]
        if self._plan.wait_for == "ready":
            return truth.up and all(truth.ready.values())
        services = self._site.fleet.services_of[host]
        return truth.up and all(self._site.members.running(service, host) for service in services)

    def _act(self, host: str) -> None:
        machines = self._site.machines
        if self._plan.act == "stop":
            machines.power_off(host)
        elif machines.all[host].state is State.UP:
            if self._plan.act == "reboot":
                machines.reboot(host)
        else:
            machines.power_on(host)

    def _again(self, hosts: tuple[str, ...] | None) -> None:
        """Once more: on those named, or on every host that does not function."""
        truth = self._site.fleet.truth
        whom = hosts
        if whom is None:
            whom = tuple(name for name in truth if not truth[name].up or not all(truth[name].ready.values()))
        for host in whom:
            if self._site.machines.all[host].state is State.UP:
                self._site.machines.reboot(host)
            else:
                self._site.machines.power_on(host)
