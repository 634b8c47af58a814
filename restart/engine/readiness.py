"""Who is ready, and how old that knowledge is. Older than `ready_fresh`, or UNKNOWN, counts as down (design: contract 6).

Nothing here walks over the members of a service at each event: which of them are down, unknown or due to be asked is kept as it changes,
by answers, by the phases of moves, and by time. For the last, each service has a heap of the times at which one of its members is worth asking
again or grows stale, and all services together one of the first of these. `stirred` hears of each service of which something has changed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from math import inf, nextafter

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.model.answer import Answer, Checked, NoAnswer
from restart.model.check import SSH_CHECK, Check, Verdict
from restart.model.inventory import Inventory
from restart.model.request import Ask
from restart.rules.moves import ready_checks

ASK_AGAIN_S = 5.0
"""A member that is not ready is looked at again after this long, where something waits for it."""


@dataclass(slots=True)
class Seen:
    """The last verdict on one member, when it was learnt (run seconds), and its evidence."""

    verdict: Verdict
    at_s: float
    evidence: str = ""


@dataclass(slots=True)
class Members:
    """What is known of one service's members. `down`: positions of those not ready for any reason, in order.

    `unknown`: those of whom nothing fresh is known and who are not down for us; `due`: those to be asked, once somebody wants to know;
    `times`: when which position is to be looked at again, `time_of` the one time that counts for each host. `passed`: when each last PASSed.
    """

    name: str
    hosts: tuple[str, ...]
    position: dict[str, int]
    seen: dict[str, Seen] = field(default_factory=dict)
    passed: dict[str, float] = field(default_factory=dict)
    asking: set[str] = field(default_factory=set)
    down: list[int] = field(default_factory=list)
    is_down: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    due: set[str] = field(default_factory=set)
    times: list[tuple[float, int]] = field(default_factory=list)
    time_of: dict[str, float] = field(default_factory=dict)
    first_s: float = inf


class Readiness:
    """The readiness of each member of each service, by the engine's own fresh questions."""

    def __init__(
        self,
        inventory: Inventory,
        outbox: Outbox,
        *,
        down_for_us: Callable[[str], bool],
        noted: Callable[[str, str, bool], None],
        stirred: Callable[[str], None],
    ) -> None:
        """`down_for_us(host)`: the host is in flight, quarantined or in doubt, so that its checks say nothing.

        `noted(service, host, turned)` hears of each verdict learnt, and whether it turned from or to PASS, `stirred(service)` of what a start may depend on.
        """
        self._outbox = outbox
        self._down_for_us = down_for_us
        self._noted = noted
        self._stirred = stirred
        self._fresh_s = inventory.policy.ready_fresh_s
        self._times: list[tuple[float, str]] = []
        self._members = {
            name: Members(name, service.hosts, {host: index for index, host in enumerate(service.hosts)})
            for name, service in inventory.services.items()
        }
        self._checks = {name: asked_before(service.ready) for name, service in inventory.services.items()}
        self.forget()

    def forget(self) -> None:
        """After a resume nothing that was seen counts any longer."""
        self._times.clear()
        for name, known in self._members.items():
            fresh = Members(name, known.hosts, known.position, passed=known.passed)
            fresh.down = list(range(len(fresh.hosts)))
            fresh.is_down = set(fresh.hosts)
            fresh.unknown = {host for host in fresh.hosts if not self._down_for_us(host)}
            fresh.due = set(fresh.unknown)
            self._members[name] = fresh

    def note(self, service: str, host: str, verdict: Verdict, evidence: str) -> None:
        """A verdict learnt now, by whatever question."""
        members = self._members[service]
        before = members.seen.get(host)
        members.seen[host] = Seen(verdict, self._outbox.now_s, evidence)
        if verdict is Verdict.PASS:
            members.passed[host] = self._outbox.now_s
        self._outbox.tell_change(
            facts.READY, verdict, host=host, service=service, verdict=verdict, evidence=evidence
        )  # fmt: skip
        changed = self._place(members, host)
        if verdict is not Verdict.PASS and (before is None or (before.verdict, before.evidence) != (verdict, evidence)):
            changed = True  # how a hold reads
        if changed and not members.unknown:
            self._stirred(service)
        passed = before is None or before.verdict is Verdict.PASS
        self._noted(service, host, passed != (verdict is Verdict.PASS))

    def verdict(self, service: str, host: str) -> Verdict:
        """The fresh verdict on a member; UNKNOWN where there is none."""
        seen = self._members[service].seen.get(host)
        if seen is None or self._outbox.now_s - seen.at_s > self._fresh_s:
            return Verdict.UNKNOWN
        return seen.verdict

    def age_s(self, service: str, host: str) -> float:
        """How old the last verdict on a member is; infinite where there is none."""
        seen = self._members[service].seen.get(host)
        return inf if seen is None else self._outbox.now_s - seen.at_s

    def evidence(self, service: str, host: str) -> str:
        """The last evidence on a member, however old."""
        seen = self._members[service].seen.get(host)
        return seen.evidence if seen else "not asked yet"

    def last_known(self, service: str, host: str) -> Verdict | None:
        """The last verdict on a member, however old; None: never asked."""
        seen = self._members[service].seen.get(host)
        return seen.verdict if seen else None

    def passed_s(self, service: str, host: str) -> float | None:
        """When the member last PASSed, before a resume too; None: it was never seen to."""
        return self._members[service].passed.get(host)

    def down(self, service: str, most: int) -> list[str]:
        """The first members, `most` at most, that are not ready for any reason, in inventory order."""
        members = self._members[service]
        return [members.hosts[position] for position in members.down[:most]]

    def down_without(self, service: str, host: str) -> int:
        """How many members other than `host` are not ready for any reason."""
        members = self._members[service]
        return len(members.down) - (host in members.is_down)

    def age(self) -> None:
        """Take in what time alone has changed."""
        now_s = self._outbox.now_s
        while self._times and self._times[0][0] <= now_s:
            at_s, name = heappop(self._times)
            members = self._members[name]
            if members.first_s == at_s:
                members.first_s = inf
                self._age(members, now_s)

    def refresh(self, wanted: Iterable[str]) -> bool:
        """Ask what is stale of all members of `wanted` services, in one batch; True where nothing is missing.

        A member that is not ready is asked again after `ASK_AGAIN_S`, but what is known of it counts meanwhile.
        """
        complete = True
        for name in wanted:
            members = self._members[name]
            if members.due:
                for host in sorted(members.due, key=members.position.__getitem__):
                    self._ask(members, host)
                members.due.clear()
            # Every service is gone through: all that is stale is asked at once, not only up to the first that is.
            complete = complete and not members.unknown
        return complete

    def is_member(self, service: str, host: str) -> bool:
        """Whether `host` is a member of `service` now: no longer where a spare has taken its place."""
        return host in self._members[service].position

    def exchange(self, service: str, gone: str | None, come: str) -> None:
        """`come` is a member of `service`, in the place of `gone` (None: beside all that are)."""
        members = self._members[service]
        if gone is None:
            members.position[come] = len(members.hosts)
            members.hosts = (*members.hosts, come)
        else:
            place = members.position.pop(gone)
            members.position[come] = place
            members.hosts = (*members.hosts[:place], come, *members.hosts[place + 1 :])
            if gone in members.is_down:
                members.is_down.discard(gone)
                del members.down[bisect_left(members.down, place)]
            for known in (members.unknown, members.due):
                known.discard(gone)
            members.time_of.pop(gone, None)
        self._place(members, come)
        self._stirred(service)

    def touched(self, service: str, host: str) -> None:
        """The state of a member's move has changed."""
        members = self._members[service]
        self._place(members, host)
        if members.due or not members.unknown:
            self._stirred(service)

    def next_look_s(self, wanted: Iterable[str]) -> float | None:
        """When, in run seconds, one of the members of `wanted` is next worth asking again."""
        return min((at_s for name in wanted if (at_s := self._next_s(self._members[name])) < inf), default=None)

    def first_s(self) -> float:
        """No member is worth asking again before this, in run seconds; infinite where none is."""
        while self._times and self._members[self._times[0][1]].first_s != self._times[0][0]:
            heappop(self._times)
        return self._times[0][0] if self._times else inf

    # --- what is kept -------------------------------------------------------------------------------------------------

    def _place(self, members: Members, host: str) -> bool:
        """Sort `host` in by what is known of it now; whether that has changed anything that a start depends on."""
        if host not in members.position:
            return False
        now_s, seen = self._outbox.now_s, members.seen.get(host)
        ours = self._down_for_us(host)
        stale = seen is None or now_s - seen.at_s > self._fresh_s
        unknown = stale and not ours
        down = ours or stale or (seen is not None and seen.verdict is not Verdict.PASS)
        changed = unknown != (host in members.unknown)
        if changed:
            (members.unknown.add if unknown else members.unknown.discard)(host)
        if down != (host in members.is_down):
            changed = True
            position = members.position[host]
            if down:
                members.is_down.add(host)
                insort(members.down, position)
            else:
                members.is_down.discard(host)
                del members.down[bisect_left(members.down, position)]
        due = not ours and host not in members.asking
        due = due and (stale or (seen is not None and self._look_again_s(seen) <= now_s))
        (members.due.add if due else members.due.discard)(host)
        if seen is not None and not stale and not ours:
            self._time(members, host, seen, now_s)
        else:
            members.time_of.pop(host, None)
        return changed

    def _time(self, members: Members, host: str, seen: Seen, now_s: float) -> None:
        """When to look at the member again: it is worth asking, or, once it has been, it grows stale."""
        at_s = self._look_again_s(seen)
        if at_s <= now_s or host in members.asking:
            at_s = max(seen.at_s + self._fresh_s, nextafter(now_s, inf))
        if members.time_of.get(host) != at_s:
            members.time_of[host] = at_s
            heappush(members.times, (at_s, members.position[host]))
            if at_s < members.first_s:
                members.first_s = at_s
                heappush(self._times, (at_s, members.name))

    def _age(self, members: Members, now_s: float) -> None:
        stirred = False
        while members.times and members.times[0][0] <= now_s:
            at_s, position = heappop(members.times)
            host = members.hosts[position]
            if members.time_of.get(host) == at_s:
                del members.time_of[host]
                stirred |= self._place(members, host) or host in members.due
        at_s = self._next_s(members)
        if at_s < members.first_s:
            members.first_s = at_s
            heappush(self._times, (at_s, members.name))
        if stirred:
            self._stirred(members.name)

    def _next_s(self, members: Members) -> float:
        """The first time that counts; infinite where there is none."""
        times = members.times
        while times and members.time_of.get(members.hosts[times[0][1]]) != times[0][0]:
            heappop(times)
        return times[0][0] if times else inf

    def _look_again_s(self, seen: Seen) -> float:
        return seen.at_s + (self._fresh_s if seen.verdict is Verdict.PASS else ASK_AGAIN_S)

    # --- questions ----------------------------------------------------------------------------------------------------

    def _ask(self, members: Members, host: str) -> None:
        members.asking.add(host)
        self._outbox.send(
            lambda id: Ask(
                id=id, subject="ready", checks=self._checks[members.name], host=host, service=members.name
            ),
            partial(self._heard, members.name, host),
        )  # fmt: skip

    def ask_in_flight(self, service: str, host: str, heard: Callable[[], bool]) -> None:
        """Ask a member whose own move is in flight, of whom nobody else asks; `heard`: it has answered; whether its verdict is to be noted."""

        def note(answer: Answer) -> None:
            if heard():
                verdict, evidence = summed_up(answer)
                self.note(service, host, verdict, evidence)

        self._outbox.send(
            lambda id: Ask(id=id, subject="ready", checks=self._checks[service], host=host, service=service), note
        )

    def _heard(self, service: str, host: str, answer: Answer) -> None:
        self._members[service].asking.discard(host)
        if not self._down_for_us(host):
            verdict, evidence = summed_up(answer)
            self.note(service, host, verdict, evidence)


def asked_before(ready: tuple[Check, ...]) -> tuple[Check, ...]:
    """The `ready` checks that make sense of a host that has not been restarted: all but the proof of a reboot."""
    return tuple(check for check in ready if check.kind != "boot") or (SSH_CHECK,)


def asked_after(inventory: Inventory, service: str | None) -> tuple[Check, ...]:
    """The `ready` checks of a host that has been restarted; of a host in no service: `ssh`."""
    return (SSH_CHECK,) if service is None else ready_checks(inventory.services[service])


def summed_up(answer: Answer) -> tuple[Verdict, str]:
    """One verdict for a batch of findings: FAIL if one fails, else UNKNOWN if one is unknown, else PASS; with its evidence."""
    if isinstance(answer, NoAnswer):
        return Verdict.UNKNOWN, f"{answer.reason}: {answer.detail}" if answer.detail else answer.reason
    if not isinstance(answer, Checked) or not answer.findings:
        return Verdict.UNKNOWN, "no findings"
    for wanted in (Verdict.FAIL, Verdict.UNKNOWN):
        for finding in answer.findings:
            if finding.verdict is wanted:
                return wanted, finding.evidence
    return Verdict.PASS, "; ".join(finding.evidence for finding in answer.findings if finding.evidence)
