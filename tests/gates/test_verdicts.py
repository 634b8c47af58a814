"""What each gate proves, and what it does not."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from typing import Any

import pytest

from restart.model.answer import NoAnswer
from restart.model.check import Check, Finding
from restart.model.inventory import Host
from restart.model.question import Connected, HttpGet, HttpReply, Reply, Shell, ShellReply, TcpConnect

GATES = {point.name: point.load() for point in entry_points(group="restart.gates")}
HOST = Host(name="app-1", address="10.0.0.1", labels={"rack": "r 1"})
BOOT = "6b0d1b2e-7c3f-4f0e-9d55-1f2a3b4c5d6e"
PROBE = ShellReply(exit_status=0, stdout=f"restart-probe 1 boot={BOOT} uptime=12.50\n", stderr="")


def judge(kind: str, value: Any, *replies: Reply, **more: Any) -> Finding:
    check = Check(kind=kind, params={**GATES[kind].params(value), **more})
    finding = GATES[kind].judge(check, replies)
    assert isinstance(finding, Finding)
    return finding


def shell(status: int, stdout: str = "", stderr: str = "") -> ShellReply:
    return ShellReply(exit_status=status, stdout=stdout, stderr=stderr)


def http(status: int, body: bytes = b"") -> HttpReply:
    return HttpReply(status=status, body=body, took_s=0.012)


def series(*values: str, warnings: list[str] | None = None) -> HttpReply:
    result = [{"metric": {}, "value": [1700000000, value]} for value in values]
    more = {"warnings": warnings} if warnings else {}
    return http(
        200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **more}).encode()
    )


REFUSED, SILENT = NoAnswer(reason="refused"), NoAnswer(reason="timeout")
PROM = {"url": "http://p:9090/", "query": "x", "expect": "== 0"}
ALERTS = {**PROM, "empty": "pass", "alive": "up == 1"}


@pytest.mark.parametrize(
    ("kind", "value", "reply", "verdict"),
    [
        ("tcp", 1, Connected(took_s=0.003), "PASS"),
        ("tcp", 1, REFUSED, "FAIL"),
        ("tcp", 1, SILENT, "UNKNOWN"),
        ("tcp", 1, NoAnswer(reason="unreachable"), "UNKNOWN"),
        ("ssh", {}, PROBE, "PASS"),
        ("ssh", {}, REFUSED, "FAIL"),
        ("ssh", {}, NoAnswer(reason="auth"), "UNKNOWN"),
        ("ssh", {}, shell(0, "This account is not available"), "UNKNOWN"),
        ("command", "x", shell(0), "PASS"),
        ("command", "x", shell(1), "FAIL"),
        ("command", "x", shell(125), "FAIL"),
        ("command", "x", shell(127), "UNKNOWN"),
        ("command", "x", shell(255), "UNKNOWN"),
        ("command", "x", shell(-1), "UNKNOWN"),
        ("command", "x", NoAnswer(reason="dropped"), "UNKNOWN"),
        ("http", "http://x/", http(200), "PASS"),
        ("http", "http://x/", http(503), "FAIL"),
        ("http", "http://x/", http(301), "FAIL"),
        ("http", {"url": "http://x/", "status": [200, 503]}, http(503), "PASS"),
        ("http", {"url": "http://x/", "contains": "ok"}, http(200, b"all ok"), "PASS"),
        ("http", {"url": "http://x/", "contains": "ok"}, http(200, b"\xff\x00"), "FAIL"),
        ("http", "http://x/", REFUSED, "FAIL"),
        ("http", "http://x/", SILENT, "UNKNOWN"),
        ("systemd", "a", shell(0, "active\n"), "PASS"),
        ("systemd", "a", shell(3, "inactive\n"), "FAIL"),
        ("systemd", ["a", "b"], shell(3, "active\nactivating\n"), "FAIL"),
        ("systemd", ["a", "b"], shell(0, "active\n"), "UNKNOWN"),
        ("systemd", "a", shell(127, "", "sh: systemctl: not found"), "UNKNOWN"),
        ("systemd", {"system": "running"}, shell(0, "running\n"), "PASS"),
        ("systemd", {"system": "running"}, shell(1, "degraded\n"), "FAIL"),
        ("systemd", {"system": "degraded"}, shell(1, "degraded\n"), "PASS"),
        ("systemd", {"system": "running"}, shell(1, "offline\n"), "UNKNOWN"),
        ("prometheus", PROM, series("0", "0"), "PASS"),
        ("prometheus", PROM, series("0", "2"), "FAIL"),
        ("prometheus", PROM, series("0", "NaN"), "UNKNOWN"),
        ("prometheus", PROM, series("2", "NaN"), "FAIL"),
        ("prometheus", PROM, series(), "UNKNOWN"),
        ("prometheus", PROM, series("0", warnings=["a store did not answer"]), "UNKNOWN"),
        ("prometheus", PROM, http(503, b"down"), "UNKNOWN"),
        ("prometheus", PROM, http(200, b"<html>"), "UNKNOWN"),
        ("prometheus", PROM, REFUSED, "UNKNOWN"),
        ("approve", "x", SILENT, "UNKNOWN"),
    ],
)
def test_a_verdict_follows_from_what_is_proved(kind: str, value: Any, reply: Reply, verdict: str) -> None:
    assert judge(kind, value, reply).verdict == verdict


@pytest.mark.parametrize(
    ("was", "verdict"),
    [
        (BOOT, "FAIL"),
        (BOOT.upper(), "FAIL"),
        ("00000000-0000-4000-8000-000000000001", "PASS"),
        (None, "UNKNOWN"),
        ("", "UNKNOWN"),
    ],
)
def test_a_reboot_is_proved_by_another_boot_id_only(was: str | None, verdict: str) -> None:
    assert judge("boot", {}, PROBE, was=was).verdict == verdict


def test_a_boot_id_that_cannot_be_read_proves_no_reboot() -> None:
    assert judge("boot", {}, shell(1, PROBE.stdout), was="x").verdict == "UNKNOWN"


@pytest.mark.parametrize(
    ("query", "alive", "verdict"),
    [
        (series(), series("1"), "PASS"),
        (series(), series(), "UNKNOWN"),
        (series(), SILENT, "UNKNOWN"),
        (series(), http(500), "UNKNOWN"),
        (SILENT, series("1"), "UNKNOWN"),
        (series("1"), series("1"), "FAIL"),
        (series(), series("1", warnings=["partial"]), "UNKNOWN"),
    ],
)
def test_an_empty_answer_passes_only_while_monitoring_lives(query: Reply, alive: Reply, verdict: str) -> None:
    assert judge("prometheus", ALERTS, query, alive).verdict == verdict


@pytest.mark.parametrize("value", [{**PROM, "empty": "pass"}, {**PROM, "alive": "up"}])
def test_empty_pass_and_alive_need_each_other(value: Any) -> None:
    with pytest.raises(ValueError, match="alive"):
        GATES["prometheus"].params(value)


@pytest.mark.parametrize(
    ("expect", "value", "verdict"),
    [
        ("!= 0", "1", "PASS"),
        ("< 0.5", "0.4", "PASS"),
        ("<= 1", "1", "PASS"),
        ("> -1", "-1", "FAIL"),
        (">=1e3", "+Inf", "PASS"),
    ],
)
def test_every_comparison_is_understood(expect: str, value: str, verdict: str) -> None:
    assert judge("prometheus", {**PROM, "expect": expect}, series(value)).verdict == verdict


def ask(kind: str, value: Any, host: Host | None = HOST) -> tuple[Any, ...]:
    questions = GATES[kind].ask(Check(kind=kind, params=GATES[kind].params(value)), host, "chat")
    assert isinstance(questions, tuple)
    return questions


def test_placeholders_are_quoted_for_their_place() -> None:
    assert ask("command", "check {label.rack}") == (Shell(host="app-1", command="check 'r 1'", timeout_s=5),)
    assert ask("http", "http://{address}/{label.rack}")[0].url == "http://10.0.0.1/r%201"
    hostile = Host(name="a", address="10.0.0.1", labels={"x": '"} or vector(1'})
    query = ask("prometheus", {**PROM, "query": 'up{i="{label.x}"}'}, hostile)[0].url
    assert query == "http://p:9090/api/v1/query?query=up%7Bi%3D%22%5C%22%7D%20or%20vector%281%22%7D"


def test_an_ipv6_address_gets_its_brackets_in_a_url() -> None:
    host = Host(name="a", address="fd00::1")
    assert ask("http", "http://{address}:80/", host) == (HttpGet(url="http://[fd00::1]:80/", timeout_s=5),)


def test_tcp_asks_the_hosts_own_address_unless_told() -> None:
    assert ask("tcp", 1) == (TcpConnect(address="10.0.0.1", port=1, timeout_s=5),)
    assert ask("tcp", {"port": 1, "address": "db.{label.rack}"}, HOST)[0].address == "db.r 1"


@pytest.mark.parametrize(
    ("kind", "value"), [("tcp", 1), ("ssh", {}), ("command", "x"), ("systemd", "a"), ("http", "http://{host}/")]
)
def test_what_needs_a_host_says_so_where_there_is_none(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"here"):
        ask(kind, value, host=None)


def test_an_unknown_placeholder_value_is_never_run() -> None:
    with pytest.raises(ValueError, match=r"label\.none"):
        ask("command", "rm {label.none}")
