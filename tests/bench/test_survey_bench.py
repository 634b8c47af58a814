"""How long a survey of 1,000 hosts takes of which 30 % hang, and what it costs this process beside SSH: a transport that is not there.

With real servers, and SSH counted: `test_survey_ssh_bench`.
"""

from __future__ import annotations

import threading
import time

import pytest

from restart.model.answer import NoAnswer
from restart.model.question import Shell, ShellReply
from restart.survey import look_at_all
from tests.survey.fakes import GATES, answers, fleet

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

HOSTS, HANG_EACH, DEADLINE_S, EACH_S = 1000, 10, 5.0, 0.030


class Hanging:
    """Three of ten hosts hang, whatever deadline they were given, until `never`."""

    def __init__(self) -> None:
        self.never = threading.Event()

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        if int(str(shell.host).split("-")[1]) % HANG_EACH < 3:
            self.never.wait()
            return NoAnswer(reason="banner", detail="nothing")
        return answers(shell)


def test_a_thousand_hosts_of_which_a_third_hangs() -> None:
    inventory = fleet(HOSTS)
    cpu_s, start_s = time.process_time(), time.monotonic()
    hanging = Hanging()
    looked = look_at_all(inventory, tuple(inventory.hosts), gates=GATES, ssh=hanging, host_s=DEADLINE_S)
    took_s, cpu_s = time.monotonic() - start_s, time.process_time() - cpu_s
    allowed_s = 2 * DEADLINE_S + EACH_S * HOSTS
    print(
        f"\n{HOSTS} hosts: {took_s:.1f} s, {allowed_s:.0f} s allowed; controller CPU {cpu_s / HOSTS * 1e3:.1f} ms a host"
    )
    hanging.never.set()
    assert len(looked.looks) == HOSTS
    assert sum(isinstance(look.swept, NoAnswer) for look in looked.looks.values()) == HOSTS * 3 // HANG_EACH
    assert took_s <= allowed_s
