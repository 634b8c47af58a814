"""What a rehearsal costs: per event of the engine, for a plan of 200 hosts with each host lost in turn, and for 10,000 hosts.

Every figure is printed beside a yardstick of this machine, so that it can be read on another. Nothing here fails on a time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from subprocess import run
from time import perf_counter, process_time

import pytest

from restart.engine import Engine
from restart.model.check import Check
from restart.model.event import Event
from restart.model.inventory import Amount, Dependency, Host, Inventory, Limit, Policy, Service
from restart.model.plan import Plan
from restart.model.playbook import Playbook, Rung
from restart.model.request import Request
from restart.planner import make_plan
from restart.simulator.branches import cores
from restart.simulator.losses import losses_after
from restart.simulator.physics.figures import HostFigures, Physics
from restart.simulator.play import play
from restart.simulator.referee import Referee
from restart.simulator.rehearsal import Rehearsal
from restart.simulator.story import Story
from restart.simulator.usual import usual_physics
from tests.inventory.reading import GATES

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

REBOOT = Playbook(name="reboot", restart=(Rung(kind="reboot", down_within_s=60.0, back_within_s=600.0),))
MEMBERS = 20
"""Of each service; each rests on the two before it in its chain of five."""


def fleet(hosts: int, *, max_unavailable: Amount) -> Inventory:
    """Services of 20 hosts in chains of five, racks of 40; a twentieth of the fleet at once, at least ten."""
    names = [f"h{number:05d}" for number in range(hosts)]
    services = {}
    for at in range(hosts // MEMBERS):
        services[f"s{at:03d}"] = Service(
            name=f"s{at:03d}",
            hosts=tuple(names[at * MEMBERS : (at + 1) * MEMBERS]),
            max_unavailable=max_unavailable,
            ready=(Check(kind="tcp", params={"port": 80}, healthy_for_s=10.0, within_s=300.0),),
            depends_on=tuple(Dependency(provider=f"s{below:03d}") for below in range(max(at - at % 5, at - 2), at)),
        )
    return Inventory(
        fleet="bench",
        hosts={name: Host(name=name, address=name, labels={"rack": f"r{at // 40}"}) for at, name in enumerate(names)},
        services=services,
        limits={"fleet": Limit(name="fleet", max_in_flight=max(10, hosts // 20))},
        playbooks={"reboot": REBOOT},
        policy=Policy(pace="fixed", canaries=0),
    )


def planned(hosts: int, *, max_unavailable: Amount | None = None) -> Plan:
    return make_plan(fleet(hosts, max_unavailable=max_unavailable or Amount(percent=25.0)), made_at="")


def unit_s() -> float:
    """What this machine needs to start Python and import click: the yardstick of every ratio."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run([sys.executable, "-c", "import click"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Recorder:
    """A watcher that keeps every event, so that the engine can be timed alone."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def see(self, event: Event, facts: Sequence[object]) -> None:
        self.events.append(event)


def engine_s(plan: Plan, events: Sequence[Event]) -> float:
    """CPU seconds of `handle` over the whole run, the world apart. The engine is asked for its deadline too, as the loop does."""
    engine = Engine(plan)
    requests: Sequence[Request] = ()
    begun_s = process_time()
    for event in events:
        requests = engine.handle(event)
        _ = engine.deadline
    took_s = process_time() - begun_s
    assert engine.outcome is not None, requests
    return took_s


def events_of(plan: Plan) -> list[Event]:
    recorder = Recorder()
    hosts = {name: HostFigures(boot_s=180.0, spread=0.25) for name in plan.inventory.hosts}
    result = play(plan, Physics(hosts=hosts, latency_s=0.05), 1, gates=GATES, watchers=(recorder,), keep_rows=False)
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    return recorder.events


def test_events_a_second_through_the_engine_at_200_1_000_and_10_000_hosts() -> None:
    per_event_us = {}
    for hosts in (200, 1_000, 10_000):
        plan = planned(hosts)
        events = events_of(plan)
        took_s = engine_s(plan, events)
        per_event_us[hosts] = took_s / len(events) * 1e6
        print(
            f"\n{hosts:,} hosts: {len(events):,} events, {len(events) / took_s:,.0f} a second through handle, "
            f"{per_event_us[hosts]:.0f} us each, {took_s / unit_s():.0f} x `import click` in all"
        )
    print(f"an event at 10,000 hosts costs {per_event_us[10_000] / per_event_us[1_000]:.2f} times one at 1,000")


@pytest.mark.parametrize("name", ["one at a time", "a quarter at a time"])
def test_each_of_200_hosts_lost_in_turn(name: str) -> None:
    amount = Amount(number=1) if name == "one at a time" else Amount(percent=25.0)
    plan = planned(200, max_unavailable=amount)
    rehearsal = Rehearsal(plan=plan, physics=usual_physics(plan), gates=GATES, seed=1)
    begun_s = perf_counter()
    story = Story()
    base = rehearsal.play(story)
    first_s = perf_counter() - begun_s
    found = losses_after(rehearsal, base, story, at_once=cores())
    took_s = perf_counter() - begun_s
    print(
        f"\n--n-1 of 200 hosts, {name}: {took_s:.1f} s on {cores()} cores; {took_s / first_s:.1f} times one play "
        f"of {base.events:,} events ({first_s:.2f} s), for {len(found.losses)} losses"
    )
    assert len(found.losses) == 200


def test_a_rolling_restart_of_10_000_hosts() -> None:
    plan = planned(10_000)
    begun_s = perf_counter()
    result = play(plan, usual_physics(plan), 1, gates=GATES, referee=Referee, keep_rows=False)
    took_s = perf_counter() - begun_s
    print(
        f"\n10,000 hosts, refereed: {took_s:.1f} s for {result.duration_s / 3600:.1f} h of the run's clock, "
        f"{result.events:,} events, {took_s / result.events * 1e6:.0f} us each, {took_s / unit_s():.0f} x `import click`"
    )
    assert result.violations == ()
    assert len(result.restarts) == 10_000


def compared(plan_of: Inventory) -> Plan:
    """The plan of the same fleet whose hosts are held against what stood on them, as they are where nobody says otherwise."""
    check = Check(kind="same_as_before", timeout_s=10.0, healthy_for_s=10.0, within_s=300.0)
    services = {name: replace(service, same_as_before=check) for name, service in plan_of.services.items()}
    return make_plan(replace(plan_of, services=services, same_as_before=check), made_at="")


def test_what_it_costs_to_hold_10_000_hosts_against_what_they_were() -> None:
    without, found = planned(10_000), {}
    for name, plan in (("off", without), ("on", compared(without.inventory))):
        begun_s = process_time()
        result = play(plan, usual_physics(plan), 1, gates=GATES, referee=Referee, keep_rows=False)
        took_s = process_time() - begun_s
        assert result.violations == ()
        assert len(result.restarts) == 10_000
        found[name] = (result.events, took_s, result.duration_s)
        print(
            f"\nsame_as_before {name}, 10,000 hosts, refereed: {result.events:,} events in {took_s:.1f} s of CPU, "
            f"{result.events / took_s:,.0f} a second; {result.duration_s / 3600:.2f} h of the run's clock"
        )
    more, longer, later = (on / off for on, off in zip(found["on"], found["off"], strict=True))
    print(f"on is {more:.2f} times the events, {longer:.2f} times the time, {later:.3f} times the run's clock")
    # One event a host more: the look before its restart. What is asked after it rides with the host's other checks.
    assert more < 1.2
    assert later < 1.01
