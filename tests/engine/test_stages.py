"""A plan of several stages is one run: one engine after the other, behind the contract of a single one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import Engine, begin
from restart.errors import Exit
from restart.model.event import Word
from restart.model.inventory import Service
from restart.model.plan import Plan
from tests.engine.toy import Played, Toy, fixed, fleet, plan_of, play, replayed, resumed

WEB = Service(name="web", hosts=("w1", "w2"))


def two_stages(*, approve: str | None = None, **policy: object) -> Plan:
    """The hosts of `web` restarted one by one, and then once more."""
    inventory = fleet(WEB, policy=fixed(**policy))
    once = plan_of(inventory, "w1", "w2").waves
    again = [replace(wave, number=wave.number + 2, stage=2, mode="rolling") for wave in once]
    again[0] = replace(again[0], approve=approve)
    return replace(plan_of(inventory, "w1", "w2"), waves=(*once, *again))


def toy() -> Toy:
    return Toy(fleet(WEB))


def named(played: Played, *names: str) -> list[str]:
    return [fact.fact for fact in played.facts if fact.fact in names]


def test_a_plan_of_one_stage_is_an_engine_and_nothing_more() -> None:
    assert type(begin(plan_of(fleet(WEB), "w1"))) is Engine


def test_stages_follow_each_other_in_one_run() -> None:
    played = play(two_stages(), toy())
    assert played.exit_code == Exit.DONE
    assert played.reboots() == {"w1": 2, "w2": 2}
    assert named(played, "run_started", "stage_started", "stage_done", "run_ended") == [
        "run_started", "stage_done", "stage_started", "stage_done", "run_ended",
    ]  # fmt: skip
    assert [fact.wave for fact in played.told("wave_done")] == [1, 2, 3, 4]
    assert played.told("run_ended")[0].data["done"] == 4


def test_requests_of_all_stages_have_ids_of_their_own() -> None:
    played = play(two_stages(), toy())
    ids = [event.request for event in played.events if hasattr(event, "request")]
    assert len(ids) == len(set(ids))
    assert any(id.startswith("2:") for id in ids)


def test_a_stage_that_wants_a_person_waits_and_does_not_fail() -> None:
    waiting = toy()
    waiting.words = [(2000.0, Word(at_s=0.0, word="approve", by="ops", target="stage-2"))]
    played = play(two_stages(approve="power is stable"), waiting)
    wanted = played.told("approval_wanted")[0]
    assert (wanted.evidence, wanted.data["target"]) == ("power is stable", "stage-2")
    assert played.exit_code == Exit.DONE
    assert played.told("stage_started")[0].at_s == 2000.0


@pytest.mark.parametrize("word", ["stop", "let-go"])
def test_between_two_stages_a_run_is_stopped_at_once(word: str) -> None:
    waiting = toy()
    waiting.words = [(2000.0, Word(at_s=0.0, word=word, by="ops"))]
    played = play(two_stages(approve="power is stable"), waiting)
    assert (played.engine.outcome.state, played.exit_code) == ("stopped", Exit.STOPPED)
    assert played.reboots() == {"w1": 1, "w2": 1}


def test_a_pause_between_two_stages_holds_the_next() -> None:
    waiting = toy()
    waiting.words = [
        (2000.0, Word(at_s=0.0, word="pause", by="ops")),
        (2010.0, Word(at_s=0.0, word="approve", by="ops")),
        (3000.0, Word(at_s=0.0, word="go", by="ops")),
    ]
    played = play(two_stages(approve="power is stable"), waiting)
    assert played.exit_code == Exit.DONE
    assert min(fact.at_s for fact in played.told("move_started") if fact.wave == 3) >= 3000.0


def test_a_stage_that_halts_ends_the_run() -> None:
    broken = toy()
    broken.hosts["w1"].fault = "never_returns"
    played = play(two_stages(), broken)
    assert played.exit_code == Exit.HALTED
    assert named(played, "stage_started") == []


def test_failures_that_are_borne_let_the_next_stage_begin_and_are_told_at_the_end() -> None:
    broken = toy()
    broken.hosts["w1"].fault = "no_privilege"
    played = play(two_stages(max_failures=4), broken)
    assert named(played, "stage_started") == ["stage_started"]
    assert (played.engine.outcome.state, played.exit_code) == ("ended", Exit.HALTED)
    assert played.engine.outcome.why.startswith("stage 1: 1 of 2 hosts failed: w1; stage 2: ")


def test_until_wave_counts_the_waves_of_the_plan() -> None:
    played = play(two_stages(), toy(), until_wave=3)
    assert played.exit_code == Exit.STOPPED
    assert played.reboots() == {"w1": 2, "w2": 1}
    played = play(two_stages(), toy(), until_wave=2)
    assert (played.engine.outcome.why, played.exit_code) == ("stopped after wave 2, as asked", Exit.STOPPED)
    resumed(played, crash=False)
    assert played.exit_code == Exit.DONE
    assert played.reboots() == {"w1": 2, "w2": 2}


@pytest.mark.parametrize(("until_wave", "first"), [(1, {"w1": 1, "w2": 0}), (2, {"w1": 1, "w2": 1})])
def test_a_resume_goes_beyond_the_wave_that_was_asked_for_and_is_not_stopped_there_again(
    until_wave: int, first: dict[str, int]
) -> None:
    played = play(two_stages(), toy(), until_wave=until_wave)
    assert (played.exit_code, played.reboots()) == (Exit.STOPPED, first)
    assert played.engine.stops_after == until_wave
    resumed(played, crash=False)
    assert (played.exit_code, played.reboots()) == (Exit.DONE, {"w1": 2, "w2": 2})
    assert played.engine.stops_after is None


def test_a_host_that_failed_before_the_wave_that_was_asked_for_does_not_stop_every_resume_there() -> None:
    broken = toy()
    broken.hosts["w1"].fault = "no_privilege"
    played = play(two_stages(max_failures=4), broken, until_wave=2)
    assert played.engine.stops_after == 2
    resumed(played, crash=False)
    assert named(played, "stage_started") == ["stage_started"]
    assert played.reboots()["w2"] == 2


@pytest.mark.parametrize("die_after", range(1, 120, 7))
def test_a_run_that_dies_anywhere_restarts_each_host_once_in_each_stage(die_after: int) -> None:
    waiting = toy()
    waiting.words = [(2000.0, Word(at_s=0.0, word="approve", by="ops", target="stage-2"))]
    played = play(two_stages(approve="power is stable"), waiting, die_after=die_after)
    assert played.exit_code == Exit.DONE
    assert played.reboots() == {"w1": 2, "w2": 2}
    again = replayed(played.engine.plan, played.events)
    assert again.outcome == played.engine.outcome
