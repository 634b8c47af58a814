"""What came of many plays of one plan: trials of chance, and the loss of each host in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from restart.model.event import Outcome
from restart.model.simulation import Result, Violation

NO_PROGRESS = "no progress"
"""The state of a run that had no outcome, beside those of `Outcome`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One of many plays. `state` is the outcome's, or `NO_PROGRESS`; `rule` the one that halted it ("": none did).

    `reached`: every host of the plan functions at the end. `duration_s` is when it ended, `under_floor_s` how long any service was
    below its budget. `takes` shares the duration out over what took it (a limit, a gate, a budget, ...), in seconds.
    """

    seed: int
    state: str
    exit_code: int
    why: str
    rule: str
    reached: bool
    duration_s: float
    under_floor_s: float = 0.0
    takes: Mapping[str, float] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    restarted: int = 0
    violations: tuple[Violation, ...] = ()

    @property
    def succeeded(self) -> bool:
        """The run ended as it should, every host functions, and nothing unsafe was done."""
        return self.exit_code == 0 and self.reached and not self.violations


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Many plays of one plan, each with a seed of its own, in the order of their seeds.

    `assumed` are sentences: what was drawn. `availability` and `members` are of the first play (see `Result`).
    """

    name: str
    seed: int
    planned_s: float
    trials: tuple[Trial, ...]
    assumed: tuple[str, ...] = ()
    availability: Mapping[str, tuple[tuple[float, int], ...]] = field(default_factory=dict)
    members: Mapping[str, int] = field(default_factory=dict)

    @property
    def succeeded(self) -> int:
        """How many ended well."""
        return sum(trial.succeeded for trial in self.trials)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What a service went through: the fewest members that functioned, and how long it was below `needed`, in seconds.

    `needed` is its budget; where none is stated, one member of several. None: nothing is asked of it. `alone`: it
    cannot keep it with one member less, whatever is planned, so that no plan is to blame.
    """

    service: str
    members: int
    needed: int | None
    lowest: int
    short_s: float = 0.0
    alone: bool = False

    @property
    def held(self) -> bool:
        """Its budget held, or no plan could have held it."""
        return self.needed is None or self.alone or self.lowest >= self.needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The loss of one host. `how` is `goes down` or `never returns` (it fails in its own restart), at `at_s` of the run.

    `slack` is how many members the tightest of its services, `service`, had above what it needs just before; None: it has no
    service that needs any. `fates` has a row for each service that had less than all its members. `blocked` are the
    hosts of the plan that were never restarted for it, the lost one apart.
    """

    host: str
    how: str
    at_s: float
    service: str | None
    slack: int | None
    state: str
    exit_code: int
    why: str
    duration_s: float
    fates: tuple[Fate, ...] = ()
    blocked: tuple[str, ...] = ()
    violations: tuple[Violation, ...] = ()

    @property
    def survived(self) -> bool:
        """Every budget held, the run ended with a named reason, and nothing unsafe was done."""
        return all(fate.held for fate in self.fates) and self.state != NO_PROGRESS and not self.violations

    @property
    def broken(self) -> tuple[Fate, ...]:
        """The services whose budget did not hold."""
        return tuple(fate for fate in self.fates if not fate.held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Every single host lost in turn, in inventory order. `base` is how the run ends when none is, with what was unsafe then."""

    name: str
    seed: int
    base: Outcome | None
    base_s: float
    losses: tuple[Loss, ...]
    violations: tuple[Violation, ...] = ()

    @property
    def survives(self) -> bool:
        """The plan survives any one loss."""
        return all(loss.survived for loss in self.losses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing that a scenario says must come out, and what came out."""

    what: str
    expected: str
    reached: str
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """One play with all that is told beside it.

    `planned_s`: how long the plan says it takes (None: there is no plan). `needed`: members that must be left of each service
    (None: nothing is asked). `how` the naive side went about it. `assumed` and `what_if` are sentences. `expectations`: what a scenario says must come out of it.
    """

    result: Result
    planned_s: float | None = None
    needed: Mapping[str, int | None] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    what_if: tuple[str, ...] = ()
    takes: Mapping[str, float] = field(default_factory=dict)
    how: str = "restarted all at once"
    expectations: tuple[Expectation, ...] = ()

    @property
    def state(self) -> str:
        """The outcome's state, or what there is instead of one."""
        if self.result.not_yet:
            return "not yet playable"
        if self.result.refused:
            return "refused"
        if self.result.outcome is not None:
            return self.result.outcome.state
        return "over" if self.result.side == "naive" else NO_PROGRESS

    @property
    def as_expected(self) -> bool | None:
        """Whether everything came out as the scenario says; None: it says nothing, or it could not be played."""
        if self.result.not_yet or not self.expectations:
            return None
        return all(expectation.met for expectation in self.expectations)

    @property
    def is_sound(self) -> bool:
        """Nothing unsafe was done, and the run has an end."""
        return not self.result.violations and self.state != NO_PROGRESS
