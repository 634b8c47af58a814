"""R9: what stands on a host that does not exist, as the sweep of a real one would tell it: the answer to `same_as_before`.

It is drawn from the truth: a member whose process runs has its unit and its ports, whether it works or not; what a boot has lost (R10) is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from restart.model.check import OF_RUN, Check, Finding
from restart.model.question import ShellReply
from restart.model.world import Gate
from restart.simulator.physics.ports import Ports
from restart.simulator.physics.unkept import Unkept

GATEWAY = "10.0.0.1"


@cache
def _socket(port: int, process: str) -> str:
    return f'|ss tcp LISTEN 0 128 0.0.0.0:{port} 0.0.0.0:* users:(("{process}",pid=1{port},fd=3))'


class Standings:
    """Answers the sweep of `restart.probes.standing` for every host. The same state of a host gives the same reply, judged once."""

    def __init__(
        self,
        services_of: Mapping[str, tuple[str, ...]],
        running: Callable[[str, str], bool],
        ports: Ports,
        unkept: Unkept,
    ) -> None:
        """`running(service, host)`: whether the member's process runs."""
        self._services_of = services_of
        self._running = running
        self._ports = ports
        self._unkept = unkept
        self._replies: dict[tuple[tuple[str, ...], frozenset[str], frozenset[str]], ShellReply] = {}
        self._judged: dict[tuple[int, int, bool, tuple[str, ...]], tuple[object, Finding]] = {}

    def finding(self, gate: Gate, check: Check, host: str) -> Finding:
        """The verdict on a host that lets us in."""
        reply = self.reply(host)
        known = check.params.get(OF_RUN, {})
        before = known.get("before")
        # Judging is pure, and many hosts of a fleet stand alike.
        key = (id(reply), id(before), bool(known.get("first")), tuple(check.params.get("allow", ())))
        found = self._judged.get(key)
        if found is None or found[0] is not before:
            found = self._judged[key] = (before, gate.judge(check, [reply]))
        return found[1]

    def reply(self, host: str) -> ShellReply:
        """What the host says now."""
        running = tuple([service for service in self._services_of[host] if self._running(service, host)])
        key = (running, self._unkept.still_there(host), self._unkept.lost(host))
        found = self._replies.get(key)
        if found is None:
            found = self._replies[key] = ShellReply(exit_status=0, stdout=self._said(*key), stderr="")
        return found

    def lost(self, host: str) -> frozenset[str]:
        """What the host's boots have lost."""
        return self._unkept.lost(host)

    def _said(self, running: tuple[str, ...], extra: frozenset[str], lost: frozenset[str]) -> str:
        owner = running[0] if running else "by-hand"
        sockets = {22: "sshd"} | {port: service for service in running for port in sorted(self._ports.of(service))}
        units = {"ssh.service": "ssh"} | {f"{service}.service": service for service in running}
        places, routes = ["/"], ["default"]
        for key in sorted(extra):
            kind, _, name = key.partition(":")
            if kind == "tcp" and name.isdecimal():
                sockets.setdefault(int(name), owner)
            elif kind == "unit":
                units.setdefault(name, name)
            elif kind == "mount" and name not in places:
                places.append(name)
            elif kind == "route" and name not in routes:
                routes.append(name)
        sections = {
            "listening": [
                "|range 32768 60999",
                *[_socket(port, who) for port, who in sockets.items() if f"tcp:{port}" not in lost],
            ],
            "running": [f"|unit {name} active running" for name in units if f"unit:{name}" not in lost],
            "mounts": [f"|mount /dev/vda1 {place} ext4 rw 0 0" for place in places if f"mount:{place}" not in lost],
            "network": [
                "|told routes4",
                *[f"|route 4 {to} via {GATEWAY} dev eth0" for to in routes if f"route:{to}" not in lost],
            ],
        }
        lines = ["restart-probe 1 begin"]
        for name, said in sections.items():
            lines += [f"restart-probe 1 section {name}", *said, f"restart-probe 1 end {name}"]
        return "\n".join((*lines, "restart-probe 1 done", ""))
