"""Virtual machines through `virsh`."""

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
from restart.transports.power import declared
from restart.transports.power.proving import Deadline, off_then_on, proved

_STATES = {
    "running": "on",
    "idle": "on",
    "paused": "on",
    "in shutdown": "on",
    "pmsuspended": "on",
    "shut off": "off",
    "crashed": "off",
}


class Libvirt:
    """`libvirt: {uri: "qemu+ssh://kvm-1/system", domain: db-1}`."""

    method: str = "libvirt"
    schema: Mapping[str, Any] = {
        "description": "A virtual machine. Needs virsh on the controller.",
        "type": "object",
        "properties": {
            "uri": {"type": "string", "minLength": 1, "description": "libvirt URI. Default: virsh's own"},
            "domain": {"type": "string", "minLength": 1, "description": "Name of the domain. Default: the host's name"},
        },
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """As written."""
        return dict(value)

    def tells(self, params: Mapping[str, Any]) -> bool:
        """Always."""
        return True

    def state(self, host: Host, within_s: float) -> PowerState:
        """What `virsh domstate` says."""
        return _state(host, Deadline(within_s))

    def switch(self, host: Host, reset: str, within_s: float) -> PowerSwitched | NoAnswer:
        """`start`, `destroy`, `reset` or `reboot` of the domain."""
        deadline = Deadline(within_s)

        def state() -> PowerState:
            return _state(host, deadline)

        def off() -> NoAnswer | None:
            return _did(_virsh(host, "destroy", deadline))

        def on() -> NoAnswer | None:
            return _did(_virsh(host, "start", deadline))

        now = state()
        if now.state == "unknown":
            return NoAnswer(reason="unreachable", detail=now.detail)
        if reset == "off":
            return (
                PowerSwitched(detail="it was off already")
                if now.state == "off"
                else off() or proved("off", state, deadline)
            )
        if reset == "on" or now.state == "off":
            return (
                PowerSwitched(detail="it was on already")
                if now.state == "on"
                else on() or proved("on", state, deadline)
            )
        if reset == "cycle":
            return off_then_on(off, on, state, deadline)
        verb = "reset" if reset == "force" else "reboot"
        return _did(_virsh(host, verb, deadline)) or PowerSwitched(detail=f"virsh {verb} taken")


def _state(host: Host, deadline: Deadline) -> PowerState:
    said = _virsh(host, "domstate", deadline)
    if isinstance(said, NoAnswer):
        return PowerState(state="unknown", detail=f"{said.reason}: {said.detail}")
    return PowerState(state=_STATES.get(said, "unknown"), detail=f"virsh says {said}")


def _did(said: str | NoAnswer) -> NoAnswer | None:
    return said if isinstance(said, NoAnswer) else None


def _virsh(host: Host, verb: str, deadline: Deadline) -> str | NoAnswer:
    params = declared(host)
    uri = ["-c", params["uri"]] if "uri" in params else []
    words = ["virsh", "-q", *uri, verb, "--domain", params.get("domain", host.name)]
    reply = local.run(
        Shell(host=None, command=f"LC_ALL=C exec {shlex.join(words)}", timeout_s=max(0.1, deadline.left_s))
    )
    if isinstance(reply, NoAnswer):
        return NoAnswer(reason="timeout", detail=f"virsh: {reply.detail}")
    if reply.exit_status != 0:
        return NoAnswer(reason="command", detail=f"virsh: {one_line(reply.stderr) or f'exit {reply.exit_status}'}")
    return one_line(reply.stdout)


power: Power = Libvirt()
