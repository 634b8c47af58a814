"""What was seen of the real hosts, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from restart.model.check import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSeen:
    """One host as it was seen. `ready` maps a service of the host to its verdict; None fields were not learnt."""

    ready: Mapping[str, Verdict] = field(default_factory=dict)
    boot_id: str | None = None
    uptime_s: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A look at the fleet at `at` (UTC, RFC 3339). A host that is missing was not looked at: assumed up."""

    at: str
    hosts: Mapping[str, HostSeen]
