"""Numbers compared with what they were before the run: `not_below: 95% of before`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from restart.gates.evidence import failed, passed, unknown
from restart.model.check import OF_RUN, Check, Finding

_NOT_BELOW = re.compile(r"^(\d{1,4}(?:\.\d{1,6})?)% of before$")
NOT_BELOW: Mapping[str, Any] = {
    "type": "string",
    "pattern": _NOT_BELOW.pattern,
    "description": "such as 95% of before: not below this share of what the same question answered before the run",
}


def compared(check: Check, subject: str, value: float) -> Finding:
    """The verdict on `value`, held against the baseline that came with the check.

    Without one nothing opens: the first look only measures, and where it could not be had before the run the verdict is UNKNOWN for good.
    A baseline that is not above zero says nothing of what would be too little.
    """
    known = check.params.get(OF_RUN, {})
    match = _NOT_BELOW.match(str(check.params.get("not_below", "")))
    if match is None:
        return unknown(f"{subject}: cannot read not_below {check.params.get('not_below')!r}")
    if not math.isfinite(value):
        return unknown(f"{subject}: {value:g} is no number to compare")
    before = (known.get("before") or {}).get("value")
    if known.get("first"):
        if value <= 0:
            return unknown(f"{subject}: {value:g} before the run, which nothing can be held against")
        told = passed(f"{subject}: {value:g} before the run")
        return Finding(verdict=told.verdict, evidence=told.evidence, seen={"value": value})
    if not isinstance(before, int | float) or before <= 0:
        return unknown(f"{subject}: {value:g}, and nothing is known from before the run")
    least = before * float(match[1]) / 100
    evidence = f"{subject}: {value:g}, {value / before:.1%} of {before:g} before the run, at least {match[1]}% expected"
    return passed(evidence) if value >= least else failed(evidence)
