"""From an inventory and an observation to a plan, or to every reason not to make one. Pure.

`make_plan` makes it, `explain` says why a host is where it is, `plan_json` and `plan_from_json` are the document.
"""

from __future__ import annotations

from restart.planner.document import plan_from_json, plan_json
from restart.planner.explain import explain
from restart.planner.make import BARRIERS, MODES, compare_barriers, make_plan

__all__ = ["BARRIERS", "MODES", "compare_barriers", "explain", "make_plan", "plan_from_json", "plan_json"]
