"""Waves: which are open, when one is done, and what is asked at its end (design: rule 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, islice

from restart.engine import facts
from restart.engine.guards import Guards
from restart.engine.outbox import Outbox
from restart.engine.overrides import waived_by
from restart.engine.state import MoveState
from restart.engine.table import FINISHED
from restart.model.plan import Plan, Wave
from restart.rules.named import settle_rule


@dataclass(slots=True)
class WaveState:
    """One wave: begun, its moves ended, its gates passed, settled, done. Times are run seconds."""

    wave: Wave
    states: list[MoveState]
    unfinished: set[str]
    begun: bool = False
    ended_s: float | None = None
    settled_s: float | None = None
    done: bool = False
    approvals: dict[str, str] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)


class Waves:
    """The waves of the plan in order."""

    def __init__(
        self, plan: Plan, states: Mapping[str, MoveState], guards: Guards, outbox: Outbox, *, before: int = 0
    ) -> None:
        """`before`: so many hosts that stand by come before the plan's moves in its order."""
        self._services = plan.inventory.services
        self._fleet_barrier = plan.inventory.policy.barrier == "fleet"
        self._waived = waived_by(plan)
        self._guards = guards
        self._outbox = outbox
        self._waves = [
            WaveState(wave, [states[move.host] for move in wave.moves], {move.host for move in wave.moves})
            for wave in plan.waves
        ]
        self._number = {wave.wave.number: wave for wave in self._waves}
        self._last: int | None = None
        self._opened: tuple[WaveState, ...] | None = None
        counts = accumulate(len(wave.moves) for wave in plan.waves)
        self._last_index = {wave.number: before + count - 1 for wave, count in zip(plan.waves, counts, strict=True)}

    @property
    def last(self) -> int | None:
        """The wave after which the run stops; None: none."""
        return self._last

    @last.setter
    def last(self, number: int | None) -> None:
        self._last, self._opened = number, None

    @property
    def approvals(self) -> Mapping[str, str]:
        """What waits for a person at the ends of waves: target -> text."""
        return {target: text for wave in self._waves for target, text in wave.approvals.items()}

    def approve(self, target: str) -> bool:
        """A person agrees to `target`; False where nothing of that name waits."""
        for wave in self._waves:
            if wave.approvals.pop(target, None) is not None:
                wave.approved.add(target)
                return True
        return False

    def until(self) -> int:
        """The index in the plan of the last move of the open waves; -1: none is open."""
        opened = self._open()
        return self._last_index[opened[-1].wave.number] if opened else -1

    def entered(self, state: MoveState) -> None:
        """Keep the set of moves that are not finished."""
        wave = self._number[state.wave]
        (wave.unfinished.discard if state.phase in FINISHED else wave.unfinished.add)(state.host)
        if wave.done:
            self._opened = None

    def join(self, state: MoveState) -> None:
        """One more move in a wave: a spare's."""
        wave = self._number[state.wave]
        wave.states.append(state)
        wave.ended_s = wave.settled_s = None
        wave.done, self._opened = False, None

    def change_places(self, first: MoveState, second: MoveState) -> None:
        """Two waiting moves change their waves."""
        for mine, other in ((first, second), (second, first)):
            wave = self._number[mine.wave]
            wave.states = [other if found is mine else found for found in wave.states]
            wave.unfinished.discard(mine.host)
            wave.unfinished.add(other.host)

    def begun(self, state: MoveState) -> None:
        """A move of the wave begins; a wave that was over is open again (an operator retries a host)."""
        wave = self._number[state.wave]
        wave.ended_s = wave.settled_s = None
        if wave.done:
            wave.done, self._opened = False, None
        if not wave.begun:
            wave.begun = True
            self._outbox.tell(
                facts.WAVE_STARTED, wave=state.wave, why=wave.wave.why, moves=[found.host for found in wave.states]
            )

    def advance(self, now_s: float, *, asking: bool) -> bool:
        """Close what can be closed; True where a wave was. Gates are asked only where `asking`."""
        closed = False
        for wave in self._open():
            if wave.unfinished:
                wave.ended_s = wave.settled_s = None
                continue
            if wave.ended_s is None:
                wave.ended_s = now_s
            if asking and self._over(wave, now_s):
                wave.done = closed = True
                self._opened = None
                self._outbox.tell(facts.WAVE_DONE, wave=wave.wave.number)
        return closed

    def deadline_s(self) -> float | None:
        """When the settling of a wave is over, in run seconds."""
        times = [wave.settled_s + self._settle_s(wave) for wave in self._open() if wave.settled_s is not None]
        return min(times, default=None)

    def finished(self) -> bool:
        """Every wave is done."""
        return all(wave.done and not wave.unfinished for wave in self._waves)

    def reached_last(self) -> bool:
        """Every wave up to `last` is done."""
        return self.last is not None and all(
            wave.done and not wave.unfinished for wave in self._waves if wave.wave.number <= self.last
        )

    def waits_for_time_or_gates(self) -> bool:
        """A wave's moves have ended and its gates, its settling or a person's word are still to come."""
        return any(wave.ended_s is not None and not wave.done for wave in self._open())

    def let_through(self, state: MoveState) -> Iterator[tuple[str, str]]:
        """The settling of the wave before that of `state` that is overridden by name and not over, each with its numbers."""
        if not self._waived or not self._fleet_barrier:
            return
        before = max((wave for wave in self._waves if wave.wave.number < state.wave), key=_number_of, default=None)
        if before is None or before.settled_s is None:
            return
        for service in self._touched(before):
            settle_s = self._services[service].settle_s
            left_s = before.settled_s + settle_s - self._outbox.now_s
            if settle_rule(service) in self._waived and left_s > 0:
                yield settle_rule(service), f"{service} settles for {left_s:.0f}s more, of {settle_s:g}s"

    def _open(self) -> tuple[WaveState, ...]:
        """The open waves in order; found anew only where one has closed or opened since."""
        if self._opened is None:
            reached = (wave for wave in self._waves if self._last is None or wave.wave.number <= self._last)
            opened = (wave for wave in reached if not wave.done or wave.unfinished)
            self._opened = tuple(islice(opened, 1) if self._fleet_barrier else opened)
        return self._opened

    def _over(self, wave: WaveState, now_s: float) -> bool:
        """Its gates have passed since its last move ended, persons have agreed, and then its services have settled."""
        if wave.settled_s is None:
            since_s = wave.ended_s or 0.0
            passed = [self._guards.passed(name, since_s) for name in wave.wave.gates if self._guards.counts(name)]
            if not all(passed) or not self._approved(wave):
                return False
            wave.settled_s = now_s
        return now_s >= wave.settled_s + self._settle_s(wave)

    def _approved(self, wave: WaveState) -> bool:
        for service in wave.wave.gates:
            for number, check in enumerate(self._services[service].gate, 1):
                if check.kind != "approve":
                    continue
                target = f"{service}/wave-{wave.wave.number}" + (f"/{number}" if number > 1 else "")
                if target in wave.approved:
                    continue
                if target not in wave.approvals:
                    text = str(check.params.get("text", "approve"))
                    wave.approvals[target] = text
                    self._outbox.tell(
                        facts.APPROVAL_WANTED, service=service, wave=wave.wave.number, evidence=text, target=target
                    )
        return not wave.approvals

    def _settle_s(self, wave: WaveState) -> float:
        holding = (service for service in self._touched(wave) if settle_rule(service) not in self._waived)
        return max((self._services[service].settle_s for service in holding), default=0.0)

    @staticmethod
    def _touched(wave: WaveState) -> dict[str, None]:
        """The services of the wave's moves."""
        return {service: None for state in wave.states for service in state.move.services}


def _number_of(wave: WaveState) -> int:
    return wave.wave.number
