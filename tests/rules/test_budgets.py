from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.model.inventory import Amount, Service
from restart.rules.budgets import allowed_down, budget, may_be_down, needed, ready_enough


def service(members: int, **fields: Amount) -> Service:
    return Service(name="web", hosts=tuple(f"w-{number}" for number in range(members)), **fields)


@pytest.mark.parametrize(
    ("members", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)]
)  # fmt: skip
def test_a_quorum_is_more_than_half(members: int, quorum: int) -> None:
    assert needed(Amount(quorum=True), members) == quorum
    assert allowed_down(Amount(quorum=True), members) == members - quorum


def test_min_available_rounds_up_and_max_unavailable_down() -> None:
    assert needed(Amount(percent=34), 3) == 2
    assert allowed_down(Amount(percent=34), 3) == 1
    assert allowed_down(Amount(percent=33), 3) == 0


def test_a_hair_of_floating_point_neither_costs_nor_grants_a_host() -> None:
    assert needed(Amount(percent=10), 30) == 3
    assert allowed_down(Amount(percent=70), 10) == 7
    assert allowed_down(Amount(percent=29), 100) == 29


def test_the_stricter_of_two_budgets_wins() -> None:
    both = service(10, min_available=Amount(number=5), max_unavailable=Amount(number=2))
    assert budget(both) == 8
    assert may_be_down(both) == 2


def test_without_a_budget_one_at_a_time() -> None:
    assert budget(service(10)) is None
    assert may_be_down(service(10)) == 1
    assert may_be_down(service(1)) == 1


def test_a_budget_of_all_lets_nobody_go() -> None:
    assert may_be_down(service(4, min_available=Amount(percent=100))) == 0
    assert may_be_down(service(4, min_available=Amount(all=True))) == 0


def test_more_than_there_are_can_never_be_met() -> None:
    assert may_be_down(service(2, min_available=Amount(number=3))) == -1


def test_a_provider_is_ready_within_its_budget_and_never_with_no_member_at_all() -> None:
    assert ready_enough(service(5, min_available=Amount(quorum=True)), None) == 3
    assert ready_enough(service(5), None) == 4
    assert ready_enough(service(1), None) == 1
    assert ready_enough(service(3, max_unavailable=Amount(number=3)), None) == 1
    assert ready_enough(service(5), 2) == 2
    assert ready_enough(service(0), None) == 0


@given(st.floats(0, 100), st.integers(1, 500))
def test_rounding_is_always_to_the_safe_side(percent: float, members: int) -> None:
    exact = members * percent / 100
    assert exact - 1e-6 <= needed(Amount(percent=percent), members) <= exact + 1
    assert exact - 1 <= allowed_down(Amount(percent=percent), members) <= exact + 1e-6
