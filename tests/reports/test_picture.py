from __future__ import annotations

from restart.model.event import Fact
from restart.model.plan import Plan
from restart.reports.picture import DONE, IN_DOUBT, QUARANTINED, WAITING, Picture


def test_a_move_that_goes_well_leaves_its_boot_ids_and_times(plan: Plan, facts: list[Fact]) -> None:
    picture = Picture(plan).take_all(facts)
    host = picture.hosts["db-1"]
    assert (host.phase, host.down_s, host.started_s, host.ended_s) == (DONE, 60.0, 0.0, 100.0)
    assert host.boot_before is not None
    assert host.boot_before != host.boot_after


def test_the_state_after_a_halt(plan: Plan, facts: list[Fact]) -> None:
    picture = Picture(plan).take_all(facts)
    assert (picture.state, picture.exit_code) == ("halted", 5)
    assert picture.hosts["db-2"].phase == QUARANTINED
    assert picture.hosts["app-01"].phase == WAITING
    assert (picture.waves[1].state, picture.waves[2].state, picture.waves[3].state) == ("done", "running", "waiting")
    assert (picture.waves[2].ended, picture.waves[2].bad) == (2, 1)
    assert not picture.in_flight
    assert picture.services["postgres"].lowest == 2


def test_a_host_is_in_flight_from_its_start_until_it_is_over(plan: Plan, facts: list[Fact]) -> None:
    picture = Picture(plan)
    seen = []
    for fact in facts:
        picture.take(fact)
        seen.append("db-1" in picture.in_flight)
    first = next(index for index, fact in enumerate(facts) if fact.host == "db-1")
    last = next(index for index, fact in enumerate(facts) if fact.host == "db-1" and fact.fact == "move_done")
    assert seen == [first <= index < last for index in range(len(facts))]


def test_a_hold_ends_when_what_it_held_starts(plan: Plan) -> None:
    picture = Picture(plan)
    held = Fact(at_s=5.0, fact="held", host="db-2", why="postgres has 2 of 3", data={"rule": "services.postgres"})
    picture.take(held)
    picture.take(held)
    picture.take(Fact(at_s=6.0, fact="held", wave=2, why="settles"))
    assert [hold.subject for hold in picture.open_holds()] == ["db-2", "wave 2"]
    picture.take(Fact(at_s=9.0, fact="move_started", host="db-2", wave=2))
    assert not picture.open_holds()
    assert [(hold.since_s, hold.until_s) for hold in picture.holds] == [(5.0, 9.0), (6.0, 9.0)]


def test_a_host_in_doubt_is_still_in_flight_and_a_resumed_run_goes_on(plan: Plan) -> None:
    picture = Picture(plan)
    picture.take(Fact(at_s=1.0, fact="move_started", host="db-1", wave=1))
    picture.take(Fact(at_s=2.0, fact="in_doubt", host="db-1", why="a service restart cannot be proved"))
    picture.take(Fact(at_s=3.0, fact="run_ended", why="db-1 is in doubt", data={"state": "paused", "exit_code": 6}))
    assert picture.hosts["db-1"].phase == IN_DOUBT
    assert "db-1" in picture.in_flight
    picture.take(Fact(at_s=4.0, fact="run_resumed", why="ada"))
    assert (picture.state, picture.exit_code, picture.resumes) == ("running", None, 1)


def test_the_end_moves_by_how_late_the_run_is(plan: Plan) -> None:
    picture = Picture(plan)
    assert picture.eta_s() == plan.estimate.makespan_s
    picture.take(Fact(at_s=0.0, fact="move_started", host="db-1", wave=1))
    assert picture.eta_s(250.0) == plan.estimate.makespan_s + 60.0
    picture.take(Fact(at_s=290.0, fact="move_done", host="db-1", wave=1))
    assert picture.eta_s() == plan.estimate.makespan_s + 100.0
    assert picture.eta_s(9999.0) == 9999.0


def test_approvals_are_wanted_until_they_are_given(plan: Plan) -> None:
    picture = Picture(plan)
    picture.take(Fact(at_s=1.0, fact="approval_wanted", service="chat", evidence="unseal", data={"target": "chat"}))
    assert picture.approvals == {"chat": "unseal"}
    picture.take(Fact(at_s=2.0, fact="approved", why="ada", data={"target": "chat"}))
    assert not picture.approvals


def test_facts_about_what_the_plan_does_not_know_change_nothing(plan: Plan) -> None:
    picture = Picture(plan).take_all(
        [
            Fact(at_s=1.0, fact="move_done", host="nobody", wave=99),
            Fact(at_s=1.0, fact="something_new", host="db-1"),
            Fact(at_s=1.0, fact="gate", service="nothing"),
        ]
    )
    assert picture.ended == 0
    assert picture.hosts["db-1"].phase == WAITING
