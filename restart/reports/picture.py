"""The state that the views draw: a pure fold of a run's facts. Shared by the live view, `status` and the summary.

It reads no clock: the time is that of the last fact, unless a view says what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from restart.engine import facts as names
from restart.model.check import Verdict
from restart.model.event import Fact
from restart.model.plan import Plan
from restart.reports.drifted import Difference
from restart.rules.named import covers

WAITING, DONE, QUARANTINED, SKIPPED, IN_DOUBT = "waiting", "done", "quarantined", "skipped", "in doubt"
UNTOUCHED, NOT_REBOOTED = "untouched", "not rebooted"
ENDED = frozenset({DONE, QUARANTINED, SKIPPED, UNTOUCHED, NOT_REBOOTED})
NOT_WELL = ENDED - {DONE}

_PHASES = {
    names.MOVE_STARTED: "starting",
    names.CLAIMED: "claimed",
    names.DRAINING: "draining",
    names.REBOOTING: "restarting",
    names.RUNG_FAILED: "did not come back",
    names.RETURNED: "back by itself, not proved well",
    names.BOOTED: "up, not ready",
    names.OFF: "off",
    names.SOAKING: "ready, holding",
    names.UNDRAINING: "undraining",
    names.MOVE_DONE: DONE,
    names.QUARANTINED: QUARANTINED,
    names.UNTOUCHED: UNTOUCHED,
    names.NOT_REBOOTED: NOT_REBOOTED,
    names.SKIPPED: SKIPPED,
    names.IN_DOUBT: IN_DOUBT,
}

_RESOLVED = {"done": "ready, holding", "retry": WAITING, "skip": SKIPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPicture:
    """One move. Times are run seconds, None: not yet. `down_s`: from the request to restart until the host answered again."""

    host: str
    services: tuple[str, ...]
    wave: int
    planned_finish_s: float
    phase: str = WAITING
    since_s: float = 0.0
    started_s: float | None = None
    ended_s: float | None = None
    rung: str = ""
    rungs_tried: int = 0
    rung_s: float | None = None
    boot_before: str | None = None
    boot_after: str | None = None
    down_s: float | None = None
    why: str = ""

    @property
    def in_flight(self) -> bool:
        """From the first act until the checks have held or the host was given up."""
        return self.started_s is not None and self.phase != WAITING and self.phase not in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePicture:
    """One service. `available` is None until the engine has said; `budget`: members that must be available, None: not stated."""

    service: str
    of: int
    budget: int | None
    available: int | None = None
    lowest: int | None = None
    gate: Verdict | None = None
    gate_evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WavePicture:
    """One wave: `waiting`, `running` or `done`; `ended` counts its moves that are over, `bad` those quarantined or skipped."""

    number: int
    moves: int
    state: str = "waiting"
    ended: int = 0
    bad: int = 0
    started_s: float | None = None
    ended_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPicture:
    """Why nothing could start for `subject` (a host, `wave 3` or `the run`), from when until when (None: still), and the way out."""

    subject: str
    why: str
    rule: str
    way_out: str
    since_s: float
    until_s: float | None = None

    def reason(self) -> str:
        """Why, with the rule."""
        return f"{self.why} [{self.rule}]" if self.rule else self.why

    def told(self) -> str:
        """The reason with its way out."""
        return f"{self.reason()} ({self.way_out})" if self.way_out else self.reason()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePicture:
    """A gate or watch that was asked and settled; `service` is None for a watch."""

    service: str | None
    verdict: Verdict
    evidence: str
    at_s: float


class Picture:
    """Everything known of a run after the facts taken so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now_s = 0.0
        self.state = "running"
        self.state_why = ""
        self.exit_code: int | None = None
        self.resumes = 0
        self.hosts = {
            move.host: HostPicture(
                host=move.host, services=move.services, wave=wave.number, planned_finish_s=move.finish_s
            )
            for wave in plan.waves
            for move in wave.moves
        }
        self.waves = {wave.number: WavePicture(number=wave.number, moves=len(wave.moves)) for wave in plan.waves}
        self.services = {
            impact.service: ServicePicture(service=impact.service, of=impact.hosts, budget=impact.budget)
            for impact in plan.impact
        }
        self.in_flight: dict[str, None] = {}
        self.ended = 0
        self.holds: list[HoldPicture] = []
        self.gates: list[GatePicture] = []
        self.approvals: dict[str, str] = {}
        self.contained: dict[str, str] = {}
        self.hooks: dict[str, str] = {}
        """The hooks that may be in place: how each is undone by hand."""
        self.let_go: dict[str, list[str]] = {override.rule: [] for override in plan.overrides}
        """The rules overridden by name, and the hosts that each of them would have held."""
        self.promoted: dict[str, str] = {}
        """The spares that were called up, and whose place each takes."""
        self.owed: dict[tuple[str, str], str] = {}
        """What is still to be undone of a drain on another host: (host, command) -> that host."""
        self.drift: dict[str, Difference] = {}
        """Where the world was found otherwise than planned, by host."""
        self._open_holds: dict[str, int] = {}
        self._lateness_s = 0.0

    def take(self, fact: Fact) -> None:
        """Fold one more fact in. A fact about what the plan does not know changes nothing."""
        self.now_s = max(self.now_s, fact.at_s)
        if fact.fact == names.PROMOTED and fact.host is not None and fact.host not in self.hosts:
            self._promoted(fact, fact.host)
        if fact.host in self.hosts:
            phase = _phase(fact, self.hosts[fact.host])
            if phase is not None:
                self._host(fact, replace(self.hosts[fact.host], phase=phase, since_s=fact.at_s))
        if fact.wave is not None and fact.wave in self.waves:
            self._wave(fact, fact.wave)
        if fact.fact in (names.GATE, names.WATCH):
            self._gate(fact)
        elif fact.fact == names.AVAILABLE and fact.service is not None:
            self._available(fact, fact.service)
        elif fact.fact == names.HELD:
            self._held(fact)
        elif fact.fact == names.OVERRIDDEN:
            self._overridden(fact)
        elif fact.fact == names.OWED:
            self.owed[fact.host or "", fact.evidence or ""] = str(fact.data.get("on", ""))
        elif fact.fact == names.UNDRAINING:
            self.owed.pop((fact.host or "", fact.evidence or ""), None)
        elif fact.fact == names.DRIFT and fact.host is not None:
            planned, found = (str(fact.data.get(key, "")) for key in ("planned", "found"))
            self.drift[fact.host] = Difference(host=fact.host, service=fact.service, planned=planned, found=found)
        elif fact.fact == names.CONTAINED and fact.service is not None:
            self.contained[fact.service] = fact.why or ""
        elif fact.fact in (names.HOOK_SET, names.HOOK_FAILED, names.HOOK_LEFT):
            self.hooks[str(fact.data.get("name"))] = str(fact.data.get("by_hand", ""))
        elif fact.fact == names.HOOK_UNDONE:
            self.hooks.pop(str(fact.data.get("name")), None)
        elif fact.fact == names.APPROVAL_WANTED:
            self.approvals[str(fact.data.get("target", ""))] = fact.evidence or ""
        elif fact.fact == names.APPROVED:
            self.approvals.pop(str(fact.data.get("target", "")), None)
        else:
            self._run(fact)

    def take_all(self, facts: Iterable[Fact]) -> Picture:
        """Fold all of them in; returns itself."""
        for fact in facts:
            self.take(fact)
        return self

    def eta_s(self, now_s: float | None = None) -> float:
        """When the run will end, in run seconds, if the rest goes as planned: the plan's end, moved by how late it is now."""
        now = self.now_s if now_s is None else now_s
        overdue = max((now - self.hosts[host].planned_finish_s for host in self.in_flight), default=0.0)
        return max(now, self.plan.estimate.makespan_s + max(self._lateness_s, overdue))

    def having(self, phase: str) -> tuple[HostPicture, ...]:
        """The moves in `phase`, in plan order."""
        return tuple(host for host in self.hosts.values() if host.phase == phase)

    def open_holds(self) -> tuple[HoldPicture, ...]:
        """What nothing can start for now."""
        return tuple(self.holds[index] for index in self._open_holds.values())

    def _host(self, fact: Fact, seen: HostPicture) -> None:
        """`seen` has its new phase already."""
        at_s, data, before_fact = fact.at_s, fact.data, self.hosts[seen.host]
        if fact.fact == names.MOVE_STARTED:
            seen = replace(seen, started_s=at_s if seen.started_s is None else seen.started_s)
            self.drift.pop(seen.host, None)
            self._let_go(at_s, fact.host or "")
        elif fact.fact == names.CLAIMED:
            seen = replace(seen, boot_before=seen.boot_before or data.get("boot_id"))
        elif fact.fact == names.REBOOTING:
            rung = str(data.get("rung", "restart"))
            before = seen.boot_before or data.get("boot_id")
            seen = replace(seen, rung=rung, rungs_tried=seen.rungs_tried + 1, rung_s=at_s, boot_before=before)
        elif fact.fact == names.BOOTED:
            down_s = data.get("took_s")
            if down_s is None and seen.rung_s is not None:
                down_s = at_s - seen.rung_s
            before = seen.boot_before or data.get("was")
            seen = replace(seen, boot_before=before, boot_after=data.get("boot_id"), down_s=down_s)
        elif fact.fact in (names.IN_DOUBT, names.RUNG_FAILED):
            seen = replace(seen, why=fact.why or "")
        if (seen.phase in ENDED) != (before_fact.phase in ENDED):
            seen = self._over(fact, seen, before_fact) if seen.phase in ENDED else self._begun_again(seen, before_fact)
        if seen.in_flight:
            self.in_flight[seen.host] = None
        else:
            self.in_flight.pop(seen.host, None)
        self.hosts[seen.host] = seen

    def _promoted(self, fact: Fact, host: str) -> None:
        """A spare is called up: one more move in the wave of the member whose place it takes."""
        number, services = fact.wave or 1, tuple(map(str, fact.data.get("services", ())))
        self.promoted[host] = fact.why or ""
        self.hosts[host] = HostPicture(
            host=host, services=services, wave=number, planned_finish_s=self.plan.estimate.makespan_s
        )
        if number in self.waves:
            self.waves[number] = replace(self.waves[number], moves=self.waves[number].moves + 1, state="running")

    def _over(self, fact: Fact, seen: HostPicture, before: HostPicture) -> HostPicture:
        wave = self.waves[seen.wave]
        self.waves[seen.wave] = replace(wave, ended=wave.ended + 1, bad=wave.bad + (seen.phase in NOT_WELL))
        self.ended += 1
        if before.started_s is not None:
            self._lateness_s = fact.at_s - seen.planned_finish_s
        return replace(seen, ended_s=fact.at_s, why="" if seen.phase == DONE else fact.why or "")

    def _begun_again(self, seen: HostPicture, before: HostPicture) -> HostPicture:
        """An operator took the end back."""
        wave = self.waves[seen.wave]
        self.waves[seen.wave] = replace(wave, ended=wave.ended - 1, bad=wave.bad - (before.phase in NOT_WELL))
        self.ended -= 1
        return replace(seen, ended_s=None)

    def _wave(self, fact: Fact, number: int) -> None:
        wave = self.waves[number]
        if wave.state == "waiting" and fact.fact in (names.WAVE_STARTED, names.MOVE_STARTED):
            self.waves[number] = replace(wave, state="running", started_s=fact.at_s)
        elif fact.fact == names.WAVE_DONE:
            self.waves[number] = replace(wave, state="done", ended_s=fact.at_s)

    def _gate(self, fact: Fact) -> None:
        verdict = fact.verdict or Verdict.UNKNOWN
        is_watch = fact.fact == names.WATCH
        gate = GatePicture(
            service=None if is_watch else fact.service, verdict=verdict, evidence=fact.evidence or "", at_s=fact.at_s
        )
        self.gates.append(gate)
        if is_watch:
            return
        if fact.service in self.services:
            service = self.services[fact.service]
            self.services[fact.service] = replace(service, gate=verdict, gate_evidence=gate.evidence)

    def _available(self, fact: Fact, name: str) -> None:
        available = fact.data.get("available")
        of, budget = fact.data.get("of", 0), fact.data.get("budget")
        service = self.services.get(name) or ServicePicture(service=name, of=of, budget=budget)
        lowest = (
            service.lowest
            if available is None
            else min(available, available if service.lowest is None else service.lowest)
        )
        self.services[name] = replace(service, of=of or service.of, budget=budget, available=available, lowest=lowest)

    def _overridden(self, fact: Fact) -> None:
        rule = str(fact.data.get("rule", ""))
        for override, hosts in self.let_go.items():
            if covers(override, rule) and fact.host is not None and fact.host not in hosts:
                hosts.append(fact.host)

    def _held(self, fact: Fact) -> None:
        subject = fact.host or (f"wave {fact.wave}" if fact.wave is not None else "the run")
        rule = str(fact.data.get("rule", ""))
        if subject == "the run" and not rule:
            # This is how the engine says that nothing holds the run any more.
            self._let_go(fact.at_s, subject)
            return
        way_out = str(fact.data.get("way_out", ""))
        why = (fact.why or "").removesuffix(f" ({way_out})")
        if subject in self._open_holds:
            last = self.holds[self._open_holds[subject]]
            if (last.why, last.rule, last.way_out) == (why, rule, way_out):
                return
            self._let_go(fact.at_s, subject)
        self._open_holds[subject] = len(self.holds)
        self.holds.append(HoldPicture(subject=subject, why=why, rule=rule, way_out=way_out, since_s=fact.at_s))

    def _let_go(self, at_s: float, subject: str) -> None:
        """A move that starts ends the hold on its host, and those on its wave and on the run."""
        ended = [subject] if subject else list(self._open_holds)
        if subject in self.hosts:
            ended += [f"wave {self.hosts[subject].wave}", "the run"]
        for name in ended:
            index = self._open_holds.pop(name, None)
            if index is not None:
                self.holds[index] = replace(self.holds[index], until_s=at_s)

    def _given_up(self, host: str) -> bool:
        return host in self.hosts and self.hosts[host].phase == QUARANTINED

    def _run(self, fact: Fact) -> None:
        if fact.fact == names.RUN_RESUMED:
            self.resumes += 1
            # Looked at anew, but for those that were given up.
            self.drift = {name: one for name, one in self.drift.items() if self._given_up(name)}
            self.state, self.state_why, self.exit_code = "running", "", None
        elif fact.fact == names.GOING:
            self.state, self.state_why = "running", ""
        elif fact.fact in (names.PAUSED, names.STOPPING, names.HALTED):
            self.state = {names.PAUSED: "paused", names.STOPPING: "stopping", names.HALTED: "halting"}[fact.fact]
            self.state_why = fact.why or ""
        elif fact.fact == names.RUN_ENDED:
            self._let_go(fact.at_s, "")
            self.state = str(fact.data.get("state", "done"))
            self.state_why = fact.why or ""
            self.exit_code = fact.data.get("exit_code")


def _phase(fact: Fact, seen: HostPicture) -> str | None:
    """The phase that the fact brings the host into; None: it stays where it is."""
    if fact.fact == names.RESOLVED:
        return _RESOLVED.get(str(fact.data.get("word")))
    if seen.phase in ENDED and fact.fact != names.MOVE_STARTED:
        # A host that did not really reboot is still checked and undrained: it is over all the same.
        return None
    return _PHASES.get(fact.fact)
