"""`command`: a shell command whose exit status says it. 0 is PASS, 1 to 125 FAIL.

With `quiet: true` what it prints is its trouble, line by line: one that ends with 0 passes only where it says nothing, or
nothing but what the run's own hooks cause. With `not_below` it prints one number, which is compared with the one before the run.

From 126 on it is the shell that speaks, not the command (126 not executable, 127 not found, 128+n killed by a signal,
255 a session that broke): nothing was learnt, UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restart.gates.alerts import is_caused
from restart.gates.before import NOT_BELOW, compared
from restart.gates.evidence import failed, passed, unanswered, unknown
from restart.model.check import OF_RUN, Check, Finding
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
                    "quiet": {
                        "type": "boolean",
                        "description": "it passes only where it prints nothing but what this run's own hooks cause",
                    },
                    "not_below": {
                        **NOT_BELOW,
                        "description": "such as 95% of before: it prints one number, not below this share of the one before the run",
                    },
                },
                "required": ["run"],
                "additionalProperties": False,
            },
        ],
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """`{"run": .., "on": ..}`, and `quiet` or `not_below` where written."""
        if isinstance(value, Mapping) and value.get("quiet") and "not_below" in value:
            raise ValueError("command: not_below reads a number, and quiet wants none printed; take one of them out")
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
            return _said(check, subject, reply.stdout, evidence)
        return failed(evidence) if 1 <= reply.exit_status <= 125 else unknown(evidence)


def _said(check: Check, subject: str, stdout: str, evidence: str) -> Finding:
    """The verdict on what a command printed that ended with 0."""
    if "not_below" in check.params:
        try:
            return compared(check, subject, float(stdout))
        except ValueError:
            return unknown(f"{subject}: a number expected, not {one_line(stdout, 40)!r}")
    if not check.params.get("quiet"):
        return passed(evidence)
    caused = check.params.get(OF_RUN, {}).get("caused", ())
    lines = [line.strip() for line in stdout.splitlines() if line.strip()]
    bad = [line for line in lines if not is_caused(line, caused)]
    if bad:
        return failed(f"{subject}: says {len(bad)} lines, first: {struck(one_line(bad[0], 80))}")
    own = f" but what the run's own hooks cause: {struck(one_line(lines[0], 60))}" if lines else ""
    return passed(f"{subject}: says nothing{own}")


gate: Gate = Command()
