"""`boot`: did the host really reboot? PASS only if its boot id is not the one it had before its move.

The engine puts the boot id from before into the check as `was`; before a move there is none, and the verdict is UNKNOWN.
"""

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


class Boot:
    """`boot: {}`."""

    kind: str = "boot"
    schema: Mapping[str, Any] = {
        "description": "The host's boot id differs from the one before its move: the reboot really happened. Write boot: {}",
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """None; `was` is added when the check is asked."""
        return {}

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """The probe, over SSH."""
        if host is None:
            raise ValueError("boot: no host is asked here; it belongs under a service's ready")
        return (Shell(host=host.name, command=probe.text(), timeout_s=check.timeout_s),)

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """PASS for another boot id, FAIL for the same one."""
        reply = replies[0] if replies else None
        if not isinstance(reply, ShellReply):
            return unanswered("boot", reply)
        seen = probe.parse(reply)
        if isinstance(seen, NoAnswer):
            return unknown(f"boot: {seen.detail}")
        was = check.params.get("was")
        if not isinstance(was, str) or not was:
            return unknown(f"boot: id {seen.boot_id}, but none is known from before")
        if seen.boot_id == was.lower():
            return failed(f"boot: id is still {was}, up {seen.uptime_s:.0f} s")
        return passed(f"boot: id {seen.boot_id}, was {was}, up {seen.uptime_s:.0f} s")


gate: Gate = Boot()
