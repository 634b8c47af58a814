"""What the wall clock says to plans and runs: their maintenance windows as spans of UTC, and whether one is open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from restart.errors import Refusal, Refused

if TYPE_CHECKING:
    from restart.model.plan import Plan


def in_windows(plan: Plan) -> Plan:
    """`plan` with its maintenance windows from `made_at` on. Raises `Refused` where a move fits into none."""
    if not plan.inventory.policy.is_timed:
        return plan
    from restart.inventory.windows import spans
    from restart.planner import in_windows as fitted

    return fitted(plan, spans(plan.inventory.policy, plan.made_at))


def refuse_outside(plan: Plan) -> None:
    """Raises `Refused` where a run of `plan` could begin nothing now: no window is open, or none of its moves fits into what is left of it."""
    if (
        not plan.inventory.policy.is_timed
        or any(override.rule == "window" for override in plan.overrides)
        or not plan.waves
    ):
        return
    from restart.rules.durations import spoken
    from restart.rules.instants import instant_s
    from restart.rules.passage import whole_ladder_s

    now_s = time.time()
    open_now = next((span for span in plan.windows if instant_s(span.opens) <= now_s < instant_s(span.closes)), None)
    later = next((span.opens for span in plan.windows if instant_s(span.opens) > now_s), None)
    when = f"the next opens at {local(plan, later)}" if later else "none of this plan is still to come: make it anew"
    if open_now is None:
        what = f"no maintenance window is open: {when}"
    else:
        need_s = min(whole_ladder_s(plan.inventory, move) for move in plan.moves())
        left_s = instant_s(open_now.closes) - now_s
        if need_s <= left_s:
            return
        what = f"the maintenance window closes in {spoken(left_s)}, and the shortest whole ladder may take {spoken(need_s)}: {when}"
    way_out = "begin then, or --override window"
    raise Refused((Refusal(rule="window", what=what, way_out=way_out),), subject="run")


def local(plan: Plan, instant: str) -> str:
    """An instant as the clocks of the first window's or blackout's zone show it, and in UTC."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    policy = plan.inventory.policy
    zone = (*policy.windows, *policy.blackouts)[0].zone
    at = datetime.fromisoformat(instant).astimezone(ZoneInfo(zone))
    return f"{at:%a %Y-%m-%d %H:%M} {zone} ({instant})"


def utc_now() -> str:
    """The wall clock, RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
