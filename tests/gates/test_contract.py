"""What holds for every gate on the shelf, those of plugins too: each example is asked and judged, and no reply upsets it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.model.answer import NoAnswer
from restart.model.check import Check, Finding, Verdict
from restart.model.inventory import Host
from restart.model.question import Connected, HttpGet, HttpReply, Reply, Shell, ShellReply, TcpConnect
from restart.model.world import Gate

GATES: Mapping[str, Gate] = {point.name: point.load() for point in entry_points(group="restart.gates")}
HOST = Host(name="app-1", address="10.0.0.1", labels={"rack": "r1"})
PROM = {"url": "http://prom:9090", "query": "up", "expect": ">= 1"}
ALERTS = {"url": "http://am:9093", "matchers": ["severity=page"], "alive": ["alertname=Watchdog"]}
EXAMPLES: Mapping[str, list[Any]] = {
    "alertmanager": [
        ALERTS,
        {"url": "http://am:9093/", "alive": ["alertname=Watchdog"], "host_label": ["node", "host"]},
    ],
    "approve": ["vault is unsealed"],
    "boot": [{}],
    "command": [
        "true",
        {"run": "pg_isready -h {address}", "on": "controller"},
        {"run": "hits", "not_below": "95% of before"},
        {"run": "ceph-says", "quiet": True},
    ],
    "http": [
        "http://{address}/",
        {"url": "https://x/", "status": [200, 204], "contains": "ok", "headers_env": {"Authorization": "TOKEN"}},
    ],
    "prometheus": [
        PROM,
        {**PROM, "empty": "pass", "alive": "up == 1"},
        {"url": "http://prom:9090", "query": "sum(rate(hits[1m]))", "not_below": "95% of before"},
    ],
    "same_as_before": [{}, {"allow": ["tcp:9100", "unit:foo.service", "mount:/mnt/usb"]}, True, False],
    "ssh": [{}],
    "systemd": ["a.service", ["a.service", "b.service"], {"units": ["a.service"], "system": "running"}],
    "tcp": [5432, {"port": 5432, "address": "db.internal"}],
}
WRONG: Mapping[str, list[Any]] = {
    "alertmanager": [
        {"url": "http://am"},
        {**ALERTS, "matchers": ["severity"]},
        {**ALERTS, "of_run": {}},
        {**ALERTS, "matchers": []},
    ],
    "approve": ["", 3],
    "boot": [3, {"was": "x"}],
    "command": ["", {"on": "host"}, {"run": "true", "on": "moon"}, {"run": "x", "not_below": "95%"}],
    "http": ["ftp://x", {"url": "http://x", "status": 99}, {"status": 200}],
    "prometheus": [
        {"url": "http://x", "query": "up"},
        {**PROM, "expect": "about 3"},
        {**PROM, "empty": "fail"},
        {**PROM, "not_below": "most"},
    ],
    "same_as_before": ["off", {"allow": []}, {"allow": ["9100"]}, {"of_run": {}}, 3],
    "ssh": [{"port": 22}, 22],
    "systemd": [[], {}, {"system": "perfect"}],
    "tcp": [0, 70000, "5432", {"address": "x"}],
}
CASES = [(kind, value) for kind, values in EXAMPLES.items() for value in values]

texts = st.text(max_size=200)
verbatim = st.sampled_from(
    [
        b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"NaN"]}]}}',
        b"[" * 5000,
        b"\x00\xff",
        b"",
    ]
)
numbers = st.integers(-(10**6), 10**6) | st.floats() | st.just(10**400)
jsons = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["status", "data", "resultType", "result", "value", "metric", "warnings", "labels", "alertname"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)
shaped = st.builds(
    lambda kind, result, more: json.dumps(
        {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    ),
    st.sampled_from(["vector", "scalar", "matrix"]),
    jsons,
    st.dictionaries(st.just("warnings"), jsons, max_size=1),
)
bodies = (
    st.binary(max_size=200) | verbatim | jsons.map(lambda value: json.dumps(value).encode()) | shaped.map(str.encode)
)
replies = st.one_of(
    st.builds(Connected, took_s=st.floats(0, 10)),
    st.builds(HttpReply, status=st.integers(100, 599) | st.just(200), body=bodies, took_s=st.floats(0, 10)),
    st.builds(ShellReply, exit_status=st.integers(-64, 255) | st.just(0), stdout=texts, stderr=texts),
    st.builds(NoAnswer, reason=st.sampled_from(["timeout", "refused", "dropped", "host-key", "auth"]), detail=texts),
)


def made(kind: str, value: Any) -> Check:
    return Check(kind=kind, params=GATES[kind].params(value), timeout_s=3)


def test_every_gate_on_the_shelf_has_examples() -> None:
    assert set(GATES) == set(EXAMPLES) == set(WRONG)


@pytest.mark.parametrize("kind", sorted(GATES))
def test_a_gate_is_known_by_its_kind_and_has_a_schema_with_descriptions(kind: str) -> None:
    gate = GATES[kind]
    assert gate.kind == kind
    jsonschema.Draft202012Validator.check_schema(gate.schema)
    assert gate.schema["description"]
    for form in gate.schema.get("oneOf", [gate.schema]):
        for name, key in form.get("properties", {}).items():
            assert key.get("description"), f"{kind}.{name}"


@pytest.mark.parametrize(("kind", "value"), CASES)
def test_an_example_is_valid_and_its_params_are_plain_json(kind: str, value: Any) -> None:
    jsonschema.validate(value, GATES[kind].schema)
    params = GATES[kind].params(value)
    assert json.loads(json.dumps(params)) == params


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_by_the_schema(kind: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, GATES[kind].schema)


@pytest.mark.parametrize(("kind", "value"), CASES)
def test_questions_carry_the_checks_timeout_and_no_placeholder(kind: str, value: Any) -> None:
    questions = GATES[kind].ask(made(kind, value), HOST, "chat")
    assert questions or kind == "approve"
    for question in questions:
        assert isinstance(question, TcpConnect | HttpGet | Shell)
        assert question.timeout_s == 3
        assert "{address}" not in str(question)


@pytest.mark.parametrize(("kind", "value"), CASES)
def test_a_gate_asked_without_a_host_asks_none_over_ssh(kind: str, value: Any) -> None:
    with contextlib.suppress(ValueError):
        questions = GATES[kind].ask(made(kind, value), None, "chat")
        assert all(not isinstance(question, Shell) or question.host is None for question in questions)


@pytest.mark.parametrize(("kind", "value"), CASES)
def test_silence_is_unknown(kind: str, value: Any) -> None:
    check = made(kind, value)
    asked = len(GATES[kind].ask(check, HOST, "chat"))
    for given_replies in ([], [NoAnswer(reason="timeout")] * asked, [NoAnswer(reason="host-key")] * asked):
        finding = GATES[kind].judge(check, given_replies)
        assert finding.verdict is Verdict.UNKNOWN
        assert finding.evidence


@pytest.mark.parametrize(("kind", "value"), CASES)
def test_no_reply_upsets_a_gate(kind: str, value: Any) -> None:
    check = made(kind, value)

    @given(st.lists(replies, max_size=3))
    def judged(some: list[Reply]) -> None:
        finding = GATES[kind].judge(check, some)
        assert isinstance(finding, Finding)
        assert finding.evidence
        assert len(finding.evidence.splitlines()) == 1
        assert len(finding.evidence) <= 200

    judged()


def test_no_secret_reaches_evidence() -> None:
    check = made("http", "http://ann:hunter2@x/y?token=hunter2")
    for reply in (HttpReply(status=500, body=b"", took_s=0.1), NoAnswer(reason="timeout"), NoAnswer(reason="refused")):
        assert "hunter2" not in GATES["http"].judge(check, [reply]).evidence
    check = made("command", "psql --password hunter2")
    assert "hunter2" not in GATES["command"].judge(check, [ShellReply(exit_status=1, stdout="", stderr="")]).evidence
