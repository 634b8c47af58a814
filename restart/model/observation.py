"""What was seen of the real hosts, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from restart.model.check import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSeen:
    """One host as it was seen. `ready` maps a service of the host to its verdict; None fields were not learnt.

    `state` is what the survey sorted it as: `returned` (booted after the event, healthy), `never-went-down`, `unhealthy` (up, but
    not ready), `returning`, `stuck`, `down` or `unknown`; `why` says why in words. `power` is `on` or `off` as its power control says.
    `uptime_s` is what it was at the observation's `at`. `system` is systemd's own state. `reboot_why` says how `reboot_required` is known;
    `returning_until` (UTC, RFC 3339) is until when a returning host is waited for (design: rule 17).
    """

    ready: Mapping[str, Verdict] = field(default_factory=dict)
    boot_id: str | None = None
    uptime_s: float | None = None
    why: str = ""
    state: str | None = None
    power: str | None = None
    kernel: str | None = None
    reboot_required: bool | None = None
    reboot_why: str = ""
    system: str | None = None
    failed_units: tuple[str, ...] = ()
    returning_until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A look at the fleet at `at` (UTC, RFC 3339). A host that is missing was not looked at: assumed up.

    `since` is when the event was (UTC, RFC 3339), where one is known or was told. `fleet` is the inventory's; empty: not said.
    """

    at: str
    hosts: Mapping[str, HostSeen]
    since: str | None = None
    fleet: str = ""
