"""The controller and its path, found by itself: told in the plan, kept in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from restart.runner import whereabouts
from restart.runner.whereabouts import Whereabouts
from tests.cli.conftest import Said

Restart = Callable[..., Said]


@pytest.fixture(autouse=True)
def _on_db_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is db-1, and web-06 is its name server."""
    at = Whereabouts(addresses=frozenset({"10.0.1.1"}), resolvers=frozenset({"10.0.2.6"}))
    monkeypatch.setattr(whereabouts, "here", lambda: at)


def test_the_host_that_this_runs_on_is_left_alone_and_the_plan_says_how_it_is_known(
    restart: Restart, shop: Path
) -> None:
    said = restart("plan", "shop.yml")
    assert said.code == 0
    told = " ".join(said.out.split())
    assert "db-1: the controller runs here (its address 10.0.1.1 is this machine's); --include-controller" in told
    assert (
        "web-06: found on the path: this machine asks it for names (resolv.conf), and nothing stands beside it" in told
    )
    refused = restart("plan", "shop.yml", "--limit", "db-1")
    assert refused.code == 4


def test_the_saved_plan_holds_what_was_found_and_is_still_that_of_its_inventory(restart: Restart, shop: Path) -> None:
    assert restart("plan", "shop.yml", "-o", "plan.json").code == 0
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert plan["inventory"]["hosts"]["db-1"]["controller"] is True
    assert [move["host"] for move in plan["waves"][-1]["moves"]] == ["gate-1"]
    assert [move["host"] for move in plan["waves"][-2]["moves"]] == ["web-06"]
    assert restart("run", "plan.json", "--inventory", "shop.yml", "--reason", "x", "--dry-run").code == 0


def test_a_name_server_of_the_controller_is_confirmed_by_name(restart: Restart, shop: Path) -> None:
    run = ("run", "shop.yml", "--reason", "x", "--yes-hosts", "9", "--yes-path", "gate-1", "--no-survey")
    refused = restart(*run)
    assert refused.code == 4
    assert "--yes-path web-06" in refused.err
    both = restart("run", "shop.yml", "--reason", "x", "--yes-hosts", "9", "--no-survey")
    assert [f"--yes-path {name}" in both.err for name in ("gate-1", "web-06")] == [True, True], "all at once"
