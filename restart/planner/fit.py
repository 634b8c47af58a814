"""A plan in its maintenance windows: whether it fits, what will not, and what never could (the rule `window`).

Like the engine's rule: no move begins whose whole ladder (`restart.rules.passage`) would not end inside of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from restart.errors import Refusal, Refused
from restart.model.plan import Move, Plan, Span
from restart.planner.document import sealed
from restart.planner.refusals import some
from restart.rules.durations import spoken
from restart.rules.instants import instant_s
from restart.rules.passage import whole_ladder_s

RULE = "window"


def in_windows(plan: Plan, spans: Sequence[Span]) -> Plan:
    """`plan` with the spans of its policy's windows from `made_at` on, and with what the reader should know of them.

    A plan whose policy states no windows or blackouts stays as it is. Raises `Refused` where a move's whole ladder is longer than every window.
    """
    if not plan.inventory.policy.is_timed:
        return plan
    needs = _needs(plan)
    if any(override.rule == RULE for override in plan.overrides):
        notes = ["maintenance windows do not hold this run: the rule is overridden"]
    else:
        _refuse_what_never_fits(plan, spans, needs)
        notes = _notes(plan, spans, needs)
    return sealed(replace(plan, windows=tuple(spans), notes=(*notes, *plan.notes)))


def _needs(plan: Plan) -> dict[str, float]:
    """Each move's whole ladder, in seconds."""
    known: dict[tuple[object, ...], float] = {}
    found = {}
    for move in plan.moves():
        key = (move.playbook, move.act, move.services, plan.inventory.hosts[move.host].power is None)
        if key not in known:
            known[key] = whole_ladder_s(plan.inventory, move)
        found[move.host] = known[key]
    return found


def _refuse_what_never_fits(plan: Plan, spans: Sequence[Span], needs: dict[str, float]) -> None:
    longest_s = max((instant_s(span.closes) - instant_s(span.opens) for span in spans), default=None)
    never = [host for host, need_s in needs.items() if longest_s is not None and need_s > longest_s]
    if longest_s is None or not never:
        return
    need_s = max(needs[host] for host in never)
    raise Refused(
        (
            Refusal(
                rule=RULE,
                what=f"{some(never)}: with every deadline used up the ladder takes {spoken(need_s)}, the longest maintenance window is {spoken(longest_s)}",
                way_out=f"lengthen policy.windows, cut policy.blackouts, shorten the deadlines of playbook and checks, or --override {RULE}",
            ),
        )
    )


def _notes(plan: Plan, spans: Sequence[Span], needs: dict[str, float]) -> list[str]:
    if not spans:
        return ["no maintenance window is open or opens any more: a run of this plan begins nothing"]
    first = spans[0]
    opens_s, closes_s = instant_s(first.opens), instant_s(first.closes)
    now_s = instant_s(plan.made_at) if plan.made_at else opens_s
    begin_s = max(opens_s, now_s)
    room_s = closes_s - begin_s
    is_open = "is open" if begin_s > opens_s else f"opens at {first.opens}"
    said = f"the maintenance window {is_open} and closes at {first.closes}, {spoken(room_s)} for about {spoken(plan.estimate.makespan_s)}"
    late = [move for move in plan.moves() if move.start_s + needs[move.host] > room_s]
    if not late:
        return [f"{said}: it fits"]
    after = f"until the next, {spans[1].opens}" if len(spans) > 1 else "for a window that is not in this plan"
    return [f"{said}: {len(late)} of {len(needs)} moves do not fit and wait {after}: {_late(late, needs)}"]


def _late(late: list[Move], needs: dict[str, float]) -> str:
    one = min(late, key=lambda move: move.start_s)
    return (
        f"{some(move.host for move in late)} (no move begins whose whole ladder might not end inside; "
        f"that of {one.host} may take {spoken(needs[one.host])} from {spoken(one.start_s)} on)"
    )
