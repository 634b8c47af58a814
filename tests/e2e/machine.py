"""One boot of one host: what runs as the first process of its pid namespace, from power-on until the machine goes down.

It mounts a fresh `/run`, shows its own boot id, starts sshd, serves HTTP, and waits for what `systemctl` inside the host
writes into its pipe. When this process ends, the kernel kills all that runs in the host: connections drop as in a reboot.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tests.e2e import kernel

REBOOT, POWEROFF = 10, 11
"""Exit statuses of a machine that went down as it was asked to."""

UNIT = "app.service"
"""The unit that is the HTTP service; `systemctl restart` of it closes the port until it is up again."""

OTHER_UNITS = ("ssh.service", "worker.service")
HANGS = ("accept", "banner", "auth", "channel", "command")
_HTTP = (
    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One host of the fleet. Times in seconds; `uptime_s` is what it starts with when the fleet starts.

    `folder` holds its files. A `gateway` listens outside and works in the fleet's private network; a host that is `behind`
    it offers SSH inside that network only. HTTP is offered outside by every host.
    """

    name: str
    folder: Path
    address: str
    ssh_port: int
    http_port: int
    down_s: float
    service_s: float
    uptime_s: float
    gateway: bool = False
    behind: bool = False

    def faults(self) -> dict[str, Any]:
        """What is to go wrong with it at present; see the head of `fleet.py`."""
        found: dict[str, Any] = json.loads((self.folder / "faults.json").read_text(encoding="utf-8"))
        return found


def tell(log: Path, host: str, what: str, **more: object) -> None:
    """Append one line to the fleet's log; short lines appended at once never mix."""
    line = json.dumps({"at": time.time(), "host": host, "what": what, **more})
    with log.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


class Machine:
    """A running host. `run` ends only by ending the process."""

    def __init__(self, spec: Spec, *, lifeline: int, network: int | None) -> None:
        self.spec = spec
        self.log = spec.folder.parent / "log.jsonl"
        self.network = network
        self.faults = spec.faults()
        self.selector = selectors.DefaultSelector()
        self.web: socket.socket | None = None
        self.serve_at: float | None = time.monotonic() + float(self.faults.get("service_s", spec.service_s))
        self.down_at: float | None = None
        self.down_how = REBOOT
        self.selector.register(lifeline, selectors.EVENT_READ, self._parent_is_gone)

    def run(self) -> NoReturn:
        """Boot, then serve until told to go down."""
        signal.signal(signal.SIGCHLD, _reap)
        self._mount()
        words = os.open(self.spec.folder / "words", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.selector.register(words, selectors.EVENT_READ, self._hear)
        self._tell("boot", boot_id=Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        self._offer_ssh()
        while True:
            self._keep_time()
            due = [at for at in (self.serve_at, self.down_at) if at is not None]
            wait_s = max(0.0, min(due) - time.monotonic()) if due else None
            for key, _ in self.selector.select(wait_s):
                # One of the same batch may have closed it.
                if key in self.selector.get_map().values():
                    key.data(key.fileobj)

    def _tell(self, what: str, **more: object) -> None:
        tell(self.log, self.spec.name, what, **more)

    def _mount(self) -> None:
        folder = self.spec.folder
        kernel.own_mounts()
        kernel.mount("proc", "/proc")
        kernel.mount("tmpfs", "/run")
        kernel.bind(folder / "boot_id", "/proc/sys/kernel/random/boot_id")
        kernel.bind(folder.parent / "passwd", "/etc/passwd")
        for name in ("/usr/bin/systemctl", "/usr/sbin/reboot", "/usr/sbin/poweroff", "/usr/sbin/shutdown"):
            # Links to systemctl follow it; a file of its own (another init system) is covered by itself.
            if Path(name).exists() and not Path(name).is_symlink():
                kernel.bind(folder / "bin" / "systemctl", name)
        for made in ("sshd", "home", "units", "lock"):
            Path("/run", made).mkdir(mode=0o755)
        for unit in (UNIT, *OTHER_UNITS):
            self._invoke(unit)

    def _invoke(self, unit: str) -> None:
        Path("/run/units", unit).write_text(uuid.uuid4().hex + "\n", encoding="ascii")

    # --- SSH ---------------------------------------------------------------------------------------------------------

    def _offer_ssh(self) -> None:
        hang = self.faults.get("hang")
        if hang in ("accept", "banner"):
            listener = self._listener(self.spec.ssh_port, self.network if self.spec.behind else None)
            self.selector.register(listener, selectors.EVENT_READ, self._hold)
        elif hang == "channel":
            here = [sys.executable, "-m", "tests.e2e.deaf_server", self.spec.address, str(self.spec.ssh_port)]
            self._spawn([*here, str(self.spec.folder / "host_key")], behind=self.spec.behind)
        elif self.spec.gateway:
            # The listener is outside, each session inside the private network: a forwarded connection starts there.
            self.selector.register(self._listener(self.spec.ssh_port, None), selectors.EVENT_READ, self._let_in)
        else:
            self._spawn(self._sshd("-D"), behind=self.spec.behind)

    def _sshd(self, how: str) -> list[str]:
        key = "other_key" if self.faults.get("changed_host_key") else "host_key"
        options = [f"HostKey={self.spec.folder / key}"]
        hang = self.faults.get("hang")
        if hang == "auth":
            options += ["AuthorizedKeysFile=none", "AuthorizedKeysCommand=/usr/bin/sleep 3600"]
            options += ["AuthorizedKeysCommandUser=root"]
        elif hang == "command":
            options += ["ForceCommand=exec sleep 3600"]
        chosen = [word for option in options for word in ("-o", option)]
        return ["/usr/sbin/sshd", how, "-e", "-f", str(self.spec.folder / "sshd_config"), *chosen]

    def _spawn(self, command: list[str], *, behind: bool, connection: socket.socket | None = None) -> None:
        if os.fork() != 0:
            return
        try:
            # Exec gives other handlers back their default by itself, but not what is ignored or blocked.
            errors = os.open(self.spec.folder / "sshd.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.dup2(errors, 2)
            nothing = os.open(os.devnull, os.O_RDWR) if connection is None else connection.fileno()
            os.dup2(nothing, 0)
            os.dup2(nothing, 1)
            if behind and self.network is not None:
                kernel.enter(self.network, kernel.NEWNET)
            os.execv(command[0], command)
        finally:
            os._exit(127)

    def _let_in(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.setblocking(True)
        self._spawn(self._sshd("-i"), behind=True, connection=connection)
        connection.close()

    def _hold(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        if self.faults["hang"] == "banner":
            connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        self.selector.register(connection, selectors.EVENT_READ, self._swallow)

    def _swallow(self, connection: socket.socket) -> None:
        try:
            if connection.recv(4096):
                return
        except OSError:
            pass
        self.selector.unregister(connection)
        connection.close()

    def _listener(self, port: int, network: int | None) -> socket.socket:
        with kernel.inside(network):
            listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.spec.address, port))
        listener.listen(128)
        return listener

    # --- HTTP --------------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        if self.web is not None or self.faults.get("http") == "closed":
            return
        # Told before the port opens: nobody can have seen the service up before the log says so.
        if self.faults.get("http") is None:
            self._tell("serving")
        self.web = self._listener(self.spec.http_port, None)
        self.selector.register(self.web, selectors.EVENT_READ, self._accept)

    def _close(self, why: str) -> None:
        if self.web is not None:
            self._tell("not_serving", why=why)
            self.selector.unregister(self.web)
            self.web.close()
            self.web = None

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        self.selector.register(connection, selectors.EVENT_READ, self._answer)

    def _answer(self, connection: socket.socket) -> None:
        try:
            asked = connection.recv(4096)
            if asked and self.faults.get("http") == "hang":
                return
            if asked:
                good = self.faults.get("http") is None
                body = json.dumps({"host": self.spec.name, "ok": good})
                status = "200 OK" if good else "503 Service Unavailable"
                connection.sendall(_HTTP.format(status=status, length=len(body), body=body).encode())
        except OSError:
            pass
        self.selector.unregister(connection)
        connection.close()

    # --- what the host is told ---------------------------------------------------------------------------------------

    def _hear(self, words: int) -> None:
        for line in os.read(words, 65536).decode().splitlines():
            word, _, rest = line.partition(" ")
            if word in ("reboot", "poweroff"):
                self._asked_down(word)
            elif word == "restart":
                self._restart_unit(rest)
            elif word == "faults":
                self._change_faults()
            elif word == "sudo":
                self._tell("sudo", command=rest)

    def _asked_down(self, word: str) -> None:
        self._tell("asked", word=word)
        if self.faults.get("ignores_reboot") or self.down_at is not None:
            return
        self.down_how = REBOOT if word == "reboot" else POWEROFF
        self.down_at = time.monotonic() + float(self.faults.get("slow_shutdown_s", 0.0))

    def _restart_unit(self, unit: str) -> None:
        self._tell("restarted", unit=unit)
        self._invoke(unit)
        if unit == UNIT:
            self._close("restart")
            self.serve_at = time.monotonic() + float(self.faults.get("service_s", self.spec.service_s))

    def _change_faults(self) -> None:
        before, self.faults = self.faults.get("http"), self.spec.faults()
        now = self.faults.get("http")
        if before == now or self.serve_at is not None:
            return
        if now == "closed":
            self._close("fault")
        elif self.web is None:
            self._serve()
        else:
            self._tell("serving" if now is None else "not_serving", why=f"http {now}")

    def _keep_time(self) -> None:
        now = time.monotonic()
        if self.down_at is not None and now >= self.down_at:
            self._tell("down", why="reboot" if self.down_how == REBOOT else "poweroff")
            os._exit(self.down_how)
        if self.serve_at is not None and now >= self.serve_at:
            self.serve_at = None
            self._serve()

    def _parent_is_gone(self, lifeline: int) -> None:
        if not os.read(lifeline, 4096):
            os._exit(0)


def _reap(*_: object) -> None:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return
