"""Maintenance windows from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from restart.runner.clock import ClockWords
from tests.cli.conftest import INVENTORY, Said

Restart = Callable[..., Said]
RUN = ("run", "shop.yml", "--reason", "patch", "--yes-hosts", "10", "--yes-path", "gate-1", "--no-survey")
FAR = "{from: 2096-11-22T23:00, to: 2096-11-23T05:00, zone: Europe/Berlin}"
GONE = "{from: 2020-11-22T23:00, to: 2020-11-23T05:00, zone: Europe/Berlin}"


@pytest.fixture
def windows(tmp_path: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        text = INVENTORY.replace("policy: {", f"policy: {{windows: [{text}], ")
        (tmp_path / "shop.yml").write_text(text, encoding="utf-8")

    return write


def test_a_run_outside_of_every_window_is_refused_and_says_when_the_next_opens(
    restart: Restart, windows: Callable[[str], None]
) -> None:
    windows(FAR)
    said = restart(*RUN)
    assert said.code == 4
    assert "no maintenance window is open: the next opens at Thu 2096-11-22 23:00 Europe/Berlin" in said.err
    assert "(2096-11-22T22:00:00Z)" in said.err
    assert "--override window" in said.err


def test_a_plan_whose_windows_have_passed_is_made_and_not_run(restart: Restart, windows: Callable[[str], None]) -> None:
    windows(GONE)
    assert "a run of this plan begins" in restart("plan", "shop.yml").out.replace("\n    ", " ")
    assert "make it anew" in restart(*RUN).err


def test_a_run_in_a_blackout_is_refused_though_no_window_is_stated(
    restart: Restart, windows: Callable[[str], None], tmp_path: Path
) -> None:
    frozen = "policy: {blackouts: [{from: 2020-01-01T00:00, to: 2096-01-01T00:00, zone: Europe/Berlin}], "
    (tmp_path / "shop.yml").write_text(INVENTORY.replace("policy: {", frozen), encoding="utf-8")
    assert "a run of this plan begins nothing" in restart("plan", "shop.yml").out.replace("\n    ", " ")
    said = restart(*RUN)
    assert said.code == 4
    assert "no maintenance window is open: none of this plan is still to come" in said.err
    assert restart("plan", "shop.yml", "--override", "window", "--reason", "agreed").code == 0


def test_the_plan_says_whether_it_fits_and_a_rehearsal_begins_as_the_window_opens(
    restart: Restart, windows: Callable[[str], None]
) -> None:
    windows('{days: sun, from: "23:00", to: "05:00", zone: Europe/Berlin}')
    planned = restart("plan", "shop.yml")
    assert "opens at 2026-11-22T22:00:00Z" in planned.out
    assert "it fits" in planned.out.replace("\n    ", " ")
    played = restart("simulate", "shop.yml")
    assert played.code == 0
    assert "begins as the maintenance window opens, 2026-11-22T22:00:00Z" in played.out.replace("\n  ", " ")


def test_a_saved_plan_is_still_that_of_its_inventory(restart: Restart, windows: Callable[[str], None]) -> None:
    windows(FAR)
    assert restart("plan", "shop.yml", "-o", "plan.json").code == 0
    said = restart("run", "plan.json", "--inventory", "shop.yml", "--reason", "x", "--dry-run")
    assert said.code == 0


def test_a_clock_that_is_stepped_is_told_once_and_a_nudge_is_not() -> None:
    run_s, wall_s = 0.0, 1_795_306_200.0
    words = ClockWords(lambda: run_s, lambda: wall_s)
    run_s, wall_s = 100.0, wall_s + 110.0
    assert words() == ()
    wall_s -= 7200.0
    (word,) = words()
    assert (word.word, word.target) == ("clock", "2026-11-21T22:11:50Z")
    assert words() == ()
