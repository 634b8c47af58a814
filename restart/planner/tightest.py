"""The tightest limit of a plan and what it costs in time, found by playing the plan once more without it."""

from __future__ import annotations

from dataclasses import replace

from restart.model.inventory import Limit
from restart.planner.timeline import Pieces, Timeline
from restart.planner.timing import time_plan
from restart.rules.durations import spoken
from restart.rules.limits import saturating, transfer_s
from restart.rules.named import limit_rule

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


def _predicted(limit: Limit) -> bool:
    """Whether a prediction may count less of the limit than a run holds of it."""
    return limit.shared is not None or limit.held_from == "booted"


def sharing(pieces: Pieces, timeline: Timeline) -> list[str]:
    """What is planned of each shared server that moves of the plan use, and what it costs to wait for proof where a prediction does not."""
    found = []
    limits, table = pieces.scope.inventory.limits, pieces.holds.table
    used = {
        slot.limit
        for host in (pieces.scope.moving if any(_predicted(limit) for limit in limits.values()) else ())
        for slot in table.slots(pieces.scope.inventory.hosts[host], pieces.scope.services_of[host])
    }
    reserved = any(table.terms[key].held_from == "booted" for key in used)
    predicted = reserved or any(table.terms[key].planned_s is not None for key in used)
    for limit in limits.values():
        if limit.shared is None or limit_rule(limit.name) not in used:
            continue
        at_once, shared = saturating(limit), limit.shared
        more = max(limit.max_in_flight or 0, 2 * shared.at_once)
        why = f"more would not be sooner: {more} would each take {spoken(transfer_s(shared, more))}"
        if at_once < shared.at_once:
            why = f"{shared.at_once} would saturate it"
        found.append(
            f"{limit_rule(limit.name)}: {at_once} transfers of {spoken(transfer_s(shared, at_once))} at once, {why}"
        )
    if predicted and len(timeline.start_ms) <= REPLAYED_MOVES_MAX:
        waiting = replace(pieces, holds=pieces.holds.proved())
        waiting_ms = time_plan(waiting, pieces.scope.inventory.policy.barrier).makespan_ms
        if waiting_ms > timeline.makespan_ms:
            found.append(
                "the times count each transfer as it is predicted, but a run frees its place only on proof that it has ended: then it takes "
                f"{spoken(waiting_ms / 1000)} (held_until: booted, or a duration, frees places sooner)"
            )
    return found
