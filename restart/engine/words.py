"""What operators say to a run: pause, go, stop, approvals, and decisions on single hosts."""

from __future__ import annotations

from collections.abc import Mapping

from restart.engine import facts
from restart.engine.brakes import Brakes
from restart.engine.moving import Moving
from restart.engine.outbox import Outbox
from restart.engine.pace import Pace
from restart.engine.slots import Slots
from restart.engine.starts import Starts
from restart.engine.state import MoveState
from restart.engine.table import FAILED, Phase, Sign
from restart.engine.waves import Waves
from restart.model.event import Word

RESOLVING = {"done": Sign.TOLD_DONE, "retry": Sign.TOLD_RETRY, "skip": Sign.TOLD_SKIP}

DECISIONS = frozenset({"approve", *RESOLVING})

ALLOWED = {
    Sign.TOLD_DONE: (Phase.IN_DOUBT, Phase.QUARANTINED),
    Sign.TOLD_RETRY: (Phase.IN_DOUBT, *FAILED, Phase.NOT_REBOOTED),
    Sign.TOLD_SKIP: (Phase.IN_DOUBT, *FAILED, Phase.NOT_REBOOTED, Phase.WAITING),
}
"""In which phases of a move each decision can be taken."""


class Words:
    """Hears the operators. `paused` and `stopping` say by whom and why; None: nobody said so, or it is over."""

    def __init__(
        self,
        states: Mapping[str, MoveState],
        outbox: Outbox,
        *,
        moving: Moving,
        waves: Waves,
        slots: Slots,
        pace: Pace,
        brakes: Brakes,
        starts: Starts,
    ) -> None:
        self.paused: str | None = None
        self.stopping: str | None = None
        self._states = states
        self._outbox = outbox
        self._moving = moving
        self._waves = waves
        self._slots = slots
        self._pace = pace
        self._brakes = brakes
        self._starts = starts
        self._kept: list[Word] = []

    def hear(self, word: Word, *, running: bool) -> None:
        """Take in one word; a word that is none is passed over. Decisions are kept until the run is `running`: claimed, not ending."""
        if word.word in DECISIONS and not running:
            self._kept.append(word)
            return
        said = said_by(word)
        match word.word:
            case "pause":
                self.paused = said
                self._outbox.tell(facts.PAUSED, why=said)
            case "go":
                self.paused = None
                self._outbox.tell(facts.GOING, why=said)
            case "stop" if self.stopping is None:
                self.stopping = said
                self._outbox.tell(facts.STOPPING, why=said)
            case "approve":
                self._approve(word.target, said)
            case "done" | "retry" | "skip":
                self._resolve(word, said)
            case _:
                pass

    def hear_kept(self) -> None:
        """Take in what was said before the run was running."""
        kept, self._kept = self._kept, []
        for word in kept:
            self.hear(word, running=True)

    def _approve(self, target: str | None, said: str) -> None:
        wanting = [state for state in self._states.values() if state.approval is not None]
        if target is None and len(wanting) + len(self._waves.approvals) == 1:
            target = wanting[0].host if wanting else next(iter(self._waves.approvals))
        for state in wanting:
            if state.host == target:
                self._outbox.tell(facts.APPROVED, host=state.host, why=said, target=target)
                self._moving.approve(state)
                return
        if target is not None and self._waves.approve(target):
            self._outbox.tell(facts.APPROVED, why=said, target=target)

    def _resolve(self, word: Word, said: str) -> None:
        sign = RESOLVING[word.word]
        state = self._states.get(word.target or "")
        if state is None or state.phase not in ALLOWED[sign]:
            now = state.phase.value if state else "not in the plan"
            self._outbox.tell(facts.RESOLVED, host=word.target, why=f"nothing to resolve: {now}", word="none")
            return
        self._outbox.tell(facts.RESOLVED, host=state.host, why=said, word=word.word)
        self._brakes.forgive(state.host)
        self._pace.forgive(state.host)
        self._starts.forgive(state)
        if sign is not Sign.TOLD_DONE:
            self._slots.free(state.host, "all", self._outbox.now_s)
        if sign is Sign.TOLD_RETRY:
            state.reset()
        if sign is Sign.TOLD_DONE:
            state.told_done = said
            state.streaks.clear()
            # What was switched off by hand is proved off, and nothing else of it is asked.
            sign = Sign.TOLD_OFF if state.move.act == "stop" else sign
        self._moving.sign(state, sign)


def said_by(word: Word) -> str:
    """Who said it, and why where a reason was given."""
    by = word.by or "operator"
    return f"{by}: {word.reason}" if word.reason else by
