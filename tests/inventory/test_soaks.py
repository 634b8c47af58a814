"""Soaks, and checks that compare, as an inventory states them."""

from __future__ import annotations

from pathlib import Path

from tests.inventory.reading import inventory_of, problems_of

HEAD = """\
version: 1
fleet: f
hosts: {"dns-[1-2]": {}}
services:
  dns:
    hosts: dns-*
"""


def test_a_soak_raises_how_long_the_gate_must_hold_and_how_long_it_may_take(tmp_path: Path) -> None:
    soak = "    soak: {longer_than: 10m, why: DNS TTL}\n"
    gate = '    gate: [{approve: sure?}, {http: "http://a", healthy_for: 30s}, {http: "http://b"}]\n'
    service = inventory_of(tmp_path, HEAD + gate + soak).services["dns"]
    assert [check.healthy_for_s for check in service.gate] == [10.0, 600.0, 10.0]
    assert service.gate[1].within_s == 300.0 + 570.0
    assert service.soak is not None
    assert (service.soak.longer_than_s, service.soak.why) == (600.0, "DNS TTL")


def test_a_gate_that_holds_for_long_enough_is_left_as_it_is(tmp_path: Path) -> None:
    gate = '    gate: [{http: "http://a"}, {http: "http://b", healthy_for: 15m, within: 30m}]\n'
    service = inventory_of(tmp_path, HEAD + gate + "    soak: {longer_than: 10m, why: x}\n").services["dns"]
    assert [check.healthy_for_s for check in service.gate] == [10.0, 900.0]


def test_a_soak_without_a_gate_to_hold_is_a_problem(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, HEAD + "    soak: {longer_than: 10m, why: x}\n")
    assert [str(problem).partition("fleet.yml:")[2] for problem in problems] == [
        "7:5: services.dns: nothing would hold for that long: there is no gate (write a gate whose checks must hold)"
    ]


def test_a_number_of_one_member_is_not_compared(tmp_path: Path) -> None:
    ready = '    ready: [{prometheus: {url: "http://p", query: q, not_below: 95% of before}}]\n'
    (problem,) = problems_of(tmp_path, HEAD + ready)
    assert "not one member (move it to the service's gate)" in str(problem)


def test_what_the_engine_says_to_a_check_cannot_be_written(tmp_path: Path) -> None:
    gate = '    gate: [{prometheus: {url: "http://p", query: q, not_below: 95% of before, of_run: {}}}]\n'
    assert any("of_run" in str(problem) for problem in problems_of(tmp_path, HEAD + gate))


def test_a_metric_of_which_nothing_is_expected_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, HEAD + '    gate: [{prometheus: {url: "http://p", query: q}}]\n')
    assert "expect" in str(problem)
