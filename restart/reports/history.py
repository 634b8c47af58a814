"""Runs that were, and how long hosts took: text and plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from restart.model.history import Sample
from restart.reports.prose import aligned, count, printable
from restart.rules.durations import spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run of the store, newest first in lists. `state` of None: it never ended; `hosts`: moves of its plan."""

    run: str
    fleet: str
    started_at: str
    state: str | None
    exit_code: int | None
    by: str
    reason: str
    hosts: int


Samples = Mapping[str, Sequence[Sample]]
"""By host, how long its successful moves took."""


def history_text(runs: Sequence[PastRun], samples: Samples) -> str:
    """The runs as a table, then each host's usual time. Ends with a newline."""
    if not runs:
        return "No run yet.\n"
    rows = [("run", "started", "hosts", "ended", "by", "reason")]
    for run in runs:
        state = "not ended" if run.state is None else f"{run.state} ({run.exit_code})"
        rows.append((run.run, run.started_at[:19] + "Z", str(run.hosts), state, run.by, printable(run.reason)))
    lines = aligned(rows, indent="")
    usual = usual_s(samples)
    if usual:
        table = [("host", "median", "moves")]
        table += [(host, spoken(round(took_s, 1)), str(number)) for host, (took_s, number) in usual.items()]
        lines += [
            "",
            f"How long hosts took ({count(sum(len(taken) for taken in samples.values()), 'move')})",
            *aligned(table),
        ]
    return "\n".join(lines) + "\n"


def history_json(runs: Sequence[PastRun], samples: Samples) -> dict[str, Any]:
    """The same as plain data, with every sample."""
    return {
        "version": 1,
        "runs": [
            {"run": run.run, "fleet": run.fleet, "started_at": run.started_at, "state": run.state,
             "exit_code": run.exit_code, "by": run.by, "reason": run.reason, "hosts": run.hosts}
            for run in runs
        ],
        "samples": [
            {"host": host, "at": sample.at, "took_s": sample.took_s, "boot_s": sample.boot_s, "run": sample.run}
            for host, taken in samples.items()
            for sample in taken
        ],
    }  # fmt: skip


def usual_s(samples: Samples) -> dict[str, tuple[float, int]]:
    """By host, the median of what its moves took, in seconds, and of how many."""
    return {host: (median(sample.took_s for sample in taken), len(taken)) for host, taken in samples.items() if taken}
