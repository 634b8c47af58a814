"""Small fleets are packed several times over, and the best packing is kept."""

from __future__ import annotations

import pytest

from restart.model.plan import Plan
from restart.planner import make_plan, packings
from tests.planner.small_fleets import draw

MISLEADING = {23: 12, 88: 8, 93: 9, 118: 10, 142: 12, 168: 11}
"""Fleets on which the longest chain first takes a wave or two too many, and the least waves, as the exact solver proved them."""


def packed_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> Plan:
    with monkeypatch.context() as once:
        once.setattr(packings, "PACKINGS_MAX", 1)
        return make_plan(draw(seed), made_at="")


@pytest.mark.parametrize("seed", MISLEADING)
def test_where_the_longest_chain_misleads_another_packing_has_the_least_waves(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(packed_once(seed, monkeypatch).waves) > MISLEADING[seed]
    assert len(make_plan(draw(seed), made_at="").waves) == MISLEADING[seed]


@pytest.mark.parametrize("seed", range(30))
def test_what_is_kept_is_never_worse_than_the_first_packing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first, kept = packed_once(seed, monkeypatch), make_plan(draw(seed), made_at="")
    assert (len(kept.waves), kept.estimate.makespan_s) <= (len(first.waves), first.estimate.makespan_s)


def test_the_same_fleet_is_packed_in_the_same_way() -> None:
    assert make_plan(draw(118), made_at="").digest == make_plan(draw(118), made_at="").digest


def test_a_large_fleet_is_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    leanings = set()
    pack = packings.pack
    monkeypatch.setattr(packings, "pack", lambda *given: leanings.add(given[2]) or pack(*given))
    monkeypatch.setattr(packings, "PACKED_MOVES_MAX", 30)
    make_plan(draw(118), made_at="")
    assert leanings == {0}
