"""`ssh`: can we log in, and does a shell answer? A port that refuses is FAIL; all else that goes wrong is UNKNOWN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restart.gates.evidence import failed, passed, unanswered, unknown
from restart.model.answer import NoAnswer
from restart.model.check import Check, Finding
from restart.model.inventory import Host
from restart.model.question import Question, Reply, Shell, ShellReply
from restart.model.world import Gate
from restart.probes import probe


class Ssh:
    """`ssh: {}`: the log-in and the probe of boot id and uptime, as every move needs them."""

    kind: str = "ssh"
    schema: Mapping[str, Any] = {
        "description": "The host lets us in over SSH and its shell answers. Takes no keys of its own: ssh: {}",
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """None."""
        return {}

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """The probe, over SSH."""
        if host is None:
            raise ValueError("ssh: no host is asked here; it belongs under a service's ready")
        return (Shell(host=host.name, command=probe.text(), timeout_s=check.timeout_s),)

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """PASS when the probe answered."""
        reply = replies[0] if replies else None
        if isinstance(reply, NoAnswer) and reply.reason == "refused":
            return failed("ssh: refused")
        if not isinstance(reply, ShellReply):
            return unanswered("ssh", reply)
        seen = probe.parse(reply)
        if isinstance(seen, NoAnswer):
            return unknown(f"ssh: {seen.detail}")
        return passed(f"ssh: answers, up {seen.uptime_s:.0f} s")


gate: Gate = Ssh()
