"""Who is ready, and how old that knowledge is. Older than `ready_fresh`, or UNKNOWN, counts as down (design: contract 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

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


class Readiness:
    """The readiness of each member of each service, by the engine's own fresh questions."""

    def __init__(
        self,
        inventory: Inventory,
        outbox: Outbox,
        *,
        down_for_us: Callable[[str], bool],
        noted: Callable[[str, str], None],
    ) -> None:
        """`down_for_us(host)`: the host is in flight, quarantined or in doubt, so that its checks say nothing.

        `noted(service, host)` hears of each verdict learnt.
        """
        self._inventory = inventory
        self._outbox = outbox
        self._down_for_us = down_for_us
        self._noted = noted
        self._fresh_s = inventory.policy.ready_fresh_s
        self._seen: dict[tuple[str, str], Seen] = {}
        self._asking: set[tuple[str, str]] = set()
        self._known_until_s: dict[str, float] = {}
        self._checks = {name: asked_before(service.ready) for name, service in inventory.services.items()}

    def forget(self) -> None:
        """After a resume nothing that was seen counts any longer."""
        self._seen.clear()
        self._asking.clear()
        self._known_until_s.clear()

    def note(self, service: str, host: str, verdict: Verdict, evidence: str) -> None:
        """A verdict learnt now, by whatever question."""
        self._seen[service, host] = Seen(verdict, self._outbox.now_s, evidence)
        self._outbox.tell_change(
            facts.READY, verdict, host=host, service=service, verdict=verdict, evidence=evidence
        )  # fmt: skip
        self._known_until_s.pop(service, None)
        self._noted(service, host)

    def verdict(self, service: str, host: str) -> Verdict:
        """The fresh verdict on a member; UNKNOWN where there is none."""
        seen = self._seen.get((service, host))
        if seen is None or self._outbox.now_s - seen.at_s > self._fresh_s:
            return Verdict.UNKNOWN
        return seen.verdict

    def evidence(self, service: str, host: str) -> str:
        """The last evidence on a member, however old."""
        seen = self._seen.get((service, host))
        return seen.evidence if seen else "not asked yet"

    def last_known(self, service: str, host: str) -> Verdict | None:
        """The last verdict on a member, however old; None: never asked."""
        seen = self._seen.get((service, host))
        return seen.verdict if seen else None

    def down(self, service: str) -> tuple[str, ...]:
        """The members that are not ready for any reason, in inventory order."""
        return tuple(
            host
            for host in self._inventory.services[service].hosts
            if self._down_for_us(host) or self.verdict(service, host) is not Verdict.PASS
        )

    def refresh(self, wanted: Iterable[str]) -> bool:
        """Ask what is stale of all members of `wanted` services, in one batch; True where nothing is missing.

        A member that is not ready is asked again after `ASK_AGAIN_S`, but what is known of it counts meanwhile.
        """
        # Every service is gone through: all that is stale is asked at once, not only up to the first that is.
        complete = [self._refresh(service) for service in wanted]
        return all(complete)

    def _refresh(self, service: str) -> bool:
        now_s = self._outbox.now_s
        if now_s < self._known_until_s.get(service, -1.0):
            return True
        complete, until_s = True, now_s + self._fresh_s
        for host in self._inventory.services[service].hosts:
            if self._down_for_us(host):
                continue
            key = (service, host)
            seen = self._seen.get(key)
            stale = seen is None or now_s - seen.at_s > self._fresh_s
            complete = complete and not stale
            if key not in self._asking and (stale or (seen and self._look_again_s(seen) <= now_s)):
                self._ask(key)
            if seen is not None:
                until_s = min(until_s, self._look_again_s(seen))
        if complete:
            self._known_until_s[service] = until_s
        return complete

    def touched(self, service: str) -> None:
        """A member's state has changed: go through all of them again before the next start."""
        self._known_until_s.pop(service, None)

    def next_look_s(self, wanted: Iterable[str]) -> float | None:
        """When, in run seconds, one of the members of `wanted` is next worth asking again."""
        times = [
            self._look_again_s(seen)
            for service in wanted
            for host in self._inventory.services[service].hosts
            if (seen := self._seen.get((service, host)))
            and (service, host) not in self._asking
            and not self._down_for_us(host)
        ]
        return min(times, default=None)

    def _look_again_s(self, seen: Seen) -> float:
        return seen.at_s + (self._fresh_s if seen.verdict is Verdict.PASS else ASK_AGAIN_S)

    def _ask(self, key: tuple[str, str]) -> None:
        service, host = key
        self._asking.add(key)
        self._outbox.send(
            lambda id: Ask(id=id, subject="ready", checks=self._checks[service], host=host, service=service),
            partial(self._heard, key),
        )

    def _heard(self, key: tuple[str, str], answer: Answer) -> None:
        self._asking.discard(key)
        if not self._down_for_us(key[1]):
            verdict, evidence = summed_up(answer)
            self.note(*key, verdict, evidence)


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
