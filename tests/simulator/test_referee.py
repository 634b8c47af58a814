"""The referee on a truth made by hand: what it calls, and the allowances that it makes, each at its edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from restart.model.answer import Booted, Checked, Claimed, NoAnswer, RebootTaken, StepRan
from restart.model.check import Finding, Verdict
from restart.model.event import Answered, Event, Fact, LeaseLost, Outcome, Resumed, Started, Woke, Word
from restart.model.inventory import Amount, Dependency, Inventory, Limit, Policy, Service
from restart.model.plan import Plan
from restart.model.request import Ask, AwaitBoot, Claim, Reboot, Request, RunStep
from restart.planner import make_plan
from restart.simulator.referee import Referee
from restart.simulator.truth import Act, HostTruth
from tests.simulator.random_fleets import ask, fixed, fleet
from tests.simulator.test_mutants import DRAINED

DB = Service(name="db", hosts=("db-1", "db-2", "db-3"), min_available=Amount(quorum=True), ready=(ask(),))
APP = Service(name="app", hosts=("app-1", "app-2"), ready=(ask(),), depends_on=(Dependency(provider="db", needs=2),))


@dataclass
class HandMade:
    """A truth that a test writes itself."""

    inventory: Inventory
    now_s: float = 0.0
    hosts: dict[str, HostTruth] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name in self.inventory.hosts:
            services = [service.name for service in self.inventory.services.values() if name in service.hosts]
            self.hosts[name] = HostTruth(name=name, boot_id=f"{name}#0", ready=dict.fromkeys(services, True))


class Table:
    """A run told to the referee by hand."""

    def __init__(self, inventory: Inventory, **given: object) -> None:
        self.truth = HandMade(inventory)
        self.plan: Plan = make_plan(inventory, made_at="", **given)  # type: ignore[arg-type]
        self.referee = Referee(self.plan, self.truth, seed=3)
        self.sent = 0
        self.happen(Started(at_s=0.0, engine=1, run="r", plan_digest=""))

    def happen(self, event: Event, *requests: Request, facts: tuple[Fact, ...] = ()) -> None:
        self.truth.now_s = event.at_s
        self.referee.appended(event, ())
        self.referee.judge(event, requests, facts)

    def tell(self, host: str, verdict: Verdict, at_s: float, service: str = "db") -> None:
        """The world answers a question about a member."""
        self.sent += 1
        asked = Ask(id=f"a{self.sent}", subject="ready", checks=DB.ready, host=host, service=service)
        self.happen(Woke(at_s=at_s), asked)
        answer = Checked(findings=(Finding(verdict=verdict),))
        self.happen(Answered(at_s=at_s, request=asked.id, answer=answer, host=host))

    def tell_all(self, at_s: float) -> None:
        for service in self.plan.inventory.services.values():
            for host in service.hosts:
                self.tell(host, Verdict.PASS, at_s, service.name)

    def claim(self, host: str, at_s: float) -> None:
        self.sent += 1
        claim = Claim(id=f"c{self.sent}", host=host, hold_s=60.0)
        self.happen(Woke(at_s=at_s), claim, facts=(Fact(at_s=at_s, fact="move_started", host=host),))
        self.truth.acts.append(
            Act(at_s=at_s, kind="claim", host=host, on=host, request=claim.id, accepted=True)
        )  # fmt: skip
        self.happen(Answered(at_s=at_s, request=claim.id, answer=Claimed(boot_id=f"{host}#0", uptime_s=9.0)))

    def reboot(self, host: str, at_s: float, *, took_s: float = 0.1) -> None:
        """The move begins, the host is claimed and rebooted; the command needs `took_s` to arrive."""
        self.claim(host, at_s)
        self.sent += 1
        request = Reboot(id=f"b{self.sent}", host=host, boot_id=f"{host}#0", not_after_uptime_s=99.0)
        self.happen(Woke(at_s=at_s), request)
        self.arrive(request, at_s + took_s)

    def arrive(self, request: Reboot, at_s: float) -> None:
        truth = self.truth.hosts[request.host]
        self.truth.acts.append(
            Act(at_s=at_s, kind="reboot", host=request.host, on=request.host, request=request.id, accepted=True)
        )
        truth.up, truth.restarts_by_us, truth.claimed_by = False, truth.restarts_by_us + 1, None
        truth.ready = dict.fromkeys(truth.ready, False)
        self.truth.changed.add(request.host)
        self.happen(Answered(at_s=at_s, request=request.id, answer=RebootTaken()))

    def dies(self, host: str, at_s: float) -> None:
        truth = self.truth.hosts[host]
        truth.up, truth.ready = False, dict.fromkeys(truth.ready, False)
        self.truth.changed.add(host)
        self.happen(Woke(at_s=at_s))

    def comes_up(self, host: str, at_s: float) -> None:
        truth = self.truth.hosts[host]
        truth.up, truth.boots = True, truth.boots + 1
        truth.boot_id, truth.ready = f"{host}#{truth.boots}", dict.fromkeys(truth.ready, True)
        self.truth.changed.add(host)
        self.happen(Woke(at_s=at_s))

    def soak(self, host: str, from_s: float, service: str = "db") -> None:
        for at_s in (from_s, from_s + 5.0, from_s + 10.0):
            self.tell(host, Verdict.PASS, at_s, service)

    def called(self) -> list[int]:
        return [found.rule for found in self.referee.violations]


# --- what nobody could know -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("told_s", "expected"), [(70.0, []), (69.9, [2])])
def test_a_member_that_died_after_it_answered_is_held_against_nobody_for_ready_fresh(
    told_s: float, expected: list[int]
) -> None:
    """`ready_fresh` is 30 s: at 100 s an answer of 70 s still counts, one that is older does not."""
    table = Table(fleet(DB, policy=fixed()))
    table.tell_all(told_s)
    table.dies("db-2", 71.0)
    table.reboot("db-1", 100.0)
    assert table.called() == expected


def test_the_time_a_command_takes_to_arrive_is_no_fault() -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.tell_all(70.0)
    table.claim("db-1", 100.0)
    request = Reboot(id="late", host="db-1", boot_id="db-1#0", not_after_uptime_s=99.0)
    table.happen(Woke(at_s=100.0), request)
    table.dies("db-2", 110.0)
    table.arrive(request, 155.0)
    assert table.called() == []


def test_a_member_that_was_never_asked_about_is_no_excuse() -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.dies("db-2", 5.0)
    table.reboot("db-1", 100.0)
    assert table.called() == [2]


def test_a_lying_check_is_not_the_fault_of_who_asked_it() -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.dies("db-2", 5.0)
    table.tell_all(99.0)
    table.reboot("db-1", 100.0)
    assert table.called() == []


def test_what_was_told_before_a_crash_excuses_nothing_after_it() -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.tell_all(99.0)
    table.dies("db-2", 99.2)
    table.happen(Resumed(at_s=99.5, engine=1))
    table.reboot("db-1", 100.0)
    assert table.called() == [2]


def test_to_restart_the_sick_takes_nothing_from_the_budget() -> None:
    table = Table(fleet(DB, policy=fixed()))
    for host in ("db-1", "db-2"):
        table.dies(host, 5.0)
        table.truth.hosts[host].up = True
        table.tell(host, Verdict.FAIL, 99.0)
    table.reboot("db-1", 100.0)
    assert table.called() == []


# --- away until the checks have held ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("soaked", "expected"), [(True, []), (False, [2])])
def test_a_host_counts_as_down_until_its_checks_have_held(soaked: bool, expected: list[int]) -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.tell_all(1.0)
    table.reboot("db-1", 2.0)
    table.comes_up("db-1", 30.0)
    if soaked:
        table.soak("db-1", 31.0)
    else:
        table.tell("db-1", Verdict.PASS, 35.0)
    table.tell_all(41.5)
    table.reboot("db-2", 42.0)
    assert [rule for rule in table.called() if rule != 1] == expected


def test_a_consumer_needs_its_providers_ready_and_their_moves_finished() -> None:
    table = Table(fleet(DB, APP, policy=fixed(barrier="service")))
    table.tell_all(1.0)
    table.reboot("app-1", 2.0)
    assert table.called() == [1]
    assert "3 moves of its provider db" in table.referee.violations[0].what


def test_k_of_n_finished_and_ready_are_enough() -> None:
    table = Table(fleet(DB, APP, policy=fixed(barrier="service")))
    now_s = 0.0
    for host in ("db-1", "db-2"):
        table.tell_all(now_s + 1.0)
        table.reboot(host, now_s + 2.0)
        table.comes_up(host, now_s + 30.0)
        table.soak(host, now_s + 31.0)
        table.happen(Woke(at_s=now_s + 42.0), facts=(Fact(at_s=now_s + 42.0, fact="move_done", host=host),))
        now_s += 50.0
    table.tell_all(now_s)
    table.reboot("app-1", now_s + 1.0)
    assert table.called() == []


def test_a_quarantined_host_keeps_its_slot_until_an_operator_decides() -> None:
    web = Service(name="web", hosts=("w1", "w2", "w3"), max_unavailable=Amount(number=3), ready=(ask(),))
    inventory = fleet(web, limits={"one": Limit(name="one", max_in_flight=1)}, policy=fixed(max_failures=2))
    table = Table(inventory)
    table.reboot("w1", 1.0)
    table.happen(Woke(at_s=600.0), facts=(Fact(at_s=600.0, fact="quarantined", host="w1"),))
    table.reboot("w2", 601.0)
    assert table.called() == [3]
    table.happen(Woke(at_s=700.0), facts=(Fact(at_s=700.0, fact="quarantined", host="w2"),))
    for host in ("w1", "w2"):
        fact = Fact(at_s=701.0, fact="resolved", host=host, data={"word": "skip"})
        table.happen(Word(at_s=701.0, word="skip", target=host), facts=(fact,))
    table.reboot("w3", 702.0)
    assert table.called() == [3]


# --- twice, elsewhere, too late ---------------------------------------------------------------------------------------


def test_a_second_restart_on_the_same_rung_is_called_and_an_operators_retry_is_not() -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.tell_all(1.0)
    table.reboot("db-1", 2.0)
    table.comes_up("db-1", 30.0)
    fact = Fact(at_s=31.0, fact="resolved", host="db-1", data={"word": "retry"})
    table.happen(Word(at_s=31.0, word="retry", target="db-1"), facts=(fact,))
    table.tell_all(32.0)
    table.reboot("db-1", 33.0)
    assert table.called() == []
    table.comes_up("db-1", 60.0)
    table.tell_all(61.0)
    table.reboot("db-1", 62.0)
    assert table.called() == [5]


def test_a_restart_that_no_act_explains_is_found_by_the_sweep() -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.truth.hosts["db-2"].restarts_by_us = 1
    table.dies("db-3", 5.0)
    assert table.called() == [5]


def test_an_act_on_what_another_run_holds_is_called() -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.tell_all(1.0)
    table.truth.hosts["db-1"].claimed_by = "another"
    table.truth.changed.add("db-1")
    table.happen(Woke(at_s=1.5))
    table.claim("db-1", 2.0)
    request = Reboot(id="mine", host="db-1", boot_id="db-1#0", not_after_uptime_s=99.0)
    table.happen(Woke(at_s=2.0), request)
    table.truth.acts.append(
        Act(at_s=2.1, kind="reboot", host="db-1", on="db-1", request="mine", accepted=True, detail="")
    )
    table.happen(Woke(at_s=2.2))
    assert table.called() == [6]


def test_nothing_is_asked_after_the_lease_is_lost() -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.happen(LeaseLost(at_s=5.0, why="taken"))
    table.tell("db-1", Verdict.PASS, 6.0)
    assert table.called() == [6]


def test_a_drain_that_was_under_way_goes_on_after_a_stop_and_its_restart_does_not() -> None:
    table = Table(fleet(DB, policy=fixed(), playbooks={"reboot": DRAINED}))
    table.tell_all(1.0)
    table.claim("db-1", 2.0)
    step = RunStep(id="s1", host="db-1", on="db-1", command="drain db-1", timeout_s=60.0)
    table.happen(Woke(at_s=2.0), step)
    table.happen(Word(at_s=2.5, word="stop"))
    table.happen(Answered(at_s=3.0, request="s1", answer=StepRan(exit_status=0)), replace(step, id="s2"))
    assert table.called() == []
    table.happen(Woke(at_s=4.0), Reboot(id="b1", host="db-1", boot_id="db-1#0", not_after_uptime_s=99.0))
    assert table.called() == [4]


# --- the end ----------------------------------------------------------------------------------------------------------

ENDS: Mapping[int, str] = {5: "halted", 6: "stopped", 7: "held"}


@pytest.mark.parametrize("exit_code", ENDS)
def test_an_end_needs_a_reason_that_is_true(exit_code: int) -> None:
    outcome = Outcome(state=ENDS[exit_code], exit_code=exit_code, why="so it is")
    idle = Table(fleet(DB, policy=fixed()))
    idle.referee.end(outcome)
    assert idle.called() == [10]
    told = Table(fleet(DB, policy=fixed()))
    if exit_code == 5:
        told.claim("db-1", 1.0)
        told.happen(Woke(at_s=2.0), AwaitBoot(id="w", host="db-1", boot_id="b", down_within_s=1.0, back_within_s=2.0))
        told.happen(Answered(at_s=5.0, request="w", answer=NoAnswer(reason="timeout")))
    elif exit_code == 6:
        told.happen(Word(at_s=5.0, word="stop"))
    else:
        told.happen(LeaseLost(at_s=5.0, why="taken"))
    told.referee.end(outcome)
    assert told.called() == []


@pytest.mark.parametrize(("booted", "expected"), [(False, []), (True, [10])])
def test_not_rebooted_must_be_so_when_it_is_said(booted: bool, expected: list[int]) -> None:
    table = Table(fleet(DB, policy=fixed()))
    if booted:
        table.comes_up("db-1", 5.0)
    table.happen(Woke(at_s=6.0), facts=(Fact(at_s=6.0, fact="not_rebooted", host="db-1"),))
    table.comes_up("db-1", 7.0)
    table.referee.end(Outcome(state="ended", exit_code=9, why="not restarted: db-1"))
    assert table.called() == expected


def test_a_boot_that_was_waited_for_and_came_is_no_reason_to_halt() -> None:
    table = Table(fleet(DB, policy=fixed()))
    table.happen(Woke(at_s=2.0), AwaitBoot(id="w", host="db-1", boot_id="b", down_within_s=1.0, back_within_s=2.0))
    table.happen(Answered(at_s=5.0, request="w", answer=Booted(boot_id="c", uptime_s=1.0)))
    table.referee.end(Outcome(state="halted", exit_code=5, why="db-1 did not come back"))
    assert table.called() == [10]


def test_a_run_that_waits_for_a_person_is_not_stuck_and_one_that_waits_for_nothing_is() -> None:
    waiting, stuck = (Table(fleet(DB, policy=fixed())) for _ in range(2))
    waiting.happen(Word(at_s=5.0, word="pause"))
    waiting.referee.end(None)
    stuck.referee.end(None, "nothing will ever come")
    assert (waiting.called(), stuck.called()) == ([], [10])


def test_a_violation_says_rule_time_event_and_seed() -> None:
    table = Table(fleet(DB, policy=Policy()))
    table.referee.end(None, "nothing will ever come")
    assert str(table.referee.violations[0]) == (
        "rule 10 is broken at 0.0s, event 1: an end with a true reason: "
        "the run makes no progress: nothing will ever come (seed 3)"
    )
