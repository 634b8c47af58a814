"""One host of the demo: its folder, its ports, its processes, and what a reboot does to them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import paramiko

from restart.demo.layout import USER
from restart.demo.ports import reserve, reserve_again
from restart.demo.sshd import SshServer

DAY_S = 86_400.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_STAND_INS = {
    # The words that a real host would obey. Only the host's own `reboot` exists here: its folder comes first in PATH,
    # so that no command sent to the demo can reach the machine that it runs on.
    "reboot": '#!/bin/sh\n: > "$DEMO_HOST/reboot-asked"\n',
    "systemctl": "#!/bin/sh\n"
    'for word in "$@"; do case $word in -*) ;; reboot) exec reboot ;; *) break ;; esac; done\n'
    'echo "systemctl: the demo\'s hosts know only: systemctl reboot" >&2\nexit 1\n',
    # A process that left its host's group would outlive the host, and perhaps these stand-ins.
    "setsid": '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n',
    **dict.fromkeys(
        ("shutdown", "poweroff", "halt", "init", "telinit", "kexec"),
        '#!/bin/sh\necho "${0##*/}: the demo\'s hosts know only: reboot" >&2\nexit 1\n',
    ),
}

_LBCTL = """#!/bin/sh
# Takes a backend out of this load balancer and puts it back; both may be repeated.
case $1:$2 in
  drain:[a-z]*) : > "$DEMO_HOST/drained/$2" ;;
  undrain:[a-z]*) rm -f "$DEMO_HOST/drained/$2" ;;
  show:) ls "$DEMO_HOST/drained" ;;
  *) echo "usage: lbctl drain|undrain HOST | show" >&2; exit 2 ;;
esac
"""


class Machine:
    """One host. Power is switched from the fleet's loop only; commands are started from any thread."""

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        balancer: bool,
        days_up: float,
        host_key: paramiko.PKey,
        client_key: paramiko.PKey,
    ) -> None:
        self.name = name
        self.boots = 0
        self._folder = folder
        self._run = folder / "run"
        self._proc = folder / "proc"
        self._days_up = days_up
        self._booted_s = 0.0
        self._ssh = SshServer(host_key=host_key, user=USER, client_key=client_key, spawn=self._spawn)
        self._ssh_socket = reserve()
        self._http_socket = reserve()
        self.ssh_port = int(self._ssh_socket.getsockname()[1])
        self.http_port = int(self._http_socket.getsockname()[1])
        self._http: asyncio.Server | None = None
        self._power = threading.Lock()
        self._init: subprocess.Popen[bytes] | None = None
        self._lay_out(balancer)

    @property
    def boot_id(self) -> str:
        """The boot id as the host itself tells it."""
        return (self._proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    @property
    def is_on(self) -> bool:
        """Whether it is up; False from the moment that its power goes until it has booted."""
        return self._http is not None

    def reboot_asked(self) -> bool:
        """Whether the host's own `reboot` was called since it was last asked; asking clears it."""
        try:
            (self._folder / "reboot-asked").unlink()
        except FileNotFoundError:
            return False
        return True

    def drained(self) -> frozenset[str]:
        """The backends that this load balancer was told to spare."""
        return frozenset(os.listdir(self._folder / "drained"))

    async def power_on(self, serve: Serve) -> None:
        """End of the boot: a new boot id, an empty run folder, both ports open."""
        (self._proc / "sys/kernel/random/boot_id").write_text(f"{uuid.uuid4()}\n", encoding="ascii")
        shutil.rmtree(self._run, ignore_errors=True)
        self._run.mkdir(mode=0o700)
        self.reboot_asked()
        if not self.boots:
            self._booted_s = time.monotonic() - self._days_up * DAY_S
        self.boots += 1
        with self._power:
            # The host's first process leads its process group; while it is not reaped nobody else can get that number,
            # so that the whole group can be killed safely. It does so itself when the fleet's process dies.
            self._init = subprocess.Popen(
                ["/bin/sh", "-c", 'read -r _; kill -s KILL -- "-$$"'],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                process_group=0,
            )
        self._http = await asyncio.start_server(serve, sock=self._http_socket)
        self._ssh_socket.listen(32)
        self._tell_listeners()
        asyncio.get_running_loop().add_reader(self._ssh_socket, self._accept)

    async def power_off(self) -> None:
        """As if the plug were pulled: processes gone, connections cut, ports refuse. Its uptime starts anew."""
        if self._http is None:
            return
        asyncio.get_running_loop().remove_reader(self._ssh_socket)
        self._http.close()
        self._http = None
        self._ssh_socket.close()
        # Bound again at once, not listening: the port refuses, and nobody takes it while the host is down.
        self._ssh_socket, self._http_socket = await reserve_again(self.ssh_port), await reserve_again(self.http_port)
        with self._power:
            init, self._init = self._init, None
        if init is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(init.pid, signal.SIGKILL)
            if init.stdin is not None:
                init.stdin.close()
            init.wait()
        self._booted_s = time.monotonic()
        await asyncio.to_thread(self._ssh.cut)

    def close(self) -> None:
        """Give up the ports of a host that is off."""
        self._ssh_socket.close()
        self._http_socket.close()

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            line, _ = self._ssh_socket.accept()
            self._ssh.serve(line)

    def _spawn(self, command: str) -> subprocess.Popen[bytes] | None:
        with self._power:
            if self._init is None:
                return None
            self._tell_uptime()
            return subprocess.Popen(
                ["/bin/sh", "-c", os.fsencode(command)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._folder,
                env=self._environment,
                process_group=self._init.pid,
            )

    def _tell_listeners(self) -> None:
        """What listens is a file here, of the form of proc(5)."""
        ports = sorted(sock.getsockname()[1] for sock in (self._ssh_socket, self._http_socket))
        rows = [f"   {at}: 0100007F:{port:04X} 00000000:0000 0A" for at, port in enumerate(ports)]
        (self._proc / "net/tcp").write_text(
            "\n".join(["  sl  local_address rem_address   st", *rows, ""]), encoding="ascii"
        )

    def _tell_uptime(self) -> None:
        """Uptime is a file here, so it is written just before each command; renamed into place, for others read it."""
        uptime_s = time.monotonic() - self._booted_s
        fresh = self._proc / "uptime.new"
        fresh.write_text(f"{uptime_s:.2f} {uptime_s:.2f}\n", encoding="ascii")
        fresh.replace(self._proc / "uptime")

    def _lay_out(self, balancer: bool) -> None:
        for folder in ("bin", "drained", "proc/sys/kernel/random", "proc/sys/net/ipv4", "proc/net"):
            (self._folder / folder).mkdir(parents=True)
        scripts = _STAND_INS | ({"lbctl": _LBCTL} if balancer else {})
        for name, text in scripts.items():
            path = self._folder / "bin" / name
            path.write_text(text, encoding="ascii")
            path.chmod(0o700)
        (self._proc / "mounts").write_text("/dev/vda1 / ext4 rw,relatime 0 0\n", encoding="ascii")
        # Its ports were taken from this machine's range: to the host itself they are written down in its configuration.
        (self._proc / "sys/net/ipv4/ip_local_port_range").write_text("65534 65535\n", encoding="ascii")
        self._environment = {
            "PATH": f"{self._folder / 'bin'}:{os.defpath}",
            "HOME": str(self._folder),
            "USER": USER,
            "LOGNAME": USER,
            "SHELL": "/bin/sh",
            "LC_ALL": "C",
            "DEMO_HOST": str(self._folder),
            "RESTART_PROC": str(self._proc),
            "RESTART_RUN": str(self._run),
        }
