"""Waves with their gates and `settle`, and the path last and alone, by heart (design: rules 5, 9 and 10).

What holds a start is found when the move is said to begin; `restart.simulator.referee.turns` calls it when its first act goes out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import TYPE_CHECKING

from restart.simulator.referee.restated import gate_checks
from restart.simulator.referee.told import HAIR_S

if TYPE_CHECKING:
    from restart.simulator.referee.record import Record


class Row:
    """Moves wave after wave, of the fleet or of one service: which have not ended, and when the last of each wave had (run seconds)."""

    def __init__(self) -> None:
        self.left: dict[int, set[str]] = {}
        self.ended_s: dict[int, float] = {}
        self._numbers: list[int] = []
        self._first = 0

    def add(self, wave: int, host: str) -> None:
        """The move of `host` is to come, or (an operator's `retry`) to come again."""
        if wave not in self.left:
            self.left[wave] = set()
            self._numbers.insert(bisect_left(self._numbers, wave), wave)
        self.left[wave].add(host)
        self._first = min(self._first, bisect_left(self._numbers, wave))

    def end(self, wave: int, host: str, at_s: float | None) -> None:
        """It has ended (None: it is in another wave now)."""
        self.left[wave].discard(host)
        if at_s is not None:
            self.ended_s[wave] = at_s

    def open_before(self, wave: int) -> set[str]:
        """The moves of the first wave before `wave` that has any left."""
        while self._first < len(self._numbers) and not self.left[self._numbers[self._first]]:
            self._first += 1
        first = self._numbers[self._first] if self._first < len(self._numbers) else wave
        return self.left[first] if first < wave else set()

    def before(self, wave: int) -> int | None:
        """The wave before `wave`."""
        index = bisect_left(self._numbers, wave)
        return self._numbers[index - 1] if index else None


def wave_wrong(record: Record, host: str) -> Iterable[tuple[int, str]]:
    """What the waves before that of `host` still want: all of them under the fleet's barrier, those of its own services under the other."""
    grounds, turns = record.grounds, record.turns
    wave = turns.wave_of(host)
    if wave is None or grounds.stops or grounds.cold or grounds.dark:
        return
    fleet = record.plan.inventory.policy.barrier == "fleet"
    rows = [turns.fleet] if fleet else [turns.of_service[name] for name in grounds.services_of[host]]
    for row in rows:
        left = sorted(row.open_before(wave) - {host})
        if left:
            yield (
                1,
                f"begins in wave {wave} before {len(left)} moves of a wave before it have ended ({', '.join(left[:5])})",
            )
            return
    for name in grounds.services_of[host] if not fleet else turns.touches.get(turns.fleet.before(wave) or 0, ()):
        row = turns.fleet if fleet else turns.of_service[name]
        last = row.before(wave)
        if last is not None:
            yield from _unsettled(record, name, row.ended_s.get(last, 0.0), gated=fleet)


def _unsettled(record: Record, name: str, ended_s: float, *, gated: bool) -> Iterable[tuple[int, str]]:
    """What the service `name`, whose moves of a wave had ended by `ended_s`, still wants before the next begins."""
    service = record.plan.inventory.services[name]
    settled_s = ended_s + service.settle_s
    if record.at_s < settled_s - HAIR_S and not record.grounds.let_go(f"settle.{name}"):
        yield 9, f"begins {settled_s - record.at_s:.1f}s before {name} has settled for {service.settle_s:g}s"
    gate = record.told.gates.get(name)
    if gate is None or not gated or record.grounds.let_go(f"gate.{name}"):
        return
    held_s = max(-1.0 if gate.held_s is None else gate.held_s, record.turns.held_s.get(name, -1.0))
    must_s = max(check.healthy_for_s for check in gate_checks(service))
    if held_s < ended_s + must_s - HAIR_S:
        yield (
            9,
            f"begins, and the gate of {name} has not passed for {must_s:g}s since the wave before had ended at {ended_s:.1f}s",
        )


def path_wrong(record: Record, host: str) -> Iterable[tuple[int, str]]:
    """A path host goes last."""
    grounds = record.grounds
    if grounds.cold or grounds.stops or host not in grounds.path or grounds.dark:
        return
    left = sorted(record.turns.off_path)
    if left and record.turns.wave_of(host) is not None:
        yield 1, f"begins, on the path, before {len(left)} others have ended ({', '.join(left[:5])})"


def judge_alone(record: Record, what: str, host: str) -> None:
    """Nothing is in flight beside a path host, neither where it begins nor where another does."""
    grounds = record.grounds
    beside = [other for other in record.turns.beside.pop(host, ()) if other in record.begun_moves]
    if not beside or grounds.cold or grounds.stops:
        return
    alone = next((name for name in (host, *beside) if name in grounds.path), None)
    if alone is not None:
        record.call(1, f"{what} begins beside {', '.join(beside[:5])}, and {alone} on the path goes alone", host=host)
