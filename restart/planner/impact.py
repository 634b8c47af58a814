"""Impact: what each touched service goes through, by the predicted times (design: rule 11)."""

from __future__ import annotations

from restart.model.plan import Impact
from restart.planner.scope import Scope
from restart.planner.timeline import Timeline
from restart.rules.budgets import budget


def impact(scope: Scope, timeline: Timeline) -> tuple[Impact, ...]:
    """One row for each service with a move, in inventory order."""
    rows = []
    for service in scope.inventory.services.values():
        movers = [host for host in service.hosts if host in timeline.start_ms]
        if not movers:
            continue
        down = scope.down.get(service.name, frozenset())
        members, floor = len(service.hosts), budget(service)
        changes: dict[int, int] = {}
        for host in movers:
            # A member that is down already stays so from the start until its own move has ended.
            begins = 0 if host in down else timeline.start_ms[host]
            changes[begins] = changes.get(begins, 0) - 1
            changes[timeline.finish_ms[host]] = changes.get(timeline.finish_ms[host], 0) + 1
        available = members - sum(1 for host in service.hosts if host in down and host not in timeline.start_ms)
        lowest, outage_ms, since_ms = available, 0, 0
        wanted = 1 if floor is None else floor
        for at_ms in sorted(changes):
            if available < wanted:
                outage_ms += at_ms - since_ms
            since_ms = at_ms
            available += changes[at_ms]
            lowest = min(lowest, available)
        rows.append(
            Impact(
                service=service.name, hosts=members, budget=floor, lowest_available=lowest, outage_s=outage_ms / 1000
            )
        )
    return tuple(rows)
