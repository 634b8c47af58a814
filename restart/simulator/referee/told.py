"""What the world has told the controller: answers only, never what an engine made of them.

It is needed to be just. The referee judges by the truth, but nobody can be blamed for a host that answered PASS a moment ago and
has died since, nor for one whose checks lie. What can be asked of a run is that it knew no worse when it decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from restart.model.answer import Answer, Checked
from restart.model.check import Check, Verdict
from restart.model.inventory import Inventory
from restart.model.request import Ask
from restart.simulator.referee.compared import plain
from restart.simulator.referee.restated import asked_of_members, gate_checks

HAIR_S = 1e-6
"""Sums of seconds differ by this much and mean the same."""


@dataclass(slots=True)
class Streak:
    """Since when each check of a batch has been told PASS without a break."""

    since_s: list[float | None] = field(default_factory=list)
    checks: tuple[Check, ...] = ()

    def hear(self, checks: tuple[Check, ...], answer: Answer, at_s: float) -> bool:
        """True once every one of `checks` has kept passing for its `healthy_for`; an answer that lacks one breaks its streak."""
        findings = answer.findings if isinstance(answer, Checked) else ()
        if len(self.since_s) != len(checks):
            self.since_s = [None] * len(checks)
        self.checks = checks
        for index in range(len(checks)):
            if index >= len(findings) or findings[index].verdict is not Verdict.PASS:
                self.since_s[index] = None
            elif self.since_s[index] is None:
                self.since_s[index] = at_s
        return self.holds(at_s)

    def holds(self, at_s: float) -> bool:
        """Whether every check has kept passing for its `healthy_for` at `at_s`, its last answer counting until its next."""
        return bool(self.checks) and all(
            since_s is not None and at_s - since_s >= check.healthy_for_s - HAIR_S
            for check, since_s in zip(self.checks, self.since_s, strict=True)
        )


@dataclass(slots=True)
class Member:
    """The last PASS, the last FAIL, and the last word that was not PASS, told of one member, in run seconds."""

    pass_s: float | None = None
    fail_s: float | None = None
    other_s: float | None = None


@dataclass(slots=True)
class GateTold:
    """One gate: its streak, when it had last held, whether it was ever told to FAIL, and what was told last."""

    streak: Streak = field(default_factory=Streak)
    held_s: float | None = None
    ever_failed: bool = False
    last: Verdict | None = None


class Told:
    """Everything told since the run's start or its last resume: what was seen before a crash proves nothing after it."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._members: dict[tuple[str, str], Member] = {}
        self.gates: dict[str, GateTold] = {}
        self.watches: list[Verdict | None] = []
        self.watched_s: list[float] = []
        """When the last question to each watch that PASSed had begun."""
        self.forget()

    def forget(self) -> None:
        """The controller died."""
        self._members.clear()
        self.gates = {service.name: GateTold() for service in self._inventory.services.values() if gate_checks(service)}
        self.watches = [None] * len(self._inventory.watch)
        self.watched_s = [-inf] * len(self._inventory.watch)

    def hear(self, ask: Ask, answer: Answer, at_s: float, asked_s: float) -> None:
        """The world answers `ask`, which began at `asked_s`."""
        if ask.subject == "ready" and ask.host is not None and ask.service in self._inventory.services:
            self._hear_member(ask, answer, at_s)
        elif ask.subject == "gate" and ask.service in self.gates:
            gate = self.gates[ask.service]
            gate.last = verdict(answer)
            gate.ever_failed = gate.ever_failed or gate.last is Verdict.FAIL
            # Fewer checks than the gate has, or others, prove nothing about it.
            checks = gate_checks(self._inventory.services[ask.service])
            if tuple(map(plain, ask.checks)) == checks and gate.streak.hear(checks, answer, at_s):
                gate.held_s = at_s
        elif ask.subject == "watch":
            for index, check in enumerate(self._inventory.watch):
                if tuple(map(plain, ask.checks)) == (check,):
                    self.watches[index] = verdict(answer)
                    if self.watches[index] is Verdict.PASS:
                        self.watched_s[index] = asked_s

    def _hear_member(self, ask: Ask, answer: Answer, at_s: float) -> None:
        member = self._members.setdefault((ask.service or "", ask.host or ""), Member())
        found = verdict(answer)
        asked = len(asked_of_members(self._inventory.services[ask.service or ""]))
        if found is Verdict.PASS and len(ask.checks) >= asked:
            member.pass_s = at_s
        else:
            member.other_s = at_s
            member.fail_s = at_s if found is Verdict.FAIL else member.fail_s

    def heard(self, service: str, host: str, *, by_s: float, fresh_s: float) -> bool:
        """Whether anything was told of this member within `fresh_s` before `by_s`, or since."""
        member = self._members.get((service, host))
        times = () if member is None else (member.pass_s, member.other_s)
        return any(at_s is not None and at_s >= by_s - fresh_s - HAIR_S for at_s in times)

    def passed(self, service: str, host: str, *, by_s: float, fresh_s: float) -> bool:
        """Whether at `by_s` the last word on this member was a PASS no older than `fresh_s` (a later PASS counts too)."""
        member = self._members.get((service, host))
        if member is None or member.pass_s is None or member.pass_s < by_s - fresh_s - HAIR_S:
            return False
        return member.other_s is None or member.other_s < member.pass_s or member.other_s > by_s

    def doubted(self, service: str, host: str) -> bool:
        """Whether the last word on this member was anything but a PASS."""
        member = self._members.get((service, host))
        if member is None or member.other_s is None:
            return False
        return member.pass_s is None or member.pass_s <= member.other_s

    def failed(self, service: str, host: str, *, by_s: float, fresh_s: float) -> bool:
        """Whether a FAIL no older than `fresh_s` at `by_s` was told of this member, and no PASS after it."""
        member = self._members.get((service, host))
        if member is None or member.fail_s is None or member.fail_s < by_s - fresh_s - HAIR_S:
            return False
        return member.pass_s is None or member.pass_s < member.fail_s or member.pass_s > by_s

    def ever_failed(self, service: str, host: str) -> bool:
        """Whether a FAIL was ever told of this member since the controller began, or was resumed."""
        member = self._members.get((service, host))
        return member is not None and member.fail_s is not None


def verdict(answer: Answer) -> Verdict:
    """One verdict for an answer: FAIL if a check fails, PASS if all pass, else UNKNOWN."""
    found = Verdict.UNKNOWN
    if isinstance(answer, Checked) and answer.findings:
        found = Verdict.PASS
        for finding in answer.findings:
            if finding.verdict is Verdict.FAIL:
                return Verdict.FAIL
            if finding.verdict is not Verdict.PASS:
                found = Verdict.UNKNOWN
    return found
