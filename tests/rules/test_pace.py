from __future__ import annotations

import pytest

from restart.model.inventory import Host, Inventory, Policy, Service
from restart.rules.pace import canaries_of, halved, pace_of, step, stratum


def inventory(service: Service, policy: Policy) -> Inventory:
    return Inventory(fleet="toy", hosts={}, services={service.name: service}, policy=policy)


def test_slow_start_doubles_as_steps_are_proved() -> None:
    assert [step(passed, 1) for passed in (0, 1, 2, 3, 6, 7, 14, 15)] == [1, 2, 2, 4, 4, 8, 8, 16]


def test_slow_start_begins_with_as_many_as_there_are_canaries() -> None:
    assert [step(passed, 3) for passed in (0, 2, 3, 8, 9)] == [3, 3, 6, 6, 12]


def test_slow_start_without_canaries_begins_with_one() -> None:
    assert [step(passed, 0) for passed in (0, 1, 3)] == [1, 2, 4]


@pytest.mark.parametrize("canaries", [0, 1, 3])
def test_trouble_halves_what_may_be_under_way_and_leaves_the_first_step(canaries: int) -> None:
    for passed in range(200):
        before = step(passed, canaries)
        assert step(halved(passed, canaries), canaries) == max(before // 2, max(1, canaries))


def test_a_stratum_is_a_service_and_an_image() -> None:
    assert stratum(Host(name="a", address="a", labels={"image": "v7"}), ("app", "agent")) == ("app/v7", "agent/v7")
    assert stratum(Host(name="a", address="a"), ("app",)) == ("app/",)


@pytest.mark.parametrize(
    ("service", "policy", "pace"), [(None, None, "slow"), (None, "fixed", "fixed"), ("slow", "fixed", "slow")]
)
def test_the_services_pace_wins_over_the_policys(service: str | None, policy: str | None, pace: str) -> None:
    assert pace_of(inventory(Service(name="s", hosts=(), pace=service), Policy(pace=policy)), "s") == pace


@pytest.mark.parametrize(("service", "policy", "canaries"), [(None, None, 1), (None, 3, 3), (0, 3, 0), (2, None, 2)])
def test_the_services_canaries_win_over_the_policys(service: int | None, policy: int | None, canaries: int) -> None:
    fleet = inventory(Service(name="s", hosts=(), canaries=service), Policy(canaries=policy))
    assert canaries_of(fleet, "s") == canaries
