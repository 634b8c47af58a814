"""Watches and gates that compare: with what stood before the run, and with what the run itself does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from typing import Any

import pytest

from restart.engine import Engine, facts
from restart.model.answer import Answer, Checked
from restart.model.check import OF_RUN, Check, Finding, Verdict
from restart.model.event import Event
from restart.model.inventory import Dependency, Inventory, Service
from restart.model.question import HttpReply
from restart.model.request import Ask, Request
from restart.model.world import Gate
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, play, resumed

GATES: Mapping[str, Gate] = {point.name: point.load() for point in entry_points(group="restart.gates")}
DB = Service(name="db", hosts=("db-1", "db-2", "db-3"))
OLD = {"alertname": "DiskFull", "instance": "nas-1"}
SOAK_S = 10.0


def about(host: str) -> dict[str, str]:
    return {"alertname": "InstanceDown", "instance": f"{host}:9100"}


WATCH = Check(
    kind="alertmanager",
    params={"url": "http://am", "alive": ["alertname=Watchdog"]},
    every_s=2.0,
    within_s=60.0,
)
QUERY = Check(
    kind="prometheus", params={"url": "http://p", "query": "ALERTS", "expect": "== 0", "empty": "pass", "alive": "up"}
)
HITS = Check(
    kind="prometheus", params={"url": "http://p", "query": "hits", "not_below": "95% of before"}, within_s=60.0
)


@dataclass
class Monitored(Toy):
    """A toy world with alerts and a number, read by the real gates. `pages`: each host that is down has its alert."""

    alerts: list[dict[str, str]] = field(default_factory=list)
    pages: bool = False
    number: float | None = 100.0
    asked: list[Ask] = field(default_factory=list)

    def late(self, request: object) -> Answer:
        if isinstance(request, Ask) and request.subject in ("watch", "gate"):
            self.asked.append(request)
            if self.watch is Verdict.PASS:
                return Checked(findings=tuple(self.finding(check) for check in request.checks))
        return super().late(request)

    def finding(self, check: Check) -> Finding:
        gate = GATES[check.kind]
        firing = self.alerts + [about(host) for host in self.hosts if self.pages and not self.up(host)]
        if "not_below" in check.params:
            firing = []
        if check.kind == "alertmanager":
            replies = [_alerts(firing), _alerts([{"alertname": "Watchdog"}])]
        elif "not_below" in check.params:
            replies = [_series([] if self.number is None else [({}, self.number)])]
        else:
            replies = [_series([(alert, 1.0) for alert in firing]), _series([({}, 1.0)])]
        return gate.judge(check, replies)


def _alerts(alerts: list[dict[str, str]]) -> HttpReply:
    return HttpReply(status=200, body=json.dumps([{"labels": alert} for alert in alerts]).encode(), took_s=0.0)


def _series(series: list[tuple[dict[str, str], float]]) -> HttpReply:
    result = [{"metric": labels, "value": [0, str(value)]} for labels, value in series]
    body = {"status": "success", "data": {"resultType": "vector", "result": result}}
    return HttpReply(status=200, body=json.dumps(body).encode(), took_s=0.0)


def site(watch: Check | None = WATCH, **given: Any) -> Inventory:
    return fleet(DB, policy=fixed(), watch=(watch,) if watch else (), **given)


def monitored(inventory: Inventory, **given: Any) -> Monitored:
    return Monitored(inventory=inventory, **given)


def run(inventory: Inventory, toy: Monitored) -> Played:
    return play(plan_of(inventory, "db-1", "db-2", "db-3"), toy)


def begun(inventory: Inventory, toy: Monitored) -> Played:
    return Played(Engine(plan_of(inventory, "db-1", "db-2", "db-3")), toy, [], [])


# --- alerts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("watch", [WATCH, QUERY], ids=["alertmanager", "prometheus"])
def test_alerts_that_stood_before_the_run_are_told_and_do_not_hold_it(watch: Check) -> None:
    inventory = site(watch)
    played = run(inventory, monitored(inventory, alerts=[OLD]))
    assert played.exit_code == 0
    assert "DiskFull on nas-1 known from before the run" in (played.told(facts.WATCH)[0].evidence or "")


@pytest.mark.parametrize("watch", [WATCH, QUERY], ids=["alertmanager", "prometheus"])
def test_alerts_about_hosts_in_flight_do_not_hold_the_run(watch: Check) -> None:
    inventory = site(watch)
    toy = monitored(inventory, pages=True)
    played = run(inventory, toy)
    assert played.exit_code == 0
    assert {fact.verdict for fact in played.told(facts.WATCH)} == {Verdict.PASS}
    assert any("db-2" in ask.checks[0].params[OF_RUN].get("away", ()) for ask in toy.asked)


def test_a_new_alert_holds_the_run_at_once_and_halts_it_when_it_lasts() -> None:
    inventory = site()
    toy = monitored(inventory, alerts=[OLD])
    toy.script = [(20.0, lambda toy: toy.alerts.append({**OLD, "severity": "page"}))]  # type: ignore[attr-defined]
    played = run(inventory, toy)
    assert played.exit_code == 5
    assert "DiskFull (page)" in played.engine.outcome.why  # type: ignore[union-attr]
    assert not [fact for fact in played.told(facts.MOVE_STARTED) if fact.at_s > 22.5]


def test_an_alert_about_a_host_counts_again_once_its_move_has_ended() -> None:
    inventory = site()
    toy = monitored(inventory)
    toy.script = [(5.0, lambda toy: toy.alerts.append(about("db-1")))]  # type: ignore[attr-defined]
    played = run(inventory, toy)
    ended_s = played.told(facts.MOVE_DONE)[0].at_s
    failed = [fact for fact in played.told(facts.WATCH) if fact.verdict is Verdict.FAIL]
    assert [fact.host for fact in played.told(facts.MOVE_DONE)] == ["db-1"]
    assert ended_s < failed[0].at_s < ended_s + 3.0
    assert played.exit_code == 5


def test_alerts_about_a_quarantined_host_that_is_borne_do_not_hold_the_others() -> None:
    inventory = fleet(replace(DB, max_unavailable=None), policy=fixed(max_failures=1), watch=(WATCH,))
    inventory = replace(inventory, services={"db": replace(DB, min_available=None)})
    toy = monitored(inventory, pages=True)
    toy.hosts["db-3"].fault = "never_returns"
    played = play(plan_of(inventory, "db-3"), toy)
    assert {fact.verdict for fact in played.told(facts.WATCH)} == {Verdict.PASS}


@pytest.mark.parametrize("more", [0, 1, 2, 5])
def test_what_stood_before_the_run_is_still_known_after_a_resume(more: int) -> None:
    inventory = site()
    toy = monitored(inventory, alerts=[OLD], pages=True)
    played = begun(inventory, toy)
    drive_on(played, until=lambda: played.told(facts.MOVE_STARTED) != [], more=more)
    toy.alerts.append({**OLD, "instance": "nas-2"})
    toy.script = [(toy.now_s + 40.0, lambda toy: toy.alerts.pop())]  # type: ignore[attr-defined]
    resumed(played)
    assert played.exit_code == 0
    failed = [fact for fact in played.told(facts.WATCH) if fact.verdict is Verdict.FAIL]
    assert failed, "an alert that began while nobody led the run is new"
    assert "nas-2" in (failed[0].evidence or "")


# --- a watch that hangs, and one that nobody can answer ---------------------------------------------------------------


def test_a_watch_whose_question_hangs_is_no_longer_open() -> None:
    inventory = site(replace(WATCH, timeout_s=2.0))
    toy = monitored(inventory)
    toy.delay = lambda request: 500.0 if _is_watch(request) and toy.now_s > 20.0 else 0.0
    played = begun(inventory, toy)
    drive_on(played, until=lambda: toy.now_s > 200.0)
    hung_s = max(event.at_s for event in played.events if _answers_watch(event, played))
    assert not [fact for fact in played.told(facts.MOVE_STARTED) if fact.at_s > hung_s + 30.0]
    assert any("no answer for" in (fact.evidence or "") for fact in played.told(facts.WATCH))
    assert any("UNKNOWN for 60s" in (fact.why or "") for fact in played.told(facts.PAUSED))


def _is_watch(request: Request) -> bool:
    return isinstance(request, Ask) and request.subject == "watch"


def _answers_watch(event: Event, played: Played) -> bool:
    return bool(getattr(getattr(event, "answer", None), "findings", ())) and getattr(event, "host", None) is None


def test_a_pause_over_an_unknown_watch_is_over_when_it_passes_again_and_that_is_told() -> None:
    inventory = site()
    toy = monitored(inventory)
    toy.watch = Verdict.UNKNOWN
    toy.script = [(100.0, lambda toy: setattr(toy, "watch", Verdict.PASS))]
    played = run(inventory, toy)
    assert played.exit_code == 0
    paused, going = played.told(facts.PAUSED)[0], played.told(facts.GOING)[0]
    assert paused.at_s < 100.0 < going.at_s
    assert played.told(facts.MOVE_STARTED)[0].at_s >= 100.0 + SOAK_S


def test_a_fail_that_turns_unknown_for_a_moment_still_halts_in_its_time() -> None:
    inventory = site()
    toy = monitored(inventory)
    turns = [(20.0 + 5.0 * n, Verdict.UNKNOWN if n % 4 == 3 else Verdict.FAIL) for n in range(40)]
    toy.script = [(at_s, lambda toy, verdict=verdict: setattr(toy, "watch", verdict)) for at_s, verdict in turns]  # type: ignore[misc]
    played = run(inventory, toy)
    assert played.exit_code == 5
    assert toy.now_s < 120.0


@pytest.mark.parametrize("how", ["service", "found host"])
def test_a_watch_that_asks_what_the_run_restarts_neither_pauses_nor_halts_it(how: str) -> None:
    watch = replace(WATCH, service="db" if how == "service" else None, within_s=10.0)
    inventory = fleet(DB, policy=replace(fixed(), watch_unknown_s=5.0), watch=(watch,))
    if how == "found host":
        asked = {name: replace(host, asked_by=("watch.1",)) for name, host in inventory.hosts.items() if name == "db-1"}
        inventory = replace(inventory, hosts={**inventory.hosts, **asked})
    toy = monitored(inventory)
    toy.script = [
        (5.0, lambda toy: setattr(toy, "watch", Verdict.UNKNOWN)),
        (15.0, lambda toy: setattr(toy, "watch", Verdict.FAIL)),
        (29.0, lambda toy: setattr(toy, "watch", Verdict.PASS)),
    ]
    played = begun(inventory, toy)
    drive_on(played, until=lambda: played.told(facts.MOVE_DONE) != [])
    assert played.told(facts.PAUSED) == []
    assert played.told(facts.HALTED) == []


def test_a_watch_that_asks_another_host_than_those_away_halts_as_ever() -> None:
    inventory = fleet(DB, policy=replace(fixed(), watch_unknown_s=5.0), watch=(replace(WATCH, within_s=10.0),))
    asked = replace(inventory.hosts["db-3"], asked_by=("watch.1",))
    inventory = replace(inventory, hosts={**inventory.hosts, "db-3": asked})
    toy = monitored(inventory)
    toy.script = [(5.0, lambda toy: setattr(toy, "watch", Verdict.FAIL))]
    assert run(inventory, toy).exit_code == 5


# --- not_below --------------------------------------------------------------------------------------------------------

LOADED = replace(DB, gate=(HITS,))


def loaded(**given: Any) -> Inventory:
    return fleet(LOADED, policy=fixed(), **given)


def test_a_gate_that_compares_takes_its_first_look_before_anything_begins() -> None:
    app = Service(name="app", hosts=("app-1",))
    inventory = fleet(app, LOADED, policy=fixed())
    toy = monitored(inventory)
    toy.delay = lambda request: (
        7.0 if isinstance(request, Ask) and request.subject == "gate" and toy.now_s < 1.0 else 0.0
    )
    played = play(plan_of(inventory, "app-1", "db-1 db-2 db-3"), toy)
    assert played.exit_code == 0
    assert played.told(facts.MOVE_STARTED)[0].at_s >= 7.0


def test_a_service_that_does_less_than_before_holds_its_next_restart_and_halts() -> None:
    inventory = loaded()
    toy = monitored(inventory)
    toy.script = [(20.0, lambda toy: setattr(toy, "number", 94.0))]
    played = run(inventory, toy)
    assert played.exit_code == 5
    assert "94.0% of 100 before the run" in played.engine.outcome.why  # type: ignore[union-attr]
    assert sum(played.reboots().values()) == 1


def test_a_service_that_does_enough_goes_on() -> None:
    inventory = loaded()
    toy = monitored(inventory)
    toy.script = [(20.0, lambda toy: setattr(toy, "number", 96.0))]
    assert run(inventory, toy).exit_code == 0


def test_without_a_number_from_before_the_run_its_gate_never_opens() -> None:
    inventory = loaded()
    played = run(inventory, monitored(inventory, number=None))
    assert played.exit_code == 5
    assert sum(played.reboots().values()) == 0


def test_a_number_that_comes_late_but_before_the_first_act_is_a_baseline() -> None:
    inventory = loaded()
    toy = monitored(inventory, number=None)
    toy.script = [(30.0, lambda toy: setattr(toy, "number", 50.0))]
    assert run(inventory, toy).exit_code == 0


@pytest.mark.parametrize("more", [0, 1, 3, 8, 20])
def test_the_number_from_before_the_run_holds_through_a_crash(more: int) -> None:
    inventory = loaded()
    toy = monitored(inventory)
    played = begun(inventory, toy)
    drive_on(played, until=lambda: played.told(facts.REBOOTING) != [], more=more)
    toy.number = 50.0
    resumed(played)
    assert played.exit_code == 5
    assert sum(played.reboots().values()) == 1


# --- rule 9: gates that failed at the start ---------------------------------------------------------------------------


def app_behind_lb() -> Inventory:
    gate = Check(kind="http", within_s=60.0)
    app = Service(name="app", hosts=("app-1", "app-2"), gate=(gate,), depends_on=(Dependency(provider="lb"),))
    return fleet(Service(name="lb", hosts=("lb-1", "lb-2")), app, policy=fixed())


def test_a_gate_that_has_passed_once_guards_the_repair_of_sick_members_too() -> None:
    inventory = app_behind_lb()
    toy = Toy(inventory)
    toy.hosts["app-1"].sick = True
    toy.script = [(20.0, lambda toy: toy.turn_gate("app", Verdict.FAIL))]
    played = play(plan_of(inventory, "lb-1", "app-1"), toy)
    assert played.reboots()["lb-1"] == 1
    assert played.reboots()["app-1"] == 0
    assert played.exit_code == 5


def test_a_gate_that_failed_at_the_start_is_passed_over_for_its_sick_member_and_for_nobody_else() -> None:
    inventory = app_behind_lb()
    toy = Toy(inventory)
    toy.hosts["app-1"].sick = True
    toy.turn_gate("app", Verdict.FAIL)
    played = play(plan_of(inventory, "app-1", "app-2", "lb-1"), toy)
    assert played.reboots()["app-1"] == 1, "its repair is not guarded"
    assert played.reboots()["app-2"] == 0, "a healthy member is"
    assert played.reboots()["lb-1"] == 0, "and so is its provider"
    assert played.exit_code == 5


def test_beside_the_repair_of_a_sick_member_nobody_healthy_begins_before_its_gate_has_passed() -> None:
    inventory = app_behind_lb()
    toy = Toy(inventory)
    toy.hosts["app-1"].sick = True
    toy.turn_gate("app", Verdict.FAIL)
    played = play(plan_of(inventory, "app-1 lb-1"), toy)
    assert (played.reboots()["app-1"], played.reboots()["lb-1"]) == (1, 0)


def test_a_gate_of_which_nobody_knows_guards_the_repair_of_a_sick_member_as_well() -> None:
    inventory = app_behind_lb()
    toy = Toy(inventory)
    toy.hosts["app-1"].sick = True
    toy.turn_gate("app", Verdict.UNKNOWN)
    played = play(plan_of(inventory, "app-1"), toy)
    assert played.reboots()["app-1"] == 0
    assert played.exit_code == 5


def test_an_alert_that_names_a_host_in_flight_by_its_address_is_the_run_s_own() -> None:
    inventory = site()
    hosts = {name: replace(host, address=f"10.0.0.{at}") for at, (name, host) in enumerate(inventory.hosts.items(), 1)}
    inventory = replace(inventory, hosts=hosts)
    toy = monitored(inventory)
    alert = {"alertname": "InstanceDown", "instance": "10.0.0.1:9100"}
    toy.script = [(5.0, lambda toy: toy.alerts.append(alert)), (20.0, lambda toy: toy.alerts.clear())]
    played = begun(inventory, toy)
    drive_on(played, until=lambda: played.told(facts.MOVE_DONE) != [])
    assert [fact.verdict for fact in played.told(facts.WATCH)] == [Verdict.PASS]
