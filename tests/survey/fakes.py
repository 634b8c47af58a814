"""A fleet that is not there, and what its hosts answer."""

from __future__ import annotations

from restart.gates import http, ssh, systemd, tcp
from restart.model.check import Check
from restart.model.inventory import Host, Inventory, Service
from restart.model.playbook import Playbook
from restart.model.question import Shell, ShellReply

BOOT = "6b0d1b2e-7c3f-4f0e-9d55-1f2a3b4c5d6e"
GATES = {gate.kind: gate for gate in (http.gate, ssh.gate, systemd.gate, tcp.gate)}


def fleet(hosts: int, checks: tuple[Check, ...] = ()) -> Inventory:
    names = [f"web-{number}" for number in range(hosts)]
    return Inventory(
        fleet="lab",
        hosts={name: Host(name=name, address="127.0.0.1") for name in names},
        services={"web": Service(name="web", hosts=tuple(names), ready=checks)},
        playbooks={"reboot": Playbook(name="reboot")},
    )


def answers(shell: Shell, boot_id: str = BOOT, uptime_s: float = 1000.0) -> ShellReply:
    """A healthy host, to the sweep and to the probe of the `ssh` check."""
    if shell.stdin:
        frame = "restart-probe 1 "
        lines = [f"{frame}begin", f"{frame}section boot", f"|boot {boot_id}", f"|uptime {uptime_s}", f"{frame}end boot"]
        lines += [f"{frame}section kernel", "|running 6.1.0-28-amd64", f"{frame}end kernel", f"{frame}done"]
        return ShellReply(exit_status=0, stdout="\n".join(lines), stderr="")
    return ShellReply(exit_status=0, stdout=f"restart-probe 1 boot={boot_id} uptime={uptime_s}\n", stderr="")
