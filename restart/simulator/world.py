"""The simulated world: carries out the engine's requests on a fleet that does not exist, under a virtual clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from restart.errors import Bug
from restart.model.answer import (
    Answer,
    Booted,
    Checked,
    Claimed,
    HeldBy,
    NoAnswer,
    PowerSwitched,
    RebootDeclined,
    RebootTaken,
    Released,
    StepRan,
    StillUp,
    Units,
)
from restart.model.event import Answered, Event, Woke, Word
from restart.model.inventory import Inventory
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
from restart.model.world import Gate
from restart.simulator.alerts import Alerts
from restart.simulator.clock import Rank, micros, not_before
from restart.simulator.ledger import Ledger
from restart.simulator.network import Network
from restart.simulator.offs import Offs
from restart.simulator.physics.figures import Physics
from restart.simulator.physics.leaders import says
from restart.simulator.physics.site import Site
from restart.simulator.powers import PowerControls
from restart.simulator.promotions import Promotions
from restart.simulator.replies import Replies
from restart.simulator.spoken import Spoken
from restart.simulator.stand_ins import StandIns
from restart.simulator.standing import Standings
from restart.simulator.truth import Act, HostTruth

HORIZON_S = 30 * 86400.0
"""No run takes longer: one that is still going then makes no progress."""


class NoProgress(Exception):
    """The run would wait for ever, or has gone on past its horizon."""


@dataclass(slots=True)
class Waiter:
    """An `AwaitBoot` that has no answer yet; `began_us` when it reached the world, `away`: the host was seen away since."""

    request: AwaitBoot
    began_us: int
    away: bool = False
    done: bool = False


class SimulatedWorld:
    """A world (see `restart.model.world.World`) and the truth about it (see `restart.simulator.truth.Truth`)."""

    def __init__(
        self,
        inventory: Inventory,
        physics: Physics,
        *,
        gates: Mapping[str, Gate],
        seed: int = 0,
        run: str = "simulated",
        horizon_s: float = HORIZON_S,
    ) -> None:
        self.site = Site(inventory, physics, seed)
        self.network = Network(self.site)
        self.ledger = Ledger()
        self.powers = PowerControls(self.site)
        self.offs = Offs(self.site, self.network, self.powers)
        self.alerts = Alerts()
        self._stand_ins = StandIns(inventory, self.site.members)
        self._promotions = Promotions(inventory, self.site)
        self._inventory = inventory
        self._physics = physics
        self._run = run
        self._hop_us = micros(physics.latency_s / 2)
        self._horizon_us = micros(horizon_s)
        self._agenda = self.site.agenda
        self._fleet = self.site.fleet
        self._machines = self.site.machines
        self._events: deque[Event] = deque()
        self.spoken = Spoken()
        self._waiters: dict[str, list[Waiter]] = {}
        self._units: dict[tuple[str, str], int] = {}
        self._acts: list[Act] = []
        self._generation = 0
        self.replies = Replies(
            self._fleet,
            self.site.members,
            gates,
            uptime_s=self._machines.uptime_s,
            answers=self.network.answers,
            measure=self.site.measure,
            troubled=self.network.troubled,
            alerts=self.alerts,
            standings=Standings(self._fleet.services_of, self.site.members.running, self.site.ports, self.site.unkept),
        )
        self._fleet.woken.append(self._wake)

    # --- the truth ---------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """The run's clock."""
        return self._agenda.now_us / 1_000_000

    @property
    def hosts(self) -> Mapping[str, HostTruth]:
        """Every host as it really is."""
        return self._fleet.truth

    @property
    def acts(self) -> Sequence[Act]:
        """What has reached the world, in order."""
        return self._acts

    @property
    def changed(self) -> set[str]:
        """Hosts whose truth has changed since the reader last cleared it."""
        return self._fleet.changed

    # --- the world ---------------------------------------------------------------------------------------------------

    def begin(self, request: Request) -> None:
        """Send the request on its way."""
        generation = self._generation
        at_us = self._agenda.now_us + self._hop_us
        self._agenda.at(at_us, lambda: self._arrive(request, generation), Rank.ARRIVAL)

    def wait(self, until_s: float | None) -> Event:
        """The next event, or `Woke` at `until_s`. Raises `NoProgress` where nothing will ever come."""
        until_us = None if until_s is None else not_before(until_s)
        while not self._events:
            next_us = self._agenda.next_us()
            if next_us is None or (until_us is not None and next_us > until_us):
                if until_us is None:
                    raise NoProgress("the engine waits for nothing that will ever come")
                self._check_horizon(until_us)
                self._agenda.now_us = max(self._agenda.now_us, until_us)
                return Woke(at_s=self.now_s)
            self._check_horizon(next_us)
            self._agenda.step()
        return self._events.popleft()

    def say(self, event: Event) -> None:
        """An event that nobody asked for: an operator's word, a lost lease."""
        event = replace(event, at_s=self.now_s)
        if isinstance(event, Word):
            self.spoken.say(event)
        self._events.append(event)

    def let_pass(self, duration_s: float) -> None:
        """Time goes by while no controller runs."""
        until_us = self._agenda.now_us + micros(duration_s)
        while (next_us := self._agenda.next_us()) is not None and next_us <= until_us:
            self._agenda.step()
        self._agenda.now_us = until_us

    def revive(self) -> None:
        """Another controller comes: it hears what was said while none was there."""
        self._events = deque(self.spoken.again(self.now_s))

    def crash(self) -> None:
        """The controller dies: what was under way to a host arrives still, and no answer is ever heard."""
        self._generation += 1
        self._events.clear()
        self._waiters.clear()
        self.offs.forget()

    def _check_horizon(self, at_us: int) -> None:
        if at_us > self._horizon_us:
            raise NoProgress(f"no end within {self._horizon_us / 1e6:g}s")

    # --- requests ----------------------------------------------------------------------------------------------------

    def _arrive(self, request: Request, generation: int) -> None:
        if isinstance(request, AwaitBoot):
            if generation == self._generation:
                self._await(Waiter(request, self._agenda.now_us))
            return
        if isinstance(request, AwaitOff):
            if generation == self._generation:
                self.offs.wait(request, lambda answer: self._reply(request, answer, 0.0, generation))
            return
        if isinstance(request, ReadPower | SwitchPower):
            answer, delay_s = self._power(request, generation)
        else:
            answer, delay_s = self._carry_out(request)
        if self.network.loses(request):
            answer = NoAnswer(reason="dropped", detail="the answer was lost on its way")
        self._reply(request, answer, delay_s, generation)

    def _reply(self, request: Request, answer: Answer, delay_s: float, generation: int) -> None:
        def arrived() -> None:
            if generation == self._generation:
                self._events.append(
                    Answered(
                        at_s=self.now_s,
                        request=request.id,
                        answer=answer,
                        host=request.host,
                        service=getattr(request, "service", None),
                    )
                )

        at_us = self._agenda.now_us + (micros(delay_s + self._physics.latency_s / 2) if delay_s else self._hop_us)
        self._agenda.at(at_us, arrived, Rank.REPLY)

    def _carry_out(self, request: Request) -> tuple[Answer, float]:
        """The answer, and how long it takes beyond the way back."""
        if isinstance(request, TakeSlots | GiveSlots | KeepSlots):
            return self.ledger.answer(request), 0.0
        if isinstance(request, Ask):
            self._act("ask", request, request.host, accepted=True, detail=request.subject)
            return Checked(findings=self.replies.findings(request)), self.network.patience_s(request)
        if isinstance(request, RunHook):
            return self._hook(request)
        on = request.on if isinstance(request, RunStep) else request.host
        kind = _KINDS[type(request)]
        silent = self.network.answers(on)
        if silent is not None:
            self._act(kind, request, on, accepted=False, detail=silent.reason)
            wait_s = self._physics.silence_s if silent.reason != "refused" else 0.0
            return silent, wait_s
        match request:
            case Claim():
                answer = self._claim(request)
            case Release():
                answer = self._release(request)
            case RunStep():
                answer = self._step(request)
            case Reboot() | PowerOff():
                answer = self._reboot(request)
            case Read():
                answer = self._read(request)
            case ReadUnits():
                answer = Units(invocations={unit: self._invocation(request.host, unit) for unit in request.units})
            case RestartUnits():
                return self._restart_units(request)
            case _:
                raise Bug(f"a request that no world knows: {request}")
        declined = isinstance(answer, HeldBy | RebootDeclined) or (
            isinstance(answer, StepRan) and answer.exit_status != 0
        )
        self._act(kind, request, on, accepted=not declined, detail=_detail(request, answer))
        if isinstance(answer, RebootTaken):
            self._strike(request.host, off=isinstance(request, PowerOff))
        return answer, 0.0

    def _power(self, request: ReadPower | SwitchPower, generation: int) -> tuple[Answer, float]:
        """A power control answers whether or not its host does."""
        if isinstance(request, ReadPower):
            self._act("ask", request, request.host, accepted=True, detail="power")
            return self.powers.read(request), 0.0
        answer, took_s = self.powers.switch(request, lambda: generation == self._generation)
        self._act("power", request, request.host, accepted=isinstance(answer, PowerSwitched), detail=request.reset)
        return answer, took_s

    def _act(self, kind: str, request: Request, on: str | None, *, accepted: bool, detail: str = "") -> None:
        act = Act(
            at_s=self.now_s, kind=kind, host=request.host, on=on, request=request.id, accepted=accepted, detail=detail
        )
        self._acts.append(act)

    def _hook(self, request: RunHook) -> tuple[Answer, float]:
        """A hook's command, or its silence; what it says, and how long that takes."""
        told = f"{'undo' if request.undo else 'set'} {request.hook}"
        silent = None if request.host is None else self.network.answers(request.host)
        if silent is not None:
            self._act("hook", request, request.host, accepted=False, detail=told)
            return silent, self._physics.silence_s
        fails = self.network.hook_fails(request.hook)
        self._act("hook", request, request.host, accepted=not fails, detail=told)
        if fails:
            return StepRan(exit_status=1, output="the hook failed"), 0.0
        if request.silence is not None:
            self.alerts.silence(request.hook, () if request.undo else request.silence.matchers)
        return StepRan(exit_status=0), 0.0

    def _claim(self, request: Claim) -> Answer:
        truth = self._fleet.truth[request.host]
        held = self.network.foreign(request.host)
        if held is not None:
            return held
        truth.claimed_by = self._run
        self._fleet.changed.add(request.host)
        return Claimed(boot_id=truth.boot_id, uptime_s=self._machines.uptime_s(request.host))

    def _release(self, request: Release) -> Answer:
        truth = self._fleet.truth[request.host]
        if truth.claimed_by == self._run:
            truth.claimed_by = None
            self._fleet.changed.add(request.host)
        return Released()

    def _step(self, request: RunStep) -> Answer:
        if self.network.step_fails(request.host):
            return StepRan(exit_status=1, output="the step failed")
        if self._stand_ins.run(request.host, request.command) or self._stand_ins.run_seed(request.on, request.command):
            return StepRan(exit_status=0)
        if not request.undo:
            self._promotions.ran(request.host, request.command)
        self._fleet.truth[request.host].drained = not request.undo
        self._fleet.changed.add(request.host)
        return StepRan(exit_status=0)

    def _read(self, request: Read) -> Answer:
        if request.about == "seed":
            written = self._fleet.groups[request.service].figures.writes.get(request.host)
            return (
                StepRan(exit_status=1, output="nothing written")
                if written is None
                else StepRan(exit_status=0, output=f"{written}")
            )
        role = self._inventory.services[request.service].role
        if request.about != "role" or role is None:
            return StepRan(exit_status=127, output=f"{request.about}: nothing answers that here")
        said = says(role, leads=self.site.leaders.leads(request.service, request.host))
        return StepRan(exit_status=1, output="no words for it") if said is None else StepRan(exit_status=0, output=said)

    def _reboot(self, request: Reboot | PowerOff) -> Answer:
        truth, uptime_s = self._fleet.truth[request.host], self._machines.uptime_s(request.host)
        if truth.boot_id != request.boot_id:
            return RebootDeclined(reason="boot-id", boot_id=truth.boot_id, detail="it has booted since")
        if uptime_s >= request.not_after_uptime_s:
            return RebootDeclined(reason="too-late", boot_id=truth.boot_id, detail=f"the uptime is {uptime_s:.2f} s")
        held = self.network.foreign(request.host)
        if held is not None:
            return RebootDeclined(
                reason="claim", boot_id=truth.boot_id, detail=f"claimed by {held.user}@{held.controller}"
            )
        return RebootTaken()

    def _strike(self, host: str, *, off: bool) -> None:
        """The reboot or power-off that the host has taken happens, save where a fault lets it come to nothing."""
        truth = self._fleet.truth[host]
        truth.restarts_by_us += 1
        if not off:
            self._promotions.restarted(host)
        if self.network.ignores_reboot(host):
            return
        truth.ours_down = True

        def strike() -> None:
            (self._machines.power_off if off else self._machines.reboot)(host)

        if self._physics.strikes_after_s:
            self._agenda.after(self._physics.strikes_after_s, strike)
        else:
            strike()

    def _invocation(self, host: str, unit: str) -> str:
        truth = self._fleet.truth[host]
        count = self._units.get((host, unit), 0)
        return f"{abs(truth.boots):016x}{count:016x}"

    def _restart_units(self, request: RestartUnits) -> tuple[Answer, float]:
        host = request.host
        due = [
            unit
            for unit, was in zip(request.units, request.invocations, strict=True)
            if self._invocation(host, unit) == was
        ]
        for unit in due:
            self._units[host, unit] = self._units.get((host, unit), 0) + 1
        self._act("units", request, host, accepted=bool(due), detail=", ".join(due))
        took_s = 0.0
        if due:
            truth = self._fleet.truth[host]
            truth.ours_down, truth.restarts_by_us = True, truth.restarts_by_us + 1
            self.site.restart_units(host)
            took_s = max(
                (self._fleet.groups[name].figures.restart_s for name in self._fleet.services_of[host]), default=0.0
            )
        units = Units(invocations={unit: self._invocation(host, unit) for unit in request.units})
        return units, min(took_s, request.within_s)

    # --- waiting for a boot ------------------------------------------------------------------------------------------

    def _await(self, waiter: Waiter) -> None:
        self._waiters.setdefault(waiter.request.host, []).append(waiter)
        began_us, request = waiter.began_us, waiter.request
        for within_s in sorted({request.down_within_s, request.back_within_s}):
            self._agenda.at(began_us + micros(within_s) + 1, lambda: self._look(waiter, timed=True), Rank.TIMEOUT)
        self._look(waiter, timed=False)

    def _wake(self, host: str) -> None:
        self.offs.wake(host)
        for waiter in tuple(self._waiters.get(host, ())):
            self._look(waiter, timed=False)

    def _look(self, waiter: Waiter, *, timed: bool) -> None:
        request = waiter.request
        waiting = self._waiters.get(request.host, [])
        if waiter.done or waiter not in waiting:
            return
        silent = self.network.answers(request.host)
        truth = self._fleet.truth[request.host]
        took_us = self._agenda.now_us - waiter.began_us
        answer: Answer | None = None
        if silent is not None:
            waiter.away = waiter.away or not truth.up
            if timed and took_us > micros(request.back_within_s):
                answer = NoAnswer(
                    reason="timeout", detail=f"no boot within {request.back_within_s:g}s: {silent.reason}"
                )
        elif truth.boot_id != request.boot_id:
            uptime_s = self._machines.uptime_s(request.host)
            answer = Booted(boot_id=truth.boot_id, uptime_s=uptime_s, took_s=took_us / 1_000_000)
        elif timed and took_us > micros(request.back_within_s if waiter.away else request.down_within_s):
            answer = StillUp(boot_id=truth.boot_id, uptime_s=self._machines.uptime_s(request.host))
        if answer is not None:
            waiter.done = True
            waiting.remove(waiter)
            self._reply(request, answer, 0.0, self._generation)


_KINDS: Mapping[type, str] = {
    Claim: "claim",
    Release: "release",
    RunStep: "step",
    Reboot: "reboot",
    PowerOff: "off",
    Read: "ask",
    ReadUnits: "ask",
    RestartUnits: "units",
}


def _detail(request: Request, answer: Answer) -> str:
    if isinstance(request, RunStep):
        return request.command
    if isinstance(answer, HeldBy):
        return f"held by {answer.user}@{answer.controller}"
    return answer.reason if isinstance(answer, RebootDeclined) else ""
