"""How long planning takes, as ratios that hold on any machine. Nothing here fails on a time, only on memory."""

from __future__ import annotations

import random
import sys
import tracemalloc
from subprocess import run
from time import process_time

import pytest

from restart.model.inventory import Amount, Dependency, Host, Inventory, Limit, Service
from restart.planner import make_plan, plan_json

pytestmark = pytest.mark.bench

SERVICES = 500
DEPENDENCIES = 5000
MEGABYTE = 1 << 20


def big(hosts: int, services: int = SERVICES, dependencies: int = DEPENDENCIES) -> Inventory:
    """A fleet in which each service rests on about ten of the sixty before it."""
    chance = random.Random(1)
    names = [f"h{number:06d}" for number in range(hosts)]
    racks = max(1, hosts // 40)
    fleet = {
        name: Host(name=name, address=f"{name}.internal", labels={"rack": f"r{at % racks}", "image": f"v{at % 3}"})
        for at, name in enumerate(names)
    }
    rests_on: dict[int, set[int]] = {at: set() for at in range(services)}
    left = min(dependencies, services * 20)
    while left:
        consumer = chance.randrange(1, services)
        provider = chance.randrange(max(0, consumer - 60), consumer)
        if provider not in rests_on[consumer]:
            rests_on[consumer].add(provider)
            left -= 1
    size = hosts // services
    return Inventory(
        fleet="big",
        hosts=fleet,
        services={
            f"s{at:04d}": Service(
                name=f"s{at:04d}",
                hosts=tuple(names[at * size : (at + 1) * size]),
                max_unavailable=Amount(percent=25),
                depends_on=tuple(
                    Dependency(provider=f"s{provider:04d}", kind="requires" if provider % 3 else "after")
                    for provider in sorted(rests_on[at])
                ),
            )
            for at in range(services)
        },
        limits={
            "fleet": Limit(name="fleet", max_in_flight=200),
            "rack": Limit(name="rack", per="rack", max_in_flight=2),
        },
    )


def seconds(inventory: Inventory) -> float:
    """CPU seconds of one planning, the better of two."""
    found = []
    for _ in range(2):
        begun_s = process_time()
        make_plan(inventory, made_at="")
        found.append(process_time() - begun_s)
    return min(found)


def unit_s() -> float:
    """What this machine needs to start Python and import click: the yardstick of every ratio."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run([sys.executable, "-c", "import click"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_planning_10_000_hosts_with_500_services_and_5_000_dependencies() -> None:
    inventory = big(10_000)
    took_s = seconds(inventory)
    plan = make_plan(inventory, made_at="")
    begun_s = process_time()
    plan_json(plan)
    written_s = process_time() - begun_s
    unit = unit_s()
    print(f"\nplan 10,000 hosts: {took_s:.2f} s CPU, {took_s / unit:.1f} x `import click`; {len(plan.waves)} waves")
    print(f"plan_json of it: {written_s:.2f} s CPU, {written_s / unit:.1f} x `import click`")
    assert len(plan.moves()) == 10_000


@pytest.mark.timeout(600)
def test_planning_grows_nearly_with_the_fleet() -> None:
    ten, hundred = seconds(big(10_000)), seconds(big(100_000))
    print(f"\nplan 100,000 hosts: {hundred:.2f} s CPU, {hundred / ten:.1f} x the time of 10,000 (10 is linear)")


def test_planning_grows_with_dependencies_not_with_pairs_of_hosts() -> None:
    few, many = seconds(big(10_000, dependencies=500)), seconds(big(10_000, dependencies=5000))
    pairs = 4500 * 20 * 20
    print(f"\n4,500 dependencies more ({pairs:,} pairs of hosts): {many / few:.2f} x the time")


def test_a_plan_for_10_000_hosts_takes_less_than_150_megabytes() -> None:
    inventory = big(10_000)
    tracemalloc.start()
    try:
        plan_json(make_plan(inventory, made_at=""))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"\nplan 10,000 hosts and its document: {peak / MEGABYTE:.0f} MB at the most")
    assert peak < 150 * MEGABYTE
