"""Whole runs of the engine in the toy world: what an operator would see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import Engine, facts
from restart.model.answer import Checked, HeldBy
from restart.model.check import Check, Verdict
from restart.model.event import Answered, Word
from restart.model.inventory import Amount, Dependency, Limit, Policy, Service
from restart.model.playbook import Playbook, Rung, Step
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, play, replayed, resumed

DB = Service(name="db", hosts=("db-1", "db-2", "db-3"), min_available=Amount(quorum=True))
APP = Service(
    name="app",
    hosts=("app-1", "app-2", "app-3", "app-4"),
    max_unavailable=Amount(number=2),
    depends_on=(Dependency(provider="db"),),
)
SITE = ("db-1", "db-2", "db-3", "app-1 app-2", "app-3 app-4")


def site(**given: object) -> tuple[Toy, object]:
    given.setdefault("policy", fixed())
    inventory = fleet(DB, APP, **given)
    return Toy(inventory), plan_of(inventory, *SITE)


def test_every_host_is_restarted_once_and_the_run_is_done() -> None:
    toy, plan = site()
    played = play(plan, toy)
    assert played.exit_code == 0
    assert set(played.reboots().values()) == {1}
    assert toy.trouble == []
    assert [fact.wave for fact in played.told(facts.WAVE_DONE)] == [1, 2, 3, 4, 5]


def test_consumers_start_only_after_their_providers() -> None:
    toy, plan = site()
    played = play(plan, toy)
    order = [fact.host for fact in played.told(facts.MOVE_STARTED)]
    assert order.index("app-1") > order.index("db-3")


def test_a_member_that_dies_by_itself_is_counted() -> None:
    toy, plan = site()
    toy.script = [
        (30.0, lambda toy: toy.go_down("db-3")),
        (30.0, lambda toy: setattr(toy.hosts["db-3"], "up_at_s", 200.0)),
    ]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert toy.trouble == []
    started = {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    assert started["db-2"] >= 200.0
    assert any("db-3" in (fact.why or "") for fact in played.told(facts.HELD))


def test_a_host_that_never_returns_halts_the_run_with_the_budget_intact() -> None:
    toy, plan = site()
    toy.hosts["db-1"].fault = "never_returns"
    played = play(plan, toy)
    assert played.exit_code == 5
    assert sum(played.reboots().values()) == 1
    assert [fact.host for fact in played.told(facts.QUARANTINED)] == ["db-1"]
    assert "max_failures" in played.engine.outcome.why


def test_a_borne_failure_counts_as_down_and_the_rest_goes_on_while_budgets_hold() -> None:
    toy, plan = site(policy=fixed(max_failures=1))
    toy.hosts["app-1"].fault = "never_returns"
    played = play(plan, toy)
    assert toy.trouble == []
    assert played.exit_code == 5
    assert sum(played.reboots().values()) == 7


def test_a_failed_host_keeps_its_rack_closed() -> None:
    web = Service(name="web", hosts=("w1", "w2", "w3"), max_unavailable=Amount(number=2))
    racks = {"w1": {"rack": "r1"}, "w2": {"rack": "r1"}, "w3": {"rack": "r2"}}
    limits = {"rack": Limit(name="rack", per="rack", max_in_flight=1)}
    inventory = fleet(web, hosts=racks, limits=limits, policy=fixed(max_failures=1))
    toy = Toy(inventory)
    toy.hosts["w1"].fault = "never_returns"
    played = play(plan_of(inventory, "w1 w2 w3"), toy)
    assert played.reboots() == {"w1": 1, "w2": 0, "w3": 1}
    assert played.exit_code == 5
    assert "limit.rack: rack r1" in played.engine.outcome.why


def test_a_host_that_ignores_the_reboot_is_exit_9_and_named() -> None:
    toy, plan = site()
    toy.hosts["app-4"].fault = "ignores"
    played = play(plan, toy)
    assert played.exit_code == 9
    assert [fact.host for fact in played.told(facts.NOT_REBOOTED)] == ["app-4"]
    assert toy.hosts["app-4"].reboots == 0


def test_the_same_boot_id_after_the_port_came_back_is_no_reboot() -> None:
    toy, plan = site()
    toy.hosts["app-4"].fault = "same_boot_id"
    assert play(plan, toy).exit_code == 9


def test_a_host_that_declines_is_undone_and_counts_as_failed() -> None:
    toy, plan = site()
    toy.hosts["db-1"].fault = "no_privilege"
    played = play(plan, toy)
    assert played.exit_code == 5
    assert [fact.host for fact in played.told(facts.UNTOUCHED)] == ["db-1"]
    assert sum(played.reboots().values()) == 0


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN])
def test_a_gate_that_does_not_pass_halts_and_nothing_new_starts(verdict: Verdict) -> None:
    gate = Check(kind="http", within_s=60.0)
    inventory = fleet(replace(DB, gate=(gate,)), APP, policy=fixed())
    toy = Toy(inventory)
    toy.script = [(75.0, lambda toy: toy.gates.update(db=verdict))]
    played = play(plan_of(inventory, *SITE), toy)
    assert played.exit_code == 5
    assert "gate.db" in played.engine.outcome.why
    last_start = max(fact.at_s for fact in played.told(facts.MOVE_STARTED))
    assert last_start < 75.0
    assert toy.trouble == []


def test_a_gate_must_keep_passing_for_its_time_before_each_start() -> None:
    gate = Check(kind="http", healthy_for_s=15.0)
    inventory = fleet(replace(DB, gate=(gate,)), policy=fixed())
    toy = Toy(inventory)
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), toy)
    starts = [fact.at_s for fact in played.told(facts.MOVE_STARTED)]
    ends = [fact.at_s for fact in played.told(facts.MOVE_DONE)]
    assert starts[0] >= 15.0
    assert all(start >= end + 15.0 for start, end in zip(starts[1:], ends, strict=False))


def test_a_gate_that_failed_before_does_not_forbid_the_repair_of_its_sick_member() -> None:
    gate = Check(kind="http")
    inventory = fleet(replace(DB, gate=(gate,)), policy=fixed())
    toy = Toy(inventory)
    toy.hosts["db-1"].sick = True
    toy.gates["db"] = Verdict.FAIL

    def heal(toy: Toy) -> None:
        toy.hosts["db-1"].sick = False
        toy.gates["db"] = Verdict.PASS

    toy.script = [(25.0, heal)]
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), toy)
    assert played.exit_code == 0
    assert played.told(facts.MOVE_STARTED)[0].at_s < 25.0


def test_a_gate_that_was_told_to_pass_only_once_forbids_it() -> None:
    inventory = fleet(replace(DB, gate=(Check(kind="http", healthy_for_s=12.0, within_s=60.0),)), policy=fixed())
    toy = Toy(inventory)

    def fall(toy: Toy) -> None:
        toy.hosts["db-1"].sick, toy.gates["db"] = True, Verdict.FAIL

    toy.script = [(1.0, fall)]
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), toy)
    assert played.exit_code == 5
    assert played.told(facts.GATE)[0].verdict is Verdict.PASS
    assert played.reboots() == dict.fromkeys(inventory.hosts, 0)


def test_settle_is_waited_for_between_waves() -> None:
    inventory = fleet(replace(DB, settle_s=40.0), policy=fixed())
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), Toy(inventory))
    starts = [fact.at_s for fact in played.told(facts.MOVE_STARTED)]
    ends = [fact.at_s for fact in played.told(facts.MOVE_DONE)]
    assert all(start >= end + 40.0 for start, end in zip(starts[1:], ends, strict=False))


def test_a_failed_watch_holds_the_run_until_it_passes_again() -> None:
    toy, plan = site(watch=(Check(kind="http"),))
    toy.script = [
        (40.0, lambda toy: setattr(toy, "watch", Verdict.FAIL)),
        (140.0, lambda toy: setattr(toy, "watch", Verdict.PASS)),
    ]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert not [fact for fact in played.told(facts.MOVE_STARTED) if 43.0 < fact.at_s < 150.0]


def test_a_watch_that_fails_for_long_halts() -> None:
    toy, plan = site(watch=(Check(kind="http", within_s=60.0),))
    toy.script = [(40.0, lambda toy: setattr(toy, "watch", Verdict.FAIL))]
    assert play(plan, toy).exit_code == 5


def test_an_unknown_watch_opens_nothing_and_tells() -> None:
    toy, plan = site(watch=(Check(kind="http"),))
    toy.watch = Verdict.UNKNOWN
    toy.words = [(200.0, Word(at_s=0.0, word="stop", by="ann"))]
    played = play(plan, toy)
    assert played.exit_code == 6
    assert played.told(facts.MOVE_STARTED) == []
    assert "UNKNOWN for 60s" in (played.told(facts.PAUSED)[0].why or "")


def test_stop_ends_what_is_in_flight_and_starts_nothing() -> None:
    toy, plan = site()
    toy.words = [(40.0, Word(at_s=0.0, word="stop", by="ann", reason="enough"))]
    played = play(plan, toy)
    assert played.exit_code == 6
    assert len(played.told(facts.MOVE_STARTED)) == len(played.told(facts.MOVE_DONE))
    assert max(fact.at_s for fact in played.told(facts.MOVE_STARTED)) <= 40.0


def test_let_go_ends_at_once() -> None:
    toy, plan = site()
    toy.words = [(10.0, Word(at_s=0.0, word="let-go", by="ann"))]
    played = play(plan, toy)
    assert played.exit_code == 6
    assert played.events[-1].at_s == 10.0


def test_pause_starts_nothing_until_go() -> None:
    toy, plan = site()
    toy.words = [(5.0, Word(at_s=0.0, word="pause")), (300.0, Word(at_s=0.0, word="go"))]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert [fact for fact in played.told(facts.MOVE_STARTED) if 5.0 < fact.at_s < 300.0] == []


@pytest.mark.parametrize("more", range(12))
def test_a_pause_between_a_claim_and_its_drain_begins_no_drain(more: int) -> None:
    book = Playbook(name="reboot", drain=(Step(run="drain", undo="undrain"),) * 2, restart=(Rung(kind="reboot"),))
    inventory = fleet(Service(name="web", hosts=("w1", "w2")), policy=fixed(), playbooks={"reboot": book})
    toy = Toy(inventory)
    paused_s = 0.15 + more * 0.05
    toy.words = [(paused_s, Word(at_s=0.0, word="pause")), (300.0, Word(at_s=0.0, word="go"))]
    played = play(plan_of(inventory, "w1", "w2"), toy)
    assert played.exit_code == 0
    begun = [fact.at_s for fact in played.told(facts.DRAINING) if fact.host == "w1"]
    # One that had begun goes on to its end and waits there; none begins.
    assert begun[0] < paused_s or begun[0] >= 300.0
    assert toy.ran.count("drain") == 4


@pytest.mark.parametrize("late_s", [0.1, 0.5, 0.55, 0.7, 0.85])
@pytest.mark.parametrize("healthy_for_s", [0.5, 2.0, 2.5, 2.9])
def test_a_check_that_fails_while_another_one_completes_its_time_is_heard(late_s: float, healthy_for_s: float) -> None:
    web = Check(kind="tcp", params={"port": 1}, healthy_for_s=3.0, every_s=1.0, within_s=60.0)
    slow = replace(web, healthy_for_s=healthy_for_s)
    services = (Service(name="web", hosts=("w1",), ready=(web,)), Service(name="slow", hosts=("w1",), ready=(slow,)))
    inventory = fleet(*services, policy=fixed())

    def played(sick_s: float) -> Played:
        toy = Toy(inventory, delay=lambda request: late_s if getattr(request, "service", None) == "slow" else 0.0)
        toy.script = [(sick_s, lambda toy: setattr(toy.hosts["w1"], "sick", True))]
        toy.script += [(sick_s + 5.0, lambda toy: setattr(toy.hosts["w1"], "sick", False))]
        return play(plan_of(inventory, "w1"), toy)

    (well,) = played(1000.0).told(facts.MOVE_DONE)
    for before_s in (0.03, 0.05, 0.08, 0.15, 0.3, 0.6):
        run = played(well.at_s - before_s)
        (done,) = run.told(facts.MOVE_DONE)
        heard = [event for event in run.events if isinstance(event, Answered) and event.at_s <= done.at_s]
        for service in ("web", "slow"):
            last = [event.answer for event in heard if event.service == service][-1]
            assert isinstance(last, Checked)
            assert [finding.verdict for finding in last.findings] == [Verdict.PASS], (service, before_s)


def test_until_wave_stops_there() -> None:
    toy, plan = site()
    played = play(plan, toy, until_wave=3)
    assert played.exit_code == 6
    assert sum(played.reboots().values()) == 3
    assert played.engine.stops_after == 3


def test_before_that_wave_is_done_a_resume_goes_no_further_than_it() -> None:
    toy, plan = site()
    played = play(plan, toy, until_wave=3, die_after=40)
    assert played.engine.stops_after == 3  # resumed from where it had died, and stopped there
    assert sum(played.reboots().values()) == 3
    resumed(played, crash=False)
    assert (played.exit_code, played.engine.stops_after) == (0, None)


def test_a_foreign_claim_is_exit_7_before_anything_is_touched() -> None:
    toy, plan = site()
    toy.hosts["app-4"].claim = HeldBy(controller="lap", user="bob", run="r9", since="then", for_s=60.0)
    played = play(plan, toy)
    assert played.exit_code == 7
    assert "bob@lap" in played.engine.outcome.why
    assert sum(played.reboots().values()) == 0


def test_a_failed_drain_is_undone_and_the_host_is_left_as_it_was() -> None:
    drain = (Step(run="drain {host}", undo="undrain {host}"), Step(run="flush {host}"))
    playbook = Playbook(name="reboot", drain=drain, restart=(Rung(kind="reboot"),))
    toy, plan = site(playbooks={"reboot": playbook})
    toy.steps["flush db-1"] = 1
    played = play(plan, toy)
    assert toy.ran == ["drain db-1", "flush db-1", "undrain db-1"]
    assert played.reboots()["db-1"] == 0
    assert played.exit_code == 5


def test_a_host_on_which_others_drain_is_not_restarted_beside_them() -> None:
    playbook = Playbook(
        name="reboot", drain=(Step(run="drain {host}", on="lb", undo="undrain {host}"),), restart=(Rung(kind="reboot"),)
    )
    lb = Service(name="lb", hosts=("lb",))
    inventory = fleet(lb, APP, DB, policy=fixed(), playbooks={"reboot": playbook})
    played = play(plan_of(inventory, "db-1", "db-2", "db-3", "app-1 lb app-2"), Toy(inventory))
    starts = {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    ends = {fact.host: fact.at_s for fact in played.told(facts.MOVE_DONE)}
    assert starts["lb"] >= max(ends["app-1"], ends["app-2"])
    assert played.exit_code == 0


def test_a_quarantined_host_stays_drained() -> None:
    playbook = Playbook(
        name="reboot", drain=(Step(run="drain {host}", undo="undrain {host}"),), restart=(Rung(kind="reboot"),)
    )
    toy, plan = site(playbooks={"reboot": playbook})
    toy.hosts["db-1"].fault = "never_returns"
    play(plan, toy)
    assert toy.ran == ["drain db-1"]


def test_the_next_rung_is_climbed_when_the_first_did_not_help() -> None:
    ladder = (Rung(kind="service_restart", units=("db.service",)), Rung(kind="reboot"))
    playbook = Playbook(name="reboot", restart=ladder)
    inventory = fleet(DB, policy=fixed(), playbooks={"reboot": playbook})
    toy = Toy(inventory)
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), toy)
    assert played.exit_code == 0
    assert set(played.reboots().values()) == {0}


def test_canaries_lead_and_slow_start_doubles() -> None:
    web = Service(name="web", hosts=tuple(f"w{n}" for n in range(1, 9)), max_unavailable=Amount(percent=100.0))
    inventory = fleet(replace(web, max_unavailable=Amount(number=8)), policy=Policy())
    played = play(plan_of(inventory, "w1 w2 w3 w4 w5 w6 w7 w8", canaries="w2"), Toy(inventory))
    starts = [(round(fact.at_s), fact.host) for fact in played.told(facts.MOVE_STARTED)]
    assert starts[0][1] == "w2"
    waves: dict[int, int] = {}
    for at_s, _ in starts:
        waves[at_s] = waves.get(at_s, 0) + 1
    assert list(waves.values()) == [1, 2, 4, 1]


def test_a_second_lost_canary_closes_its_stratum() -> None:
    web = Service(name="web", hosts=tuple(f"w{n}" for n in range(1, 9)), max_unavailable=Amount(number=8))
    inventory = fleet(web, policy=Policy(max_failures=5))
    toy = Toy(inventory)
    for name in ("w1", "w2"):
        toy.hosts[name].fault = "never_returns"
    played = play(plan_of(inventory, "w1 w2 w3 w4 w5 w6 w7 w8", canaries="w1"), toy)
    assert played.exit_code == 5
    assert sum(played.reboots().values()) == 2


def test_two_failed_canaries_of_one_image_halt_the_run() -> None:
    services = [Service(name=f"s{n}", hosts=(f"h{n}a", f"h{n}b", f"h{n}c")) for n in (1, 2)]
    labels = {host: {"image": "v7"} for service in services for host in service.hosts}
    inventory = fleet(*services, hosts=labels, policy=Policy(max_failures=9))
    toy = Toy(inventory)
    toy.hosts["h1a"].fault = toy.hosts["h2a"].fault = "never_returns"
    played = play(plan_of(inventory, "h1a h2a h1b h2b", canaries="h1a h2a"), toy)
    assert "share image=v7" in played.engine.outcome.why
    assert sum(played.reboots().values()) == 2


def test_contain_holds_the_consumers_and_lets_the_others_go_on() -> None:
    other = Service(name="other", hosts=("o1", "o2", "o3"), max_unavailable=Amount(number=2))
    inventory = fleet(DB, APP, other, policy=fixed(on_failure="contain", barrier="service"))
    toy = Toy(inventory)
    toy.hosts["db-3"].fault = toy.hosts["o1"].fault = "never_returns"
    played = play(plan_of(inventory, "o1 db-1", "db-2 o2", "db-3 o3", "app-1 app-2"), toy)
    assert [fact.service for fact in played.told(facts.CONTAINED)] == ["db"]
    assert played.reboots()["app-1"] == 0
    assert played.reboots()["o3"] == 1
    assert played.exit_code == 5


def test_an_approval_in_a_gate_waits_for_a_person() -> None:
    approve = Check(kind="approve", params={"text": "look at the graphs"})
    inventory = fleet(replace(DB, gate=(approve,)), policy=fixed())
    toy = Toy(inventory)
    toy.words = [(100.0 * n, Word(at_s=0.0, word="approve", by="ann", target=f"db/wave-{n}")) for n in (1, 2, 3)]
    played = play(plan_of(inventory, "db-1", "db-2", "db-3"), toy)
    assert played.exit_code == 0
    assert [round(fact.at_s) for fact in played.told(facts.MOVE_STARTED)] == [0, 100, 200]


def test_admission_is_held_until_the_gate_of_the_consumer_passed() -> None:
    gate = Check(kind="http", healthy_for_s=30.0)
    inventory = fleet(replace(DB, admission=1), replace(APP, gate=(gate,)), policy=fixed())
    played = play(plan_of(inventory, *SITE), Toy(inventory))
    starts = {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    ends = {fact.host: fact.at_s for fact in played.told(facts.MOVE_DONE)}
    assert starts["app-2"] >= ends["app-1"] + 30.0


def test_max_domains_lets_one_zone_be_touched_at_a_time() -> None:
    web = Service(name="web", hosts=("a1", "a2", "b1"), max_unavailable=Amount(number=3))
    zones = {"a1": {"zone": "a"}, "a2": {"zone": "a"}, "b1": {"zone": "b"}}
    limits = {"zone": Limit(name="zone", per="zone", max_domains=1)}
    inventory = fleet(web, hosts=zones, limits=limits, policy=fixed())
    played = play(plan_of(inventory, "a1 a2 b1"), Toy(inventory))
    starts = {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    ends = {fact.host: fact.at_s for fact in played.told(facts.MOVE_DONE)}
    assert starts["a2"] < ends["a1"] <= starts["b1"]


def test_a_second_boot_while_the_checks_hold_is_seen() -> None:
    toy, plan = site()
    toy.script = [(25.0, lambda toy: toy.go_down("db-1"))]
    played = play(plan, toy)
    assert played.exit_code == 0
    first_done = played.told(facts.MOVE_DONE)[0]
    assert first_done.host == "db-1"
    assert first_done.at_s >= 55.0


def test_the_same_events_lead_to_the_same_requests() -> None:
    toy, plan = site()
    played = play(plan, toy)
    first, second = replayed(plan, []), replayed(plan, [])
    for event in played.events:
        assert first.handle(event) == second.handle(event)
        assert first.facts == second.facts


@pytest.mark.parametrize("barrier", ["fleet", "service"])
def test_dying_after_any_event_and_resuming_restarts_every_host_exactly_once(barrier: str) -> None:
    toy, plan = site(policy=fixed(barrier=barrier))
    whole = play(plan, toy)
    assert whole.exit_code == 0
    for die_after in range(1, len(whole.events)):
        toy, plan = site(policy=fixed(barrier=barrier))
        played = play(plan, toy, die_after=die_after)
        assert played.exit_code == 0, f"after event {die_after}: {played.engine.outcome}"
        assert set(played.reboots().values()) == {1}, f"after event {die_after}"
        assert toy.trouble == []


def test_a_paused_run_that_is_resumed_says_that_it_is_paused_still_and_by_whom() -> None:
    toy, plan = site()
    toy.words = [(5.0, Word(at_s=0.0, word="pause", by="ann")), (300.0, Word(at_s=0.0, word="go"))]
    played = Played(Engine(plan), toy, [], [])
    drive_on(played, until=lambda: bool(played.told(facts.PAUSED)))
    resumed(played)
    assert played.exit_code == 0
    again = played.told(facts.RUN_RESUMED)[0]
    paused = played.told(facts.PAUSED)[1]
    assert paused.at_s == again.at_s
    assert "still paused by ann" in (paused.why or "")
    assert "restart go" in (paused.why or "")


def test_gates_that_would_only_free_slots_are_not_asked_after_a_stop() -> None:
    gated = replace(APP, depends_on=(), gate=(Check(kind="http", healthy_for_s=60.0),))
    limits = {"all": Limit(name="all", max_in_flight=4, held_until="gate")}
    inventory = fleet(gated, policy=fixed(), limits=limits)
    toy = Toy(inventory)
    toy.hosts["app-2"].boot_s = 300.0
    toy.words = [(62.0, Word(at_s=0.0, word="stop", by="ann"))]
    played = play(plan_of(inventory, "app-1 app-2", "app-3 app-4"), toy)
    assert played.exit_code == 6
    stopped_s = played.told(facts.STOPPING)[0].at_s
    assert played.told(facts.MOVE_DONE)[0].at_s < 200.0
    assert [at_s for at_s in toy.gate_passes["app"] if at_s > stopped_s + 5.0] == []
