"""What a host will not bear, or not bring back, when it is restarted: the findings of `restart preflight`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Grade(StrEnum):
    """How grave a finding is, the gravest first. Only what blocks keeps a plan from being made or carried out."""

    BLOCKS = "blocks"
    WARNS = "warns"
    NOTES = "notes"


GRADES: tuple[Grade, ...] = tuple(Grade)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One finding. `rule` is its short name (`--override preflight.RULE`), `evidence` what was seen, `why` why it matters, `mend` the way out."""

    rule: str
    grade: Grade
    evidence: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFound:
    """What was found on one host, at `at` (UTC, RFC 3339). `answered` is False where it did not let us look at last: then `found` says why, and what is known from before.

    `cpu_s` is what the look cost the host, in seconds of CPU.
    """

    at: str = ""
    answered: bool = True
    found: tuple[Found, ...] = ()
    uptime_s: float | None = None
    cpu_s: float | None = None


UNSEEN = frozenset({"ssh", "sudo"})
"""The rules of a host that did not let us look."""

NOT_TOLD = "not-told"
"""The rule of what did not answer in its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """A look at `hosts` at `at` (UTC, RFC 3339) for what their next boot will do to them."""

    at: str
    fleet: str
    hosts: Mapping[str, HostFound] = field(default_factory=dict)

    def blocking(self, hosts: tuple[str, ...], *, taken_for_up: bool) -> Iterator[tuple[str, Found]]:
        """Each finding that blocks one of `hosts`.

        That a host did not let us look blocks it only where the plan has `taken_for_up` what it restarts: it may answer again at its turn, and
        nobody knows what it would bring back. Other plans know that it is silent, and get it up by other ways.
        """
        for host in hosts:
            looked = self.hosts.get(host, HostFound())
            for found in looked.found:
                unseen = not looked.answered and found.rule in UNSEEN
                if found.grade is Grade.BLOCKS and (taken_for_up or not unseen):
                    yield host, found

    def looked_again(self, now: Preflight) -> Preflight:
        """What is known after the look `now`: a host that did not let us look this time keeps what was found before, beside that.

        One that did not tell all in its time keeps what blocked it: that it is not found again proves nothing.
        """
        hosts = {**self.hosts, **now.hosts}
        for host, looked in now.hosts.items():
            before = self.hosts.get(host)
            if before is None:
                continue
            if not looked.answered:
                known = (found for found in before.found if before.answered or found.rule not in UNSEEN)
                hosts[host] = replace(before, answered=False, found=(*looked.found, *known))
            elif any(found.rule == NOT_TOLD for found in looked.found):
                stands = [
                    found
                    for found in before.found
                    if found.grade is Grade.BLOCKS and found.rule not in UNSEEN and found not in looked.found
                ]
                every = sorted((*stands, *looked.found), key=lambda found: GRADES.index(found.grade))
                hosts[host] = replace(looked, found=tuple(every))
        return replace(now, hosts=hosts)

    def untold(self, hosts: Iterable[str]) -> Iterator[tuple[str, Found]]:
        """What did not answer in its time, of those `hosts` that were looked at."""
        for host in hosts:
            for found in self.hosts.get(host, HostFound()).found:
                if found.rule == NOT_TOLD:
                    yield host, found
