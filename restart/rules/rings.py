"""Rings: services that require each other, one shortest ring for each group of them (design: rule 18)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

STEPS_MAX = 1_000_000
"""Steps spent on making the ring of one group shorter; past them the shortest found so far is told."""


def rings(edges: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """For each group of names that reach each other along `edges` (name -> names): one shortest ring, first not repeated.

    Each ring begins with the earliest of its names in the order of `edges`, and so are the rings sorted.
    """
    order = {name: index for index, name in enumerate(edges)}
    left = _core(edges)
    followed: dict[str, list[str]] = {name: [] for name in left}
    for name in left:
        for other in edges[name]:
            if other in followed:
                followed[other].append(name)
    found = []
    while left:
        start = next(iter(left))
        group = _reached(start, edges, left) & _reached(start, followed, left)
        if len(group) > 1 or start in edges[start]:
            found.append(_shortest(sorted(group, key=order.__getitem__), edges, order))
        for name in group:
            del left[name]
    return tuple(sorted(found, key=lambda ring: order[ring[0]]))


def _core(edges: Mapping[str, Sequence[str]]) -> dict[str, None]:
    """The names left once those that lead nowhere have been taken away again and again: rings, and what leads into them."""
    leads_to = {name: sum(other in edges for other in others) for name, others in edges.items()}
    comes_from: dict[str, list[str]] = {name: [] for name in edges}
    for name, others in edges.items():
        for other in others:
            if other in comes_from:
                comes_from[other].append(name)
    ends = [name for name, count in leads_to.items() if not count]
    gone = set(ends)
    while ends:
        for name in comes_from[ends.pop()]:
            leads_to[name] -= 1
            if not leads_to[name] and name not in gone:
                gone.add(name)
                ends.append(name)
    return {name: None for name in edges if name not in gone}


def _reached(start: str, edges: Mapping[str, Iterable[str]], inside: Mapping[str, None]) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        for other in edges[waiting.pop()]:
            if other in inside and other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def _shortest(group: list[str], edges: Mapping[str, Sequence[str]], order: Mapping[str, int]) -> tuple[str, ...]:
    inside, best, steps = set(group), list[str](), 0
    for start in group:
        before, line = {start: start}, deque([start])
        closing: str | None = None
        while line and closing is None:
            name = line.popleft()
            for other in edges[name]:
                steps += 1
                if other == start:
                    closing = name
                    break
                if other in inside and other not in before:
                    before[other] = name
                    line.append(other)
        if closing is None:
            continue
        ring = [closing]
        while ring[-1] != start:
            ring.append(before[ring[-1]])
        if not best or len(ring) < len(best):
            best = ring[::-1]
        if len(best) <= 2 or steps > STEPS_MAX:
            break
    first = best.index(min(best, key=order.__getitem__))
    return (*best[first:], *best[:first])
