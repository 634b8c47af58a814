"""`same_as_before` in an inventory: on unless somebody says false, with the times of the other checks where it states none."""

from __future__ import annotations

from pathlib import Path

import pytest

from restart.model.check import Check
from restart.model.inventory import Inventory
from tests.inventory.reading import inventory_of, problems_of

HEAD = "version: 1\nfleet: f\nhosts: {a-1: {}, b-1: {}, c-1: {}}\n"


def read(folder: Path, services: str, defaults: str = "") -> Inventory:
    return inventory_of(folder, f"{HEAD}{f'defaults: {defaults}' if defaults else ''}\nservices: {services}\n")


def test_it_is_on_with_nothing_written_and_keeps_the_time_of_the_ssh_check(tmp_path: Path) -> None:
    found = read(tmp_path, "{a: {hosts: a-1}}")
    assert found.services["a"].same_as_before == Check(kind="same_as_before", timeout_s=10.0)
    assert found.same_as_before == Check(kind="same_as_before", timeout_s=10.0)
    assert found.services["a"].ready == (Check(kind="ssh"),)


def test_times_that_nobody_states_are_those_of_the_other_checks(tmp_path: Path) -> None:
    checks = "[{tcp: 1, every: 5s, healthy_for: 30s}, {tcp: 2, every: 9s, within: 10m}]"
    found = read(tmp_path, f"{{a: {{hosts: a-1, ready: {checks}}}}}").services["a"].same_as_before
    assert found is not None
    assert (found.every_s, found.healthy_for_s, found.within_s) == (5.0, 30.0, 600.0)


def test_a_service_goes_before_the_defaults_and_allow_lists_add_up(tmp_path: Path) -> None:
    own = '{same_as_before: {within: 2m, allow: ["tcp:1"]}}'
    found = read(
        tmp_path,
        f"{{a: {{hosts: a-1, ready: [{own}]}}, b: {{hosts: b-1}}}}",
        '{same_as_before: {within: 9m, healthy_for: 1s, allow: ["unit:x.service"]}}',
    )
    first, second = found.services["a"].same_as_before, found.services["b"].same_as_before
    assert first is not None
    assert second is not None
    assert (first.within_s, first.healthy_for_s, first.params) == (120.0, 1.0, {"allow": ["unit:x.service", "tcp:1"]})
    assert (second.within_s, second.params) == (540.0, {"allow": ["unit:x.service"]})
    assert found.services["a"].ready == (Check(kind="ssh"),), (
        "it does not take the place of the check that it stands beside"
    )


def test_false_switches_it_off_and_true_on_again(tmp_path: Path) -> None:
    services = "{a: {hosts: a-1, ready: [{same_as_before: true}]}, b: {hosts: b-1, ready: [{tcp: 1}, {same_as_before: false}]}}"
    found = read(tmp_path, services, "{same_as_before: false}")
    assert found.services["a"].same_as_before is not None
    assert found.services["b"].same_as_before is None
    assert found.same_as_before is None


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ("{a: {hosts: a-1, ready: [{same_as_before: off}]}}", "same_as_before"),
        ("{a: {hosts: a-1, ready: [{same_as_before: {allow: [9100]}}]}}", "such as tcp:9100"),
        ('{a: {hosts: a-1, ready: [{same_as_before: {allow: ["9100"]}}]}}', "tcp:9100"),
        ("{a: {hosts: a-1, ready: [{same_as_before: true}, {same_as_before: false}]}}", "stated twice"),
        ("{a: {hosts: a-1, gate: [{same_as_before: true}]}}", "belongs under a service's ready, or defaults"),
        ("{a: {hosts: a-1, ready: [{same_as_before: {within: 1s, healthy_for: 1m}}]}}", "never fits into within"),
    ],
)
def test_what_cannot_be_is_told_with_its_way_out(tmp_path: Path, services: str, said: str) -> None:
    problems = problems_of(tmp_path, f"{HEAD}services: {services}\n")
    assert problems
    assert any(said in f"{problem.what} {problem.way_out}" for problem in problems), problems
