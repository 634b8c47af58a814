"""The scenario cards: the naive side of every one fails as written, the planned side reaches what it must, or says what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from restart.simulator.naive import naive
from restart.simulator.referee import Referee
from restart.simulator.scenario import CAPABILITIES, Scenario, mismatches
from restart.simulator.scenario_file import read_scenario
from restart.simulator.staged import staged
from tests.inventory.reading import GATES, ROOT

FOLDER = ROOT / "inventories" / "scenarios"
CARDS = sorted(FOLDER.glob("*.yml"))


def card(path: Path) -> Scenario:
    return read_scenario(path, GATES)


PLAYABLE = [path for path in CARDS if card(path).staged and not card(path).not_yet()]
WAITING = [path for path in CARDS if card(path).not_yet()]


def stem(path: Path) -> str:
    return path.stem


def test_every_card_of_the_issue_is_there() -> None:
    numbers = {path.stem.split("-")[1] for path in CARDS}
    assert {"01", "02", "03", "05", "07a", "07b", "07c", "08", "09", "11"} <= numbers
    assert {"card-05-in-flight-20", "card-07a-quorum-rolling", "card-11-never-rebooted-config", "card-11-control"} <= {
        path.stem for path in PLAYABLE
    }


@pytest.mark.parametrize("path", CARDS, ids=stem)
def test_the_naive_side_fails_as_the_card_says(path: Path) -> None:
    scenario = card(path)
    assert scenario.expected_naive
    assert mismatches(naive(scenario), scenario.expected_naive) == ()


@pytest.mark.parametrize("path", PLAYABLE, ids=stem)
def test_the_staged_side_reaches_what_the_card_says_and_breaks_no_rule(path: Path) -> None:
    scenario = card(path)
    result = staged(scenario, gates=GATES, referee=Referee)
    assert result.violations == ()
    assert result.not_yet == ()
    assert scenario.expected_staged
    assert mismatches(result, scenario.expected_staged) == ()


@pytest.mark.parametrize("path", WAITING, ids=stem)
def test_a_card_that_needs_more_than_there_is_says_so_and_is_not_played(path: Path) -> None:
    scenario = card(path)
    result = staged(scenario, gates=GATES)
    assert result.not_yet == tuple(need for need in scenario.needs if not CAPABILITIES[need])
    assert result.outcome is None
    assert not result.score.reached
    assert mismatches(result, scenario.expected_staged)


def test_with_the_same_image_a_loss_of_two_canaries_halts_where_a_base_rate_is_borne() -> None:
    trap, control = (card(FOLDER / f"card-11-{name}.yml") for name in ("never-rebooted-config", "control"))
    halted, went_on = staged(trap, gates=GATES), staged(control, gates=GATES)
    assert halted.score.lost != went_on.score.lost
    assert len(halted.restarts) == 4
    assert len(went_on.restarts) == 40
