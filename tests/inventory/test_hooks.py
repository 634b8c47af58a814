"""Hooks as an inventory states them."""

from __future__ import annotations

from pathlib import Path

import pytest

from restart.model.hook import Hook, Silence
from tests.inventory.reading import inventory_of, problems_of

HEAD = """\
version: 1
fleet: f
hosts: {"mon-[1-2]": {address: "10.0.0.[1-2]"}}
services: {mon: {hosts: mon-*}}
hooks:
"""


def test_hooks_are_read_in_their_order(tmp_path: Path) -> None:
    text = """\
  - {name: noout, run: ceph osd set noout, undo: ceph osd unset noout, on: mon-1, timeout: 5s, why: w, causes: [FLAGS]}
  - {run: "scaler pause", on: controller}
  - silence: {alertmanager: "http://am:9093", matchers: ["team=db", 'env!="test"'], for: 30m, headers_env: {Authorization: T}}
"""
    noout, scaler, quiet = inventory_of(tmp_path, HEAD + text).hooks
    assert noout == Hook(
        name="noout", run="ceph osd set noout", undo="ceph osd unset noout", on="mon-1", timeout_s=5.0, why="w",
        causes=("FLAGS",),
    )  # fmt: skip
    assert scaler == Hook(name="hook-2", run="scaler pause")
    assert quiet.name == "hook-3"
    assert quiet.silence == Silence(
        alertmanager="http://am:9093", matchers=("team=db", 'env!="test"'), for_s=1800.0,
        headers_env={"Authorization": "T"},
    )  # fmt: skip


SILENCE = 'silence: {alertmanager: "http://am", matchers: [a=b]}'


@pytest.mark.parametrize(
    ("hook", "what"),
    [
        ("{name: x}", "neither run nor silence"),
        (f"{{run: x, {SILENCE}}}", "run and silence in one hook"),
        (f"{{undo: x, {SILENCE}}}", "undo means nothing beside silence"),
        ("{run: x, on: mon-3}", "mon-3 is not in the inventory"),
        ('{run: "x {host}"}', "{host} has no value here (a hook runs once, not for each host)"),
        ('{silence: {alertmanager: "http://am", matchers: [team]}}', "a matcher such as"),
        ('{silence: {alertmanager: "http://am", matchers: ["a!=b"]}}', "every alert would be silenced"),
        ('{silence: {alertmanager: "am", matchers: [a=b]}}', "an http or https URL expected"),
        ("{run: x, until: y}", "unknown key until"),
    ],
)
def test_what_is_wrong_with_a_hook_is_told_with_its_place(tmp_path: Path, hook: str, what: str) -> None:
    problems = [str(problem) for problem in problems_of(tmp_path, f"{HEAD}  - {hook}\n")]
    assert any(what in problem and "fleet.yml:6:" in problem for problem in problems), problems


def test_two_hooks_of_one_name_are_a_problem(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, HEAD + "  - {name: a, run: x}\n  - {name: a, run: y}\n")
    assert "hook a is here twice" in str(problems[0])


def test_a_host_hook_may_name_its_own_host(tmp_path: Path) -> None:
    (hook,) = inventory_of(tmp_path, HEAD + '  - {run: "drain {host} {address}", on: mon-2}\n').hooks
    assert hook.on == "mon-2"
