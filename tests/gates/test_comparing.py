"""Checks that compare: with alerts and numbers from before the run, and with what the run itself does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from restart.model.answer import NoAnswer
from restart.model.check import OF_RUN, Check, Finding, Verdict
from restart.model.inventory import Host
from restart.model.question import HttpGet, HttpReply, Reply, ShellReply
from restart.model.world import Gate

GATES: Mapping[str, Gate] = {point.name: point.load() for point in entry_points(group="restart.gates")}
WATCHDOG = {"alertname": "Watchdog"}
OLD = {"alertname": "DiskFull", "instance": "nas-1:9100", "severity": "warn"}
DOWN = {"alertname": "InstanceDown", "instance": "db-1:9100", "severity": "page"}
FIRST = {"first": True}


def check(kind: str, value: Any, **of_run: Any) -> Check:
    params = GATES[kind].params(value)
    return Check(kind=kind, params={**params, OF_RUN: of_run} if of_run else params)


def alertmanager(**of_run: Any) -> Check:
    value = {"url": "http://am:9093", "matchers": ["severity=~page|warn"], "alive": ["alertname=Watchdog"]}
    return check("alertmanager", value, **of_run)


def alerts(*labels: Mapping[str, str]) -> HttpReply:
    found = [{"labels": labels_of, "status": {"state": "active"}} for labels_of in labels]
    return HttpReply(status=200, body=json.dumps(found).encode(), took_s=0.01)


def judged(asked: Check, *replies: Reply) -> Finding:
    return GATES[asked.kind].judge(asked, replies)


def before(finding: Finding) -> dict[str, Any]:
    """What later looks are compared with, as it comes back from the journal."""
    return dict(json.loads(json.dumps(dict(finding.seen))))


# --- alertmanager -----------------------------------------------------------------------------------------------------


def test_alertmanager_is_asked_for_what_is_neither_silenced_nor_inhibited() -> None:
    questions = GATES["alertmanager"].ask(alertmanager(), None, None)
    first, alive = (question for question in questions if isinstance(question, HttpGet))
    asked = parse_qs(urlsplit(first.url).query)
    assert urlsplit(first.url).path == "/api/v2/alerts"
    assert (asked["active"], asked["silenced"], asked["inhibited"]) == (["true"], ["false"], ["false"])
    assert asked["filter"] == ['severity=~"page|warn"']
    assert parse_qs(urlsplit(alive.url).query)["filter"] == ['alertname="Watchdog"']


def test_a_placeholder_in_a_matcher_is_filled_and_cannot_break_out_of_its_quotes() -> None:
    host = Host(name='db"1', address="10.0.0.1")
    asked = check("alertmanager", {"url": "http://am", "matchers": ["instance={host}"], "alive": ["a=b"]})
    question = GATES["alertmanager"].ask(asked, host, None)[0]
    assert isinstance(question, HttpGet)
    assert parse_qs(urlsplit(question.url).query)["filter"] == ['instance="db1"']


def test_no_alert_passes_only_where_monitoring_is_proved_to_live() -> None:
    assert judged(alertmanager(), alerts(), alerts(WATCHDOG)).verdict is Verdict.PASS
    assert judged(alertmanager(), alerts(), alerts()).verdict is Verdict.UNKNOWN
    assert judged(alertmanager(), alerts(), NoAnswer(reason="timeout")).verdict is Verdict.UNKNOWN
    assert judged(alertmanager(), alerts(DOWN), alerts()).verdict is Verdict.FAIL, "what fires is proved"


def test_an_alert_fails_where_nothing_is_known_of_the_run() -> None:
    finding = judged(alertmanager(), alerts(OLD), alerts(WATCHDOG))
    assert finding.verdict is Verdict.FAIL
    assert "DiskFull (warn) on nas-1:9100" in finding.evidence


def test_the_alert_that_proves_that_monitoring_lives_is_no_trouble() -> None:
    assert judged(alertmanager(), alerts(WATCHDOG), alerts(WATCHDOG)).verdict is Verdict.PASS


def test_alerts_from_before_the_run_are_told_and_do_not_hold_it() -> None:
    first = judged(alertmanager(**FIRST), alerts(OLD), alerts(WATCHDOG))
    assert first.verdict is Verdict.PASS
    assert "DiskFull (warn) on nas-1:9100 known from before the run" in first.evidence
    later = alertmanager(before=before(first))
    assert judged(later, alerts(OLD), alerts(WATCHDOG)).verdict is Verdict.PASS
    assert judged(later, alerts(OLD, DOWN), alerts(WATCHDOG)).verdict is Verdict.FAIL
    assert judged(later, alerts(), alerts(WATCHDOG)).verdict is Verdict.PASS


@pytest.mark.parametrize("change", [{"severity": "page"}, {"instance": "nas-2:9100"}])
def test_a_known_alert_that_worsens_or_fires_elsewhere_is_new(change: dict[str, str]) -> None:
    first = judged(alertmanager(**FIRST), alerts(OLD), alerts(WATCHDOG))
    later = alertmanager(before=before(first))
    finding = judged(later, alerts({**OLD, **change}), alerts(WATCHDOG))
    assert finding.verdict is Verdict.FAIL
    assert "DiskFull" in finding.evidence


@pytest.mark.parametrize(
    "instance", ["db-1", "db-1:9100", "10.0.0.1:9100", "db-1.prod.example", "[fe80::1]:9100", "fe80::1"]
)
def test_an_alert_about_a_host_that_is_away_is_the_runs_own_doing(instance: str) -> None:
    away = ["db-1", "10.0.0.1", "fe80::1"]
    asked = alertmanager(before={"alerts": []}, away=away)
    finding = judged(asked, alerts({**DOWN, "instance": instance}), alerts(WATCHDOG))
    assert finding.verdict is Verdict.PASS
    assert "of the run's own doing" in finding.evidence
    assert (
        judged(
            alertmanager(before={"alerts": []}, away=[]), alerts({**DOWN, "instance": instance}), alerts(WATCHDOG)
        ).verdict
        is Verdict.FAIL
    )


def test_an_alert_about_a_host_of_a_similar_name_is_not_the_runs_own() -> None:
    asked = alertmanager(before={"alerts": []}, away=["db-1", "10.0.0.1"])
    for instance in ("db-10", "db-10:9100", "mydb-1", "10.0.0.11:9100"):
        assert judged(asked, alerts({**DOWN, "instance": instance}), alerts(WATCHDOG)).verdict is Verdict.FAIL, instance


def test_the_label_that_names_the_host_can_be_stated() -> None:
    value = {"url": "http://am", "alive": ["alertname=Watchdog"], "host_label": "server"}
    asked = check("alertmanager", value, before={"alerts": []}, away=["db-1"])
    assert judged(asked, alerts({"alertname": "Backend", "server": "db-1"}), alerts(WATCHDOG)).verdict is Verdict.PASS
    assert judged(asked, alerts(DOWN), alerts(WATCHDOG)).verdict is Verdict.FAIL


def test_an_alert_that_a_hook_of_the_run_causes_does_not_hold_it() -> None:
    asked = alertmanager(before={"alerts": []}, caused=["CephFlag*", "cluster=ceph-1"])
    for own in ({"alertname": "CephFlagNoout"}, {"alertname": "Other", "cluster": "ceph-1"}):
        assert judged(asked, alerts(own), alerts(WATCHDOG)).verdict is Verdict.PASS
    assert judged(asked, alerts({"alertname": "CephMonDown"}), alerts(WATCHDOG)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "body", [b"{}", b"[1]", b'[{"labels": 3}]', b"[", b'{"code": 1}', b'"x"', b"[" * 5000, b'[{"labels": {}}'],
)  # fmt: skip
def test_what_is_no_list_of_alerts_is_unknown(body: bytes) -> None:
    finding = judged(alertmanager(), HttpReply(status=200, body=body, took_s=0.1), alerts(WATCHDOG))
    assert finding.verdict is Verdict.UNKNOWN


def test_another_status_is_unknown() -> None:
    finding = judged(alertmanager(), HttpReply(status=503, body=b"starting", took_s=0.1), alerts(WATCHDOG))
    assert finding.verdict is Verdict.UNKNOWN
    assert "503" in finding.evidence


# --- the series ALERTS ------------------------------------------------------------------------------------------------


def series(*found: tuple[Mapping[str, str], float]) -> HttpReply:
    result = [{"metric": labels, "value": [0, str(value)]} for labels, value in found]
    document = {"status": "success", "data": {"resultType": "vector", "result": result}}
    return HttpReply(status=200, body=json.dumps(document).encode(), took_s=0.01)


PROM_ALERTS = {
    "url": "http://p",
    "query": "ALERTS{severity='page'}",
    "expect": "== 0",
    "empty": "pass",
    "alive": "up == 1",
}
FIRING = {"__name__": "ALERTS", "alertstate": "firing"}
UP = series(({"__name__": "up"}, 1))


def test_series_of_alerts_are_told_apart_as_alertmanagers_are() -> None:
    first = judged(check("prometheus", PROM_ALERTS, **FIRST), series(({**FIRING, **OLD}, 1)), UP)
    assert first.verdict is Verdict.PASS
    later = check("prometheus", PROM_ALERTS, before=before(first), away=["db-1"])
    assert judged(later, series(({**FIRING, **OLD}, 1), ({**FIRING, **DOWN}, 1)), UP).verdict is Verdict.PASS
    new = judged(later, series(({**FIRING, **DOWN, "instance": "db-2:9100"}, 1)), UP)
    assert new.verdict is Verdict.FAIL
    assert "InstanceDown (page) on db-2:9100" in new.evidence


def test_a_pending_alert_from_before_the_run_that_fires_has_worsened() -> None:
    pending = {"__name__": "ALERTS", "alertstate": "pending", **OLD}
    first = judged(check("prometheus", PROM_ALERTS, **FIRST), series((pending, 1)), UP)
    later = check("prometheus", PROM_ALERTS, before=before(first))
    assert judged(later, series(({**pending, "alertstate": "firing"}, 1)), UP).verdict is Verdict.FAIL


def test_no_alert_at_the_first_look_is_a_baseline_too() -> None:
    first = judged(check("prometheus", PROM_ALERTS, **FIRST), series(), UP)
    assert first.verdict is Verdict.PASS
    assert before(first) == {"alerts": []}
    later = check("prometheus", PROM_ALERTS, before=before(first))
    assert judged(later, series(({**FIRING, **OLD}, 1)), UP).verdict is Verdict.FAIL


def test_a_series_that_is_no_alert_is_never_excused() -> None:
    value = {"url": "http://p", "query": "count(ALERTS) or errors", "expect": "< 5"}
    finding = judged(check("prometheus", value, first=True, away=["db-1"]), series(({"instance": "db-1"}, 7)))
    assert finding.verdict is Verdict.FAIL


# --- not_below --------------------------------------------------------------------------------------------------------

HITS = {"url": "http://p", "query": "sum(rate(hits[1m]))", "not_below": "95% of before"}
PRINTS = {"run": "hits", "on": "controller", "not_below": "95% of before"}


def number(kind: str, value: float) -> Reply:
    return series(({}, value)) if kind == "prometheus" else ShellReply(exit_status=0, stdout=f"{value}\n", stderr="")


@pytest.mark.parametrize(("kind", "written"), [("prometheus", HITS), ("command", PRINTS)])
def test_a_number_is_held_against_its_share_of_the_one_before_the_run(kind: str, written: Any) -> None:
    first = judged(check(kind, written, **FIRST), number(kind, 200))
    assert (first.verdict, before(first)) == (Verdict.PASS, {"value": 200.0})
    later = check(kind, written, before=before(first))
    assert judged(later, number(kind, 190)).verdict is Verdict.PASS, "at 95 % is not below"
    assert judged(later, number(kind, 189.9)).verdict is Verdict.FAIL
    assert judged(later, number(kind, 900)).verdict is Verdict.PASS
    assert "189" in judged(later, number(kind, 189)).evidence


@pytest.mark.parametrize(("kind", "written"), [("prometheus", HITS), ("command", PRINTS)])
def test_without_a_number_from_before_the_run_nothing_opens(kind: str, written: Any) -> None:
    for known in ({}, {"before": {}}, {"before": {"value": None}}, {"before": {"value": 0}}, {"away": ["x"]}):
        assert judged(check(kind, written, **known), number(kind, 500)).verdict is Verdict.UNKNOWN, known


@pytest.mark.parametrize(("kind", "written"), [("prometheus", HITS), ("command", PRINTS)])
@pytest.mark.parametrize("value", [0.0, -3.0, float("nan"), float("inf")])
def test_nothing_can_be_held_against_a_number_that_says_nothing(kind: str, written: Any, value: float) -> None:
    finding = judged(check(kind, written, **FIRST), number(kind, value))
    assert (finding.verdict, dict(finding.seen)) == (Verdict.UNKNOWN, {})


def test_several_series_are_no_number() -> None:
    asked = check("prometheus", HITS, before={"value": 1.0})
    finding = judged(asked, series(({"instance": "a"}, 5), ({"instance": "b"}, 5)))
    assert finding.verdict is Verdict.UNKNOWN
    assert "sum(...)" in finding.evidence


def test_what_a_query_expects_is_judged_beside_what_it_was() -> None:
    asked = check("prometheus", {**HITS, "expect": "> 100"}, before={"value": 50.0})
    assert judged(asked, series(({}, 90))).verdict is Verdict.FAIL
    assert judged(asked, series(({}, 110))).verdict is Verdict.PASS
    assert (
        judged(replace(asked, params={**asked.params, OF_RUN: {"before": {"value": 400.0}}}), series(({}, 110))).verdict
        is Verdict.FAIL
    )


def test_a_command_that_prints_no_number_is_unknown_and_one_that_fails_fails() -> None:
    asked = check("command", PRINTS, before={"value": 1.0})
    for said in ("", "1 2", "many", "0x10"):
        assert judged(asked, ShellReply(exit_status=0, stdout=said, stderr="")).verdict is Verdict.UNKNOWN, said
    assert judged(asked, ShellReply(exit_status=1, stdout="5", stderr="")).verdict is Verdict.FAIL


# --- quiet ------------------------------------------------------------------------------------------------------------

QUIET = {"run": "ceph-says", "on": "controller", "quiet": True}


def test_a_quiet_command_passes_only_where_it_says_nothing_but_what_the_run_causes() -> None:
    said = ShellReply(exit_status=0, stdout="OSDMAP_FLAGS\n", stderr="")
    assert judged(check("command", QUIET), ShellReply(exit_status=0, stdout=" \n", stderr="")).verdict is Verdict.PASS
    assert judged(check("command", QUIET), said).verdict is Verdict.FAIL, "somebody else set the flag"
    own = check("command", QUIET, caused=["OSDMAP_FLAGS"])
    assert judged(own, said).verdict is Verdict.PASS
    more = ShellReply(exit_status=0, stdout="OSDMAP_FLAGS\nOSD_DOWN\n", stderr="")
    finding = judged(own, more)
    assert finding.verdict is Verdict.FAIL
    assert "OSD_DOWN" in finding.evidence
    assert judged(own, ShellReply(exit_status=1, stdout="OSDMAP_FLAGS\n", stderr="")).verdict is Verdict.FAIL


def test_keys_that_exclude_each_other_are_refused_with_a_way_out() -> None:
    with pytest.raises(ValueError, match="take one of them out"):
        GATES["command"].params({**PRINTS, "quiet": True})
    with pytest.raises(ValueError, match="take one of them out"):
        GATES["prometheus"].params({**HITS, "empty": "pass", "alive": "up"})
    with pytest.raises(ValueError, match="nothing is expected"):
        GATES["prometheus"].params({"url": "http://p", "query": "up"})
