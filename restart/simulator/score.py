"""R8 and the score: what the true state of the fleet was over time, held against its floors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from restart.model.simulation import Score
from restart.rules.budgets import budget
from restart.simulator.physics.site import Site

Steps = Sequence[tuple[float, int]]
"""A number over time: from each time (run seconds) on, it is so many."""


def score(site: Site, scope: Iterable[str], end_s: float) -> Score:
    """The score of what happened at `site` until `end_s`; `scope` are the hosts that were to be restarted."""
    truth = site.fleet.truth
    failed = tuple(name for name in scope if not truth[name].up or not all(truth[name].ready.values()))
    floors = {}
    for name, service in site.inventory.services.items():
        floor = budget(service)
        if floor is not None:
            floors[name] = (site.fleet.groups[name].history, floor)
    below = {name: sum_s(intervals_below(steps, floor, end_s)) for name, (steps, floor) in floors.items()}
    union = [span for steps, floor in floors.values() for span in intervals_below(steps, floor, end_s)]
    count = Counter(found.what for found in site.fleet.happenings)
    return Score(
        reached=not failed,
        all_ready_s=None if failed else _all_ready_s(site, end_s),
        under_floor_s=sum_s(union),
        floors_s={name: down_s for name, down_s in below.items() if down_s},
        failed=failed,
        lost=tuple(name for name in failed if not truth[name].up),
        collapses=count["collapse"],
        trips=count["trip"],
        corruptions=count["corrupt"],
        timeouts=count["timeout"],
        failed_starts=count["failed_start"],
        writes_lost=sum(int(found.detail) for found in site.fleet.happenings if found.what == "writes_lost"),
        retries=count["lost"],
    )


def intervals_below(steps: Steps, floor: int, end_s: float) -> list[tuple[float, float]]:
    """The spans of time in which the number was below `floor`."""
    found = []
    for index, (from_s, number) in enumerate(steps):
        to_s = steps[index + 1][0] if index + 1 < len(steps) else end_s
        if number < floor and to_s > from_s:
            found.append((from_s, min(to_s, end_s)))
    return found


def sum_s(spans: Iterable[tuple[float, float]]) -> float:
    """The length of the union of `spans`, in seconds."""
    total_s, until_s = 0.0, float("-inf")
    for from_s, to_s in sorted(spans):
        if to_s > until_s:
            total_s += to_s - max(from_s, until_s)
            until_s = to_s
    return round(total_s, 6)


def availability(site: Site) -> Mapping[str, tuple[tuple[float, int], ...]]:
    """For each service its functioning members over time."""
    return {name: tuple(group.history) for name, group in site.fleet.groups.items()}


def _all_ready_s(site: Site, end_s: float) -> float:
    """Since when every member of every service functions; hosts without a service count from their last boot."""
    times = [group.history[-1][0] for group in site.fleet.groups.values() if group.history]
    times += [
        truth.boot_finished_s
        for name, truth in site.fleet.truth.items()
        if truth.boot_finished_s is not None and not site.fleet.services_of[name]
    ]
    return max(times, default=end_s)
