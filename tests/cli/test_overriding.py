"""`--override RULE --reason TEXT`, as an operator meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Restart = Callable[..., Any]
LET_GO = ("--override", "budget.web", "--reason", "the site is down anyway")


def test_the_plan_shows_what_is_overridden_and_why_in_every_form(restart: Restart, shop: Path) -> None:
    text = restart("plan", "shop.yml", *LET_GO).out
    assert "OVERRIDDEN by name: budget.web (the site is down anyway)." in " ".join(text.split())
    data = json.loads(restart("plan", "shop.yml", *LET_GO, "--format", "json").out)
    assert data["overrides"] == [{"rule": "budget.web", "reason": "the site is down anyway"}]
    plain = json.loads(restart("plan", "shop.yml", "--format", "json").out)
    assert data["digest"] != plain["digest"]
    assert len(data["waves"]) < len(plain["waves"])
    assert "OVERRIDDEN by name: budget.web" in restart("plan", "shop.yml", *LET_GO, "--format", "markdown").out


def test_an_override_wants_a_reason(restart: Restart, shop: Path) -> None:
    for command in ("plan", "simulate"):
        said = restart(command, "shop.yml", "--override", "budget.web")
        assert said.code == 2
        assert "--override wants a reason" in said.err


def test_an_unknown_rule_is_refused_with_what_was_meant(restart: Restart, shop: Path) -> None:
    said = restart("plan", "shop.yml", "--override", "budget.wbe", "--reason", "r")
    assert said.code == 4
    assert "budget.wbe is no rule of this inventory (did you mean budget.web?)" in said.err


def test_a_saved_plan_does_exactly_what_it_says(restart: Restart, shop: Path) -> None:
    assert restart("plan", "shop.yml", "-o", "plan.json").code == 0
    said = restart("run", "plan.json", *LET_GO)
    assert said.code == 2
    assert "plan again with --override" in said.err
    # A reason alone is the run's own.
    assert restart("run", "plan.json", "--reason", "r", "--dry-run").code == 0


def test_the_confirmation_of_a_run_names_what_is_overridden(restart: Restart, shop: Path) -> None:
    said = restart("run", "shop.yml", "--no-survey", *LET_GO)
    assert "OVERRIDES budget.web (the site is down anyway)" in " ".join((said.out + said.err).split())


def test_a_rehearsal_lets_the_same_rule_go(restart: Restart, shop: Path) -> None:
    plain, loose = restart("simulate", "shop.yml"), restart("simulate", "shop.yml", *LET_GO)
    assert (plain.code, loose.code) == (0, 0)
    assert plain.out != loose.out


def test_the_command_that_plays_a_rehearsal_again_names_the_override() -> None:
    from restart.cli.rehearsing import Wanted, replay_text
    from restart.cli.rooms import Shape

    shape = Shape(overrides=("budget.web",), reason="the site is down anyway")
    assert replay_text("shop.yml", shape, Wanted(), 0.0) == (
        "restart simulate shop.yml --override budget.web --reason 'the site is down anyway'"
    )
