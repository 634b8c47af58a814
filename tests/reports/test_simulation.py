"""Rehearsals as operators read them: one play, a scenario's sides, many plays, the loss of each host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from restart.model.event import Outcome
from restart.model.plan import Plan
from restart.model.rehearsal import NO_PROGRESS, Expectation, Fate, Loss, Losses, Playing, Trial, Trials
from restart.model.simulation import Result, Score, Violation
from restart.reports.losses_text import SURVIVES, losses_text, verdict_lines
from restart.reports.simulation_json import losses_json, playing_json, scenario_json, trials_json
from restart.reports.simulation_text import RULES, playing_text, scenario_text
from restart.reports.trials_text import likely, quantile, trials_text

Golden = Callable[[str, str], None]

DONE = Outcome(state="done", exit_code=0, why="all 15 hosts restarted")
HALTED = Outcome(state="halted", exit_code=5, why="max_failures: db-2: did not come back; 1 failed, max_failures is 0")
BROKEN = Violation(
    rule=2, what="reboot of app-02: 8 of 12 chat would be ready, 9 needed", at_s=61.5, seq=40, seed=7, host="app-02"
)
NEEDED = {"postgres": 2, "chat": 9, "metrics": None}
APPS = tuple(f"app-{number:02d}" for number in range(1, 13))
REPLAY = "restart simulate chat.yml"


def result(**changes: object) -> Result:
    made = Result(
        name="chat-prod",
        seed=7,
        side="staged",
        outcome=DONE,
        duration_s=1800.0,
        score=Score(reached=True, all_ready_s=1790.0),
        availability={
            "postgres": ((0.0, 3), (10.0, 2), (210.0, 3), (300.0, 2), (500.0, 3)),
            "chat": ((0.0, 12), (600.0, 11), (800.0, 9), (1200.0, 12)),
            "metrics": ((0.0, 1), (1500.0, 0), (1700.0, 1)),
        },
        members={"postgres": 3, "chat": 12, "metrics": 1},
        events=412,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def playing(**changes: object) -> Playing:
    return Playing(
        result=result(**changes),
        planned_s=1740.0,
        needed=NEEDED,
        assumed=("Assumed: boots take 75% to 125% of what is expected.",),
        takes={
            "budget of chat: 9 of 12 needed": 1000.0,
            "limit rack: 2 in flight": 600.0,
            "canaries": 190.0,
            "order": 10.0,
        },
    )


def failed() -> Playing:
    """A run that halted, with a fault of the command line and something unsafe."""
    found = playing(
        outcome=HALTED,
        duration_s=700.0,
        score=Score(reached=False, under_floor_s=90.0, floors_s={"postgres": 90.0}, failed=("db-2",), lost=("db-2",)),
        availability={
            "postgres": ((0.0, 3), (10.0, 2), (210.0, 1), (300.0, 2)),
            "chat": ((0.0, 12),),
            "metrics": ((0.0, 1),),
        },
        happenings=((10.0, "lost db-2: does not come back from reboot"),),
        violations=(BROKEN,),
        resumes=1,
    )
    takes = {"the last host's own restart": 600.0, "gates and settling": 100.0}
    return replace(found, what_if=("What if: db-2 never returns.",), takes=takes)


def naive() -> Playing:
    return Playing(
        result=result(
            side="naive",
            outcome=None,
            duration_s=400.0,
            score=Score(reached=False, under_floor_s=9999.0, failed=APPS, failed_starts=12, collapses=1),
            availability={
                "postgres": ((0.0, 3), (0.5, 0), (240.0, 3)),
                "chat": ((0.0, 12), (0.5, 0)),
                "metrics": ((0.0, 1),),
            },
            happenings=tuple((180.2, f"failed_start {host}: chat waited for postgres") for host in APPS),
        ),
        needed=NEEDED,
    )


def scenario_sides() -> tuple[Playing, Playing]:
    expectations = (
        Expectation(what="reached", expected="no", reached="no", met=True),
        Expectation(what="failed starts", expected="16", reached="12", met=False),
    )
    unplayed = result(outcome=None, score=Score(reached=False), not_yet=("cold-start", "co-start"))
    return replace(naive(), expectations=expectations), Playing(result=unplayed, needed=NEEDED)


def trials() -> Trials:
    well = [
        Trial(
            seed=seed, state="done", exit_code=0, why="all 15 hosts restarted", rule="", reached=True,
            duration_s=1700.0 + 20 * seed, takes={"budget of chat: 9 of 12 needed": 1400.0, "canaries": 300.0 + 20 * seed},
            restarted=15,
        )
        for seed in range(1, 18)
    ]  # fmt: skip
    bad = [
        Trial(
            seed=seed, state="halted", exit_code=5, why=HALTED.why, rule="max_failures", reached=False, duration_s=700.0,
            takes={"canaries": 700.0}, failed=("db-2",), restarted=2,
        )
        for seed in (18, 19)
    ]  # fmt: skip
    stuck = Trial(
        seed=20, state=NO_PROGRESS, exit_code=10, why="the engine waits for nothing that will ever come", rule="",
        reached=False, duration_s=2400.0, violations=(replace(BROKEN, seed=20),),
    )  # fmt: skip
    first = result()
    return Trials(
        name="chat-prod",
        seed=1,
        planned_s=1740.0,
        trials=(*well, *bad, stuck),
        assumed=("Assumed: 10% of restarts end in silence.",),
        availability=first.availability,
        members=first.members,
    )


def losses() -> Losses:
    lost_db = [
        Loss(
            host=host, how="goes down", at_s=at_s, service="postgres", slack=0, state="halted", exit_code=5,
            why="budget.postgres: db-3 could not begin for 300s", duration_s=900.0,
            fates=(
                Fate(service="postgres", members=3, needed=2, lowest=1, short_s=190.0),
                Fate(service="chat", members=12, needed=9, lowest=11),
            ),
            blocked=APPS,
        )
        for host, at_s in (("db-1", 301.0), ("db-2", 11.0))
    ]  # fmt: skip
    lost_app = [
        Loss(
            host=host, how="goes down", at_s=801.0, service="chat", slack=1, state="done", exit_code=0,
            why="all 15 hosts restarted", duration_s=1800.0, fates=(Fate(service="chat", members=12, needed=9, lowest=9),),
        )
        for host in APPS
    ]  # fmt: skip
    metrics = Loss(
        host="metrics-1", how="never returns", at_s=1500.0, service=None, slack=None, state="ended", exit_code=5,
        why="1 of 15 hosts failed: metrics-1", duration_s=2100.0,
        fates=(Fate(service="metrics", members=1, needed=None, lowest=0),),
    )  # fmt: skip
    return Losses(name="chat-prod", seed=7, base=DONE, base_s=1800.0, losses=(*lost_db, *lost_app, metrics))


def test_one_play_reads_as_agreed(golden: Golden) -> None:
    golden("simulated.txt", playing_text(playing()))


def test_one_play_reads_as_agreed_with_the_blocks_of_a_terminal(golden: Golden) -> None:
    golden("simulated-blocks.txt", playing_text(playing(), blocks=True))


def test_an_unsafe_play_names_event_rule_numbers_and_seed(golden: Golden) -> None:
    text = playing_text(failed(), replay=REPLAY, naive=naive())
    golden("simulated-unsafe.txt", text)
    for part in ("rule 2", "event 40", "8 of 12", "--seed 7", RULES[2]):
        assert part in text


def test_a_scenario_reads_as_agreed_and_what_was_not_played_has_not_passed(golden: Golden) -> None:
    sides = scenario_sides()
    golden("scenario.txt", scenario_text("olark-midnight", "Everybody logs in at once.", sides))
    assert scenario_text("x", "", sides).startswith("x: NOT AS EXPECTED\n")
    assert scenario_text("x", "", sides[1:]).startswith("x: NOT YET PLAYABLE\n")
    met = replace(sides[0], expectations=sides[0].expectations[:1])
    assert scenario_text("x", "", (met, sides[1])).startswith("x: NOT YET PLAYABLE; the naive side is as expected\n")
    assert scenario_text("x", "", (met,)).startswith("x: as expected\n")
    assert scenario_text("x", "", (replace(met, result=result(violations=(BROKEN,))),)).startswith(
        "x: NOT AS EXPECTED\n"
    )


def test_many_plays_read_as_agreed(golden: Golden) -> None:
    golden("trials.txt", trials_text(trials(), NEEDED, replay=REPLAY))


def test_the_loss_of_each_host_reads_as_agreed(golden: Golden, plan: Plan) -> None:
    golden("losses.txt", losses_text(losses(), plan, replay=REPLAY))


def test_the_verdict_names_the_hosts_that_the_plan_does_not_survive() -> None:
    found = losses()
    assert verdict_lines(found) == [
        "This plan does not survive the loss of:",
        "  db-1, db-2: postgres falls to 1 of 3, 2 needed",
    ]
    assert verdict_lines(replace(found, losses=found.losses[2:])) == [SURVIVES]


@pytest.mark.parametrize(
    ("changes", "survived"),
    [
        ({}, True),
        ({"state": NO_PROGRESS}, False),
        ({"violations": (BROKEN,)}, False),
        ({"state": "halted"}, True),
        ({"fates": (Fate(service="a", members=3, needed=3, lowest=2, alone=True),)}, True),
        ({"fates": (Fate(service="a", members=3, needed=2, lowest=1),)}, False),
        ({"fates": (Fate(service="a", members=1, needed=None, lowest=0),)}, True),
    ],
)
def test_a_loss_is_survived_where_budgets_hold_and_the_run_ends_by_name(
    changes: dict[str, object], survived: bool
) -> None:
    loss = replace(losses().losses[2], **changes)  # type: ignore[arg-type]
    assert loss.survived is survived


def test_no_line_is_wider_than_a_terminal(plan: Plan) -> None:
    texts = (
        playing_text(failed(), replay=REPLAY, naive=naive()),
        scenario_text("olark-midnight", "Everybody logs in at once. " * 9, scenario_sides()),
        trials_text(trials(), NEEDED, replay=REPLAY),
        losses_text(losses(), plan, replay=REPLAY),
    )
    assert [line for text in texts for line in text.splitlines() if len(line) > 80] == []


def test_what_a_fleet_says_cannot_drive_the_terminal() -> None:
    evil = "lost db-2: \x1b[2Jgone"
    assert "\x1b" not in playing_text(playing(happenings=((1.0, evil),), outcome=replace(HALTED, why=evil)))


def test_the_data_say_what_the_text_says() -> None:
    one = playing_json(failed(), naive=naive())
    assert (one["state"], one["exit_code"], one["what_if"]) == ("halted", 5, ["What if: db-2 never returns."])
    assert one["violations"][0] == {
        "rule": 2, "what": BROKEN.what, "at_s": 61.5, "event": 40, "host": "app-02", "seed": 7,
    }  # fmt: skip
    assert one["services"][0]["lowest_available"] == 1
    assert one["services"][0]["short_s"] == 90.0
    assert one["naive"]["side"] == "naive"
    sides = scenario_json("olark", "", scenario_sides())["sides"]
    assert [(side["as_expected"], side["not_yet"]) for side in sides] == [
        (False, []),
        (None, ["cold-start", "co-start"]),
    ]
    many = trials_json(trials())
    assert (many["runs"], many["succeeded"], len(many["trials"])) == (20, 17, 20)
    lost = losses_json(losses())
    assert (lost["survives"], lost["survives_not"]) == (False, ["db-1", "db-2"])
    assert [row["held"] for row in lost["losses"][0]["services"]] == [False, True]


def test_a_chance_is_told_with_what_it_may_be() -> None:
    assert likely(0, 10)[0] == 0.0
    assert likely(10, 10)[1] == pytest.approx(1.0)
    low, high = likely(80, 100)
    # Wilson's interval for 80 of 100: 71.1 % to 86.7 %.
    assert (round(low, 3), round(high, 3)) == (0.711, 0.867)


def test_a_quantile_is_one_of_the_values() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert [quantile(values, share) for share in (0.0, 0.5, 0.9, 1.0)] == [1.0, 5.0, 9.0, 10.0]
    assert quantile([3.0], 0.5) == 3.0
