"""Plans of whole-site maintenance: a shutdown, a person's word, and the cold start of what was switched off, in one plan (design: section 4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from restart.model.plan import Plan, Wave
from restart.planner.compared import STARTED
from restart.planner.document import sealed
from restart.planner.tightest import TIGHTEST
from restart.planner.undrains import STAYS_DRAINED

MODE = "stop-start"
APPROVE = "the maintenance is over: start what was switched off"

NOT_HELD = (
    f"{STARTED}: what stood on a host before the shutdown may wait for one that is started later. restart preflight tells "
    "before the shutdown what no boot would bring back"
)

MakeCold = Callable[[tuple[str, ...]], Plan]
"""The cold start of these hosts, with its second pass where it has one."""

_NUMBERED = re.compile(r"\b(waves?) (\d+)(?: to (\d+))?")


def stop_start_plan(stop: Plan, cold: MakeCold) -> Plan:
    """`stop`, a shutdown, with the cold start of its hosts behind it, which waits for a person. Raises `Refused`."""
    hosts = tuple(move.host for move in stop.moves())
    start = cold(hosts)
    later_s = stop.estimate.makespan_s
    waves = [replace(wave, mode=stop.mode) for wave in stop.waves]
    for wave in start.waves:
        first = wave.number == start.waves[0].number
        waves.append(_behind(wave, len(stop.waves), later_s, start.mode, APPROVE if first else wave.approve))
    tight = [stage.estimate.tightest for stage in (stop, start) if stage.estimate.tightest is not None]
    estimate = replace(
        stop.estimate,
        makespan_s=round(later_s + start.estimate.makespan_s, 3),
        lower_bound_s=round(stop.estimate.lower_bound_s + start.estimate.lower_bound_s, 3),
        critical_path=(*stop.estimate.critical_path, *start.estimate.critical_path),
        tightest=max(tight, key=lambda found: found.costs_s or 0, default=None),
    )
    notes = [
        *(
            f"stop: {note}" if note.startswith(TIGHTEST) else note
            for note in stop.notes
            if not note.startswith(STAYS_DRAINED)
        ),
        *(f"start: {_said(note)}" for note in start.notes if not note.startswith("not surveyed")),
    ]
    notes.append("between the two a person is waited for, and the times do not count that")
    return sealed(
        replace(stop, mode=MODE, waves=tuple(waves), estimate=estimate, notes=tuple(notes), durations=start.durations)
    )


def _said(note: str) -> str:
    """A note of the cold start as it is true behind a shutdown: here somebody could have looked."""
    return NOT_HELD if note.startswith(STARTED) else note


def _behind(wave: Wave, waves: int, later_s: float, mode: str, approve: str | None) -> Wave:
    """One wave of the cold start, at its place behind the `waves` of the shutdown. What that has drained its cold start undrains."""
    moves = tuple(
        replace(
            move,
            start_s=round(move.start_s + later_s, 3),
            finish_s=round(move.finish_s + later_s, 3),
            why=tuple(_shifted(line, waves) for line in move.why),
        )
        for move in wave.moves
    )
    return replace(
        wave,
        number=wave.number + waves,
        moves=moves,
        stage=wave.stage + 1,
        mode=wave.mode or mode,
        approve=approve,
        why=_shifted(wave.why, waves),
    )


def _shifted(text: str, waves: int) -> str:
    """`text` with the numbers of waves as the whole plan counts them."""

    def shift(match: re.Match[str]) -> str:
        last = f" to {int(match[3]) + waves}" if match[3] else ""
        return f"{match[1]} {int(match[2]) + waves}{last}"

    return _NUMBERED.sub(shift, text)
