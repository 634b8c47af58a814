"""One host's SSH server: paramiko's server side, one key, commands in a real shell.

A connection is a thread of paramiko's, a command two threads of ours for as long as it runs. Everything else that ssh
can do (passwords, terminals, forwarding, file transfer) is refused.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

CONNECTIONS_MAX = 32
"""Connections of one host at once; as with sshd's MaxStartups, more are dropped."""

REPLY_WITHIN_S = 5.0

Spawn = Callable[[str], "subprocess.Popen[bytes] | None"]
"""Starts a shell command on the host, its three streams piped; None when the host is going down."""


class SshServer:
    """Serves SSH on connections handed to it, until they are cut. Used from any thread."""

    def __init__(self, *, host_key: paramiko.PKey, user: str, client_key: paramiko.PKey, spawn: Spawn) -> None:
        self._host_key = host_key
        self._user = user
        self._client_key = client_key
        self._spawn = spawn
        self._lock = threading.Lock()
        self._lines: list[tuple[paramiko.Transport, socket.socket]] = []

    def serve(self, line: socket.socket) -> None:
        """Speak SSH on an accepted connection; returns at once."""
        with self._lock:
            self._lines = [(transport, sock) for transport, sock in self._lines if transport.is_alive()]
            if len(self._lines) >= CONNECTIONS_MAX:
                line.close()
                return
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = _Line(line)
            # Curve25519 is the cheapest key exchange for both sides, and all 20 hosts share two cores with the run.
            transport.get_security_options().kex = ("curve25519-sha256@libssh.org",)
            transport.add_server_key(self._host_key)
            session = _Session(self._user, self._client_key, self._spawn)
            # With an event paramiko negotiates in the connection's own thread, whatever comes of it.
            transport.start_server(event=threading.Event(), server=session)
            self._lines.append((transport, line))

    def cut(self) -> None:
        """Drop every connection, in the middle of whatever it does."""
        with self._lock:
            lines, self._lines = self._lines, []
        for _, line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for transport, line in lines:
            transport.close()
            line.close()


class _Line(paramiko.Transport):
    """A connection that tells when its reply to a request is sent.

    paramiko replies in the connection's own thread, after our handler has returned, and has no word for that moment. A
    command that ended before it would close the channel ahead of the reply, which is a failed request to the client.
    """

    asked: threading.Event | None = None

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]
        if self.asked is not None and threading.current_thread() is self:
            self.asked.set()
            self.asked = None


class _Session(paramiko.ServerInterface):
    """What one connection may do: log in with the one key, run commands."""

    def __init__(self, user: str, client_key: paramiko.PKey, spawn: Spawn) -> None:
        self._user = user
        self._client_key = client_key
        self._spawn = spawn

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == self._user and key == self._client_key
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        text = command.decode("utf-8", "surrogateescape")
        replied = threading.Event()
        line = channel.get_transport()
        if isinstance(line, _Line):
            line.asked = replied
        threading.Thread(
            target=_execute, args=(channel, text, self._spawn, replied), name="command", daemon=True
        ).start()
        return True


def _execute(channel: paramiko.Channel, command: str, spawn: Spawn, replied: threading.Event) -> None:
    """Run one command for a channel: its input, its output, its exit status. `replied`: its request was answered."""
    process = spawn(command)
    if process is None:
        channel.close()
        return
    threading.Thread(target=_feed, args=(channel, process), name="command-input", daemon=True).start()
    try:
        _pass_on(channel, process)
        status = process.wait()
        replied.wait(REPLY_WITHIN_S)
        channel.send_exit_status(status if status >= 0 else 128 - status)
    except (OSError, EOFError, paramiko.SSHException):
        # The connection is gone; as with sshd, the command itself goes on until it ends or the host goes down.
        process.wait()
    finally:
        channel.close()


def _pass_on(channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
    """Both outputs to the channel until both have ended; a background command that keeps one open keeps it open."""
    if process.stdout is None or process.stderr is None:
        return
    with selectors.DefaultSelector() as selector, process.stdout, process.stderr:
        selector.register(process.stdout, selectors.EVENT_READ, channel.sendall)
        selector.register(process.stderr, selectors.EVENT_READ, channel.sendall_stderr)
        while selector.get_map():
            for key, _ in selector.select():
                data = key.fileobj.read1(32768)  # type: ignore[union-attr]
                if data:
                    key.data(data)
                else:
                    selector.unregister(key.fileobj)


def _feed(channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
    """The channel's input to the command, until either has had enough."""
    if process.stdin is None:
        return
    with suppress(OSError), process.stdin:
        while data := channel.recv(32768):
            process.stdin.write(data)
            process.stdin.flush()
