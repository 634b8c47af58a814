"""One command in one SSH session: fed, read and waited for, with a deadline and bounded output."""

from __future__ import annotations

import shlex
import threading
import time
from contextlib import suppress
from typing import Protocol

from restart.model.answer import NoAnswer
from restart.model.question import Shell, ShellReply
from restart.probes.output import one_line

_SLICE_S = 0.2


class Channel(Protocol):
    """What is needed of an SSH library's session channel."""

    def settimeout(self, timeout: float) -> None: ...
    def exec_command(self, command: str) -> None: ...
    def sendall(self, s: bytes) -> None: ...
    def shutdown_write(self) -> None: ...
    def recv(self, nbytes: int) -> bytes: ...
    def recv_stderr(self, nbytes: int) -> bytes: ...
    def recv_stderr_ready(self) -> bool: ...
    def exit_status_ready(self) -> bool: ...
    def recv_exit_status(self) -> int: ...
    def close(self) -> None: ...


def wrapped(command: str, *, sudo: bool) -> str:
    """`command` for a POSIX shell, whatever shell the user logs in with; sudo never asks for a password."""
    return f"{'sudo -n ' if sudo else ''}sh -c {shlex.quote(command)}"


def run(
    channel: Channel, shell: Shell, *, sudo: bool, channel_s: float, broken: tuple[type[Exception], ...]
) -> ShellReply | NoAnswer:
    """Run `shell` in `channel` and close it. The server has `channel_s` to start it, then it has `timeout_s`.

    `broken` are the exceptions by which the library says that the connection broke. Raises none of them.
    """
    try:
        if not _started(channel, wrapped(shell.command, sudo=sudo), channel_s, broken):
            return NoAnswer(reason="channel", detail=f"the server did not start the command within {channel_s:g} s")
        reply = _read(channel, shell)
    except broken as error:
        said = one_line(str(error)) or type(error).__name__
        return NoAnswer(reason="dropped", detail=f"the connection broke under the command: {said}")
    finally:
        # What came back counts, however badly the good-bye goes.
        with suppress(*broken):
            channel.close()
    if isinstance(reply, ShellReply) and sudo and reply.exit_status == 1 and reply.stderr.startswith("sudo: "):
        return NoAnswer(reason="privilege", detail=one_line(reply.stderr))
    return reply


def _started(channel: Channel, command: str, channel_s: float, broken: tuple[type[Exception], ...]) -> bool:
    """Have the server start `command`; False when it did not say so in time."""
    # The library waits for the server's word without a deadline of its own; closing the channel ends that wait.
    late = threading.Event()

    def give_up() -> None:
        late.set()
        with suppress(*broken):
            channel.close()

    alarm = threading.Timer(channel_s, give_up)
    alarm.daemon = True
    alarm.start()
    try:
        channel.exec_command(command)
    except broken:
        if not late.is_set():
            raise
    finally:
        alarm.cancel()
    return not late.is_set()


def _read(channel: Channel, shell: Shell) -> ShellReply | NoAnswer:
    end_s = time.monotonic() + shell.timeout_s
    late = NoAnswer(reason="command", detail=f"no end within {shell.timeout_s:g} s")
    stdout, stderr = bytearray(), bytearray()
    if shell.stdin:
        try:
            channel.settimeout(shell.timeout_s)
            channel.sendall(shell.stdin.encode())
        except TimeoutError:
            return late
    channel.shutdown_write()
    open_ended = True
    while open_ended:
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            return late
        channel.settimeout(min(_SLICE_S, left_s))
        # Asked before reading: what the command wrote came before its status, so what is read from here on is all of it.
        has_status = channel.exit_status_ready()
        try:
            data = channel.recv(32768)
            open_ended = bool(data)
            stdout += data[: shell.output_bytes_max - len(stdout)]
        except TimeoutError:
            # Something that the command left behind may hold its output open for ever: its exit status ends it.
            open_ended = not has_status
        while channel.recv_stderr_ready() and (data := channel.recv_stderr(32768)):
            stderr += data[: shell.output_bytes_max - len(stderr)]
    return _ended(channel, shell.output_bytes_max, end_s, stdout, stderr) or late


def _ended(
    channel: Channel, bytes_max: int, end_s: float, stdout: bytearray, stderr: bytearray
) -> ShellReply | NoAnswer | None:
    """The exit status, waited for until `end_s`; None where it did not come."""
    while not channel.exit_status_ready():
        if time.monotonic() >= end_s:
            return None
        time.sleep(0.005)
    status = channel.recv_exit_status()
    if status < 0:
        # The session ended without a status: the connection broke under the command, or a signal ended it.
        return NoAnswer(reason="dropped", detail="the session ended without an exit status")
    while channel.recv_stderr_ready() and (data := channel.recv_stderr(32768)):
        stderr += data[: bytes_max - len(stderr)]
    return ShellReply(
        exit_status=status, stdout=stdout.decode(errors="replace"), stderr=stderr.decode(errors="replace")
    )
