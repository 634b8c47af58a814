"""`command`: a shell command whose exit status says it. 0 is PASS, 1 to 125 FAIL.

From 126 on it is the shell that speaks, not the command (126 not executable, 127 not found, 128+n killed by a signal,
255 a session that broke): nothing was learnt, UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restart.gates.evidence import failed, passed, unanswered, unknown
from restart.model.check import Check, Finding
from restart.model.inventory import Host
from restart.model.question import Question, Reply, Shell, ShellReply
from restart.model.world import Gate
from restart.probes.output import one_line, struck
from restart.rules.fill import fill

_RUN: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "POSIX shell command; exit status 0 passes. Placeholders are filled, each quoted for the shell",
}


class Command:
    """`command: {run: pg_isready -q}`, `command: {run: .., on: controller}`, or the command alone."""

    kind: str = "command"
    schema: Mapping[str, Any] = {
        "description": "A command whose exit status says whether it is well: the command, or an object with run and on.",
        "oneOf": [
            _RUN,
            {
                "type": "object",
                "properties": {
                    "run": _RUN,
                    "on": {
                        "type": "string",
                        "enum": ["host", "controller"],
                        "description": "where it runs; default: host. A gate or watch asks no host: write controller",
                    },
                },
                "required": ["run"],
                "additionalProperties": False,
            },
        ],
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """`{"run": .., "on": ..}`."""
        return {"on": "host", **value} if isinstance(value, Mapping) else {"run": value, "on": "host"}

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """The command with its placeholders filled."""
        on_controller = check.params.get("on", "host") == "controller"
        if host is None and not on_controller:
            raise ValueError("command: no host is asked here; write on: controller")
        command = fill(check.params["run"], host, service)
        where = None if on_controller or host is None else host.name
        return (Shell(host=where, command=command, timeout_s=check.timeout_s),)

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """PASS for 0, FAIL for 1 to 125, UNKNOWN for the shell's own and for silence."""
        reply = replies[0] if replies else None
        subject = f"command {struck(one_line(str(check.params.get('run', '')), 60))!r}"
        if not isinstance(reply, ShellReply):
            return unanswered(subject, reply)
        said = one_line(reply.stderr, 80) or one_line(reply.stdout, 80)
        evidence = f"{subject}: exit {reply.exit_status}" + (f", {said}" if said else "")
        if reply.exit_status == 0:
            return passed(evidence)
        return failed(evidence) if 1 <= reply.exit_status <= 125 else unknown(evidence)


gate: Gate = Command()
