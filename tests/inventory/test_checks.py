"""Check entries: read by the gate on the shelf, whatever it is, and held against those who would be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from restart.errors import InventoryInvalid
from restart.inventory import read, schema
from restart.model.check import Check, Finding, Verdict
from restart.model.inventory import Host
from restart.model.question import Question, Reply, TcpConnect
from restart.model.world import Gate
from restart.rules.fill import fill, plain
from tests.inventory.reading import GATES, small, told


class Lag:
    """A stand-in for a gate from a plugin: it has a `timeout` of its own, a number."""

    kind: str = "lag"
    schema: Mapping[str, Any] = {
        "description": "Replication lag.",
        "type": "object",
        "properties": {
            "timeout": {"type": "integer", "minimum": 1, "description": "its own"},
            "of": {"type": "string", "description": "whose lag"},
        },
        "required": ["of"],
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        if value["of"] == "nobody":
            raise ValueError("lag: of whom?")
        return {"lag_of": value["of"], "own": value.get("timeout")}

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        return (TcpConnect(address=fill(check.params["lag_of"], host, service, plain), port=1, timeout_s=1.0),)

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        return Finding(verdict=Verdict.UNKNOWN)


LAG: Gate = Lag()


def read_with_lag(tmp_path: Path, check: str) -> Check:
    file = tmp_path / "fleet.yml"
    file.write_text(small(services=f"\n  db: {{hosts: db-*, ready: [{check}]}}"))
    return read([file], {**GATES, "lag": LAG}).services["db"].ready[0]


def test_a_gate_from_a_plugin_reads_its_own_keys(tmp_path: Path) -> None:
    check = read_with_lag(tmp_path, "{lag: {of: '{host}', within: 1m, every: 1s}}")
    assert check == Check(kind="lag", params={"lag_of": "{host}", "own": None}, within_s=60.0, every_s=1.0)


def test_a_key_that_the_gate_claims_is_its_own_inside_and_common_beside(tmp_path: Path) -> None:
    check = read_with_lag(tmp_path, "{lag: {of: db, timeout: 3}, timeout: 7s}")
    assert (check.params["own"], check.timeout_s) == (3, 7.0)


@pytest.mark.parametrize(
    ("check", "what"),
    [
        ("{lag: {of: nobody}}", "ready[0].lag: of whom?"),
        ("{lag: {of: '{label.zone}'}}", "{label.zone} has no value on db-1, db-2, db-3 (give each the label zone)"),
        ("{lag: {of: '{label.rak}'}}", "{label.rak} has no value on db-1, db-2, db-3 (did you mean rack?)"),
        ("{lag: {timeout: 3}}", "of missing"),
        ("{lga: {of: x}}", "unknown check or key lga (did you mean lag?)"),
    ],
)
def test_what_the_gate_refuses_is_a_problem_at_the_check(tmp_path: Path, check: str, what: str) -> None:
    with pytest.raises(InventoryInvalid) as raised:
        read_with_lag(tmp_path, check)
    (problem,) = raised.value.problems
    assert what in str(problem)


def test_the_schema_knows_the_gates_on_the_shelf() -> None:
    kinds = schema({"lag": LAG})["$defs"]["check"]["properties"]
    assert kinds["lag"]["properties"]["timeout"]["type"] == "integer"
    assert kinds["lag"]["properties"]["within"]["type"] == "string"
    assert "tcp" not in kinds


def test_reading_the_schema_changes_no_gate() -> None:
    before = repr({kind: gate.schema for kind, gate in GATES.items()})
    schema(GATES)
    assert repr({kind: gate.schema for kind, gate in GATES.items()}) == before


@pytest.mark.parametrize(
    ("section", "check", "fine"),
    [
        ("ready", "{command: {run: 'x {host} {address} {service} {label.rack}'}}", True),
        ("ready", "{http: 'http://{address}/'}", True),
        ("ready", "{boot: {}}", True),
        ("ready", "{approve: go}", False),
        ("gate", "{approve: go}", True),
        ("gate", "{http: 'http://x/{service}'}", True),
        ("gate", "{http: 'http://{address}/'}", False),
        ("gate", "{command: {run: x, on: controller}}", True),
        ("gate", "{command: {run: 'x {host}', on: controller}}", False),
        ("gate", "{command: {run: x}}", False),
        ("gate", "{tcp: 1}", False),
        ("gate", "{tcp: {port: 1, address: x}}", True),
        ("gate", "{boot: {}}", False),
    ],
)
def test_a_check_must_be_answerable_where_it_stands(tmp_path: Path, section: str, check: str, fine: bool) -> None:
    lines = told(tmp_path, small(services=f"\n  db: {{hosts: db-*, {section}: [{check}]}}"))
    assert len(lines) == (0 if fine else 1)


@pytest.mark.parametrize(
    ("check", "fine"),
    [
        ("{http: 'http://x/'}", True),
        ("{http: 'http://x/{service}'}", False),
        ("{ssh: {}}", False),
        ("{approve: x}", False),
    ],
)
def test_a_watch_asks_no_host_and_no_service(tmp_path: Path, check: str, fine: bool) -> None:
    assert len(told(tmp_path, small(watch=f" [{check}]"))) == (0 if fine else 1)


def test_a_label_that_some_members_lack_is_told_with_their_names(tmp_path: Path) -> None:
    text = small(
        hosts="\n  a-[1-9]: {}\n  b: {labels: {rack: r1}}",
        services="\n  s: {hosts: '*', ready: [{http: 'http://{label.rack}/'}]}",
    )
    (line,) = told(tmp_path, text)
    assert line.endswith("{label.rack} has no value on a-1, a-2, a-3 and 6 more (give each the label rack)")
