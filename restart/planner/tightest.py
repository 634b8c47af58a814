"""The tightest limit of a plan and what it costs in time, found by playing the plan once more without it."""

from __future__ import annotations

from dataclasses import replace

from restart.model.inventory import Limit
from restart.model.plan import Tightest
from restart.planner.timeline import Pieces, Timeline
from restart.planner.timing import time_plan
from restart.rules.durations import spoken
from restart.rules.limits import Slot, saturating, transfer_s
from restart.rules.named import limit_rule

TIGHTEST = "tightest limit"
"""How the note on it begins."""

REPLAYED_MOVES_MAX = 2000
"""Plans of more moves are not played again: then the note says how long moves waited."""


def tightest_limit(pieces: Pieces, timeline: Timeline) -> Tightest | None:
    """The limit that costs the plan most time; None where no move ever waits for a limit."""
    waited: dict[str, int] = {}
    worst: dict[str, Slot] = {}
    for slot, waited_ms in timeline.waited_ms.items():
        if waited_ms > waited.get(slot.limit, 0):
            waited[slot.limit] = waited_ms
            worst[slot.limit] = slot
    if not waited:
        return None
    longest = max(waited, key=lambda limit: waited[limit])
    if len(timeline.start_ms) > REPLAYED_MOVES_MAX:
        return _tightest(pieces, worst[longest], waited[longest], None)
    makespan_ms = {limit: _without(pieces, limit) for limit in waited}
    best = min(waited, key=lambda limit: (makespan_ms[limit], -waited[limit]))
    gain_ms = timeline.makespan_ms - makespan_ms[best]
    if gain_ms > 0:
        return _tightest(pieces, worst[best], waited[best], gain_ms)
    return _tightest(pieces, worst[longest], waited[longest], 0)


def _tightest(pieces: Pieces, slot: Slot, waited_ms: int, gain_ms: int | None) -> Tightest:
    return Tightest(
        rule=slot.limit,
        what=pieces.holds.table.told(slot),
        value=slot.value,
        costs_s=None if gain_ms is None else gain_ms / 1000,
        waits_s=waited_ms / 1000,
    )


def told(limit: Tightest | None, rule: Tightest | None, timeline: Timeline) -> list[str]:
    """Sentences on the tightest limit, and on the `rule` that is no limit and costs more than that."""
    found = []
    if limit is not None:
        name = f"{TIGHTEST}: {Slot(limit.rule, limit.value)} ({limit.what})"
        waits = f"moves wait for it during {spoken(limit.waits_s or 0)}"
        if limit.costs_s:
            found.append(f"{name}; {_costs(limit.costs_s, timeline)}")
        elif limit.costs_s is None:
            found.append(f"{name}; {waits}")
        else:
            found.append(f"{name}; {waits}, but without it alone the plan would take as long")
    if rule is not None and rule.costs_s:
        found.append(f"tightest of all rules: {rule.rule} ({rule.what}); {_costs(rule.costs_s, timeline)}")
    return found


def _costs(costs_s: float, timeline: Timeline) -> str:
    without_s = timeline.makespan_ms / 1000 - costs_s
    return f"it costs {spoken(costs_s)}, without it the plan would take {spoken(without_s)}"


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
