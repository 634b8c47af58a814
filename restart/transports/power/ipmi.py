"""IPMI over LAN (RMCP+) through `ipmitool`, which reads the password from its standard input: it is in no argument and no environment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from restart.model.answer import NoAnswer, PowerState, PowerSwitched
from restart.model.inventory import Host
from restart.model.question import Shell
from restart.model.world import Power
from restart.probes.output import one_line
from restart.transports import local
from restart.transports.power import credentials, declared
from restart.transports.power.proving import Deadline, off_then_on, proved

TRY_S, TRIES = 2, 4
"""How long `ipmitool` waits for an answer, and how often it asks. What must not be repeated is sent once."""


class Ipmi:
    """`ipmi: {address: bmc-1, user: ops, password_file: /etc/restart/bmc}`."""

    method: str = "ipmi"
    schema: Mapping[str, Any] = {
        "description": "A BMC that speaks IPMI 2.0 over LAN. Needs ipmitool on the controller.",
        "type": "object",
        "properties": {
            "address": {"type": "string", "minLength": 1, "description": "Name or address of the BMC."},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "Its UDP port. Default: 623"},
            "user": {"type": "string", "minLength": 1, "description": "User of the BMC."},
            **credentials.SCHEMA,
            "privilege": {
                "type": "string",
                "enum": ["operator", "administrator"],
                "description": "Privilege to log in with. Default: operator, which may switch power",
            },
            "cipher_suite": {
                "type": "integer",
                "minimum": 1,
                "maximum": 19,
                "description": "Cipher suite, as ipmitool -C takes it. Default: the best that the BMC offers",
            },
        },
        "required": ["address", "user"],
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """As written; one source of the password."""
        credentials.one_source(self.method, value)
        return dict(value)

    def tells(self, params: Mapping[str, Any]) -> bool:
        """Always."""
        return True

    def state(self, host: Host, within_s: float) -> PowerState:
        """What `chassis power status` says."""
        return _state(host, Deadline(within_s))

    def switch(self, host: Host, reset: str, within_s: float) -> PowerSwitched | NoAnswer:
        """`off` and `on` may be repeated and are proved; the others are sent once."""
        deadline = Deadline(within_s)

        def state() -> PowerState:
            return _state(host, deadline)

        def off() -> NoAnswer | None:
            return _chassis(host, "off", deadline)

        def on() -> NoAnswer | None:
            return _chassis(host, "on", deadline)

        if reset == "off":
            return off() or proved("off", state, deadline)
        if reset == "on":
            return on() or proved("on", state, deadline)
        now = state()
        if now.state == "unknown":
            return NoAnswer(reason="unreachable", detail=now.detail)
        if now.state == "off":
            return on() or proved("on", state, deadline)
        if reset == "cycle":
            return off_then_on(off, on, state, deadline)
        if reset == "force":
            return _chassis(host, "reset", deadline, once=True) or PowerSwitched(detail="hard reset taken")
        # IPMI knows no graceful restart, only a graceful way down.
        return off_then_on(lambda: _chassis(host, "soft", deadline, once=True), on, state, deadline)


def _state(host: Host, deadline: Deadline) -> PowerState:
    said = _run(host, "status", deadline)
    if isinstance(said, NoAnswer):
        return PowerState(state="unknown", detail=f"{said.reason}: {said.detail}")
    word = said.lower().rpartition(" is ")[2].strip()
    return PowerState(state=word if word in ("on", "off") else "unknown", detail=said)


def _chassis(host: Host, verb: str, deadline: Deadline, *, once: bool = False) -> NoAnswer | None:
    """Say `verb`; None once the BMC has taken it."""
    said = _run(host, verb, deadline, once=once)
    return said if isinstance(said, NoAnswer) else None


def _run(host: Host, verb: str, deadline: Deadline, *, once: bool = False) -> str | NoAnswer:
    """The line that `ipmitool chassis power VERB` prints."""
    params = declared(host)
    secret = credentials.password(host, deadline.left_s)
    if isinstance(secret, NoAnswer):
        return secret
    words = ["ipmitool", "-I", "lanplus", "-H", params["address"], "-p", str(params.get("port", 623))]
    words += ["-U", params["user"], "-L", params.get("privilege", "operator").upper(), "-f", "/dev/stdin"]
    words += ["-N", str(TRY_S), "-R", "1" if once else str(TRIES)]
    if "cipher_suite" in params:
        words += ["-C", str(params["cipher_suite"])]
    command = f"LC_ALL=C exec {shlex.join([*words, 'chassis', 'power', verb])}"
    if deadline.left_s <= 0:
        return NoAnswer(reason="timeout", detail=f"no time left for ipmitool chassis power {verb}")
    reply = local.run(Shell(host=None, command=command, timeout_s=deadline.left_s, stdin=f"{secret.value}\n"))
    if isinstance(reply, NoAnswer):
        return NoAnswer(reason="timeout", detail=f"ipmitool: {reply.detail}")
    if reply.exit_status == 0:
        return one_line(secret.struck_from(reply.stdout))
    said = one_line(secret.struck_from(f"{reply.stderr}\n{reply.stdout}")) or f"exit {reply.exit_status}"
    return NoAnswer(reason=_reason(reply.exit_status, said), detail=f"ipmitool: {said}")


def _reason(status: int, said: str) -> str:
    if status == 127:
        return "command"
    low = said.lower()
    if "hmac" in low or "password" in low or "unauthorized" in low or "privilege" in low:
        return "auth"
    return "unreachable" if "unable to establish" in low or "lookup" in low else "command"


power: Power = Ipmi()
