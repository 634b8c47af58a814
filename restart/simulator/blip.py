"""The simulated fleet as a survey sorts it after an event (design: rule 17): by how its hosts are, and by who comes back by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from restart.model.check import Verdict
from restart.model.observation import HostSeen, Observation
from restart.simulator.faults import Fault

RETURNING_S = 180.0
"""How long a silent host that will come back is waited for (rule 17: at least 3 minutes)."""


def sorted_out(observation: Observation, faults: Iterable[Fault], *, off: Collection[str] = ()) -> Observation:
    """`observation` with a state for each host. A fault `goes_down` at the start that ends makes its hosts the returning ones.

    Of hosts that are `off` a power control has said so.

    Such a host is seen silent, though the simulated fleet loses it only with the run's first moment.
    """
    back = {host for fault in faults if _returns(fault) for host in fault.hosts}
    gone = {
        host
        for fault in faults
        if fault.kind == "goes_down" and not fault.at_s and not _returns(fault)
        for host in fault.hosts
    }
    until = datetime.fromisoformat(observation.at) + timedelta(seconds=RETURNING_S)
    found = {
        host: _state(seen, host in back, host in gone, until.strftime("%Y-%m-%dT%H:%M:%SZ"))
        for host, seen in observation.hosts.items()
    }
    for host in off:
        if host in found:
            found[host] = replace(found[host], state="down", power="off", why="its power is off")
    return replace(observation, hosts=found)


def _returns(fault: Fault) -> bool:
    return fault.kind == "goes_down" and not fault.at_s and fault.for_s is not None


def _state(seen: HostSeen, returns: bool, gone: bool, until: str) -> HostSeen:
    dark = dict.fromkeys(seen.ready, Verdict.UNKNOWN)
    if returns:
        return replace(
            seen,
            state="returning",
            ready=dark,
            boot_id=None,
            uptime_s=None,
            returning_until=until,
            why="SSH is refused",
        )
    if gone or seen.boot_id is None:
        return replace(seen, state="stuck", ready=dark, boot_id=None, uptime_s=None, why=seen.why or "SSH is refused")
    if any(verdict is not Verdict.PASS for verdict in seen.ready.values()):
        return replace(seen, state="unhealthy")
    return replace(seen, state="never-went-down")
