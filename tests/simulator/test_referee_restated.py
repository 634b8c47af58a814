"""The rules that the referee knows by heart, held against the shared ones: written twice on purpose, they must agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.model.inventory import Amount, Dependency, Service
from restart.rules.budgets import may_be_down, ready_enough
from restart.rules.path import path_hosts
from restart.simulator.referee.restated import down_max, edges_of, on_the_path, ready_min, rings
from tests.simulator.random_fleets import draw, fleet

AMOUNTS = [
    *(Amount(number=number) for number in range(8)),
    *(Amount(percent=percent) for percent in (0.0, 10.0, 25.0, 33.3, 34.0, 50.0, 66.6, 70.0, 75.0, 99.9, 100.0)),
    Amount(quorum=True),
]


@pytest.mark.parametrize("members", [1, 2, 3, 4, 5, 7, 10, 24, 30, 100, 1000])
def test_the_rules_by_heart_and_the_shared_rules_agree(members: int) -> None:
    """Written twice on purpose; where they part, one of them is wrong."""
    hosts = tuple(f"h{number}" for number in range(members))
    for low in [None, *AMOUNTS]:
        for high in [None, *AMOUNTS]:
            service = Service(name="s", hosts=hosts, min_available=low, max_unavailable=high)
            assert down_max(service) == may_be_down(service), (low, high)
            for needs in (None, 1, members):
                assert ready_min(service, needs) == ready_enough(service, needs), (low, high, needs)


def test_the_path_by_heart_is_the_shared_one() -> None:
    for seed in range(20):
        inventory = draw(seed, faults=False).inventory
        services = dict(inventory.services)
        first = next(iter(services))
        services[first] = replace(services[first], path=seed % 2 == 0)
        inventory = replace(inventory, services=services)
        assert on_the_path(inventory) == set(path_hosts(inventory))


def test_hosts_that_carry_provider_and_consumer_are_one_ring_and_others_are_not() -> None:
    both = ("a", "b")
    inventory = fleet(
        Service(name="p", hosts=(*both, "c")), Service(name="q", hosts=both, depends_on=(Dependency(provider="p"),))
    )
    services_of = {"a": ("p", "q"), "b": ("p", "q"), "c": ("p",)}
    found = rings(
        inventory, services_of, services_of, {name: edges_of(found) for name, found in inventory.services.items()}
    )
    assert found["a"] == found["b"]
    assert found["c"] != found["a"]
