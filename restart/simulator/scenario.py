"""A scenario: a fleet, its physics, its faults, what the naive controller does, and what must come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from restart.model.inventory import Inventory
from restart.model.simulation import Result
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import Physics

CAPABILITIES: Mapping[str, bool] = {
    "rolling": True,
    "shared-limits": True,
    "capacity-limits": True,
    "cold-start": True,
    "co-start": True,
    "recover": True,
    "shutdown": True,
    "break": True,
    "seed": True,
    "power-rungs": True,
    "max-rate": True,
}
"""What a planned run may need, and whether planner and engine have it. Flip one with the issue that delivers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a number must be: at least, at most; None: no bound on that side."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        """Whether `value` is within; a millionth is no difference."""
        below = self.at_least is not None and value < self.at_least - 1e-6
        return not below and not (self.at_most is not None and value > self.at_most + 1e-6)

    def __str__(self) -> str:
        if self.at_least == self.at_most:
            return f"{self.at_least:g}"
        low = f"at least {self.at_least:g}" if self.at_least is not None else ""
        high = f"at most {self.at_most:g}" if self.at_most is not None else ""
        return " and ".join(part for part in (low, high) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Naive:
    """What is done without a plan: `act` (`reboot`, `start`, `stop`) on `hosts`, `batch` at a time (None: all at once).

    The next batch goes `every_s` after the one before, or once each of its hosts is `wait_for` (`port` or `ready`), looked at for
    `patience_s`; then the rollout ends where it is. `again` acts once more at a time: on `failed` hosts (None) or on those named.
    """

    act: str
    hosts: tuple[str, ...]
    batch: int | None = None
    every_s: float = 0.0
    wait_for: str | None = None
    patience_s: float = 300.0
    again: tuple[tuple[float, tuple[str, ...] | None], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario. `expected_naive` and `expected_staged` bound measures by name (see `MEASURES`); `needs` are capabilities.
    `start`: the UTC at which it begins, for maintenance windows (empty: whenever).

    `ready`: how many members of a service function at the end; `first`: when something first happened (`collapse`, ...).
    """

    name: str
    file: str
    about: str
    inventory: Inventory
    physics: Physics
    mode: str = "rolling"
    selection: tuple[str, ...] | None = None
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    horizon_s: float = 14400.0
    start: str = ""
    naive: Naive | None = None
    expected_naive: Mapping[str, Bound] = field(default_factory=dict)
    staged: bool = True
    expected_staged: Mapping[str, Bound] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    def not_yet(self) -> tuple[str, ...]:
        """Capabilities that the planned run needs and this version lacks."""
        return tuple(need for need in self.needs if not CAPABILITIES[need])


MEASURES: Mapping[str, Callable[[Result], float | None]] = {
    "reached": lambda result: float(result.score.reached),
    "all_ready": lambda result: result.score.all_ready_s,
    "ends": lambda result: result.duration_s,
    "under_floor": lambda result: result.score.under_floor_s,
    "failed": lambda result: float(len(result.score.failed)),
    "lost": lambda result: float(len(result.score.lost)),
    "collapses": lambda result: float(result.score.collapses),
    "trips": lambda result: float(result.score.trips),
    "corruptions": lambda result: float(result.score.corruptions),
    "timeouts": lambda result: float(result.score.timeouts),
    "failed_starts": lambda result: float(result.score.failed_starts),
    "writes_lost": lambda result: float(result.score.writes_lost),
    "retries": lambda result: float(result.score.retries),
    "exit_code": lambda result: None if result.outcome is None else float(result.outcome.exit_code),
    "refused": lambda result: float(bool(result.refused)),
    "violations": lambda result: float(len(result.violations)),
}
"""What can be expected of a result, by name; durations in seconds, yes and no as 1 and 0."""


def measured(result: Result, measure: str) -> float | None:
    """The value of a measure: one of `MEASURES`, `ready SERVICE`, `lowest SERVICE` or `first HAPPENING`; None: there is none."""
    word, _, what = measure.partition(" ")
    if word == "ready":
        return float(result.availability[what][-1][1])
    if word == "lowest":
        return float(min(number for _, number in result.availability[what]))
    if word == "first":
        return next((at_s for at_s, told in result.happenings if told.startswith(f"{what} ")), None)
    return MEASURES[measure](result)


def mismatches(result: Result, expected: Mapping[str, Bound]) -> tuple[str, ...]:
    """In words, where a result is not what was expected of it."""
    found = []
    for measure, bound in expected.items():
        value = measured(result, measure)
        if value is None:
            found.append(f"{measure}: {bound} expected, there was none")
        elif not bound.holds(value):
            found.append(f"{measure}: {bound} expected, it was {value:g}")
    return tuple(found)
