"""What a scenario says must come out, beside what came out, in words."""

from __future__ import annotations

from collections.abc import Mapping

from restart.model.rehearsal import Expectation
from restart.model.simulation import Result
from restart.rules.durations import spoken
from restart.simulator.scenario import Bound, measured

_LENGTHS = ("all_ready", "ends", "under_floor", "first")
_YES_OR_NO = ("reached", "refused")


def expectations(result: Result, expected: Mapping[str, Bound]) -> tuple[Expectation, ...]:
    """One row for each measure that is bounded; what there is none of never meets its bound."""
    found = []
    for measure, bound in expected.items():
        value = measured(result, measure)
        found.append(
            Expectation(
                what=measure.replace("_", " "),
                expected=_bound(measure, bound),
                reached="none" if value is None else _value(measure, value),
                met=value is not None and bound.holds(value),
            )
        )
    return tuple(found)


def _bound(measure: str, bound: Bound) -> str:
    low, high = bound.at_least, bound.at_most
    if low is not None and low == high:
        return _value(measure, low)
    if low is not None and high is not None:
        return f"{_value(measure, low)} to {_value(measure, high)}"
    return f"at least {_value(measure, low)}" if low is not None else f"at most {_value(measure, high or 0.0)}"


def _value(measure: str, value: float) -> str:
    word = measure.split()[0]
    if word in _YES_OR_NO:
        return "yes" if value else "no"
    # A millisecond is no difference to a reader.
    return spoken(round(value, 3)) if word in _LENGTHS else f"{value:g}"
