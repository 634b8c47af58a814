"""Several packings of a small fleet, of which the best is kept: fewest waves first, then the least makespan.

List scheduling takes the longest chain first and seldom looks back: one fleet in twenty gets a wave too many. Small fleets are
cheap to pack, so they are packed a few times over, each time by priorities that lean another way. Nothing is left to chance:
the same fleet is packed in the same ways. The first packing is the one that large fleets get, and it yields only to a better one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from restart.errors import Refused
from restart.planner.bound import lower_bound
from restart.planner.kinds import Fleet
from restart.planner.timeline import Pieces, Timeline
from restart.planner.timing import time_plan
from restart.planner.waves import Packed, pack

PACKINGS_MAX = 16
"""Beyond a dozen, two hundred random fleets of up to thirty hosts gained nothing."""

PACKED_MOVES_MAX = 4000
"""Moves packed for one plan, all packings taken together: about a tenth of a second; larger fleets are packed once."""


def best_packing(
    fleet: Fleet, durations_s: Mapping[str, float], lay: Callable[[Packed], Pieces]
) -> tuple[Packed, Pieces, Timeline]:
    """The best packing found, as `lay` lays it out, and when its moves start and end. Raises `Refused` where the first one does."""
    in_turn = [list(kind.hosts) for kind in fleet.kinds]
    packed = pack(fleet, durations_s)
    pieces = lay(packed)
    barrier = fleet.scope.inventory.policy.barrier
    timeline = time_plan(pieces, barrier)
    tries = min(PACKINGS_MAX, PACKED_MOVES_MAX // max(1, len(fleet.kind_of)))
    at_least_ms = lower_bound(fleet, packed.doors, pieces).at_least_ms if tries > 1 else 0
    for leaning in range(1, tries):
        if len(packed.waves) <= packed.chain_waves and timeline.makespan_ms <= at_least_ms:
            break
        for kind, hosts in zip(fleet.kinds, in_turn, strict=True):
            kind.hosts[:] = hosts
        try:
            other = pack(fleet, durations_s, leaning)
        except Refused:
            continue  # hosts that are down can get in the way of one order and not of another
        if len(other.waves) > len(packed.waves) or other.waves == packed.waves:
            continue
        waves = [*other.waves, *pieces.waves[pieces.path_from :]]
        laid = replace(pieces, waves=waves, path_from=len(other.waves))
        timed = time_plan(laid, barrier)
        if (len(other.waves), timed.makespan_ms) < (len(packed.waves), timeline.makespan_ms):
            packed, pieces, timeline = other, laid, timed
    return packed, pieces, timeline
