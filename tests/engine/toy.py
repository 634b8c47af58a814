"""A toy world for engine tests: a virtual clock, hosts that boot, checks that tell the truth, and faults to order.

It knows nothing of the engine. `Toy.judge` restates, from the true state of its hosts, what must hold at every reboot.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from restart.engine import ENGINE_VERSION, Engine, Stages, begin
from restart.model.answer import (
    Answer,
    Booted,
    Checked,
    Claimed,
    HeldBy,
    NoAnswer,
    PowerState,
    PowerSwitched,
    RebootDeclined,
    RebootTaken,
    Released,
    StepRan,
    StillUp,
    Units,
    WentOff,
)
from restart.model.check import Finding, Verdict
from restart.model.event import Answered, Event, Fact, Resumed, Started, Woke, Word
from restart.model.inventory import Amount, Dependency, Expect, Host, Inventory, Limit, Policy, Service
from restart.model.plan import Estimate, Move, Plan, Wave
from restart.model.playbook import Playbook, Rung
from restart.model.request import (
    Ask,
    AwaitBoot,
    AwaitOff,
    Claim,
    GiveSlots,
    KeepSlots,
    PowerOff,
    Read,
    ReadPower,
    ReadUnits,
    Reboot,
    Release,
    Request,
    RestartUnits,
    RunHook,
    RunStep,
    SwitchPower,
    TakeSlots,
)
from restart.simulator.ledger import Ledger

LATE = Ask | Read | Claim | Reboot | AwaitBoot | PowerOff | AwaitOff | ReadPower | SwitchPower
"""Requests that are answered by the state of things when they arrive."""

REBOOT = Playbook(name="reboot", restart=(Rung(kind="reboot"),))


@dataclass
class ToyHost:
    """One host: since when it is up or down, how many boots, and what is wrong with it."""

    boots: int = 1
    down_since_s: float | None = None
    lost_s: float = -1000.0
    up_at_s: float | None = None
    uptime_from_s: float = -1000.0
    boot_s: float = 20.0
    warm_s: float = 0.0
    sick: bool = False
    fault: str = ""
    claim: HeldBy | None = None
    drained: bool = False
    reboots: int = 0
    offs: int = 0
    unit_starts: int = 1
    ours: bool = False
    cured_by_units: bool = True
    power: str = "on"
    switches: list[str] = field(default_factory=list)


@dataclass
class Toy:
    """The fleet, its clock, and the record of what was done to it."""

    inventory: Inventory
    hosts: dict[str, ToyHost] = field(default_factory=dict)
    now_s: float = 0.0
    latency_s: float = 0.1
    roles: Callable[[Toy, str], Answer] = lambda toy, host: StepRan(exit_status=0, output="follower")
    steps: dict[str, int] = field(default_factory=dict)
    gates: dict[str, Verdict] = field(default_factory=dict)
    gate_passes: dict[str, list[float]] = field(default_factory=dict)
    watch: Verdict = Verdict.PASS
    script: list[tuple[float, Callable[[Toy], None]]] = field(default_factory=list)
    words: list[tuple[float, Word]] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    staying: set[str] = field(default_factory=set)
    ran: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    utc: str = ""
    """What the controller's clock says when a process begins; empty: nobody asked it."""
    read: list[str] = field(default_factory=list)
    lose: Callable[[Request], bool] = lambda request: False
    delay: Callable[[Request], float] = lambda request: 0.0
    unanswered: Callable[[Request], bool] = lambda request: False

    def __post_init__(self) -> None:
        for name in self.inventory.hosts:
            self.hosts.setdefault(name, ToyHost())
        self._queue: list[tuple[float, int, Event]] = []
        self._count = itertools.count()

    # --- the true state ---

    def settle(self, host: ToyHost) -> None:
        if host.up_at_s is not None and host.up_at_s <= self.now_s:
            host.boots += host.fault != "same_boot_id"
            host.uptime_from_s = host.up_at_s
            host.down_since_s = host.up_at_s = None
            host.claim = None

    def up(self, name: str) -> bool:
        host = self.hosts[name]
        self.settle(host)
        return host.down_since_s is None

    def ready(self, name: str) -> bool:
        host = self.hosts[name]
        return self.up(name) and not host.sick and self.now_s >= host.uptime_from_s + host.warm_s

    def boot_id(self, name: str) -> str:
        return f"{name}#{self.hosts[name].boots}"

    def uptime_s(self, name: str) -> float:
        return self.now_s - self.hosts[name].uptime_from_s

    def go_down(self, name: str, *, ours: bool = False) -> None:
        """The host goes down, by whatever cause."""
        host = self.hosts[name]
        host.ours = ours
        host.lost_s = host.down_since_s = self.now_s
        host.up_at_s = None if host.fault in ("never_returns", "dead") else self.now_s + host.boot_s

    def turn_gate(self, service: str, verdict: Verdict) -> None:
        """The gate of `service` answers `verdict` from now on."""
        self.gates[service] = verdict

    def gate_passed_within(self, service: str, at_s: float, within_s: float) -> bool:
        """Whether the gate answered PASS in the `within_s` before `at_s`, or a sick member excuses its FAIL."""
        sick = any(self.hosts[name].sick for name in self.inventory.services[service].hosts)
        return sick or any(at_s - within_s <= seen_s <= at_s for seen_s in self.gate_passes.get(service, ()))

    def known_bad(self, name: str) -> bool:
        """Not ready for longer than readiness may be old: no run could help not knowing (35 s: 30 s and the way there)."""
        host = self.hosts[name]
        return not self.ready(name) and (host.ours or self.now_s - host.lost_s > 35.0)

    def judge(self, name: str) -> None:
        """A reboot of `name` was asked for and is about to happen: is it safe by the true state of everything else?"""
        for service in self.inventory.services.values():
            if name not in service.hosts:
                continue
            size = len(service.hosts)
            bad = sum(self.known_bad(other) for other in service.hosts if other != name) + 1
            allowed = 1
            if service.min_available is not None and service.min_available.quorum:
                allowed = size - (size // 2 + 1)
            elif service.max_unavailable is not None and service.max_unavailable.number is not None:
                allowed = service.max_unavailable.number
            if bad > allowed and self.ready(name):
                self.trouble.append(f"{self.now_s:.1f}: {name} takes {service.name} to {bad} down, {allowed} allowed")
            for edge in service.depends_on:
                self.judge_edge(name, service, edge, allowed)
        for limit in self.inventory.limits.values():
            through = self.up if limit.held_until == "booted" else self.ready
            moving = [other for other, host in self.hosts.items() if host.ours and not through(other)]
            label = limit.per or ""
            mine = self.inventory.hosts[name].labels.get(label)
            among = [other for other in moving if not label or self.inventory.hosts[other].labels.get(label) == mine]
            if limit.max_in_flight is not None and (mine or not label) and len(among) + 1 > limit.max_in_flight:
                self.trouble.append(f"{self.now_s:.1f}: {name} is one too many for {limit.name}: {among}")

    def judge_edge(self, name: str, service: Service, edge: Dependency, allowed: int) -> None:
        provider = self.inventory.services[edge.provider]
        if edge.kind != "requires" or name in provider.hosts:
            return
        size = len(provider.hosts)
        needed = edge.needs
        if needed is None and provider.min_available is not None and provider.min_available.quorum:
            needed = size // 2 + 1
        elif needed is None and provider.max_unavailable is not None and provider.max_unavailable.number is not None:
            needed = max(1, size - provider.max_unavailable.number)
        elif needed is None:
            needed = max(1, size - 1)
        ready = sum(not self.known_bad(other) for other in provider.hosts)
        if ready < needed:
            self.trouble.append(
                f"{self.now_s:.1f}: {name} of {service.name} with {ready} of {provider.name} ready, {needed} needed"
            )

    # --- the world ---

    def begin(self, request: Request) -> None:
        if self.lose(request):
            return
        delay_s, answer = self.carry_out(request)
        host, service = getattr(request, "host", None), getattr(request, "service", None)
        event = Answered(at_s=0.0, request=request.id, answer=answer, host=host, service=service)
        delay_s += self.delay(request)
        heapq.heappush(self._queue, (self.now_s + delay_s, next(self._count), event))

    def wait(self, until_s: float | None) -> Event:
        while True:
            times = [at_s for at_s, _ in self.script[:1]] + [at_s for at_s, _ in self.words[:1]]
            if self._queue:
                times.append(self._queue[0][0])
            if until_s is not None:
                times.append(until_s)
            assert times, "the engine waits for nothing: it would wait for ever"
            self.now_s = max(self.now_s, min(times))
            if self.script and self.script[0][0] <= self.now_s:
                self.script.pop(0)[1](self)
                continue
            if self.words and self.words[0][0] <= self.now_s:
                return replace(self.words.pop(0)[1], at_s=self.now_s)
            if self._queue and self._queue[0][0] <= self.now_s:
                event = heapq.heappop(self._queue)[2]
                if isinstance(event.answer, LATE):  # carried out on arrival
                    event = replace(event, answer=self.late(event.answer))
                return replace(event, at_s=self.now_s)
            return Woke(at_s=self.now_s)

    def crash(self, carried_out: Callable[[Request], bool] = lambda request: True) -> None:
        """The controller dies: answers on their way are lost; what was begun has happened, or not, as `carried_out` says."""
        for _, _, event in sorted(self._queue, key=lambda entry: entry[:2]):
            if isinstance(event.answer, Reboot | PowerOff | SwitchPower) and carried_out(event.answer):
                self.late(event.answer)
        self._queue.clear()

    def carry_out(self, request: Request) -> tuple[float, object]:
        """Delay and answer; what depends on the state at its arrival is answered by `late`."""
        match request:
            case TakeSlots() | GiveSlots() | KeepSlots():
                return self.latency_s, self.ledger.answer(request)
            case Ask() | Read() | Claim() | Reboot() | PowerOff() | ReadPower() | SwitchPower():
                return self.latency_s, request
            case AwaitOff():
                return self.await_off(request)
            case AwaitBoot():
                return self.await_boot(request)
            case Release():
                if self.up(request.host):
                    self.hosts[request.host].claim = None
                return self.latency_s, Released()
            case RunStep() if request.on in self.hosts and not self.up(request.on):
                return self.latency_s, NoAnswer(reason="unreachable")
            case RunStep():
                self.ran.append(request.command)
                self.hosts[request.host].drained = not request.undo
                return self.latency_s, StepRan(exit_status=self.steps.get(request.command, 0))
            case RunHook():
                self.ran.append(f"{'undo' if request.undo else 'set'} {request.hook}")
                failed = self.steps.get(f"{'undo' if request.undo else 'set'} {request.hook}", 0)
                return self.latency_s, StepRan(exit_status=failed, output="hook")
            case ReadUnits():
                return self.latency_s, self.units(request)
            case RestartUnits():
                if self.hosts[request.host].cured_by_units:
                    self.hosts[request.host].sick = False
                if all(f"i{self.hosts[request.host].unit_starts}" == was for was in request.invocations):
                    self.hosts[request.host].unit_starts += 1
                return self.latency_s, self.units(request)
        raise AssertionError(request)

    def units(self, request: ReadUnits | RestartUnits) -> Units:
        return Units(invocations=dict.fromkeys(request.units, f"i{self.hosts[request.host].unit_starts}"))

    def late(self, request: object) -> Answer:
        if isinstance(request, Reboot | PowerOff) and self.unanswered(request):
            return NoAnswer(reason="timeout")
        match request:
            case Ask(subject="watch"):
                return Checked(findings=tuple(Finding(verdict=self.watch, evidence="watch") for _ in request.checks))
            case Ask(subject="gate"):
                verdict = self.gates.get(request.service or "", Verdict.PASS)
                if verdict is Verdict.PASS:
                    self.gate_passes.setdefault(request.service or "", []).append(self.now_s)
                return Checked(findings=tuple(Finding(verdict=verdict, evidence="gate") for _ in request.checks))
            case Ask():
                name = request.host or ""
                if not self.up(name):
                    return NoAnswer(reason="unreachable")
                verdict = Verdict.PASS if self.ready(name) else Verdict.FAIL
                return Checked(findings=tuple(Finding(verdict=verdict, evidence="toy") for _ in request.checks))
            case Claim():
                if not self.up(request.host):
                    return NoAnswer(reason="unreachable")
                claim = self.hosts[request.host].claim
                return claim or Claimed(boot_id=self.boot_id(request.host), uptime_s=self.uptime_s(request.host))
            case Reboot():
                return self.reboot(request)
            case PowerOff():
                return self.power_off(request)
            case AwaitOff():
                return self.awaited_off(request)
            case AwaitBoot():
                return self.awaited(request)
            case Read():
                self.read.append(request.host)
                return self.roles(self, request.host) if self.up(request.host) else NoAnswer(reason="unreachable")
            case ReadPower():
                return PowerState(state=self.hosts[request.host].power)
            case SwitchPower():
                return self.switch(request)
        raise AssertionError(request)

    def reboot(self, request: Reboot) -> Answer:
        name = request.host
        host = self.hosts[name]
        if not self.up(name):
            return NoAnswer(reason="unreachable")
        if host.fault == "no_privilege":
            return RebootDeclined(reason="privilege")
        if self.boot_id(name) != request.boot_id:
            return RebootDeclined(reason="boot-id", boot_id=self.boot_id(name))
        if self.uptime_s(name) > request.not_after_uptime_s:
            return RebootDeclined(reason="too-late")
        if host.fault != "ignores":
            self.judge(name)
            host.reboots += 1
            self.go_down(name, ours=True)
        return RebootTaken()

    def switch(self, request: SwitchPower) -> Answer:
        """Power is switched; a host that does not return from a reboot does from this, unless it is `dead`."""
        host = self.hosts[request.host]
        host.switches.append(request.reset)
        if self.unanswered(request):
            return NoAnswer(reason="timeout")
        if request.reset == "off":
            self.go_off(request.host)
            return PowerSwitched()
        if request.reset != "on" or host.power == "off":
            self.judge(request.host)
            fault, host.fault = host.fault, "never_returns" if host.fault == "dead" else ""
            self.go_down(request.host, ours=True)
            host.fault, host.power = fault, "on"
        return PowerSwitched()

    def go_off(self, name: str) -> None:
        """The host goes off, and stays so."""
        self.go_down(name, ours=True)
        self.hosts[name].up_at_s, self.hosts[name].power = None, "off"

    def power_off(self, request: PowerOff) -> Answer:
        """Compare-and-poweroff: it goes off `off_s` later, unless a fault keeps it."""
        host = self.hosts[request.host]
        if not self.up(request.host):
            return NoAnswer(reason="unreachable")
        if host.fault == "no_privilege":
            return RebootDeclined(reason="privilege")
        if self.boot_id(request.host) != request.boot_id:
            return RebootDeclined(reason="boot-id", boot_id=self.boot_id(request.host))
        if self.uptime_s(request.host) > request.not_after_uptime_s:
            return RebootDeclined(reason="too-late")
        if host.fault == "ignores":
            return RebootTaken()
        host.offs += 1
        self.judge_off(request.host)
        self.go_off(request.host)
        return RebootTaken()

    def judge_off(self, name: str) -> None:
        """Is every consumer of its services off that goes off at all (here: all of them), by the true state?"""
        mine = [service.name for service in self.inventory.services.values() if name in service.hosts]
        for consumer in self.inventory.services.values():
            for edge in consumer.depends_on:
                on = [host for host in consumer.hosts if host != name and self.hosts[host].power == "on"]
                if edge.provider in mine and on and not set(on) & self.staying:
                    self.trouble.append(f"{self.now_s:.1f}: {name} of {edge.provider} goes off before {on}")

    def await_off(self, request: AwaitOff) -> tuple[float, object]:
        return (self.latency_s if self.hosts[request.host].power == "off" else request.within_s), request

    def awaited_off(self, request: AwaitOff) -> Answer:
        if self.hosts[request.host].power == "off":
            return WentOff(how="the toy says so")
        if not self.up(request.host):
            return NoAnswer(reason="timeout", detail="silent, and its power is on")
        return StillUp(boot_id=self.boot_id(request.host), uptime_s=self.uptime_s(request.host))

    def await_boot(self, request: AwaitBoot) -> tuple[float, object]:
        host = self.hosts[request.host]
        if not self.up(request.host):
            back_s = request.back_within_s if host.up_at_s is None else host.up_at_s - self.now_s + self.latency_s
            return min(back_s, request.back_within_s), request
        if self.boot_id(request.host) != request.boot_id:
            return self.latency_s, request
        return request.down_within_s, request

    def awaited(self, request: AwaitBoot) -> Answer:
        name = request.host
        if not self.up(name):
            return NoAnswer(reason="timeout", detail="silent")
        if self.boot_id(name) == request.boot_id:
            return StillUp(boot_id=request.boot_id, uptime_s=self.uptime_s(name))
        return Booted(boot_id=self.boot_id(name), uptime_s=self.uptime_s(name))


@dataclass
class Played:
    """One run in memory: the engine at its end, every event it heard, every fact it told."""

    engine: Engine | Stages
    toy: Toy
    events: list[Event]
    facts: list[Fact]

    @property
    def exit_code(self) -> int:
        assert self.engine.outcome is not None
        return self.engine.outcome.exit_code

    def told(self, name: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.fact == name]

    def reboots(self) -> dict[str, int]:
        return {name: host.reboots for name, host in self.toy.hosts.items()}


def play(
    plan: Plan, toy: Toy, *, until_wave: int | None = None, die_after: int | None = None, events_max: int = 50_000
) -> Played:
    """Drive a run to its outcome; with `die_after` the controller dies after that many events and is resumed."""
    played = Played(begin(plan), toy, [], [])
    drive_on(played, until_wave=until_wave, die_after=die_after, events_max=events_max)
    if die_after is not None and played.engine.outcome is None:
        resumed(played, events_max=events_max)
    return played


def resumed(
    played: Played,
    *,
    crash: bool = True,
    carried_out: Callable[[Request], bool] = lambda request: True,
    die_after: int | None = None,
    events_max: int = 50_000,
) -> None:
    """The controller dies (where `crash`) and the run is resumed by a fresh engine."""
    if crash:
        played.toy.crash(carried_out)
    played.engine = replayed(played.engine.plan, played.events)
    at_s = max(played.toy.now_s, played.events[-1].at_s)
    first = Resumed(at_s=at_s, engine=ENGINE_VERSION, utc=played.toy.utc)
    _drive(played, first, die_after, events_max)


def drive_on(
    played: Played,
    *,
    until: Callable[[], bool] = lambda: False,
    more: int = 0,
    until_wave: int | None = None,
    die_after: int | None = None,
    events_max: int = 50_000,
) -> None:
    """Begin or go on, to the outcome or to `more` events after `until` holds."""
    if played.events:
        first = played.toy.wait(played.engine.deadline)
    else:
        first = Started(
            at_s=played.toy.now_s, engine=ENGINE_VERSION, run="toy", plan_digest="", until_wave=until_wave,
            utc=played.toy.utc,
        )  # fmt: skip
    _drive(played, first, die_after, events_max, until, more)


def replayed(plan: Plan, events: list[Event]) -> Engine | Stages:
    engine = begin(plan)
    for event in events:
        engine.handle(event)
    return engine


def _drive(
    played: Played,
    first: Event,
    die_after: int | None,
    events_max: int,
    until: Callable[[], bool] = lambda: False,
    more: int = 0,
) -> None:
    event = first
    for _ in range(events_max):
        played.events.append(event)
        requests = played.engine.handle(event)
        if die_after is not None and len(played.events) >= die_after:
            return  # between the event on disk and its consequences
        played.facts.extend(played.engine.facts)
        for request in requests:
            played.toy.begin(request)
        if played.engine.outcome is not None:
            return
        if until():
            more -= 1
            if more < 0:
                return
        event = played.toy.wait(played.engine.deadline)
    raise AssertionError(
        f"no outcome after {events_max} events; last facts {[fact.fact for fact in played.facts[-5:]]}"
    )


# --- small fleets and plans by hand -----------------------------------------------------------------------------------


def fleet(*services: Service, hosts: Mapping[str, Mapping[str, str]] | None = None, **given: object) -> Inventory:
    """An inventory of these services; their hosts are made as they are named."""
    labels = hosts or {}
    names = dict.fromkeys([*labels, *(host for service in services for host in service.hosts)])
    made = {name: Host(name=name, address="127.0.0.1", labels=labels.get(name, {})) for name in names}
    given.setdefault("playbooks", {"reboot": REBOOT})
    return Inventory(
        fleet="toy",
        hosts=made,
        services={service.name: service for service in services},
        expect=Expect(boot_s=20.0),
        **given,  # type: ignore[arg-type]
    )


def plan_of(inventory: Inventory, *waves: str, canaries: str = "") -> Plan:
    """A plan whose waves are given as `"a b c"`; `canaries` names the hosts that lead."""
    made = []
    for number, names in enumerate(waves, 1):
        moves = tuple(
            Move(
                host=host,
                services=tuple(s.name for s in inventory.services.values() if host in s.hosts),
                playbook=inventory.hosts[host].playbook or inventory.playbook,
                canary=host in canaries.split(),
            )
            for host in names.split()
        )
        gates = tuple(
            s.name for s in inventory.services.values() if s.gate and any(s.name in move.services for move in moves)
        )
        made.append(Wave(number=number, why="by hand", moves=moves, gates=gates))
    return Plan(
        fleet="toy",
        mode="rolling",
        inventory=inventory,
        inventory_digest="",
        selection=tuple(inventory.hosts),
        waves=tuple(made),
        impact=(),
        estimate=Estimate(makespan_s=600.0, lower_bound_s=60.0),
    )


def fixed(**given: object) -> Policy:
    """A policy without canaries and slow start."""
    return Policy(pace="fixed", canaries=0, **given)  # type: ignore[arg-type]


__all__ = ["Amount", "Counter", "Dependency", "Limit", "Played", "Toy", "ToyHost", "fixed", "fleet", "plan_of", "play"]
