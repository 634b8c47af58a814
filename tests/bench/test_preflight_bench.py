"""What a preflight of 200 hosts with 50 in flight costs this process. The transport answers with what this machine's shell really said."""

from __future__ import annotations

import subprocess
import time

import pytest

from restart.model.question import Shell, ShellReply
from restart.probes import sweep
from restart.survey import look_at_all, preflight
from tests.survey.fakes import GATES, fleet

pytestmark = [pytest.mark.bench, pytest.mark.timeout(120)]

HOSTS, IN_FLIGHT, ANSWER_S, CPU_S_MAX = 200, 50, 0.3, 0.020


class Recorded:
    """Every host says the same, after `ANSWER_S`."""

    def __init__(self) -> None:
        text = sweep.text(preflight.SECTIONS)
        done = subprocess.run(["sh"], input=text, capture_output=True, text=True, timeout=30, check=False)
        self.reply = ShellReply(exit_status=done.returncode, stdout=done.stdout, stderr="")

    def run(self, shell: Shell) -> ShellReply:
        time.sleep(ANSWER_S)
        return self.reply


def test_two_hundred_hosts_with_fifty_in_flight() -> None:
    inventory, ssh = fleet(HOSTS), Recorded()
    cpu_s, start_s = time.process_time(), time.monotonic()
    looked = look_at_all(
        inventory,
        tuple(inventory.hosts),
        gates=GATES,
        ssh=ssh,
        sections=preflight.SECTIONS,
        checked=False,
        at_once_max=IN_FLIGHT,
    )
    seen = preflight.preflight_of(looked, inventory.fleet)
    took_s, cpu_s = time.monotonic() - start_s, time.process_time() - cpu_s
    on_host_s = seen.hosts["web-0"].cpu_s
    print(
        f"\n{HOSTS} hosts, {IN_FLIGHT} in flight: {took_s:.1f} s; controller CPU {cpu_s / HOSTS * 1e3:.1f} ms a host beside SSH;"
        f" the script took {on_host_s} s of CPU here, its answer is {len(ssh.reply.stdout)} bytes"
    )
    assert len(seen.hosts) == HOSTS
    assert cpu_s / HOSTS < CPU_S_MAX
