"""Gates guard every start: each must have passed since the last move near it ended, and not too long ago (design: rule 9).

A gate that compares with what was before the run takes a first look before anything is touched (see `restart.engine.baselines`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from math import inf, nextafter

from restart.engine import facts
from restart.engine.baselines import Baselines
from restart.engine.outbox import Outbox
from restart.engine.readiness import summed_up
from restart.model.answer import Answer, Checked
from restart.model.check import Check, Verdict
from restart.model.inventory import Inventory
from restart.model.request import Ask
from restart.rules.durations import spoken
from restart.rules.named import gate_rule
from restart.rules.waived import NOTHING_WAIVED, Waived


@dataclass(slots=True)
class Streaks:
    """Since when each check of a batch keeps passing, in run seconds; None: it does not. `heard`: the last answer."""

    checks: tuple[Check, ...]
    since_s: list[float | None] = field(default_factory=list)
    heard_s: float | None = None
    heard: Answer | None = None

    def __post_init__(self) -> None:
        self.since_s = [None] * len(self.checks)

    def hear(self, answer: Answer, now_s: float) -> bool:
        """Take in one answer; True once every check has kept passing for its `healthy_for`.

        A silence much longer than the checks' own rhythm breaks a streak: nobody looked.
        """
        rhythm_s = sum(check.timeout_s for check in self.checks) + 2 * self.every_s()
        broken = self.heard_s is not None and now_s - self.heard_s > rhythm_s
        self.heard_s, self.heard = now_s, answer
        findings = answer.findings if isinstance(answer, Checked) else ()
        for index in range(len(self.checks)):
            passes = index < len(findings) and findings[index].verdict is Verdict.PASS
            if not passes:
                self.since_s[index] = None
            elif self.since_s[index] is None or broken:
                self.since_s[index] = now_s
        return self.held(now_s)

    def held(self, now_s: float) -> bool:
        """Every check passes and has for its `healthy_for`."""
        return all(
            since_s is not None and now_s - since_s >= check.healthy_for_s - 1e-9
            for check, since_s in zip(self.checks, self.since_s, strict=True)
        )

    def passing(self) -> bool:
        """Every check passes, however long."""
        return None not in self.since_s

    def evidence(self) -> list[str]:
        """What the last answer said of each check."""
        if self.heard is None:
            return ["no answer yet"] * len(self.checks)
        findings = self.heard.findings if isinstance(self.heard, Checked) else ()
        if len(findings) != len(self.checks):
            return [summed_up(self.heard)[1]] * len(self.checks)
        return [finding.evidence for finding in findings]

    def every_s(self) -> float:
        """The shortest rhythm among the checks."""
        return min((check.every_s for check in self.checks), default=2.0)

    def next_s(self, now_s: float) -> float:
        """When to ask again: a beat later, or just when the last streak is long enough."""
        if all(since_s is not None for since_s in self.since_s):
            last_s = max(
                since_s + check.healthy_for_s
                for check, since_s in zip(self.checks, self.since_s, strict=True)
                if since_s is not None
            )
            if now_s < last_s:
                return min(now_s + self.every_s(), last_s)
        return now_s + self.every_s()

    def reset(self) -> None:
        """Start over."""
        self.since_s = [None] * len(self.checks)
        self.heard_s = self.heard = None


@dataclass(slots=True)
class GateState:
    """One service's gate: how it stands, since when somebody waits for it, and for how long it has to keep passing (`must_s`)."""

    service: str
    streaks: Streaks
    within_s: float
    fresh_s: float
    asked_s: float = 0.0
    passed_s: float | None = None
    passed_asked_s: float = 0.0
    since_s: float = 0.0
    wanted_s: float | None = None
    next_s: float = 0.0
    asking: bool = False
    verdict: Verdict | None = None
    evidence: str = "not asked yet"
    ever_passed: bool = False
    due_s: float = inf
    stale_s: float = inf
    waived: bool = False
    must_s: float = 0.0

    def __post_init__(self) -> None:
        self.must_s = max(check.healthy_for_s for check in self.streaks.checks)


class Guards:
    """The gates of all services that have one. Only those that somebody waits for are looked at, and only when their time has come."""

    def __init__(
        self,
        inventory: Inventory,
        outbox: Outbox,
        failed: Callable[[str, str], None],
        stirred: Callable[[str], None],
        baselines: Baselines,
        suspended: Callable[[str, str | None], bool] = lambda rule, service: False,
        waived: Waived = NOTHING_WAIVED,
    ) -> None:
        """`suspended(rule, service)`: nothing can be asked through that service, or of the host that the gate asks, yet. The gates of `waived` rules are asked all the same, for the
        record, and fail nothing.

        `failed(service, why)` is called when a gate did not pass within its time, `stirred(service)` when it may open or close."""
        self._outbox = outbox
        self._failed = failed
        self._stirred = stirred
        self._suspended = suspended
        self._baselines = baselines
        self._looked = False
        self._first: set[str] = set()  # whose first look is not answered yet
        self._dues: list[
            tuple[float, str]
        ] = []  # heaps of the gates' `due_s` and `stale_s`, and of such as count no longer
        self._stales: list[tuple[float, str]] = []
        self._wanted: dict[str, GateState] = {}
        self._asked_for: dict[str, GateState] = {}  # of this event
        self._asked_before: dict[str, GateState] = {}  # of the last one
        self._gates: dict[str, GateState] = {}
        for service in inventory.services.values():
            checks = tuple(check for check in service.gate if check.kind != "approve")
            if checks:
                fresh_s = inventory.policy.gate_fresh_s if service.gate_fresh_s is None else service.gate_fresh_s
                within_s = max(check.within_s for check in checks)
                # A gate that takes longer to hold than it stays fresh could never open anything.
                fresh_s = max(fresh_s, 2 * max(check.every_s for check in checks))
                self._gates[service.name] = GateState(
                    service.name, Streaks(checks), within_s, fresh_s, waived=gate_rule(service.name) in waived
                )

    def has(self, service: str) -> bool:
        """Whether `service` states a gate."""
        return service in self._gates

    def counts(self, service: str) -> bool:
        """Whether `service` states a gate that is not overridden by name."""
        return service in self._gates and not self._gates[service].waived

    def look_first(self) -> None:
        """Before anything is touched: have gates that compare take their first look. A no-op once that was done."""
        if self._looked:
            return
        self._looked = True
        for gate in self._gates.values():
            if self._is_suspended(gate):
                continue
            if not gate.asking and self._baselines.wants(("gate", gate.service), gate.streaks.checks):
                self._ask(gate)
                self._first.add(gate.service)

    def first_looks(self) -> tuple[str, str] | None:
        """The rule for which nothing may begin yet, and why: first looks that are not answered. None: none."""
        if not self._first:
            return None
        return (
            "first-look",
            f"gates take their first look, before anything is touched: {', '.join(sorted(self._first))}",
        )

    def touched(self, services: Iterable[str]) -> None:
        """A move begins near these services."""
        self._baselines.touched(services)

    def forget(self) -> None:
        """After a resume no gate has passed; what was seen before the run stays known."""
        self._looked = False
        self._first.clear()
        for gate in self._gates.values():
            gate.streaks.reset()
            gate.passed_s = gate.wanted_s = gate.verdict = None
            gate.next_s, gate.asking = 0.0, False
            gate.due_s = gate.stale_s = inf
        self._dues.clear()
        self._stales.clear()
        self._wanted.clear()
        self._asked_for.clear()
        self._asked_before.clear()

    def wake_due(self) -> None:
        """Stir the gates that are to be asked, that have had their time, or that passed too long ago."""
        now_s = self._outbox.now_s
        while self._dues and self._dues[0][0] <= now_s:
            at_s, service = heappop(self._dues)
            gate = self._gates[service]
            if at_s == gate.due_s:
                gate.due_s = inf
                self._stirred(service)
        while self._stales and self._stales[0][0] <= now_s:
            at_s, service = heappop(self._stales)
            gate = self._gates[service]
            if at_s == gate.stale_s:
                gate.stale_s = inf
                self._schedule(gate)
                if gate.stale_s == inf:
                    self._stirred(service)

    def passed(self, service: str, since_s: float, *, patient: bool = False) -> bool:
        """Whether the gate of `service` passed, asked at or after `since_s`, and recently enough; ask it where not.

        `patient`: what it FAILs for is being repaired, so that its time to pass does not run yet.
        """
        gate = self._gates[service]
        if self._is_suspended(gate):
            return True
        if patient and gate.wanted_s is not None:
            gate.wanted_s = self._outbox.now_s
        if (
            gate.passed_s is not None
            and gate.passed_asked_s >= since_s
            # It holds its time anew: what began to pass before the last move near this start ended does not count.
            and gate.passed_s - since_s >= gate.must_s - 1e-9
            and self._outbox.now_s - gate.passed_s <= gate.fresh_s
        ):
            self._schedule(gate)
            return True
        if since_s > gate.since_s:
            # What passed before the last move near it ended says nothing of now: it has to hold its time anew.
            gate.since_s, gate.next_s = since_s, self._outbox.now_s
            gate.streaks.reset()
        self._want(gate)
        return False

    def _is_suspended(self, gate: GateState) -> bool:
        return any(self._suspended(gate_rule(gate.service), check.service) for check in gate.streaks.checks)

    def fails(self, service: str) -> bool:
        """Whether the last answer of the gate was anything but PASS."""
        return self._gates[service].verdict not in (None, Verdict.PASS)

    def excused(self, service: str) -> bool:
        """The gate has FAILed since the run's start and no answer ever was a PASS: it does not guard the repair of sick members.

        Nothing near it can have broken it: without a PASS no other move near it begins.
        """
        gate = self._gates[service]
        return gate.verdict is Verdict.FAIL and not gate.ever_passed

    def story(self, service: str) -> str:
        """How the gate stands, for people."""
        gate = self._gates[service]
        must_s = gate.must_s
        if gate.verdict is Verdict.PASS:
            return f"gate of {service}: passes, and has to keep passing for {spoken(must_s)} ({gate.evidence})"
        now = "not asked yet" if gate.verdict is None else f"{gate.verdict} ({gate.evidence})"
        return f"gate of {service}: {now}; it has to keep passing for {spoken(must_s)}, within {spoken(gate.within_s)}"

    def settle(self, waits: Callable[[str], bool], *, changed: bool) -> None:
        """End of one event: a gate that nobody wanted this time is no longer waited for.

        `waits(service)`: a parked move waits for the gate; not `changed`: no other than after the event before.
        """
        asked_for = self._asked_for
        for service, gate in list(self._wanted.items()) if changed else self._asked_before.items():
            if service not in asked_for and gate.wanted_s is not None and not waits(service):
                gate.wanted_s = None
                self._wanted.pop(service, None)
                self._schedule(gate)
                # Moves that wait for it, but that the walk did not reach, are to want it anew once it does.
                self._stirred(service)
        self._asked_before, self._asked_for = asked_for, {}

    def deadline_s(self) -> float | None:
        """When a wanted gate is next to be asked or given up, in run seconds."""
        while self._dues and self._dues[0][0] != self._gates[self._dues[0][1]].due_s:
            heappop(self._dues)
        if self._dues and self._dues[0][0] <= self._outbox.now_s:
            # What is due is looked at with the next event, whenever that is.
            later = (due for due in self._dues if due[0] > self._outbox.now_s)
            return min((at_s for at_s, service in later if at_s == self._gates[service].due_s), default=None)
        return self._dues[0][0] if self._dues else None

    def _schedule(self, gate: GateState) -> None:
        """Say when the gate is to be looked at again: by those who wait for it, and by those who rely on its having passed."""
        now_s, due_s, stale_s = self._outbox.now_s, inf, inf
        if gate.wanted_s is not None:
            if gate.wanted_s + gate.within_s > now_s:
                due_s = gate.wanted_s + gate.within_s
            if not gate.asking:
                due_s = min(due_s, gate.next_s)
        if gate.passed_s is not None and now_s - gate.passed_s <= gate.fresh_s:
            stale_s = max(gate.passed_s + gate.fresh_s, nextafter(now_s, inf))
        if due_s != gate.due_s:
            gate.due_s = due_s
            if due_s < inf:
                heappush(self._dues, (due_s, gate.service))
        if stale_s != gate.stale_s:
            gate.stale_s = stale_s
            if stale_s < inf:
                heappush(self._stales, (stale_s, gate.service))

    def _want(self, gate: GateState) -> None:
        now_s = self._outbox.now_s
        self._asked_for[gate.service] = self._wanted[gate.service] = gate
        if gate.wanted_s is None:
            gate.wanted_s = now_s
        elif not gate.waived and now_s >= gate.wanted_s + gate.within_s and not gate.streaks.passing():
            gate.wanted_s = now_s
            self._failed(
                gate.service, f"gate of {gate.service} did not pass within {gate.within_s:g}s: {gate.evidence}"
            )
            self._schedule(gate)
            return
        if not gate.asking and now_s >= gate.next_s:
            self._ask(gate)
        self._schedule(gate)

    def _ask(self, gate: GateState) -> None:
        gate.asking, gate.asked_s = True, self._outbox.now_s
        subject = ("gate", gate.service)
        checks = self._baselines.filled(subject, gate.streaks.checks)
        self._outbox.send(
            lambda id: Ask(id=id, subject="gate", checks=checks, service=gate.service), partial(self._heard, gate)
        )

    def _heard(self, gate: GateState, answer: Answer) -> None:
        gate.asking = False
        self._first.discard(gate.service)
        now_s = self._outbox.now_s
        self._baselines.heard(("gate", gate.service), answer)
        gate.verdict, gate.evidence = summed_up(answer)
        gate.ever_passed = gate.ever_passed or gate.verdict is Verdict.PASS
        if gate.asked_s < gate.since_s:
            gate.next_s = now_s  # asked before the last move near it ended: ask anew at once
        else:
            if gate.streaks.hear(answer, now_s):
                gate.passed_s, gate.passed_asked_s = now_s, gate.asked_s
                gate.wanted_s = None
            gate.next_s = gate.streaks.next_s(now_s)
        self._schedule(gate)
        self._stirred(gate.service)
        self._outbox.tell_change(
            facts.GATE, gate.verdict, service=gate.service, verdict=gate.verdict, evidence=gate.evidence
        )  # fmt: skip
