"""Several packings of a small fleet, of which the best is kept: fewest waves first, then the least makespan.

List scheduling takes the longest chain first and seldom looks back: one fleet in twenty gets a wave too many. Small fleets are
cheap to pack, so they are packed a few times over, each time by priorities that lean another way. Nothing is left to chance:
the same fleet is packed in the same ways. The first packing is the one that large fleets get, and it yields only to a better one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from restart.errors import Refused
from restart.planner.bound import lower_bound
from restart.planner.guards import Guards
from restart.planner.holds import HoldTable
from restart.planner.kinds import Fleet
from restart.planner.last import path_in_turn
from restart.planner.scope import Scope
from restart.planner.timeline import Pieces, Timeline
from restart.planner.timing import time_plan
from restart.planner.waves import Packed, pack

PACKINGS_MAX = 16
"""Beyond a dozen, two hundred random fleets of up to thirty hosts gained nothing."""

PACKED_MOVES_MAX = 4000
"""Moves packed for one plan, all packings taken together: about a tenth of a second; larger fleets are packed once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """The waves, the path's at their end, when their moves start and end, and `leaning`: which of the packings it is."""

    fleet: Fleet
    packed: Packed
    pieces: Pieces
    timeline: Timeline
    leaning: int = 0


def lay_out(scope: Scope, durations_s: Mapping[str, float], booted_s: Mapping[str, float]) -> Laid:
    """The best packing found. Raises `Refused` where the first one does."""
    guards = Guards(scope.inventory, scope.order, scope.waived, out=scope.out)
    holds = HoldTable(scope.inventory, guards, scope.services_of, durations_s, booted_s, waived=scope.waived)
    fleet = Fleet(scope, durations_s)
    in_turn = [list(kind.hosts) for kind in fleet.kinds]
    best = _laid(fleet, guards, holds, durations_s, 0)
    tries = min(PACKINGS_MAX, PACKED_MOVES_MAX // max(1, len(fleet.kind_of)))
    at_least_ms = lower_bound(fleet, best.packed.doors, best.pieces).at_least_ms if tries > 1 else 0
    for leaning in range(1, tries):
        if len(best.packed.waves) <= best.packed.chain_waves and best.timeline.makespan_ms <= at_least_ms:
            break
        for kind, hosts in zip(fleet.kinds, in_turn, strict=True):
            kind.hosts[:] = hosts
        try:
            packed = pack(fleet, durations_s, leaning)
        except Refused:
            continue  # hosts that are down can get in the way of one order and not of another
        if len(packed.waves) > len(best.packed.waves) or packed.waves == best.packed.waves:
            continue
        other = _timed(fleet, packed, best.pieces, leaning)
        if _length(other) < _length(best):
            best = other
    return best


def lay_out_without(laid: Laid, scope: Scope) -> Laid:
    """The same hosts packed by the same priorities under the other rules of `scope`. Raises `Refused`."""
    durations_s = laid.pieces.durations_s
    guards = Guards(scope.inventory, scope.order, scope.waived, out=scope.out)
    holds = laid.pieces.holds.under(guards, scope.waived)
    return _laid(Fleet(scope, durations_s), guards, holds, durations_s, laid.leaning)


def _laid(fleet: Fleet, guards: Guards, holds: HoldTable, durations_s: Mapping[str, float], leaning: int) -> Laid:
    pieces = Pieces(
        scope=fleet.scope, guards=guards, waves=(), path_from=0, durations_s=durations_s, holds=holds
    )  # fmt: skip
    return _timed(fleet, pack(fleet, durations_s, leaning), pieces, leaning)


def _timed(fleet: Fleet, packed: Packed, pieces: Pieces, leaning: int) -> Laid:
    # One by one, because nothing may be in flight that is reached through a path host (rule 10).
    waves = [*packed.waves, *([host] for host in path_in_turn(fleet.scope))]
    pieces = replace(pieces, waves=waves, path_from=len(packed.waves))
    timeline = time_plan(pieces, fleet.scope.inventory.policy.barrier)
    return Laid(fleet=fleet, packed=packed, pieces=pieces, timeline=timeline, leaning=leaning)


def _length(laid: Laid) -> tuple[int, int]:
    return len(laid.packed.waves), laid.timeline.makespan_ms
