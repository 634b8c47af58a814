"""The scenario cards: the naive side of every one fails as written, the planned side reaches what it must, or says what it lacks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from restart.model.inventory import Shared
from restart.model.simulation import Result
from restart.simulator.naive import naive
from restart.simulator.referee import Referee
from restart.simulator.scenario import CAPABILITIES, Scenario, mismatches
from restart.simulator.scenario_file import read_scenario
from restart.simulator.staged import plan_of, staged
from tests.inventory.reading import GATES, ROOT

FOLDER = ROOT / "inventories" / "scenarios"
CARDS = sorted(FOLDER.glob("*.yml"))


def card(path: Path) -> Scenario:
    return read_scenario(path, GATES)


@cache
def judged(path: Path) -> Result:
    """The staged side, played once with the referee."""
    return staged(card(path), gates=GATES, referee=Referee)


PLAYABLE = [path for path in CARDS if card(path).staged and not card(path).not_yet()]


def stem(path: Path) -> str:
    return path.stem


def test_every_card_of_the_issue_is_there() -> None:
    numbers = {path.stem.split("-")[1] for path in CARDS}
    assert {"01", "02", "03", "05", "07a", "07b", "07c", "08", "09", "11"} <= numbers
    assert {
        "card-05-mesh-rejoin",
        "card-05-in-flight-20",
        "card-07a-quorum-rolling",
        "card-11-never-rebooted-config",
        "card-11-control",
    } <= {path.stem for path in PLAYABLE}


@pytest.mark.parametrize("path", CARDS, ids=stem)
def test_the_naive_side_fails_as_the_card_says(path: Path) -> None:
    scenario = card(path)
    assert scenario.expected_naive
    assert mismatches(naive(scenario), scenario.expected_naive) == ()


@pytest.mark.parametrize("path", PLAYABLE, ids=stem)
def test_the_staged_side_reaches_what_the_card_says_and_breaks_no_rule(path: Path) -> None:
    scenario = card(path)
    result = judged(path)
    assert result.violations == ()
    assert result.not_yet == ()
    assert scenario.expected_staged
    assert mismatches(result, scenario.expected_staged) == ()


def test_every_card_can_be_played() -> None:
    assert [path.stem for path in CARDS if card(path).not_yet()] == []


def test_a_card_that_needs_more_than_there_is_says_so_and_is_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = card(FOLDER / "card-08-bootstrap-ring.yml")
    monkeypatch.setattr("restart.simulator.scenario.CAPABILITIES", {**CAPABILITIES, "break": False})
    result = staged(scenario, gates=GATES)
    assert result.not_yet == ("break",)
    assert result.outcome is None
    assert not result.score.reached
    assert mismatches(result, scenario.expected_staged)


def test_with_the_same_image_a_loss_of_two_canaries_halts_where_a_base_rate_is_borne() -> None:
    halted, went_on = (judged(FOLDER / f"card-11-{name}.yml") for name in ("never-rebooted-config", "control"))
    assert halted.score.lost != went_on.score.lost
    assert len(halted.restarts) == 4
    assert len(went_on.restarts) == 40


def test_the_shared_server_is_saturated_by_ten_and_no_more_are_ever_on_it() -> None:
    result = judged(FOLDER / "card-05-mesh-rejoin.yml")
    lowest = min(number for _, number in result.availability["fe"])
    assert lowest == 110
    assert result.score.all_ready_s == 720.0


@pytest.mark.parametrize(
    ("at_once", "verdict"), [(30, "exactly its time-out: unsafe, no margin"), (32, "more than its time-out of 2m")]
)
def test_as_many_transfers_as_a_boot_server_does_not_bear_are_refused_with_their_numbers(
    at_once: int, verdict: str
) -> None:
    scenario = card(FOLDER / "card-02-pxe-storm.yml")
    limits = dict(scenario.inventory.limits)
    limits["images"] = replace(limits["images"], max_in_flight=at_once)
    result = staged(replace(scenario, inventory=replace(scenario.inventory, limits=limits)), gates=GATES)
    assert len(result.refused) == 1
    assert verdict in result.refused[0]
    assert f"work 40s x {at_once} / 10" in result.refused[0]


def test_batches_shrink_as_the_room_fills_and_no_breaker_ever_opens() -> None:
    scenario = card(FOLDER / "card-09-inrush.yml")
    plan = plan_of(scenario, scenario.seed, GATES)
    assert [move.start_s for move in plan.moves()].count(20.0) == 16
    assert Counter(move.start_s for move in plan.moves()) == {0.0: 16, 20.0: 16, 40.0: 12, 60.0: 4}
    result = judged(FOLDER / "card-09-inrush.yml")
    # What is off is silent: to find that out takes the first five seconds of the run.
    booted = Counter(round(at_s - 25.0) for at_s in times(result, "booted"))
    assert booted == {0: 16, 20: 16, 40: 12, 60: 4}
    assert result.score.trips == 0


@pytest.mark.parametrize(("at_once", "batches"), [(48, [29, 13, 6]), (20, [20, 18, 8, 2])])
def test_without_the_cap_the_room_alone_sets_the_batches_and_its_headroom_is_kept(
    at_once: int, batches: list[int]
) -> None:
    scenario = card(FOLDER / "card-09-inrush.yml")
    limits = dict(scenario.inventory.limits)
    limits["fleet"] = replace(limits["fleet"], max_in_flight=at_once)
    result = staged(
        replace(scenario, inventory=replace(scenario.inventory, limits=limits)), gates=GATES, referee=Referee
    )
    assert result.violations == ()
    assert [number for _, number in sorted(Counter(times(result, "booted")).items())] == batches
    assert (result.score.trips, result.score.reached) == (0, True)


def test_the_ring_is_printed_and_refused_until_a_break_is_declared() -> None:
    scenario = card(FOLDER / "card-08-bootstrap-ring.yml")
    services = dict(scenario.inventory.services)
    whole = tuple(replace(edge, stand_in=None) for edge in services["ldap"].depends_on)
    services["ldap"] = replace(services["ldap"], depends_on=whole)
    result = staged(replace(scenario, inventory=replace(scenario.inventory, services=services)), gates=GATES)
    assert len(result.refused) == 1
    assert "ldap -> dns -> hyp -> nfs -> ldap" in result.refused[0]
    assert "declare a stand-in" in result.refused[0]


def test_the_ring_is_closed_again_and_a_person_who_unseals_is_waited_for() -> None:
    result = judged(FOLDER / "card-08-bootstrap-ring.yml")
    told = [(row["event"], row.get("host")) for row in result.rows if row["event"].startswith("stand_in")]
    assert told == [
        ("stand_in", "ldap-1"),
        ("stand_in", "ldap-2"),
        ("stand_in_removed", "ldap-1"),
        ("stand_in_removed", "ldap-2"),
    ]
    assert times(result, "approval_wanted") == [300.0]
    assert times(result, "stage_started") == [300.001]


def test_of_two_members_that_were_off_the_one_that_wrote_more_starts_first() -> None:
    result = judged(FOLDER / "card-07c-pair-seed.yml")
    chosen = [(row["host"], row["why"]) for row in result.rows if row["event"] == "seed_chosen"]
    assert chosen == [("pair-2", "1102 is the largest")]
    assert result.score.writes_lost == 0


def times(result: Result, fact: str) -> list[float]:
    return [row["at_s"] for row in result.rows if row["event"] == fact]


def test_a_shared_server_without_margin_is_refused_with_its_numbers() -> None:
    scenario = card(FOLDER / "card-05-mesh-rejoin.yml")
    limits = dict(scenario.inventory.limits)
    limits["map"] = replace(limits["map"], shared=Shared(work_s=60.0, at_once=10, timeout_s=60.0))
    result = staged(replace(scenario, inventory=replace(scenario.inventory, limits=limits)), gates=GATES)
    assert len(result.refused) == 1
    assert "exactly its time-out: unsafe, no margin" in result.refused[0]
    assert result.outcome is None


def test_a_corrupt_member_is_caught_by_a_probe_that_works_through_it_and_by_none_that_looks_at_the_process() -> None:
    by_process, by_work = (judged(FOLDER / f"corrupt-member{name}.yml") for name in ("-process-gate", ""))
    assert by_process.outcome is not None
    assert by_process.outcome.state == "done"
    assert by_process.score.under_floor_s > 0
    assert list(by_process.restarts) == ["queue-1", "queue-2", "queue-3"]
    assert by_work.outcome is not None
    assert "publish-and-consume" in by_work.outcome.why
    assert by_work.score.under_floor_s == 0
    assert list(by_work.restarts) == ["queue-1"]
