"""From an inventory and an observation to a plan, or to every reason not to make one. Pure.

`make_plan` makes it, `in_windows` fits it into its maintenance windows, `explain` says why a host is where it is, `plan_json` and `plan_from_json` are the document.
"""

from __future__ import annotations

from restart.planner.document import plan_from_json, plan_json
from restart.planner.explain import explain
from restart.planner.fit import in_windows
from restart.planner.make import BARRIERS, MODES, compare_barriers, make_plan

__all__ = ["BARRIERS", "MODES", "compare_barriers", "explain", "in_windows", "make_plan", "plan_from_json", "plan_json"]
