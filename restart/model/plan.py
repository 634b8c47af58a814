"""The plan: waves of moves, complete in itself. The engine gets nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from restart.model.inventory import Inventory
from restart.model.observation import Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One host's passage through its playbook. `start_s` and `finish_s` are predicted, in seconds from the run's start.

    `act` names the playbook's ladder that is climbed: `restart`, `start` or `stop`. `conditional`: the host may still come back by
    itself, and until `returning_until_s` nothing is done to it (design: rule 17). `undrain`: an earlier stage has drained it, so that
    its drain is undone once its checks have held.
    """

    host: str
    services: tuple[str, ...]
    playbook: str
    canary: bool = False
    act: str = "restart"
    conditional: bool = False
    returning_until_s: float | None = None
    undrain: bool = False
    start_s: float = 0.0
    finish_s: float = 0.0
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Moves that keep budgets, order and `max_domains` even if all were down at once. `gates`: services asked at its end.

    A plan may have several stages, each carried out in a mode of its own once the stage before is done: shutdown, then cold start; a
    cold start, then the second pass that takes its stand-ins out. `stage` counts from 1, `mode` is the stage's (None: the
    plan's), and `approve` is what a person must agree to before the wave begins. A host moves at most once in a stage.
    """

    number: int
    why: str
    moves: tuple[Move, ...]
    gates: tuple[str, ...] = ()
    stage: int = 1
    mode: str | None = None
    approve: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a service goes through. `budget`: members that must be available (None: not stated); `outage_s`: seconds below it (None: a cold start, nothing was there)."""

    service: str
    hosts: int
    budget: int | None
    lowest_available: int
    outage_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAlone:
    """A host inside the selection that the plan does not touch, and why."""

    host: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tightest:
    """The rule that costs a plan most time: its name as `--override` takes it, and in words and numbers `what` it asks.

    `value`: of a limit per label, the label's value for which moves wait longest.
    `costs_s`: how much shorter the plan would be without it alone, in seconds (None: too many moves to be played again);
    `waits_s`: for how long at least one move that nothing else keeps back waits for it (None: not counted, save of limits).
    """

    rule: str
    what: str
    value: str = ""
    costs_s: float | None = None
    waits_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandBy:
    """A spare that may be touched: where a member of `service` is given up, it takes the place by `playbook` (design: rule 19)."""

    host: str
    service: str
    playbook: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long it takes, in seconds; no schedule that keeps order, budgets and limits is shorter than `lower_bound_s`.

    `tightest`: None where no rule alone keeps the plan from being shorter, and no move waits for a limit.
    """

    makespan_s: float
    lower_bound_s: float
    critical_path: tuple[str, ...] = ()
    tightest: Tightest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """How long a host's move is expected to take: its value in seconds, how many samples, and where it comes from."""

    value_s: float
    samples: int = 0
    source: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A rule that the operator lets go by its name, and why. Every other rule stays in force."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A maintenance window as instants in UTC, RFC 3339; `closes` is the first one outside."""

    opens: str
    closes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole document. `notes` are sentences for the reader: what was assumed, dropped or would be saved.

    `within_s`: for how long there is power still, where a shutdown was told.
    """

    fleet: str
    mode: str
    inventory: Inventory
    inventory_digest: str
    selection: tuple[str, ...]
    waves: tuple[Wave, ...]
    impact: tuple[Impact, ...]
    estimate: Estimate
    left_alone: tuple[LeftAlone, ...] = ()
    spares: tuple[StandBy, ...] = ()
    durations: Mapping[str, Duration] = field(default_factory=dict)
    observation: Observation | None = None
    observation_digest: str | None = None
    notes: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    include_controller: bool = False
    within_s: float | None = None
    windows: tuple[Span, ...] = ()
    made_at: str = ""
    digest: str = ""
    version: int = 1

    def moves(self) -> tuple[Move, ...]:
        """Every move, in wave order."""
        return tuple(move for wave in self.waves for move in wave.moves)
