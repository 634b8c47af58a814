"""Looking at all hosts again and again for a while, because one look misses what is short. Nothing is changed anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from restart.model.discovery import Discovery
from restart.model.inventory import Inventory
from restart.model.world import Gate
from restart.probes.section import Section
from restart.probes.sections import connections, references
from restart.rules.durations import spoken
from restart.survey.discover.links import discovery_of
from restart.survey.discover.sightings import Sightings
from restart.survey.look import START_EVERY_S, Look, look_at_all
from restart.transports.asking import Runs

FIRST: tuple[Section[object], ...] = (connections.SECTION, references.SECTION)
"""What the first look asks."""

AGAIN: tuple[Section[object], ...] = (connections.SECTION,)
"""What the later ones ask: files do not change in ten minutes, and connections do."""

Told = Callable[[int, int], None]
"""Called with how many hosts of this look answered or were given up, and how many there are."""

Says = Callable[[str], None]
"""Called with what is done now, in words, where there is more than one look: before each, and each second that the next is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How long to look, and how often, in seconds; `for_s` of 0 is one look."""

    for_s: float = 0.0
    every_s: float = 30.0


def discover(
    inventory: Inventory,
    hosts: Sequence[str],
    *,
    gates: Mapping[str, Gate],
    ssh: Runs,
    sampling: Sampling,
    told: Told = lambda done, of: None,
    says: Says = lambda what: None,
    start_every_s: float = START_EVERY_S,
) -> tuple[Discovery, bool]:
    """What was seen, and whether it came to its end: Ctrl-C (`KeyboardInterrupt`) ends the looking early, and what was seen until then
    counts, of a look that was under way too.

    A look that takes longer than `every_s` is followed by the next one at once.
    """
    sightings = Sightings()
    looking: list[tuple[str, Look]] = []
    began, start_s = time.time(), time.monotonic()
    looks, ended = 0, True

    def seen(host: str, look: Look) -> None:
        # From many threads: a list takes it whole, and it is added up in this one.
        looking.append((host, look))
        told(len(looking), len(hosts))

    try:
        while True:
            looks += 1
            asked_at_s = time.monotonic()
            if sampling.for_s:
                says(f"look {looks}, {_left(start_s + sampling.for_s)} to go")
            look_at_all(
                inventory,
                hosts,
                gates=gates,
                ssh=ssh,
                sections=FIRST if looks == 1 or not _all_told(sightings, hosts) else AGAIN,
                checked=False,
                seen=seen,
                start_every_s=start_every_s,
                # A host that is busy is just the one whose edges count; nobody waits for this as for a survey at midnight.
            )
            _add(sightings, looking)
            next_s = asked_at_s + sampling.every_s
            if max(next_s, time.monotonic()) > start_s + sampling.for_s:
                break
            while (pause_s := next_s - time.monotonic()) > 0:
                says(f"next look in {_left(next_s)}, {_left(start_s + sampling.for_s)} to go; Ctrl-C ends it early")
                time.sleep(min(1.0, pause_s))
    except KeyboardInterrupt:
        ended = False
        _add(sightings, looking)
    for host in hosts:
        if host not in sightings.hosts:
            sightings.unasked(host)
    return (
        discovery_of(inventory, sightings, began=began, for_s=time.monotonic() - start_s, looks=looks),
        ended,
    )


def _left(until_s: float) -> str:
    return spoken(max(0, round(until_s - time.monotonic())))


def _add(sightings: Sightings, looking: list[tuple[str, Look]]) -> None:
    while looking:
        host, look = looking.pop(0)
        sightings.add(host, look.swept)


def _all_told(sightings: Sightings, hosts: Sequence[str]) -> bool:
    """Whether the files of every host were read that answers at all."""
    return all(
        (seen := sightings.hosts.get(host)) is not None and (seen.references is not None or not seen.looks)
        for host in hosts
    )
