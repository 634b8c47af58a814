"""What a review of the engine found: each case once went wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import Engine, facts
from restart.model.answer import HeldBy
from restart.model.check import Check, Verdict
from restart.model.event import Word
from restart.model.inventory import Amount, Dependency, Limit, Policy, Service
from restart.model.playbook import Playbook, Rung, Step
from restart.model.request import Ask, AwaitBoot, Reboot, Request, RestartUnits
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, play, resumed

DB = Service(name="db", hosts=("db-1", "db-2", "db-3"), min_available=Amount(quorum=True))
DRAINED = Playbook(
    name="reboot", drain=(Step(run="drain {host}", undo="undrain {host}"),), restart=(Rung(kind="reboot"),)
)


def begun(toy: Toy, plan: object) -> Played:
    return Played(Engine(plan), toy, [], [])  # type: ignore[arg-type]


def word(said: str, target: str | None = None) -> Word:
    return Word(at_s=0.0, word=said, by="ann", target=target)


# --- after a resume ---------------------------------------------------------------------------------------------------


def test_a_resumed_run_that_meets_a_foreign_claim_ends_though_moves_are_in_flight() -> None:
    inventory = fleet(DB, policy=fixed())
    toy = Toy(inventory)
    played = begun(toy, plan_of(inventory, "db-1", "db-2", "db-3"))
    drive_on(played, until=lambda: played.told(facts.REBOOTING) != [])
    toy.hosts["db-3"].claim = HeldBy(controller="lap", user="bob", run="r9", since="then", for_s=60.0)
    resumed(played)
    assert played.exit_code == 7
    assert played.reboots()["db-1"] <= 1


@pytest.mark.parametrize("phase", [facts.CLAIMED, facts.DRAINING])
def test_no_first_act_after_a_resume_on_what_was_known_before_it(phase: str) -> None:
    inventory = fleet(DB, policy=fixed(), playbooks={"reboot": DRAINED})
    plan = plan_of(inventory, "db-1", "db-2", "db-3")
    for more in range(6):
        toy = Toy(inventory)
        played = begun(toy, plan)
        drive_on(played, until=lambda played=played: played.told(phase) != [], more=more)
        if played.told(facts.REBOOTING):
            break
        toy.go_down("db-2")
        toy.hosts["db-2"].up_at_s = toy.now_s + 100.0
        toy.hosts["db-2"].down_since_s = toy.now_s - 100.0  # as the judge sees it: long enough to be known
        resumed(played)
        assert toy.trouble == [], f"{more} events after {phase}"
        # What went down and came up by itself has had its restart.
        assert played.reboots() == {"db-1": 1, "db-2": 0, "db-3": 1}


def test_a_host_that_was_sick_before_the_crash_is_not_taken_for_sick_after_it() -> None:
    inventory = fleet(DB, policy=fixed(), playbooks={"reboot": DRAINED})
    toy = Toy(inventory)
    toy.hosts["db-1"].sick = True
    played = begun(toy, plan_of(inventory, "db-1", "db-2", "db-3"))
    drive_on(played, until=lambda: played.told(facts.DRAINING) != [])
    assert toy.hosts["db-1"].reboots == 0
    toy.hosts["db-1"].sick = False
    toy.go_down("db-2")
    toy.hosts["db-2"].up_at_s = toy.now_s + 100.0
    toy.hosts["db-2"].down_since_s = toy.now_s - 100.0
    resumed(played)
    assert toy.trouble == []
    assert played.exit_code == 0


def test_a_decision_said_while_nobody_led_the_run_is_heard_by_the_one_that_resumes_it() -> None:
    inventory = fleet(DB, policy=fixed(max_failures=3))
    toy = Toy(inventory)
    toy.hosts["db-3"].fault = "never_returns"
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), toy)
    assert played.exit_code == 5
    toy.hosts["db-3"].fault = ""
    toy.hosts["db-3"].up_at_s = toy.now_s
    toy.words = [(toy.now_s, word("retry", "db-3"))]
    resumed(played)
    assert played.exit_code == 0
    assert played.reboots()["db-3"] == 2


def test_a_decision_heard_while_the_claims_are_renewed_asks_each_question_once() -> None:
    inventory = fleet(DB, policy=fixed(max_failures=1))
    toy = Toy(inventory)
    toy.hosts["db-1"].fault = "never_returns"
    played = begun(toy, plan_of(inventory, "db-1", "db-2", "db-3"))
    drive_on(played, until=lambda: played.told(facts.QUARANTINED) != [])
    toy.hosts["db-1"].up_at_s = toy.now_s
    toy.hosts["db-1"].fault = ""
    toy.words = [(toy.now_s, word("done", "db-1"))]
    open_asks: dict[str, int] = {}
    worst = 0

    def lose(request: Request) -> bool:
        nonlocal worst
        if isinstance(request, Ask) and request.subject == "ready" and request.host == "db-1":
            open_asks[request.id] = 1
            waiting = [id for id in open_asks if id not in {getattr(e, "request", None) for e in played.events}]
            worst = max(worst, len(waiting))
        return False

    toy.lose = lose
    resumed(played)
    assert worst == 1
    assert played.exit_code == 0


def test_an_approval_said_at_once_after_a_resume_begins_nothing_before_the_claims_are_there() -> None:
    playbook = Playbook(name="reboot", drain=(Step(approve="sure?"), Step(run="drain {host}")), restart=DRAINED.restart)
    inventory = fleet(DB, policy=fixed(), playbooks={"reboot": playbook})
    toy = Toy(inventory)
    played = begun(toy, plan_of(inventory, "db-1"))
    drive_on(played, until=lambda: played.told(facts.APPROVAL_WANTED) != [])
    toy.hosts["db-1"].claim = HeldBy(controller="lap", user="bob", run="r9", since="then", for_s=60.0)
    toy.words = [(toy.now_s, word("approve", "db-1"))]
    resumed(played)
    assert played.exit_code == 7
    assert toy.ran == []


def test_the_last_wave_wanted_holds_through_a_crash_and_is_over_once_it_was_reached() -> None:
    inventory = fleet(DB, policy=fixed())
    toy = Toy(inventory)
    played = begun(toy, plan_of(inventory, "db-1", "db-2", "db-3"))
    drive_on(played, until=lambda: played.told(facts.REBOOTING) != [], until_wave=2)
    resumed(played)
    assert played.exit_code == 6
    assert sum(played.reboots().values()) == 2
    resumed(played)
    assert played.exit_code == 0


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_later_rung_takes_its_slots_anew() -> None:
    web = Service(
        name="web", hosts=("w1", "w2"), max_unavailable=Amount(number=2), ready=(Check(kind="tcp", within_s=60.0),)
    )
    ladder = Playbook(name="reboot", restart=(Rung(kind="reboot"), Rung(kind="reboot")))
    limits = {"pxe": Limit(name="pxe", max_in_flight=1, held_until="booted")}
    inventory = fleet(web, limits=limits, policy=fixed(max_failures=2), playbooks={"reboot": ladder})
    toy = Toy(inventory)
    toy.hosts["w1"].warm_s = 200.0  # too long for its checks: the second rung's turn comes
    toy.hosts["w2"].boot_s = 120.0
    played = play(plan_of(inventory, "w1 w2"), toy, events_max=3000)
    starting = [(fact.host, fact.at_s) for fact in played.told(facts.REBOOTING)]
    booted = {fact.host: fact.at_s for fact in played.told(facts.BOOTED) if fact.host == "w2"}
    assert [host for host, _ in starting] == ["w1", "w2", "w1"]
    assert starting[2][1] >= booted["w2"]


def test_a_rung_that_waits_for_its_slots_is_the_one_that_is_climbed_after_a_resume() -> None:
    service = Service(
        name="web", hosts=("w1", "w2"), max_unavailable=Amount(number=2), ready=(Check(kind="tcp", within_s=60.0),)
    )
    ladder = Playbook(name="reboot", restart=(Rung(kind="reboot"), Rung(kind="reboot")))
    limits = {"pxe": Limit(name="pxe", max_in_flight=1, held_until="booted")}
    inventory = fleet(service, limits=limits, policy=fixed(), playbooks={"reboot": ladder})
    toy = Toy(inventory)
    toy.hosts["w1"].warm_s, toy.hosts["w2"].boot_s = 75.0, 120.0
    played = begun(toy, plan_of(inventory, "w1 w2"))
    drive_on(played, until=lambda: played.engine.states["w1"].phase.value == "climbing")
    resumed(played)
    assert played.reboots() == {"w1": 2, "w2": 1}


# --- gates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["gate", "ready"])
def test_a_check_that_must_hold_longer_than_its_within_still_can(of: str) -> None:
    check = Check(kind="tcp", healthy_for_s=20.0, within_s=10.0)
    service = replace(DB, gate=(check,)) if of == "gate" else replace(DB, ready=(check,))
    inventory = fleet(service, policy=fixed())
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), Toy(inventory))
    assert played.exit_code == 0, played.engine.outcome


def test_a_gate_asked_before_a_move_ended_says_nothing_of_the_time_after() -> None:
    gate = Check(kind="http", healthy_for_s=0.0)
    inventory = fleet(replace(DB, gate=(gate,)), policy=fixed())
    toy = Toy(inventory)
    toy.delay = lambda request: 1.9 if isinstance(request, Ask) and request.subject == "gate" else 0.0
    played = play(plan_of(inventory, "db-1 db-2 db-3"), toy)
    ends = [fact.at_s for fact in played.told(facts.MOVE_DONE)]
    starts = [fact.at_s for fact in played.told(facts.MOVE_STARTED)]
    assert all(start >= end + 1.9 for start, end in zip(starts[1:], ends, strict=False))


def test_a_failing_gate_is_given_the_time_that_the_repair_of_its_sick_member_takes() -> None:
    gate = Check(kind="http", within_s=60.0)
    inventory = fleet(replace(DB, gate=(gate,)), policy=fixed())
    toy = Toy(inventory)
    toy.hosts["db-1"].sick = True
    toy.hosts["db-1"].boot_s = 200.0
    toy.gates["db"] = Verdict.FAIL

    def heal(toy: Toy) -> None:
        toy.hosts["db-1"].sick = False
        toy.gates["db"] = Verdict.PASS

    toy.script = [(205.0, heal)]
    played = play(plan_of(inventory, "db-1 db-2 db-3"), toy)
    assert played.exit_code == 0, played.engine.outcome


# --- ladders ----------------------------------------------------------------------------------------------------------


def test_a_host_that_ignores_its_reboot_and_stays_sick_is_quarantined_not_asked_for_ever() -> None:
    inventory = fleet(DB, policy=fixed())
    toy = Toy(inventory)
    toy.hosts["db-1"].fault, toy.hosts["db-1"].sick = "ignores", True
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), toy, events_max=3000)
    assert played.exit_code == 5
    assert [fact.host for fact in played.told(facts.QUARANTINED)] == ["db-1"]


def test_what_an_earlier_rung_was_told_is_no_word_on_the_next_ones_reboot() -> None:
    ladder = (Rung(kind="service_restart", units=("db.service",)), Rung(kind="reboot"))
    service = replace(DB, ready=(Check(kind="tcp", within_s=30.0),))
    inventory = fleet(service, policy=fixed(), playbooks={"reboot": Playbook(name="reboot", restart=ladder)})
    toy = Toy(inventory)
    toy.hosts["db-1"].cured_by_units = False
    toy.hosts["db-1"].sick = True
    waits: list[AwaitBoot] = []

    def lose(request: Request) -> bool:
        if isinstance(request, AwaitBoot):
            waits.append(request)
        return False

    toy.lose = lose
    toy.unanswered = lambda request: isinstance(request, Reboot)
    play(plan_of(inventory, "db-1"), toy, events_max=3000)
    assert waits[0].down_within_s > 60.0  # past the command's not-after


def test_halted_before_its_drain_a_move_is_called_off_untouched() -> None:
    web = Service(name="web", hosts=("w1", "w2"), max_unavailable=Amount(number=2))
    inventory = fleet(web, policy=fixed(), playbooks={"reboot": DRAINED})
    toy = Toy(inventory)
    toy.words = [(0.25, word("stop"))]
    played = play(plan_of(inventory, "w1 w2"), toy)
    assert played.told(facts.MOVE_STARTED) != []
    assert toy.ran == []
    assert played.exit_code == 6


def test_a_step_under_way_when_the_run_is_stopped_is_the_last_and_is_undone() -> None:
    drain = (Step(run="one {host}", undo="undo-one {host}"), Step(run="two {host}", undo="undo-two {host}"))
    playbook = Playbook(name="reboot", drain=drain, restart=(Rung(kind="reboot"),))
    inventory = fleet(DB, policy=fixed(), playbooks={"reboot": playbook})
    toy = Toy(inventory)
    toy.words = [(0.35, word("stop"))]
    play(plan_of(inventory, "db-1"), toy)
    assert toy.ran == ["one db-1", "undo-one db-1"]


# --- holds ------------------------------------------------------------------------------------------------------------


def test_a_member_that_comes_back_is_looked_at_though_another_is_quarantined() -> None:
    five = Service(name="five", hosts=("h1", "h2", "h3", "h4"), max_unavailable=Amount(number=2))
    inventory = fleet(five, policy=fixed(max_failures=2))
    toy = Toy(inventory)
    toy.hosts["h1"].fault = "never_returns"

    def down(toy: Toy) -> None:
        toy.go_down("h4")
        toy.hosts["h4"].up_at_s = toy.now_s + 120.0

    toy.script = [(595.0, down)]
    played = play(plan_of(inventory, "h1", "h2", "h3", "h4"), toy, events_max=3000)
    started = {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    assert 715.0 < started["h2"] < 730.0


def test_a_pause_is_no_stall() -> None:
    inventory = fleet(DB, policy=fixed())
    toy = Toy(inventory)
    toy.go_down("db-3")
    toy.hosts["db-3"].up_at_s = 580.0
    toy.words = [(100.0, word("pause")), (570.0, word("go"))]
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), toy, events_max=3000)
    assert played.exit_code == 0, played.engine.outcome


def test_a_drained_host_whose_provider_stays_away_is_let_go_and_the_run_says_why() -> None:
    app = Service(name="app", hosts=("app-1", "app-2"), depends_on=(Dependency(provider="db"),))
    playbook = Playbook(
        name="reboot", drain=(Step(approve="sure?", undo="undrain {host}"),), restart=(Rung(kind="reboot"),)
    )
    inventory = fleet(DB, app, policy=fixed(), playbooks={"reboot": playbook})
    toy = Toy(inventory)

    def lost(toy: Toy) -> None:
        for name in ("db-1", "db-2"):
            toy.go_down(name)
            toy.hosts[name].up_at_s = None

    toy.script = [(50.0, lost)]
    toy.words = [(60.0, word("approve", "app-1"))]
    played = play(plan_of(inventory, "app-1"), toy, events_max=3000)
    assert played.exit_code == 8  # no act of the run has come near the provider
    assert "requires.app.db" in played.engine.outcome.why
    assert played.reboots()["app-1"] == 0


def test_a_provider_that_an_operator_resolved_contains_its_consumers_no_longer() -> None:
    app = Service(name="app", hosts=("app-1", "app-2"), depends_on=(Dependency(provider="db"),))
    inventory = fleet(DB, app, policy=fixed(on_failure="contain", max_failures=0))
    toy = Toy(inventory)
    toy.hosts["db-3"].fault = "never_returns"
    played = play(plan_of(inventory, "db-1", "db-2", "db-3", "app-1", "app-2"), toy)
    assert [fact.service for fact in played.told(facts.CONTAINED)] == ["db"]
    toy.hosts["db-3"].fault = ""
    toy.hosts["db-3"].up_at_s = toy.now_s
    toy.words = [(toy.now_s, word("retry", "db-3"))]
    resumed(played)
    assert played.exit_code == 0, played.engine.outcome


def test_a_canary_in_a_later_wave_leads_nobody_before_it() -> None:
    web = Service(name="web", hosts=("w1", "w2", "w3", "w4"), max_unavailable=Amount(number=2))
    inventory = fleet(web, policy=Policy(max_failures=1, pace="fixed", canaries=1))
    toy = Toy(inventory)
    toy.hosts["w1"].fault = "never_returns"
    played = play(plan_of(inventory, "w1 w2 w3", "w4", canaries="w1 w4"), toy)
    assert played.reboots() == {"w1": 1, "w2": 1, "w3": 1, "w4": 1}


def test_path_hosts_go_last_though_the_barrier_is_each_services_own() -> None:
    path = Service(name="lb", hosts=("lb-1",), path=True)
    inventory = fleet(DB, path, policy=fixed(barrier="service"))
    toy = Toy(inventory)
    toy.go_down("db-3")  # so that the others wait at first
    played = play(plan_of(inventory, "db-1", "db-2", "db-3", "lb-1"), toy)
    assert [fact.host for fact in played.told(facts.MOVE_STARTED)][-1] == "lb-1"
    assert played.exit_code == 0


def test_a_host_that_is_retried_while_a_path_host_is_in_flight_waits_for_it() -> None:
    path = Service(name="lb", hosts=("lb-1",), path=True)
    inventory = fleet(DB, path, policy=fixed(max_failures=1))
    toy = Toy(inventory)
    toy.hosts["db-1"].fault = "no_privilege"
    toy.hosts["lb-1"].boot_s = 100.0
    played = begun(toy, plan_of(inventory, "db-1", "db-2", "db-3", "lb-1"))
    drive_on(played, until=lambda: any(fact.host == "lb-1" for fact in played.told(facts.REBOOTING)))
    toy.hosts["db-1"].fault = ""
    toy.words = [(toy.now_s + 5.0, word("retry", "db-1"))]
    drive_on(played)
    assert played.exit_code == 0
    told = [(fact.fact, fact.host) for fact in played.facts if fact.fact in (facts.MOVE_STARTED, facts.MOVE_DONE)]
    assert told.index((facts.MOVE_DONE, "lb-1")) < max(
        index for index, found in enumerate(told) if found == (facts.MOVE_STARTED, "db-1")
    ), "the controller may be blind meanwhile"


def test_a_host_retried_while_the_last_wave_settles_is_waited_for() -> None:
    one, two = Service(name="one", hosts=("a", "b")), Service(name="two", hosts=("c",), settle_s=60.0)
    inventory = fleet(one, two, policy=fixed(barrier="service", max_failures=1))
    toy = Toy(inventory)
    toy.hosts["a"].fault = "ignores"
    toy.hosts["c"].boot_s = 20.0
    toy.hosts["a"].sick = False
    played = begun(toy, plan_of(inventory, "a", "c"))
    drive_on(played, until=lambda: played.engine.states["a"].phase.value == "not_rebooted")
    toy.hosts["a"].fault = ""
    toy.hosts["b"].sick = True  # so that it cannot begin yet
    toy.script = [(toy.now_s + 100.0, lambda toy: setattr(toy.hosts["b"], "sick", False))]
    toy.words = [(toy.now_s, word("retry", "a"))]
    drive_on(played)
    assert played.exit_code == 0, played.engine.outcome


# --- exit codes: the first that applies of 1, 7, 8, 5, 9, 6, 0 ---------------------------------------------------------


def test_a_host_not_rebooted_comes_before_one_in_doubt() -> None:
    inventory = fleet(DB, policy=fixed(max_failures=3))
    toy = Toy(inventory)
    toy.hosts["db-1"].fault = "ignores"
    played = begun(toy, plan_of(inventory, "db-1", "db-2"))
    drive_on(played, until=lambda: sum(f.host == "db-2" for f in played.told(facts.REBOOTING)) == 1)
    toy.hosts["db-2"].fault = "never_returns"
    toy.crash()
    toy.go_down("db-2")
    resumed(played, crash=False)
    assert played.engine.states["db-2"].phase.value == "in_doubt"
    assert played.exit_code == 9


def test_a_stop_with_hosts_quarantined_is_exit_5_and_with_hosts_not_rebooted_9() -> None:
    for fault, code in (("never_returns", 5), ("ignores", 9), ("", 6)):
        inventory = fleet(replace(DB, hosts=("db-1", "db-2", "db-3", "db-4", "db-5")), policy=fixed(max_failures=1))
        toy = Toy(inventory)
        toy.hosts["db-1"].fault = fault
        played = begun(toy, plan_of(inventory, "db-1", "db-2", "db-3"))
        drive_on(played, until=lambda played=played: any(f.host == "db-2" for f in played.told(facts.MOVE_STARTED)))
        toy.words = [(toy.now_s, word("stop"))]
        drive_on(played)
        assert played.exit_code == code
        assert played.engine.outcome.state == "stopped"


# --- what the referee found ---------------------------------------------------------------------------------------------

SERVICE_FIRST = Playbook(
    name="reboot",
    drain=(Step(run="drain {host}", undo="undrain {host}"),),
    restart=(Rung(kind="service_restart", units=("db.service",)), Rung(kind="reboot")),
)


@pytest.mark.parametrize("said", ["stop", "pause"])
@pytest.mark.parametrize("playbook", [DRAINED, SERVICE_FIRST])
def test_no_first_act_goes_out_after_a_word_that_came_while_it_was_prepared(said: str, playbook: Playbook) -> None:
    inventory = fleet(DB, policy=fixed(), playbooks={"reboot": playbook})
    for more in range(8):
        toy = Toy(inventory)
        played = begun(toy, plan_of(inventory, "db-1", "db-2", "db-3"))
        drive_on(played, until=lambda played=played: played.told(facts.DRAINING) != [], more=more)
        if played.told(facts.REBOOTING):
            break
        toy.words = [(toy.now_s, word(said)), (toy.now_s + 500.0, word("go")), (toy.now_s + 500.0, word("stop"))]
        said_s = toy.now_s
        drive_on(played)
        acts = [fact.at_s for fact in played.told(facts.REBOOTING) if said_s < fact.at_s < said_s + 500.0]
        assert acts == [], f"{said} {more} events after the drain"
    else:
        pytest.fail("the run never got as far as its first act")


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_service_restart_that_may_have_been_lost_is_proved_before_it_is_repeated(carried_out: bool) -> None:
    inventory = fleet(DB, policy=fixed(), playbooks={"reboot": SERVICE_FIRST})
    toy = Toy(inventory)
    toy.lose = lambda request: isinstance(request, RestartUnits) and not carried_out
    played = begun(toy, plan_of(inventory, "db-1", "db-2", "db-3"))
    drive_on(played, until=lambda: played.told(facts.REBOOTING) != [], more=0)
    toy.lose = lambda request: False
    toy.go_down("db-3")
    toy.hosts["db-3"].up_at_s = toy.now_s + 100.0
    back_s = toy.now_s + 100.0
    resumed(played)
    assert played.exit_code == 0
    # db-3 came up anew by itself, its unit with it.
    assert {name: host.unit_starts for name, host in toy.hosts.items()} == {"db-1": 2, "db-2": 2, "db-3": 1}
    again = [fact.at_s for fact in played.told(facts.REBOOTING) if fact.host == "db-1"][1:]
    assert again == [] if carried_out else again[0] >= back_s
