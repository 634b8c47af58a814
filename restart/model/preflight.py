"""What a host will not bear, or not bring back, when it is restarted: the findings of `restart preflight`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
    """What was found on one host, at `at` (UTC, RFC 3339). `answered` is False where it did not let us look: then `found` says why, and nothing else is known.

    `cpu_s` is what the look cost the host, in seconds of CPU.
    """

    at: str = ""
    answered: bool = True
    found: tuple[Found, ...] = ()
    uptime_s: float | None = None
    cpu_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """A look at `hosts` at `at` (UTC, RFC 3339) for what their next boot will do to them."""

    at: str
    fleet: str
    hosts: Mapping[str, HostFound] = field(default_factory=dict)

    def blocking(self, hosts: tuple[str, ...]) -> Iterator[tuple[str, Found]]:
        """Each finding that blocks one of `hosts`, of those that answered: a silent host is not restarted over SSH anyway."""
        for host in hosts:
            looked = self.hosts.get(host)
            if looked is not None and looked.answered:
                yield from ((host, found) for found in looked.found if found.grade is Grade.BLOCKS)
