"""Maintenance windows in the engine: what begins, what ends, and what a clock that lies leads to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import Engine, facts
from restart.model.check import Check
from restart.model.event import Word
from restart.model.inventory import Amount, Service, Spares, Window
from restart.model.plan import Override, Plan, Span, StandBy
from restart.model.playbook import Playbook, Rung, Step
from restart.model.request import RunStep
from restart.rules.passage import from_first_act_s, whole_ladder_s
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, play, replayed, resumed

WEB = Service(name="web", hosts=("w1", "w2", "w3"), ready=(Check(kind="tcp", healthy_for_s=2.0, within_s=60.0),))
BOOK = Playbook(name="reboot", restart=(Rung(kind="reboot", back_within_s=100.0),))
WHOLE_S = 100.0 + 60.0 + 5.0 + 2.0
SPANS = (
    Span(opens="2026-11-22T22:00:00Z", closes="2026-11-22T22:10:00Z"),
    Span(opens="2026-11-23T22:00:00Z", closes="2026-11-23T22:10:00Z"),
)


def night(utc: str, *, book: Playbook = BOOK, spans: tuple[Span, ...] = SPANS, **given: object) -> tuple[Toy, Plan]:
    policy = fixed(windows=(Window(opens="22:00", closes="22:10", zone="UTC"),))
    inventory = fleet(WEB, policy=policy, playbooks={"reboot": book}, **given)
    return Toy(inventory, utc=utc), replace(plan_of(inventory, "w1", "w2", "w3"), windows=spans)


def test_all_is_done_inside_of_a_window_that_is_long_enough() -> None:
    toy, plan = night("2026-11-22T22:00:00Z")
    assert play(plan, toy).exit_code == 0


def test_no_move_begins_whose_whole_ladder_would_not_end_inside_and_the_run_says_when_it_can_go_on() -> None:
    toy, plan = night("2026-11-22T22:00:00Z")
    for host in toy.hosts.values():
        host.boot_s = 90.0
    started_late = replace(plan, windows=(Span(opens="2026-11-22T22:00:00Z", closes="2026-11-22T22:05:00Z"), SPANS[1]))
    played = play(started_late, toy)
    assert played.engine.outcome is not None
    begun = [fact.at_s for fact in played.told(facts.MOVE_STARTED)]
    assert all(at_s <= 300.0 - WHOLE_S for at_s in begun)
    assert len(begun) == 2
    assert played.engine.outcome.state == "stopped"
    assert played.exit_code == 6
    assert "1 move left" in played.engine.outcome.why
    assert "2026-11-23T22:00:00Z" in played.engine.outcome.why
    assert len(played.told(facts.MOVE_DONE)) == 2, "what is in flight ends"


def test_a_run_is_resumed_in_the_next_window() -> None:
    toy, plan = night("2026-11-22T22:06:30Z")
    played = play(plan, toy)
    assert played.exit_code == 6
    done = len(played.told(facts.MOVE_DONE))
    assert 0 < done < 3
    toy.utc = "2026-11-23T21:00:00Z"
    resumed(played, crash=False)
    assert played.exit_code == 6, "an hour too early"
    assert len(played.told(facts.MOVE_DONE)) == done
    toy.utc = "2026-11-23T22:00:00Z"
    resumed(played, crash=False)
    assert played.exit_code == 0
    assert set(played.reboots().values()) == {1}
    assert replayed(plan, played.events).outcome == played.engine.outcome


@pytest.mark.parametrize(
    ("utc", "spans", "says"),
    [
        ("2026-11-22T21:59:00Z", SPANS, "the next opens at 2026-11-22T22:00:00Z"),
        ("2026-11-22T22:09:00Z", SPANS, "the next opens at 2026-11-23T22:00:00Z"),
        ("2026-11-24T22:00:00Z", SPANS, "no further maintenance window is in the plan"),
        ("2026-11-22T22:00:00Z", (), "no further maintenance window is in the plan"),
        ("", SPANS, "was not told what time it is"),
    ],
)
def test_outside_of_every_window_and_without_the_time_nothing_begins(
    utc: str, spans: tuple[Span, ...], says: str
) -> None:
    toy, plan = night(utc, spans=spans)
    played = play(plan, toy)
    assert played.exit_code == 6
    assert played.told(facts.MOVE_STARTED) == []
    assert says in played.engine.outcome.why  # type: ignore[union-attr]


def test_the_overridden_rule_holds_nothing() -> None:
    toy, plan = night("2026-11-22T12:00:00Z")
    played = play(replace(plan, overrides=(Override(rule="window", reason="agreed"),)), toy)
    assert played.exit_code == 0
    told = played.told(facts.OVERRIDDEN)
    assert [fact.host for fact in told] == ["w1", "w2", "w3"]
    assert {(fact.data["rule"], fact.data["reason"]) for fact in told} == {("window", "agreed")}


def test_a_drain_that_took_too_long_is_undone_and_the_host_is_not_restarted() -> None:
    book = replace(BOOK, drain=(Step(run="drain {host}", undo="undrain {host}", timeout_s=60.0),))
    toy, plan = night("2026-11-22T22:05:00Z", book=book)
    move = plan.moves()[0]
    assert whole_ladder_s(plan.inventory, move) == WHOLE_S + 120.0 <= 300.0
    assert from_first_act_s(plan.inventory, move) == WHOLE_S + 60.0
    toy.delay = lambda request: 200.0 if isinstance(request, RunStep) and not request.undo else 0.0
    played = play(plan, toy)
    assert played.exit_code == 6
    assert toy.ran == ["drain w1", "undrain w1"]
    assert sum(played.reboots().values()) == 0


def test_a_later_rung_is_taken_though_no_move_could_begin_any_more() -> None:
    book = replace(BOOK, restart=(*BOOK.restart, Rung(kind="reboot", back_within_s=100.0)))
    toy, plan = night("2026-11-22T22:04:00Z", book=book)
    toy.hosts["w1"].warm_s = 500.0
    toy.script = [(85.0, lambda toy: setattr(toy.hosts["w1"], "warm_s", 0.0))]
    played = play(plan, toy)
    rungs = [fact.at_s for fact in played.told(facts.REBOOTING)]
    assert [fact.host for fact in played.told(facts.REBOOTING)] == ["w1", "w1"]
    assert rungs[0] < 360.0 - 2 * WHOLE_S < rungs[1]


def test_a_clock_that_stands_before_what_the_run_has_lived_through_begins_nothing() -> None:
    yesterday = Span(opens="2026-11-21T22:00:00Z", closes="2026-11-21T23:00:00Z")
    toy, plan = night("2026-11-22T22:00:00Z", spans=(yesterday, *SPANS))
    played = Played(Engine(plan), toy, [], [])
    drive_on(played, until=lambda: bool(played.told(facts.MOVE_DONE)))
    toy.utc = "2026-11-21T22:01:00Z"
    resumed(played)
    assert played.exit_code == 6
    assert "set the clock right" in played.engine.outcome.why  # type: ignore[union-attr]
    assert len(played.told(facts.MOVE_STARTED)) <= 2
    toy.utc = "2026-11-22T22:03:00Z"
    resumed(played, crash=False)
    assert played.exit_code == 0


@pytest.mark.parametrize(
    ("begins", "says"),
    [("2026-11-22T22:00:00Z", "2026-11-22T12:00:00Z"), ("2026-11-22T22:07:00Z", "2026-11-22T22:01:00Z")],
)
def test_where_the_clock_was_stepped_a_move_must_end_inside_by_both_times(begins: str, says: str) -> None:
    """By the new time there may be no window, or all the room that by the old one is no longer there."""
    toy, plan = night(begins)
    toy.words = [(10.0, Word(at_s=0.0, word="clock", target=says))]
    played = play(plan, toy)
    assert played.exit_code == 6
    assert [fact.host for fact in played.told(facts.MOVE_STARTED)] == ["w1"]
    assert played.told(facts.CLOCK_STEPPED)


def test_a_paused_run_ends_when_the_window_has_no_room_left() -> None:
    toy, plan = night("2026-11-22T22:00:00Z")
    toy.words = [(10.0, Word(at_s=0.0, word="pause", by="ann"))]
    played = play(plan, toy)
    assert played.exit_code == 6
    assert "2 moves left" in played.engine.outcome.why  # type: ignore[union-attr]
    assert 600.0 - WHOLE_S <= toy.now_s <= 600.0 - WHOLE_S + 1.0


def test_the_checks_count_for_each_rung_of_the_whole_ladder() -> None:
    _, plan = night("2026-11-22T22:00:00Z", book=replace(BOOK, restart=(*BOOK.restart, *BOOK.restart)))
    move = next(iter(plan.moves()))
    assert from_first_act_s(plan.inventory, move) == 2 * WHOLE_S


def test_a_spare_begins_only_where_its_own_ladder_ends_inside() -> None:
    spares = Spares(hosts=("s1",), playbook="promote")
    web = replace(WEB, spares=spares, max_unavailable=Amount(number=2))
    promote = Playbook(name="promote", drain=(Step(run="promote {host} for {member}", timeout_s=500.0),))
    policy = fixed(windows=(Window(opens="22:00", closes="22:10", zone="UTC"),), max_failures=2)
    inventory = fleet(web, hosts={"s1": {}}, policy=policy, playbooks={"reboot": BOOK, "promote": promote})
    stand_by = StandBy(host="s1", service="web", playbook="promote", why="stands by")
    plan = replace(plan_of(inventory, "w1", "w2 w3"), windows=SPANS, spares=(stand_by,))
    toy = Toy(inventory, utc="2026-11-22T22:00:00Z")
    toy.hosts["w1"].fault = "never_returns"
    played = play(plan, toy)
    assert [fact.host for fact in played.told(facts.PROMOTED)] == ["s1"]
    assert "s1" not in [fact.host for fact in played.told(facts.MOVE_STARTED)], "of 600 s 500 s and more are not left"
    assert played.exit_code in (5, 6)
