"""What a discovery costs this process, CPU a host, as ratios: with ten times the hosts, and with look after look. The transport answers with
what the shell of a host says that serves one tier and uses the next.
"""

from __future__ import annotations

import time

import pytest

from restart.model.check import Check
from restart.model.discovery import Discovery
from restart.model.inventory import Dependency, Host, Inventory, Service
from restart.model.playbook import Playbook
from restart.model.question import Shell, ShellReply
from restart.reports.discovery_text import discovery_text
from restart.survey.discover import Compared, Sampling, compared, discover
from tests.survey.fakes import GATES

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

FEW, MANY = 200, 2000
EACH, TIER = 40, 20
"""Connections that a host has to the tier behind it, and hosts in one service."""

RATIO_MAX = 3.0
"""How many times as much one host may cost among ten times as many: what grew with the square would be ten times."""

CPU_MS_MAX = 30.0


def tiers(hosts: int) -> Inventory:
    """Services of `TIER` hosts each; of three neighbours the first uses the second, and that the third, which nobody declared."""
    names = [f"h{number:05}" for number in range(hosts)]
    fleet = {name: Host(name=name, address=address(at)) for at, name in enumerate(names)}
    services = {}
    for at in range(hosts // TIER):
        declared = (Dependency(provider=f"s{at + 1}"),) if at % 3 == 0 and at + 1 < hosts // TIER else ()
        services[f"s{at}"] = Service(
            name=f"s{at}",
            hosts=tuple(names[at * TIER : (at + 1) * TIER]),
            ready=(Check(kind="tcp", params={"port": 5432}),),
            depends_on=declared,
        )
    return Inventory(fleet="tiers", hosts=fleet, services=services, playbooks={"reboot": Playbook(name="reboot")})


def address(at: int) -> str:
    return f"10.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}"


class Tiers:
    """Every host has `EACH` connections to the service behind its own, as many from the one before, customers, and files."""

    def __init__(self, hosts: int) -> None:
        self._hosts = hosts
        self._replies: dict[tuple[str, bool], ShellReply] = {}

    def rehearse(self) -> None:
        """Make every answer beforehand: what the bench itself costs is not measured."""
        for at in range(self._hosts):
            for asks_files in (False, True):
                self._replies[f"h{at:05}", asks_files] = self._reply(at, asks_files)

    def run(self, shell: Shell) -> ShellReply:
        return self._replies[str(shell.host), "s_references" in str(shell.stdin)]

    def _reply(self, at: int, asks_files: bool) -> ShellReply:
        here, tier = address(at), at // TIER
        lines = ["uid 0", "read yes", f"address {here}", 'listen 0.0.0.0:5432 "server",pid=10', "elsewhere 0"]
        lines += [f'in {here}:5432 203.0.113.{number} 1 0 40000 "server",pid=10' for number in range(EACH)]
        for number in range(EACH):
            below, above = ((tier + step) * TIER + number % TIER for step in (1, -1))
            if tier % 3 < 2 and below < self._hosts:
                lines.append(f'out {here} {address(below)}:5432 2 1 - "client{number // TIER}",pid=7')
            if tier % 3 and above >= 0:
                lines.append(f'in {here}:5432 {address(above)} 2 1 - "server",pid=10')
        said = [("connections", lines)]
        if asks_files:
            files = [f"host {address(one)} h{one:05}" for one in range(at, min(at + 40, self._hosts))]
            files += [f"resolver /etc/resolv.conf {address(0)}", "package /etc/apt/sources.list http://deb.debian.org"]
            said.append(("references", files))
        frame = "restart-probe 1 "
        text = [f"{frame}begin"]
        for name, rows in said:
            text += [f"{frame}section {name}", *(f"|{row}" for row in rows), f"{frame}end {name}"]
        return ShellReply(exit_status=0, stdout="\n".join([*text, f"{frame}done"]), stderr="")


def looked(hosts: int, for_s: float = 0.0) -> tuple[Discovery, Compared, float]:
    """What was seen, how it compares, and the CPU milliseconds that it all took for one host and look, its text included."""
    inventory, ssh = tiers(hosts), Tiers(hosts)
    ssh.rehearse()
    begun_s = time.process_time()
    seen, ended = discover(
        inventory,
        tuple(inventory.hosts),
        gates=GATES,
        ssh=ssh,
        sampling=Sampling(for_s=for_s, every_s=0.001),
        start_every_s=0.0,
    )
    held = compared(inventory, seen)
    discovery_text(seen, held)
    spent_s = time.process_time() - begun_s
    assert ended
    assert all(one.answered for one in seen.hosts.values())
    return seen, held, spent_s / hosts / seen.looks * 1e3


def right(hosts: int, held: Compared) -> bool:
    """Whether exactly the edges that are there were found: of three services in a row two use the next, and one of them says so."""
    services = hosts // TIER
    uses = {(at, at + 1) for at in range(services - 1) if at % 3 < 2}
    found = {
        (int(edge.consumer[1:]), int(edge.provider[1:])): edge.declared for edge in (*held.lacking, *held.declared)
    }
    ends = {pair: one for pair, one in found.items() if pair[1] != 0}
    return set(ends) == uses and all((one is not None) == (pair[0] % 3 == 0) for pair, one in ends.items())


def test_ten_times_the_hosts_cost_no_more_a_host() -> None:
    _, few, few_ms = looked(FEW)
    started_s = time.monotonic()
    seen, many, many_ms = looked(MANY)
    took_s = time.monotonic() - started_s
    print(
        f"\n{MANY} hosts of {2 * EACH} to {3 * EACH} connections: {took_s:.1f} s; controller CPU {many_ms:.1f} ms a host beside SSH, "
        f"{many_ms / few_ms:.2f} times that of one of {FEW} ({few_ms:.1f} ms); {len(seen.links)} links, {len(many.lacking)} edges lack"
    )
    assert right(FEW, few)
    assert right(MANY, many)
    assert many_ms < few_ms * RATIO_MAX
    assert many_ms < CPU_MS_MAX


def test_look_after_look_costs_no_more_than_the_first() -> None:
    _, _, once_ms = looked(FEW)
    seen, held, again_ms = looked(FEW, for_s=4.0)
    print(
        f"\n{FEW} hosts, {seen.looks} looks: controller CPU {again_ms:.1f} ms a host and look beside SSH, "
        f"{again_ms / once_ms:.2f} times that of a single one"
    )
    assert right(FEW, held)
    assert seen.looks > 3
    assert again_ms < once_ms * 1.5
