"""The SSH server's own order of messages."""

from __future__ import annotations

import subprocess
import threading

import paramiko

from restart.demo import sshd


class Recorder(paramiko.Channel):
    """A channel of no connection, that notes what is sent on it."""

    def __init__(self) -> None:
        super().__init__(0)
        self.sent: list[str] = []
        self.ended = threading.Event()

    def recv(self, nbytes: int) -> bytes:
        return b""

    def sendall(self, s: bytes) -> None:  # type: ignore[override]
        self.sent.append(bytes(s).decode())

    def send_exit_status(self, status: int) -> None:
        self.sent.append(f"exit {status}")

    def close(self) -> None:
        self.sent.append("close")
        self.ended.set()


def spawn(command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_channel_is_closed_only_after_the_reply_to_its_request() -> None:
    channel, replied = Recorder(), threading.Event()
    thread = threading.Thread(target=sshd._execute, args=(channel, "echo out; exit 3", spawn, replied))
    thread.start()
    assert not channel.ended.wait(0.3)
    assert channel.sent == ["out\n"]
    replied.set()
    thread.join(10)
    assert channel.sent == ["out\n", "exit 3", "close"]


def test_a_command_killed_by_a_signal_ends_as_the_shell_has_it() -> None:
    channel, replied = Recorder(), threading.Event()
    replied.set()
    sshd._execute(channel, "kill -s TERM $$", spawn, replied)
    assert channel.sent == ["exit 143", "close"]


def test_a_host_that_goes_down_runs_nothing_more() -> None:
    channel = Recorder()
    sshd._execute(channel, "true", lambda command: None, threading.Event())
    assert channel.sent == ["close"]
