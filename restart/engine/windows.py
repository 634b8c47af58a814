"""Maintenance windows: no move begins whose whole ladder (`restart.rules.passage`) would not end inside the window that is open now.

The plan holds its windows as spans of UTC; the engine's own time is run seconds. Where the two meet is said by `Started` and `Resumed`, and by
the word `clock` where the controller's clock was stepped while the run went on. Wall clocks lie after a power cut, so this fails closed:

* where clocks have said different things in one process, a move must end inside by each of them;
* a clock that stands before what the run has lived through already proves nothing, and nothing begins until a resume with a better one;
* a run that was not told the time, and a plan whose spans are used up, begin nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from math import inf

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.engine.overrides import waived_by
from restart.engine.parking import Hold, Topic
from restart.engine.state import MoveState
from restart.engine.table import Phase
from restart.model.event import Resumed, Started, Word
from restart.model.plan import Move, Plan
from restart.rules.durations import spoken
from restart.rules.instants import instant_s, instant_text
from restart.rules.passage import from_first_act_s, whole_ladder_s

TOPIC: Topic = ("window",)

SLACK_S = 60.0
"""By so much a clock may stand before what it should at least say: it is set to the second, and time servers nudge it."""


class Windows:
    """Judges beginnings by the time of day. A plan without windows is never held; `hold` does not know whether its rule is overridden."""

    def __init__(self, plan: Plan, outbox: Outbox, stir: Callable[[Topic], None]) -> None:
        self._inventory = plan.inventory
        self._outbox = outbox
        self._stir = stir
        self._rules = bool(plan.windows or plan.inventory.policy.is_timed)
        self._waived = "window" in waived_by(plan)
        self._spans = sorted((instant_s(span.opens), instant_s(span.closes)) for span in plan.windows)
        self._offsets: list[float] = []  # what each clock reading says the run's second 0 was, in seconds since 1970
        self._doubt: str | None = "the run was not told what time it is"
        self._needs: dict[tuple[object, ...], tuple[float, float]] = {}
        self._changes: list[float] = []
        for move in plan.moves() if self._rules else ():
            self._need(move)

    def join(self, move: Move) -> None:
        """One more move: a spare's."""
        if self._rules:
            self._need(move)
            self._reckon()

    def begun(self, event: Started | Resumed) -> None:
        """A process begins to lead the run, and says what time it is."""
        if not self._rules:
            return
        before = min(self._offsets, default=None)
        if not event.utc:
            self._offsets, self._doubt = [], "the run was not told what time it is"
            return
        offset_s = instant_s(event.utc) - event.at_s
        if before is not None and offset_s < before - SLACK_S:
            least = instant_text(before + event.at_s)
            self._doubt = (
                f"the controller's clock says {event.utc}, but by what this run has lived through it is at least {least}: "
                "set the clock right, then `restart resume`"
            )
            return
        self._offsets, self._doubt = [offset_s], None
        self._reckon()

    def hear(self, word: Word) -> bool:
        """Take in `clock`: the controller's clock was stepped; False: it is another word."""
        if word.word != "clock":
            return False
        if self._rules:
            self._offsets.append(instant_s(word.target or "") - self._outbox.now_s)
            self._outbox.tell(
                facts.CLOCK_STEPPED,
                why=f"the controller's clock was stepped, it says {word.target} now: both must agree",
            )
            self._reckon()
            self._stir(TOPIC)
        return True

    def hold(self, state: MoveState) -> Hold | None:
        """Why a move may not begin; None: its whole ladder ends inside."""
        if not self._rules:
            return None
        why = self._why(self._need_of(state)[0])
        if why is None:
            return None
        return Hold(
            rule="window", why=why, waits="window", queue=("window", why), topics=(TOPIC,), until_s=self._opens_next_s()
        )  # fmt: skip

    def forbids(self, state: MoveState) -> Hold | None:
        """Why a move that has been drained may not come to its first act; None: it may, or has come there long ago."""
        if not self._rules or self._waived or state.acted_s is not None:
            return None
        why = self._why(self._need_of(state)[1])
        return None if why is None else Hold(rule="window", why=why, waits="window")

    def over(self, states: Iterable[MoveState]) -> str | None:
        """With nothing in flight: why the run ends here, where no move that is left fits into what is left of the window."""
        if not self._rules or self._waived or any(self._why(need_s) is None for need_s, _ in self._needs.values()):
            return None
        waiting = [state for state in states if state.phase is Phase.WAITING]
        return self.told(len(waiting)) if waiting else None

    def told(self, left: int) -> str:
        """Why the run ends with `left` moves to come, and when it can go on."""
        moves = f"{left} move{'s' if left != 1 else ''} left"
        if self._doubt is not None:
            return f"{moves}, and no maintenance window is known to be open: {self._doubt}"
        now_s = self._outbox.now_s + max(self._offsets)
        opens = next((opens_s for opens_s, _ in self._spans if opens_s > now_s), None)
        if opens is None:
            return f"{moves}, and no further maintenance window is in the plan: make a new one with `restart plan`"
        return f"{moves}, and the maintenance window has no room for them: the next opens at {instant_text(opens)}, `restart resume` then"

    def deadline_s(self) -> float | None:
        """When, in run seconds, a window next opens, closes, or becomes too short for some move."""
        index = bisect_right(self._changes, self._outbox.now_s)
        return self._changes[index] if index < len(self._changes) else None

    def _why(self, need_s: float) -> str | None:
        """Why a move that takes up to `need_s` may not begin now."""
        if self._doubt is not None:
            return self._doubt
        for offset_s in self._offsets:
            wall_s = self._outbox.now_s + offset_s
            span = next(
                ((opens_s, closes_s) for opens_s, closes_s in self._spans if opens_s <= wall_s < closes_s), None
            )
            if span is None:
                opens = next((opens_s for opens_s, _ in self._spans if opens_s > wall_s), None)
                later = "none is in the plan any more" if opens is None else f"the next opens at {instant_text(opens)}"
                return f"no maintenance window is open: {later}"
            if wall_s + need_s > span[1]:
                return (
                    f"its whole ladder may take {spoken(need_s)}, and the maintenance window closes at {instant_text(span[1])}: "
                    f"it could begin until {instant_text(span[1] - need_s)}"
                )
        return None

    def _opens_next_s(self) -> float | None:
        """When, in run seconds, the next window opens by every clock."""
        now_s = self._outbox.now_s
        found = [
            min((opens_s - offset_s for opens_s, _ in self._spans if opens_s - offset_s > now_s), default=inf)
            for offset_s in self._offsets
        ]
        latest_s = max(found, default=inf)
        return None if latest_s == inf else latest_s

    def _need_of(self, state: MoveState) -> tuple[float, float]:
        return self._needs[self._kind(state.move)]

    def _kind(self, move: Move) -> tuple[object, ...]:
        """Moves of one kind have ladders of one length."""
        return move.playbook, move.act, move.services, self._inventory.hosts[move.host].power is None

    def _need(self, move: Move) -> None:
        key = self._kind(move)
        if key not in self._needs:
            self._needs[key] = (whole_ladder_s(self._inventory, move), from_first_act_s(self._inventory, move))

    def _reckon(self) -> None:
        """The run seconds at which an answer of `_why` may change."""
        needs = {0.0, *(need_s for need_s, _ in self._needs.values())}
        instants = {opens_s for opens_s, _ in self._spans}
        instants |= {closes_s - need_s for _, closes_s in self._spans for need_s in needs}
        # A hair later than the last moment that is allowed, so that the wake-up finds it past.
        self._changes = sorted({at_s - offset_s + 0.001 for at_s in instants for offset_s in self._offsets})
