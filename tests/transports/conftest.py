"""Real SSH servers on the loopback (paramiko's server side), which can be told to hang in any phase."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest

from restart.model.inventory import Host, Inventory, Ssh
from restart.transports.ssh import Deadlines, SshPool

HOST_KEY, OTHER_HOST_KEY, USER_KEY = (paramiko.ECDSAKey.generate() for _ in range(3))
QUICK = Deadlines(connect_s=0.6, banner_s=0.6, auth_s=0.9, channel_s=0.6, attempts_max=2)


class Server:
    """One server; `mode` is `ok` or the phase in which it hangs or fails. `opened` counts accepted connections."""

    def __init__(self, mode: str = "ok", cut_first: int = 0) -> None:
        self.mode = mode
        self.opened = 0
        self.cut_first = cut_first
        self.released = threading.Event()
        self.peers: list[socket.socket] = []
        self.transports: list[paramiko.Transport] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        self._thread.join(5)

    def drop(self) -> None:
        """Cut every connection."""
        peers, self.peers = self.peers, []
        transports, self.transports = self.transports, []
        for peer in peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for transport in transports:
            transport.close()
        for peer in peers:
            peer.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.opened += 1
            if self.opened <= self.cut_first:
                peer.close()
                continue
            self.peers.append(peer)
            if self.mode == "no-kex":
                peer.sendall(b"SSH-2.0-deaf\r\n")
            if self.mode in ("no-banner", "no-kex"):
                continue
            transport = paramiko.Transport(peer)
            transport.add_server_key(OTHER_HOST_KEY if self.mode == "other-key" else HOST_KEY)
            self.transports.append(transport)
            with suppress(paramiko.SSHException, EOFError):
                transport.start_server(event=threading.Event(), server=Session(self))


class Session(paramiko.ServerInterface):
    def __init__(self, server: Server) -> None:
        self._server = server

    def _hang(self, mode: str) -> None:
        if self._server.mode == mode:
            self._server.released.wait(30)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._hang("auth-hang")
        good = key.asbytes() == USER_KEY.asbytes() and self._server.mode != "no-auth"
        if good and self._server.mode == "second-factor":
            return paramiko.AUTH_PARTIALLY_SUCCESSFUL
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self._hang("channel-hang")
        return paramiko.OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        try:
            there = socket.create_connection(destination, 2)
        except OSError:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        self._server.peers.append(there)
        threading.Thread(target=self._pump, args=(chanid, there), daemon=True).start()
        return paramiko.OPEN_SUCCEEDED

    def _pump(self, chanid: int, there: socket.socket) -> None:
        """Carries bytes both ways until either side is gone."""
        carrier = next((transport for transport in self._server.transports if transport.is_active()), None)
        here = carrier.accept(5) if carrier else None
        with suppress(OSError, ValueError, EOFError):
            while here is not None:
                ready, _, _ = select.select([here, there], [], [], 5)
                for one, other in ((here, there), (there, here)):
                    data = one.recv(32768) if one in ready else b"x"
                    if not data:
                        raise EOFError
                    if one in ready:
                        other.sendall(data)
        there.close()
        # Its good-bye may find the connection gone.
        with suppress(OSError, EOFError, paramiko.SSHException):
            if here is not None:
                here.close()

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._hang("exec-hang")
        threading.Thread(target=self._serve, args=(channel, command), daemon=True).start()
        return True

    def _serve(self, channel: paramiko.Channel, command: bytes) -> None:
        # The client may be gone at any moment.
        with suppress(OSError, EOFError, IndexError, paramiko.SSHException):
            self._run(channel, command)

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        if self._server.mode == "drop":
            self._server.peers[-1].shutdown(socket.SHUT_RDWR)
            return
        if self._server.mode == "no-status":
            channel.close()
            return
        stdin = b""
        while data := channel.recv(32768):
            stdin += data
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", command], input=stdin, capture_output=True, timeout=20, check=False, env=os.environ
            )
            channel.sendall(done.stdout)
            channel.sendall_stderr(done.stderr)
            channel.send_exit_status(done.returncode)
            channel.close()
        except (OSError, subprocess.TimeoutExpired):
            channel.close()


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that end with the test."""
    servers: list[Server] = []

    def start(mode: str = "ok", cut_first: int = 0) -> Server:
        servers.append(Server(mode, cut_first))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Fleet:
    """An inventory of servers, with the files that reaching them needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: list[str] = []
        self.config = ""
        self.hosts: dict[str, Host] = {}
        USER_KEY.write_private_key_file(str(folder / "id"))

    def add(
        self, name: str, server: Server | int, *, gateway: str | None = None, sudo: bool = False, **more: str
    ) -> None:
        port = server if isinstance(server, int) else server.port
        self.know(port)
        self.hosts[name] = Host(name=name, address=more.get("address", "127.0.0.1"), ssh=self.ssh(port, gateway, sudo))

    def know(self, port: int, key: paramiko.PKey = HOST_KEY) -> None:
        self.known.append(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}")

    def ssh(self, port: int | None = None, gateway: str | None = None, sudo: bool = False) -> Ssh:
        return Ssh(
            user="ops",
            port=port,
            identity_file=str(self.folder / "id"),
            known_hosts=str(self.folder / "known_hosts"),
            config=str(self.folder / "config"),
            gateway=gateway,
            sudo=sudo,
        )

    def inventory(self) -> Inventory:
        (self.folder / "known_hosts").write_text("\n".join(self.known) + "\n")
        (self.folder / "config").write_text(self.config)
        return Inventory(fleet="t", hosts=self.hosts, services={}, ssh=self.ssh())


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return Fleet(tmp_path)


Pool = Callable[[Fleet], SshPool]


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Makes pools that are closed with the test; deadlines are short."""
    pools: list[SshPool] = []

    def make(fleet: Fleet, deadlines: Deadlines = QUICK) -> SshPool:
        pools.append(SshPool(fleet.inventory(), deadlines=deadlines))
        return pools[-1]

    yield make
    for one in pools:
        one.close()
