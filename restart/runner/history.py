"""What earlier runs teach about how long a host takes (design: rule 6). Samples are stored with the fact `move_done`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from restart.model.history import Sample
from restart.model.plan import Duration
from restart.runner.store import Store

SAMPLES_MAX = 20
SAMPLES_MIN = 3


def samples(store: Store, fleet: str) -> Mapping[str, tuple[Sample, ...]]:
    """The last 20 successful moves of each host of `fleet`, the oldest first."""
    rows = store.read(
        "SELECT host, at, run, boot_s, ready_s, took_s FROM (SELECT *, row_number() OVER "
        "(PARTITION BY host ORDER BY number DESC) AS back FROM sample WHERE fleet = ?) "
        "WHERE back <= ? ORDER BY host, back DESC",
        (fleet, SAMPLES_MAX),
    )
    found: dict[str, list[Sample]] = {}
    for host, at, run, boot_s, ready_s, took_s in rows:
        sample = Sample(at=at, run=run, boot_s=boot_s, ready_s=ready_s, took_s=took_s)
        found.setdefault(host, []).append(sample)
    return {host: tuple(of_host) for host, of_host in found.items()}


def durations(store: Store, fleet: str) -> Mapping[str, Duration]:
    """How long each host's move is expected to take: the median of its last 20, where there are at least 3."""
    return {
        host: Duration(
            value_s=round(statistics.median(sample.took_s for sample in of_host), 3),
            samples=len(of_host),
            source="history",
        )
        for host, of_host in samples(store, fleet).items()
        if len(of_host) >= SAMPLES_MIN
    }
