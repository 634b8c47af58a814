"""On the whole engine the referee is silent: hundreds of random fleets, with and without faults, and fleets above 200 hosts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from restart.errors import Refused
from restart.model.inventory import Amount, Dependency, Inventory, Limit, Service
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import HostFigures, Physics
from restart.simulator.play import play
from restart.simulator.referee import Referee
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import draw, fixed, fleet

BATCH = 20


def played(seed: int, *, faults: bool) -> Result | None:
    """The play of this number; None: there is no plan for its fleet."""
    drawn = draw(seed, faults=faults)
    try:
        plan = make_plan(drawn.inventory, made_at="")
    except Refused:
        return None
    return play(
        plan,
        drawn.physics,
        seed,
        gates=GATES,
        faults=drawn.faults,
        referee=partial(Referee, seed=seed),
        keep_rows=False,
    )


def called(first: int, *, faults: bool) -> list[str]:
    results = [played(seed, faults=faults) for seed in range(first, first + BATCH)]
    assert sum(result is not None for result in results) > BATCH / 2
    return [str(found) for result in results if result is not None for found in result.violations]


@pytest.mark.parametrize("first", range(0, 40, BATCH))
def test_the_referee_is_silent_where_nothing_goes_wrong(first: int) -> None:
    assert called(first, faults=False) == []


@pytest.mark.parametrize("first", range(100, 260, BATCH))
def test_the_referee_is_silent_whatever_goes_wrong_outside_the_engine(first: int) -> None:
    assert called(first, faults=True) == []


def wide(hosts: int) -> Inventory:
    """Services of 50 hosts in racks of 40, each the consumer of the one before in its block of four."""
    services: list[Service] = []
    names = [f"h{number:05}" for number in range(hosts)]
    for index in range(hosts // 50):
        edges = (Dependency(provider=services[-1].name),) if index % 4 else ()
        members = tuple(names[index * 50 : index * 50 + 50])
        services.append(
            Service(name=f"s{index:03}", hosts=members, depends_on=edges, max_unavailable=Amount(percent=20.0))
        )
    labels = {name: {"rack": f"r{number // 40}"} for number, name in enumerate(names)}
    limits = {
        "fleet": Limit(name="fleet", max_in_flight=max(20, hosts // 20)),
        "rack": Limit(name="rack", per="rack", max_in_flight=10),
    }
    return fleet(*services, labels=labels, limits=limits, policy=fixed(max_failures=5))


class Counted(Referee):
    """A referee whose steps are counted: calls of functions, and the hosts that a sweep goes through. No clock is asked, so that no busy machine fails the test."""

    steps = 0
    events = 0

    def appended(self, event, facts_before):  # type: ignore[no-untyped-def]
        with counting():
            super().appended(event, facts_before)
        Counted.events += 1

    def judge(self, event, requests, facts):  # type: ignore[no-untyped-def]
        with counting():
            super().judge(event, requests, facts)

    def _sweep(self) -> None:
        Counted.steps += len(self._truth.hosts)
        super()._sweep()


@contextmanager
def counting() -> Iterator[None]:
    def called(frame: object, event: str, what: object) -> None:
        if event in ("call", "c_call"):
            Counted.steps += 1

    sys.setprofile(called)
    try:
        yield
    finally:
        sys.setprofile(None)


def steps_per_event(monkeypatch: pytest.MonkeyPatch, hosts: int) -> float:
    inventory = wide(hosts)
    monkeypatch.setattr(Counted, "steps", 0)
    monkeypatch.setattr(Counted, "events", 0)
    physics = Physics(hosts={name: HostFigures(boot_s=60.0, spread=0.3) for name in inventory.hosts}, latency_s=0.1)
    lost = [Fault(kind="never_returns", hosts=(f"h{hosts - 7:05}",))]
    plan = make_plan(inventory, made_at="")
    result = play(plan, physics, 1, gates=GATES, faults=lost, referee=Counted, keep_rows=False)
    assert result.violations == ()
    assert len(result.restarts) == hosts
    return Counted.steps / Counted.events


def test_above_200_hosts_the_referee_takes_near_constant_steps_per_event(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = steps_per_event(monkeypatch, 205), steps_per_event(monkeypatch, 350)
    assert large < 1.05 * small, f"{small:.0f} steps an event at 205 hosts, {large:.0f} at 350"
