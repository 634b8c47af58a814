"""`systemd`: are these units active, or has the whole system come up?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restart.gates.evidence import failed, passed, unanswered, unknown
from restart.model.check import Check, Finding
from restart.model.inventory import Host
from restart.model.question import Question, Reply, Shell, ShellReply
from restart.model.world import Gate
from restart.probes import units
from restart.probes.output import one_line
from restart.rules.fill import fill, plain

_UNIT: Mapping[str, Any] = {"type": "string", "minLength": 1, "description": "name of a unit, as systemctl takes it"}
_UNITS: Mapping[str, Any] = {"type": "array", "items": _UNIT, "minItems": 1, "description": "units, all must be active"}
UNIT_STATES = frozenset({"active", "reloading", "inactive", "failed", "activating", "deactivating", "maintenance"})
SYSTEM_STATES = frozenset({"initializing", "starting", "running", "degraded", "maintenance", "stopping"})


class Systemd:
    """`systemd: app.service`, a list of units, `systemd: {units: [..]}` or `systemd: {system: running}`."""

    kind: str = "systemd"
    schema: Mapping[str, Any] = {
        "description": "Units that must be active, or the whole system's state: a unit, a list, or an object.",
        "oneOf": [
            _UNIT,
            _UNITS,
            {
                "type": "object",
                "properties": {
                    "units": _UNITS,
                    "system": {
                        "type": "string",
                        "enum": ["running", "degraded"],
                        "description": "what `systemctl is-system-running` must say; degraded accepts running too",
                    },
                },
                "minProperties": 1,
                "additionalProperties": False,
            },
        ],
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """`{"units": [..]}`, `{"system": ..}` or both."""
        if isinstance(value, Mapping):
            return dict(value)
        return {"units": list(value) if isinstance(value, list | tuple) else [value]}

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """One command for the units, one for the system."""
        if host is None:
            raise ValueError("systemd: no host is asked here; it belongs under a service's ready")
        commands = []
        if check.params.get("units"):
            commands.append(units.states([fill(unit, host, service, plain) for unit in check.params["units"]]))
        if check.params.get("system"):
            commands.append(units.system_state())
        return tuple(Shell(host=host.name, command=command, timeout_s=check.timeout_s) for command in commands)

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """PASS when all is as it should be; FAIL as soon as one thing is proved otherwise."""
        waiting = list(replies)
        findings = []
        if check.params.get("units"):
            findings.append(_units(tuple(check.params["units"]), waiting.pop(0) if waiting else None))
        if check.params.get("system"):
            findings.append(_system(check.params["system"], waiting.pop(0) if waiting else None))
        for verdict in ("FAIL", "UNKNOWN", "PASS"):
            for finding in findings:
                if finding.verdict == verdict:
                    return finding
        return unknown("systemd: nothing was asked")


def _units(wanted: tuple[str, ...], reply: Reply | None) -> Finding:
    if not isinstance(reply, ShellReply):
        return unanswered("systemd", reply)
    states = reply.stdout.split()
    if len(states) != len(wanted) or not UNIT_STATES.issuperset(states):
        said = one_line(reply.stderr, 80) or one_line(reply.stdout, 80)
        return unknown(f"systemd: exit {reply.exit_status}, cannot read its answer: {said}")
    bad = [f"{unit} {state}" for unit, state in zip(wanted, states, strict=True) if state != "active"]
    if bad:
        return failed(f"systemd: {len(bad)} of {len(wanted)} units not active: {', '.join(bad)}")
    return passed(f"systemd: {len(wanted)} of {len(wanted)} units active")


def _system(wanted: str, reply: Reply | None) -> Finding:
    if not isinstance(reply, ShellReply):
        return unanswered("systemd", reply)
    state = reply.stdout.strip()
    if state not in SYSTEM_STATES:
        said = one_line(reply.stderr, 80) or one_line(reply.stdout, 80)
        return unknown(f"systemd: exit {reply.exit_status}, cannot read its answer: {said}")
    good = state in ("running", wanted)
    return passed(f"systemd: system {state}") if good else failed(f"systemd: system {state}, expected {wanted}")


gate: Gate = Systemd()
