"""Commands on the controller: bounded in time and output, with nothing left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from restart.model.answer import NoAnswer
from restart.model.question import Shell, ShellReply
from restart.transports import local


def run(command: str, timeout_s: float = 5.0, stdin: str = "") -> ShellReply | NoAnswer:
    return local.run(Shell(host=None, command=command, timeout_s=timeout_s, stdin=stdin))


def test_status_and_both_outputs_come_back() -> None:
    assert run("echo out; echo err >&2; exit 3") == ShellReply(exit_status=3, stdout="out\n", stderr="err\n")


def test_stdin_is_fed_also_when_it_is_long_or_nobody_reads_it() -> None:
    long = "x" * 500_000
    counted = run("wc -c", stdin=long)
    assert isinstance(counted, ShellReply)
    assert counted.stdout.strip() == "500000"
    assert run("exec <&-; echo done", stdin=long) == ShellReply(exit_status=0, stdout="done\n", stderr="")


def test_output_is_bounded_and_the_command_still_ends() -> None:
    answer = run("head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2; exit 7", timeout_s=20)
    assert isinstance(answer, ShellReply)
    assert (answer.exit_status, len(answer.stdout), len(answer.stderr)) == (7, 65536, 65536)


def test_bytes_that_are_no_text_do_no_harm() -> None:
    answer = run(r"printf '\377\000\n'")
    assert isinstance(answer, ShellReply)
    assert answer.stdout.endswith("\n")


def test_a_command_that_hangs_is_killed_with_all_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    start_s = time.monotonic()
    answer = run(f"sleep 60 & echo $! >{pid}; wait", timeout_s=0.5)
    assert isinstance(answer, NoAnswer)
    assert answer.reason == "command"
    assert time.monotonic() - start_s < 3
    assert ended(int(pid.read_text()))


def ended(pid: int) -> bool:
    """Whether the process is gone, or waits as a zombie for whoever adopted it; waited for up to 5 s."""
    end_s = time.monotonic() + 5
    while time.monotonic() < end_s:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_command_that_closes_its_output_is_still_waited_for() -> None:
    start_s = time.monotonic()
    assert run("exec >&- 2>&-; sleep 0.5; exit 4") == ShellReply(exit_status=4, stdout="", stderr="")
    assert 0.4 < time.monotonic() - start_s < 3
    assert isinstance(run("exec >&- 2>&-; sleep 20", timeout_s=0.3), NoAnswer)


def test_a_command_has_ended_though_its_daemon_keeps_the_output_open() -> None:
    start_s = time.monotonic()
    assert run("sleep 3 & echo started") == ShellReply(exit_status=0, stdout="started\n", stderr="")
    assert time.monotonic() - start_s < 2


def test_a_signal_counts_as_a_shell_counts_it() -> None:
    answer = run("kill -KILL $$")
    assert isinstance(answer, ShellReply)
    assert answer.exit_status == 137


@pytest.mark.parametrize("command", ["nul\0byte", "x" * 5_000_000])
def test_a_command_that_cannot_be_started_is_no_answer(command: str) -> None:
    assert isinstance(run(command), NoAnswer)
