"""The tightest limit of a plan and what it costs in time, found by playing the plan once more without it."""

from __future__ import annotations

from dataclasses import replace

from restart.planner.timeline import Pieces, Timeline
from restart.planner.timing import time_plan
from restart.rules.durations import spoken
from restart.rules.limits import saturating, transfer_s

REPLAYED_MOVES_MAX = 2000
"""Plans of more moves are not played again: then the note says how long moves waited."""


def tightest(pieces: Pieces, timeline: Timeline) -> list[str]:
    """A sentence on the limit that costs the plan most time; none where no move ever waits for a limit."""
    waited: dict[str, int] = {}
    worst: dict[str, str] = {}
    for slot, waited_ms in timeline.waited_ms.items():
        if waited_ms > waited.get(slot.limit, 0):
            waited[slot.limit] = waited_ms
            worst[slot.limit] = f"{slot} ({pieces.holds.table.told(slot)})"
    if not waited:
        return []
    longest = max(waited, key=lambda limit: waited[limit])
    if len(timeline.start_ms) > REPLAYED_MOVES_MAX:
        return [f"tightest limit: {worst[longest]}; moves wait for it during {spoken(waited[longest] / 1000)}"]
    makespan_ms = {limit: _without(pieces, limit) for limit in waited}
    best = min(waited, key=lambda limit: (makespan_ms[limit], -waited[limit]))
    gain_ms = timeline.makespan_ms - makespan_ms[best]
    if gain_ms > 0:
        return [
            f"tightest limit: {worst[best]}; it costs {spoken(gain_ms / 1000)}, "
            f"without it the plan would take {spoken(makespan_ms[best] / 1000)}"
        ]
    return [
        f"tightest limit: {worst[longest]}; moves wait for it during {spoken(waited[longest] / 1000)}, "
        "but without it alone the plan would take as long"
    ]


def _without(pieces: Pieces, limit: str) -> int:
    relaxed = replace(pieces, holds=pieces.holds.without(limit))
    return time_plan(relaxed, pieces.scope.inventory.policy.barrier).makespan_ms


def sharing(pieces: Pieces) -> list[str]:
    """What is planned of each shared server that moves of the plan use, and where a run frees its places later than predicted."""
    found = []
    inventory, scope = pieces.scope.inventory, pieces.scope
    for limit in inventory.limits.values():
        if limit.shared is None:
            continue
        key = f"limits.{limit.name}"
        under = [
            host
            for host in scope.moving
            if any(
                slot.limit == key for slot in pieces.holds.table.slots(inventory.hosts[host], scope.services_of[host])
            )
        ]
        if not under:
            continue
        at_once, shared = saturating(limit), limit.shared
        more = limit.max_in_flight or 2 * shared.at_once
        why = f"more would not be sooner: {more} would each take {spoken(transfer_s(shared, more))}"
        if at_once < shared.at_once:
            why = f"{shared.at_once} would saturate it"
        found.append(f"{key}: {at_once} transfers of {spoken(transfer_s(shared, at_once))} at once, {why}")
        term = pieces.holds.table.terms[key]
        if term.planned_s is None:
            continue
        proved_s = max(
            pieces.durations_s[host] if term.until == "ready" else pieces.holds.booted_s(host) for host in under
        )
        if proved_s > term.planned_s:
            found.append(
                f"{key}: the times count {spoken(term.planned_s)} for a transfer, but a run frees its place when the host is proved "
                f"{term.until}, after {spoken(proved_s)}, so it may take longer (held_until: {spoken(term.planned_s)} frees it by the clock)"
            )
    return found
