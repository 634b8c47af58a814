"""What an operator says of a host (`resolve --done`) is held against its boot id."""

from __future__ import annotations

import pytest

from restart.engine import facts
from restart.model.event import Word
from restart.model.inventory import Amount, Service
from tests.engine.toy import Played, Toy, fixed, fleet, plan_of, play, resumed

WEB = Service(name="web", hosts=("w1", "w2"), max_unavailable=Amount(number=2))


def told_done(toy: Toy, played: Played) -> Played:
    toy.words = [(toy.now_s, Word(at_s=0.0, word="done", by="eve", reason="by hand", target="w1"))]
    resumed(played, crash=False)
    return played


@pytest.fixture
def quarantined() -> tuple[Toy, Played]:
    """w1 never returned from its reboot, and the run has ended."""
    inventory = fleet(WEB, policy=fixed())
    toy = Toy(inventory)
    toy.hosts["w1"].fault = "never_returns"
    return toy, play(plan_of(inventory, "w1 w2"), toy)


def test_a_host_told_done_that_is_in_a_new_boot_is_done(quarantined: tuple[Toy, Played]) -> None:
    toy, played = quarantined
    toy.hosts["w1"].up_at_s = toy.now_s
    assert told_done(toy, played).exit_code == 0
    evidence = [fact.evidence or "" for fact in played.told(facts.BOOTED) if fact.host == "w1"]
    assert any("as told by eve: by hand" in found for found in evidence)


def test_a_host_told_done_that_is_up_in_its_old_boot_is_told_so_and_is_exit_9(quarantined: tuple[Toy, Played]) -> None:
    toy, played = quarantined
    toy.hosts["w1"].down_since_s = None  # it never went down: its network was away
    assert told_done(toy, played).exit_code == 9
    told = [fact for fact in played.told(facts.NOT_REBOOTED) if fact.host == "w1"]
    assert told
    assert "told done (eve: by hand), but it is up in its old boot w1#1" in (told[-1].why or "")
