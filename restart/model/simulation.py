"""What came of a simulated run: the journal's rows, how it ended, the score, and whether anything unsafe was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from restart.model.event import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A safety rule that was broken: its number (design: section 7), what with numbers, when (run seconds), after which event, counted from 1.

    `host` is whom it concerns, where it is one; `seed` replays the run.
    """

    rule: int
    what: str
    at_s: float
    seq: int
    seed: int | None = None
    host: str | None = None

    def __str__(self) -> str:
        seed = "" if self.seed is None else f" (seed {self.seed})"
        return f"rule {self.rule} is broken at {self.at_s:.1f}s, event {self.seq}: {self.what}{seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score of a run (a to e of the scenario cards), by the true state of the fleet.

    `reached`: every host in scope functions at the end; `all_ready_s` since when without interruption; `under_floor_s` seconds in
    which any service was below its floor, `floors_s` for each such service; `failed` the hosts that do not function at the end;
    `lost` those of them that will not answer. The rest counts what happened. Times in run seconds.
    """

    reached: bool
    all_ready_s: float | None = None
    under_floor_s: float = 0.0
    floors_s: Mapping[str, float] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    collapses: int = 0
    trips: int = 0
    corruptions: int = 0
    timeouts: int = 0
    failed_starts: int = 0
    writes_lost: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One play. `side` is `staged` or `naive`; `outcome` is None for the naive side, which ends when nothing more happens.

    `duration_s` is when it ended. `availability` holds for each service its functioning members over time, as steps (run seconds,
    members), `members` how many it has. `happenings` are what befell the fleet, as sentences with their time. `refused`: the
    plan was refused, and why; then nothing was played. `not_yet`: capabilities that the scenario needs and this version lacks.
    `no_progress`: why the run has no outcome. `events` were appended to the journal, by as many controllers as there were `resumes` and one.
    """

    name: str
    seed: int
    side: str
    outcome: Outcome | None
    duration_s: float
    score: Score
    rows: tuple[Mapping[str, Any], ...] = ()
    availability: Mapping[str, tuple[tuple[float, int], ...]] = field(default_factory=dict)
    members: Mapping[str, int] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    happenings: tuple[tuple[float, str], ...] = ()
    violations: tuple[Violation, ...] = ()
    refused: tuple[str, ...] = ()
    not_yet: tuple[str, ...] = ()
    resumes: int = 0
    no_progress: str = ""
    events: int = 0
