"""What one event costs the engine: events a second through `handle`, and how the cost grows with the fleet."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import pytest

from restart.engine import Engine
from restart.model.event import Event
from restart.model.plan import Plan
from tests.engine.test_parking import many_services, one_service
from tests.engine.toy import Toy, play

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

SIZES = (200, 1_000, 10_000)
GROWTH_MAX = 4.0
"""Cost per event at 10,000 hosts over that at 200. A walk over all waiting moves would make it about 50."""


@pytest.mark.parametrize("made", [many_services, one_service])
def test_an_event_costs_about_the_same_in_a_fleet_of_any_size(made: Callable[[int], Plan]) -> None:
    cost_s = {}
    for hosts in SIZES:
        plan = made(hosts)
        played = play(plan, Toy(plan.inventory), events_max=10_000_000)
        assert played.exit_code == 0
        # The toy world has its own cost; the events that were heard, replayed into a fresh engine, have none but the engine's.
        cost_s[hosts] = min(replay_s(plan, played.events) for _ in range(2)) / len(played.events)
        print(
            f"\n{made.__name__}, {hosts} hosts: {len(played.events)} events, {1 / cost_s[hosts]:,.0f} a second,"
            f" {cost_s[hosts] * 1e6:.1f} us each, {cost_s[hosts] / cost_s[SIZES[0]]:.2f} times that of {SIZES[0]} hosts"
        )
    assert cost_s[SIZES[-1]] <= GROWTH_MAX * cost_s[SIZES[0]]


def replay_s(plan: Plan, events: list[Event]) -> float:
    """Seconds of this process's own time; what other processes do in the meantime does not count."""
    engine = Engine(plan)
    gc.collect()
    began_s = time.process_time()
    for event in events:
        engine.handle(event)
    return time.process_time() - began_s
