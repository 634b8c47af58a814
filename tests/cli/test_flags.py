"""Stop flags from the command line: set, met, lifted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from restart.runner import runs
from restart.runner.store import Store
from tests.cli.conftest import Said

Restart = Callable[..., Said]
RUN = ("run", "shop.yml", "--reason", "patch", "--yes-hosts", "10", "--yes-path", "gate-1", "--no-survey")


def test_a_run_is_refused_by_name_while_a_flag_stands(restart: Restart, shop: Path) -> None:
    said = restart("stop", "--everything", "--reason", "storage is being moved")
    assert said.code == 0
    assert "go --flag 1" in said.out
    refused = restart(*RUN)
    assert refused.code == 4
    for part in ("run refused", "stop flag 1 stands on everything", "storage is being moved", "go --flag 1"):
        assert part in refused.err


def test_a_plan_is_made_and_says_which_flags_stand(restart: Restart, shop: Path) -> None:
    restart("stop", "--fleet", "shop", "--reason", "audit")
    restart("stop", "--fleet", "other", "--reason", "not ours")
    planned = restart("plan", "shop.yml")
    assert planned.code == 0
    assert "STOPPED: stop flag 1 stands on fleet shop" in planned.out
    assert "not ours" not in planned.out
    assert json.loads(restart("plan", "shop.yml", "--format", "json").out)["fleet"] == "shop"


def test_a_flag_on_every_service_of_the_plan_refuses_and_on_one_of_them_does_not(restart: Restart, shop: Path) -> None:
    restart("stop", "--service", "web", "--reason", "index rebuild")
    only_web = restart(*RUN[:4], "--no-survey", "--limit", "service:web", "--yes-hosts", "6")
    assert only_web.code == 4
    assert "service web of every fleet" in only_web.err
    both = restart(*RUN[:4], "--no-survey", "--limit", "service:web,service:db", "--yes-hosts", "1")
    assert "index rebuild" in both.err
    assert "--yes-hosts says 1" in both.err, "the flag is told, and what refuses is the wrong number"


def test_status_lists_flags_even_before_the_first_run(restart: Restart) -> None:
    restart("stop", "--service", "db", "--fleet", "shop", "--reason", "restore")
    assert "service db of fleet shop" in restart("status").out
    listed = json.loads(restart("status", "--format", "json").out)["flags"]
    assert [(flag["number"], flag["level"], flag["service"]) for flag in listed] == [(1, "service", "db")]


def test_a_flag_is_lifted_by_what_it_stands_on_and_only_once(restart: Restart) -> None:
    restart("stop", "--everything", "--reason", "x")
    assert "Would lift" in restart("go", "--everything", "--dry-run").out
    assert restart("go", "--everything", "--reason", "over").code == 0
    again = restart("go", "--everything", "--reason", "over")
    assert again.code == 2
    assert "no such stop flag stands" in again.err


def test_nobody_lifts_a_second_flag_without_knowing(restart: Restart) -> None:
    restart("stop", "--service", "db", "--reason", "backup")
    restart("stop", "--service", "db", "--reason", "index")
    both = restart("go", "--service", "db")
    assert both.code == 2
    assert "backup" in both.err
    assert "index" in both.err
    lifted = restart("go", "--flag", "2", "--reason", "index done")
    assert "Still: stop flag 1" in lifted.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("stop", "--everything"), "wants a reason"),
        (("stop", "--everything", "--fleet", "shop", "--reason", "x"), "nothing for --fleet"),
        (("stop", "some-run", "--everything", "--reason", "x"), "not said to one run"),
        (("go", "--flag", "7"), "no run yet"),
    ],
)
def test_what_cannot_be_meant_is_said(restart: Restart, arguments: tuple[str, ...], says: str) -> None:
    said = restart(*arguments)
    assert said.code == 2
    assert says in said.err


def test_a_flag_on_a_name_that_nobody_has_is_told(restart: Restart) -> None:
    assert "no run of a fleet named shpo is in this store yet" in restart(
        "stop", "--fleet", "shpo", "--reason", "x"
    ).out.replace("\n", " ")


def test_a_slip_of_the_pen_sets_no_flag_and_says_that_nothing_is_stopped(restart: Restart, shop: Path) -> None:
    # A run is in the store, so that its names are known.
    assert restart("plan", "shop.yml", "-o", "p.json").code == 0
    with Store.open(Path(os.environ["RESTART_STORE"])) as store:
        runs.create(
            store, id="r1", plan=json.loads(Path("p.json").read_text(encoding="utf-8")), reason="x", user="u",
            controller="c",
        )  # fmt: skip
    for arguments, hint in (
        (("--service", "wbe"), "did you mean web?"),
        (("--service", "nothing-like-it"), "no plan in this store has a service named nothing-like-it"),
        (("--fleet", "shpo"), "did you mean shop?"),
    ):
        said = restart("stop", *arguments, "--reason", "x")
        assert (said.code, "NOTHING IS STOPPED" in said.err, hint in said.err) == (2, True, True), said
    assert "STOPPED" not in restart("status").out
    assert restart("stop", "--service", "web", "--reason", "x").code == 0
    # A fleet that has not run yet may be stopped before its first run.
    assert restart("stop", "--fleet", "warehouse", "--reason", "x").code == 0
