"""`tcp`: does a port accept connections? Refused is FAIL; no route or no answer in time is UNKNOWN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restart.gates.evidence import failed, milliseconds, passed, unanswered
from restart.model.answer import NoAnswer
from restart.model.check import Check, Finding
from restart.model.inventory import Host
from restart.model.question import Connected, Question, Reply, TcpConnect
from restart.model.world import Gate
from restart.rules.fill import fill, plain

PORT: Mapping[str, Any] = {"type": "integer", "minimum": 1, "maximum": 65535, "description": "TCP port"}


class Tcp:
    """`tcp: 5432`, or `tcp: {port: 5432, address: "db.internal"}`."""

    kind: str = "tcp"
    schema: Mapping[str, Any] = {
        "description": "A port that must accept connections: a port number, or an object with port and address.",
        "oneOf": [
            PORT,
            {
                "type": "object",
                "properties": {
                    "port": PORT,
                    "address": {
                        "type": "string",
                        "minLength": 1,
                        "description": "name or IP address to connect to; default: the host's own address. May hold placeholders",
                    },
                },
                "required": ["port"],
                "additionalProperties": False,
            },
        ],
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """`{"port": ..}` and `address` where written."""
        return dict(value) if isinstance(value, Mapping) else {"port": value}

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """One connection, from the controller."""
        address = check.params.get("address")
        if address is None and host is None:
            raise ValueError("tcp: no host is asked here; write tcp: {port: .., address: ..}")
        filled = fill(address, host, service, plain) if address is not None else host.address if host else ""
        return (TcpConnect(address=filled, port=check.params["port"], timeout_s=check.timeout_s),)

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """PASS when accepted, FAIL when refused."""
        reply = replies[0] if replies else None
        subject = f"tcp {check.params.get('port')}"
        if isinstance(reply, Connected):
            return passed(f"{subject}: accepted in {milliseconds(reply.took_s)}")
        if isinstance(reply, NoAnswer) and reply.reason == "refused":
            return failed(f"{subject}: refused")
        return unanswered(subject, reply)


gate: Gate = Tcp()
