"""What the referee writes down while a run goes on, and the violations that it calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from restart.model.plan import Plan
from restart.model.request import Request
from restart.model.simulation import Violation
from restart.simulator.referee.away import Away, Aways
from restart.simulator.referee.compared import Compared
from restart.simulator.referee.grounds import Grounds
from restart.simulator.referee.standing import Standing
from restart.simulator.referee.told import Streak, Told
from restart.simulator.referee.turns import Turns
from restart.simulator.truth import Truth

VIOLATIONS_MAX = 100
"""A run that is broken for good breaks at every event; the first hundred say enough."""

NAMES = {
    1: "order", 2: "budget", 3: "limit", 4: "nothing new starts", 5: "no move twice", 6: "claims and lease",
    7: "nothing outside the plan", 8: "durable first", 9: "gates", 10: "an end with a true reason",
}  # fmt: skip
"""The rules of the list (design: section 7), in a word or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An act that began: with which event, when, and when the last claim on its host had begun (run seconds)."""

    request: Request
    seq: int
    at_s: float
    claim_s: float | None


@dataclass(slots=True)
class Closing:
    """Why nothing new may start from event `seq` on."""

    seq: int
    why: str


@dataclass(slots=True)
class Restarts:
    """How often a host was really restarted by this run since an operator last asked for it anew, and its units."""

    boots: int = 0
    units: int = 0
    ever: int = 0


@dataclass(slots=True)
class Record:
    """Everything written down. Times are run seconds; `seq` counts the events made durable, from 1."""

    plan: Plan
    truth: Truth
    seed: int | None
    grounds: Grounds
    told: Told
    aways: Aways
    standing: Standing
    turns: Turns
    run: str = ""
    zero_s: float | None = None
    """What the controller's wall clock said the run's second 0 was, in seconds since 1970; None: it said nothing."""
    seq: int = 0
    resumed_seq: int = 0
    at_s: float = 0.0
    violations: list[Violation] = field(default_factory=list)
    begun: dict[str, Begun] = field(default_factory=dict)
    not_ready: dict[str, set[str]] = field(default_factory=dict)
    ready_s: dict[tuple[str, str], float] = field(default_factory=dict)
    """When a member of a service that was not ready was first seen to be so again."""
    foreign: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    """Hosts whose last claim was not answered."""
    boots: dict[str, int] = field(default_factory=dict)
    boot_ids: dict[str, str] = field(default_factory=dict)
    first_boot: dict[str, str] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    started_s: dict[str, float] = field(default_factory=dict)
    started_seq: dict[str, int] = field(default_factory=dict)
    claim_s: dict[str, float] = field(default_factory=dict)
    ends: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """For each service when moves on it ended: the event and the time, in order."""
    restarts: dict[str, Restarts] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    stopped: dict[str, float] = field(default_factory=dict)
    """Hosts that a shutdown has told to switch off, and when."""
    told_off: dict[str, list[str]] = field(default_factory=dict)
    """The boots in which each host was told to switch off."""
    gone_silent: set[str] = field(default_factory=set)
    """Hosts that the world told to be off, since they were told to switch off last."""
    proved_off: set[str] = field(default_factory=set)
    """Hosts that were off, as far as it can be proved, when their moves were done."""
    failed: dict[str, None] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    """Those of the failed that were quarantined: a spare may take the place of one."""
    holders: dict[tuple[str, str], str] = field(default_factory=dict)
    """Who is the member in the place of a lost one, by service and lost member."""
    spares: set[str] = field(default_factory=set)
    """Spares that were called up."""
    closings: dict[str, Closing] = field(default_factory=dict)
    drifted: set[str] = field(default_factory=set)
    """Hosts that were told as drift, and truly were."""
    from_store: set[str] = field(default_factory=set)
    """Hosts for which the store has given slots that span its runs, and that have given none back."""
    flags: dict[str, Closing] = field(default_factory=dict)
    """Stop flags that stand, by what the word that set them was about."""
    wanted: dict[str, str] = field(default_factory=dict)
    """What a person is waited for: target -> text."""
    hooks: dict[str, bool] = field(default_factory=dict)
    """Which hooks stand, by what reached the world."""
    compared: Compared = field(default_factory=Compared)
    begun_moves: set[str] = field(default_factory=set)
    begun_acts: set[str] = field(default_factory=set)
    power: dict[str, str] = field(default_factory=dict)
    """What each host's power control said last: on, off or unknown."""
    done_s: dict[str, float] = field(default_factory=dict)
    """When the move of each host that is done was."""
    done_seq: dict[str, int] = field(default_factory=dict)
    """With which event."""
    finished_s: dict[str, float] = field(default_factory=dict)
    """When each move that counts for the brakes had ended, well or not; until an operator decides on its host."""
    canaries_failed: set[str] = field(default_factory=set)
    late: dict[str, None] = field(default_factory=dict)
    """Canaries that their first rung did not bring back."""
    leads: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Of each service that has one, the member that truly leads, and since when it was seen to."""
    doubtful: set[str] = field(default_factory=set)
    """Hosts in doubt: an operator is waited for, so that nobody waits for their moves."""
    approved: set[str] = field(default_factory=set)
    """What persons have agreed to."""
    seed_said: dict[tuple[str, str], float] = field(default_factory=dict)
    """The number that a member of a service told when it was asked who starts first."""
    seeded: dict[str, str] = field(default_factory=dict)
    """The member of each service that was started first."""
    stand_ins: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """Stand-ins that were put up, by host and provider: the boot id in which its removal began; None: it has not."""
    parted: str | None = None
    """Why this controller may act no longer (its lease is lost)."""
    reasons: dict[int, str] = field(default_factory=dict)
    """By exit code: the first thing that was told, or truly is so, and is a reason to end the run with it."""

    def call(self, rule: int, what: str, *, host: str | None = None, at_s: float | None = None) -> None:
        """A rule is broken."""
        if len(self.violations) < VIOLATIONS_MAX:
            at_s = self.at_s if at_s is None else at_s
            text = f"{NAMES[rule]}: {what}"
            self.violations.append(Violation(rule=rule, what=text, at_s=at_s, seq=self.seq, seed=self.seed, host=host))

    def reason(self, exit_code: int, why: str) -> None:
        """There is a true reason to end the run with this exit code."""
        self.reasons.setdefault(exit_code, why)

    def ended(self, host: str, at_s: float) -> None:
        """The move of `host` has ended."""
        for service in self.grounds.services_of[host]:
            self.ends.setdefault(service, []).append((self.seq, at_s))

    def last_end_s(self, service: str, by_seq: int) -> float:
        """When the last move on `service` had ended by event `by_seq`; 0 where none had."""
        return next((at_s for seq, at_s in reversed(self.ends.get(service, ())) if seq <= by_seq), 0.0)

    def restarts_of(self, host: str) -> Restarts:
        """The restarts of one host."""
        return self.restarts.setdefault(host, Restarts())

    def decided_s(self, host: str, begun: Begun) -> float:
        """When the run decided that `host` goes: what it could know, it knew by then.

        That is when the move began, or, where its drain took longer than `ready_fresh`, when the host was claimed (once more) just
        before the command went out: it must have been judged anew then. The time that the command itself needs to arrive is
        no fault of the run.
        """
        last_s = begun.at_s if begun.claim_s is None else begun.claim_s
        started_s = self.started_s.get(host)
        if self.started_seq.get(host, 0) < self.resumed_seq:
            started_s = None  # nothing that was known before a crash is known after it
        fresh_s = self.plan.inventory.policy.ready_fresh_s
        return started_s if started_s is not None and last_s - started_s <= fresh_s else last_s

    def new_streak(self) -> Streak:
        """The checks of a host that has just been restarted: none has passed yet."""
        return Streak()

    def _guards(self, service: str) -> bool:
        return service in self.told.gates and not self.grounds.let_go(f"gate.{service}")

    def gates_held_s(self, away: Away) -> float | None:
        """When all gates of the services of a move had last held; None: they have none; -inf: not all ever have."""
        times = [self.told.gates[name].held_s for name in away.services if self._guards(name)]
        if not times:
            return None
        return min(float("-inf") if at_s is None else at_s for at_s in times)


def some(hosts: list[str] | set[str]) -> str:
    """A few names for people."""
    names = sorted(hosts)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
