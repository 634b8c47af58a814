"""A fleet of real OpenSSH servers on one Linux machine, to be restarted for real.

Each host is a process tree in namespaces of its own: its own boot id, its own uptime that runs, its own `/run` (emptied by a
boot), its own 127.x address, its own host key, `systemctl` that reboots it: its connections drop, its port closes for
`down_s` seconds, and it comes back with a new boot id and an uptime from 0. Each offers one HTTP service (`/` answers 200 or,
with a fault, 503) that opens `service_s` after the boot. Needs Linux, root and openssh-server; no package beyond.

By hand, from the root of the repository; it stays until Ctrl-C and tells where its files are:

    python -m tests.e2e.fleet up 5                  # 5 hosts, host-1 to host-5; `--gateway` puts host-2.. behind host-1
    ssh -F FOLDER/ssh_config host-3 systemctl reboot
    echo "host-3 off" > FOLDER/words                # dies by itself; also `crash` (comes back) and `on`
    tail -f FOLDER/log.jsonl

Faults are a host's `faults.json`; set by `Fleet.fault`, or by hand (then `echo faults > FOLDER/HOST/words`):

    ignores_reboot: true       `systemctl reboot` returns 0 and nothing happens
    slow_shutdown_s: 5         the old boot goes on for so long before it really goes down
    never_returns: true        goes down and stays down
    same_boot_id: true         comes back with the boot id that it had
    changed_host_key: true     comes back with another host key
    hang: accept               after the next boot: TCP is accepted and nothing is said
    hang: banner | auth | channel | command      the same, silent after the banner, in authentication, ...
    http: fail | hang | closed the HTTP service answers 503, not at all, or its port is closed; at once
    service_s: 20              how long after a boot the HTTP port opens, instead of the fleet's own figure

The log has a line for everything that happens: `boot` (boot_id), `serving`, `not_serving`, `asked` (a reboot was asked for),
`down` (why: reboot, poweroff, off, crash), `restarted` (unit), `sudo` (command). `serving` is written before and `down` before it happens.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from tests.e2e.files import write_files
from tests.e2e.machine import Spec

ROOT = Path(__file__).parents[2]
SSH_PORT, HTTP_PORT = 2222, 8080
WAIT_S = 60.0
"""How long a condition is awaited by default; the machine may be slow and shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of the fleet's log. `at` is Unix time."""

    at: float
    host: str
    what: str
    more: Mapping[str, Any] = field(default_factory=dict)


class Fleet:
    """Starts with `with`, ends with it; all its processes end at the latest when the process that started it does.

    `settings` gives single hosts another `down_s`, `service_s` or `uptime_s` (of the first boot; default 40 days and more).
    With `gateway`, which must be one of `names`, all others can be reached over SSH only through it: their SSH ports exist only in a
    network namespace into which nothing but the gateway's sessions connect.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        gateway: str | None = None,
        down_s: float = 2.0,
        service_s: float = 0.5,
        settings: Mapping[str, Mapping[str, float]] | None = None,
        faults: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="fleet-")
        self.folder = Path(self._scratch.name)
        self._reserved, prefix = _reserve_addresses()
        given = settings or {}
        self.specs = {
            name: Spec(
                name=name,
                folder=self.folder / name,
                address=f"{prefix}.{number}",
                ssh_port=SSH_PORT,
                http_port=HTTP_PORT,
                gateway=name == gateway,
                behind=gateway not in (None, name),
                **{"down_s": down_s, "service_s": service_s, "uptime_s": 3456000.0 + number, **given.get(name, {})},
            )
            for number, name in enumerate(names, start=1)
        }
        self._first_faults = faults or {}
        self._supervisor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        write_files(self.folder, self.specs.values(), self._first_faults)
        trouble = (self.folder / "supervisor.log").open("wb")
        command = [sys.executable, "-m", "tests.e2e.supervisor", str(self.folder)]
        self._supervisor = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=trouble, stderr=trouble)
        trouble.close()
        try:
            self.wait_for(lambda: self.up(self.specs), "every host answers over SSH")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every host and forget the fleet's files."""
        if self._supervisor is not None and self._supervisor.stdin is not None:
            self._supervisor.stdin.close()
            self._supervisor.wait(WAIT_S)
        self._reserved.close()
        self._scratch.cleanup()

    # --- what happened -----------------------------------------------------------------------------------------------

    def log(self, host: str | None = None, what: str | None = None) -> tuple[Happening, ...]:
        """All that happened so far, in order; of one host or of one kind only, where asked."""
        path = self.folder / "log.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return tuple(
            Happening(at=row.pop("at"), host=row.pop("host"), what=row.pop("what"), more=row)
            for row in rows
            if host in (None, row["host"]) and what in (None, row["what"])
        )

    def boots(self, host: str) -> tuple[str, ...]:
        """The boot ids that `host` came up with, the one at the start of the fleet first."""
        return tuple(str(one.more["boot_id"]) for one in self.log(host, "boot"))

    def restarts(self) -> dict[str, int]:
        """How often each host has booted since the fleet started."""
        return {name: len(self.boots(name)) - 1 for name in self.specs}

    def lowest(self, hosts: Iterable[str], *, since: float = 0.0) -> int:
        """The least number of `hosts` that served HTTP at once, at any instant from Unix time `since` on; all did before."""
        members, serving, least = set(hosts), set[str](), len(set(hosts))
        for one in self.log():
            if one.host not in members:
                continue
            if one.what == "serving":
                serving.add(one.host)
            elif one.what in ("not_serving", "down"):
                serving.discard(one.host)
                if one.at >= since:
                    least = min(least, len(serving))
        return least

    def most_down(self, hosts: Iterable[str]) -> int:
        """The largest number of `hosts` that were down or not serving at once, after all of them served for the first time."""
        members = set(hosts)
        ready = max(next(one.at for one in self.log(name, "serving")) for name in members)
        return len(members) - self.lowest(members, since=ready)

    def wait_for(self, condition: Callable[[], object], what: str = "the condition", timeout_s: float = WAIT_S) -> None:
        """Wait until `condition()` is true; `AssertionError` that names `what` after `timeout_s`."""
        until = time.monotonic() + timeout_s
        while not condition():
            broken = self.log(what="broken")
            assert not broken, broken
            assert self._supervisor is None or self._supervisor.poll() is None, self._trouble()
            assert time.monotonic() < until, f"{what}: not within {timeout_s:g} s. {self._trouble()}"
            time.sleep(0.05)

    def _trouble(self) -> str:
        return (self.folder / "supervisor.log").read_text(encoding="utf-8")[-2000:]

    def up(self, hosts: Iterable[str]) -> bool:
        """Do all `hosts` speak SSH and serve HTTP? A gateway answers for those behind it: they are asked through the log."""
        for name in hosts:
            spec = self.specs[name]
            last = [one.what for one in self.log(name) if one.what in ("serving", "not_serving", "down")]
            if last[-1:] != ["serving"] or (not spec.behind and not _speaks_ssh(spec)):
                return False
        return True

    # --- what is done to it ------------------------------------------------------------------------------------------

    def fault(self, host: str, **faults: Any) -> None:
        """From now on `host` has these faults, and no others."""
        path = self.specs[host].folder / "faults.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps(faults), encoding="utf-8")
        new.replace(path)
        _say(self.specs[host].folder / "words", "faults")

    def off(self, host: str) -> None:
        """The host dies by itself and stays down."""
        _say(self.folder / "words", f"{host} off")

    def crash(self, host: str) -> None:
        """The host dies by itself and comes back by itself."""
        _say(self.folder / "words", f"{host} crash")

    def on(self, host: str) -> None:
        """Switch on a host that is down."""
        _say(self.folder / "words", f"{host} on")

    # --- how to reach it ---------------------------------------------------------------------------------------------

    @property
    def gateway(self) -> str | None:
        """The name of the host that the others are behind."""
        return next((name for name, spec in self.specs.items() if spec.gateway), None)

    def url(self, host: str) -> str:
        """Where its HTTP service answers."""
        return f"http://{self.specs[host].address}:{HTTP_PORT}/"

    def ssh(self, host: str, command: str, *, timeout_s: float = WAIT_S) -> subprocess.CompletedProcess[str]:
        """Run `command` on `host` with the system's own ssh client; strict about host keys."""
        words = ["ssh", "-F", str(self.folder / "ssh_config"), host, command]
        return subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)

    def ssh_defaults(self) -> dict[str, Any]:
        """The `defaults: ssh:` of an inventory for this fleet."""
        found: dict[str, Any] = {
            "user": "root",
            "port": SSH_PORT,
            "identity_file": str(self.folder / "id_ed25519"),
            "known_hosts": str(self.folder / "known_hosts"),
            "config": str(self.folder / "empty_ssh_config"),
        }
        return found if self.gateway is None else {**found, "gateway": self.gateway}

    def inventory(
        self,
        path: Path,
        services: Mapping[str, Any],
        *,
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        defaults: Mapping[str, Any] | None = None,
        leave_out: Collection[str] = (),
        **more: Any,
    ) -> Path:
        """Write an inventory of this fleet to `path`, without the hosts in `leave_out`.

        `services` as in the format; `hosts` adds keys to single hosts; `more` are top-level keys.
        """
        extra = hosts or {}
        content = {
            "version": 1,
            "fleet": self.folder.name,
            "defaults": {"ssh": self.ssh_defaults(), "expect": {"boot": "3s"}, **(defaults or {})},
            "hosts": {
                name: {"address": spec.address, **extra.get(name, {})}
                for name, spec in self.specs.items()
                if name not in leave_out
            },
            "services": dict(services),
            **more,
        }
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path


def _reserve_addresses() -> tuple[socket.socket, str]:
    """Three octets that no other fleet on this machine uses, for as long as the socket is open."""
    for attempt in range(200):
        number = (os.getpid() + attempt * 257) % 60000
        prefix = f"127.{10 + number // 250}.{1 + number % 250}"
        reserved = socket.socket()
        try:
            reserved.bind((f"{prefix}.254", SSH_PORT))
        except OSError as trouble:
            reserved.close()
            if trouble.errno != errno.EADDRINUSE:
                raise
        else:
            return reserved, prefix
    raise RuntimeError("200 fleets on one machine are enough")


def _speaks_ssh(spec: Spec) -> bool:
    try:
        with socket.create_connection((spec.address, spec.ssh_port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _say(pipe: Path, word: str) -> None:
    try:
        writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as trouble:
        # Nobody listens: the host is down, and will read its faults when it boots.
        if trouble.errno == errno.ENXIO:
            return
        raise
    os.write(writer, f"{word}\n".encode())
    os.close(writer)


def main() -> None:
    """`python -m tests.e2e.fleet up 5 [--gateway]`."""
    parser = argparse.ArgumentParser(description="A fleet of real OpenSSH servers; ends with Ctrl-C.")
    parser.add_argument("word", choices=["up"])
    parser.add_argument("hosts", type=int)
    parser.add_argument("--gateway", action="store_true", help="the other hosts are reached through host-1 only")
    parser.add_argument("--down", type=float, default=2.0, help="seconds that a reboot takes")
    chosen = parser.parse_args()
    names = [f"host-{number}" for number in range(1, chosen.hosts + 1)]
    with Fleet(names, gateway=names[0] if chosen.gateway else None, down_s=chosen.down) as fleet:
        services = {"app": {"hosts": "host-*", "ready": [{"http": {"url": f"http://{{address}}:{HTTP_PORT}/"}}]}}
        print(
            f"inventory {fleet.inventory(fleet.folder / 'inventory.yml', services)}\nlog       {fleet.folder}/log.jsonl"
        )
        print(f"by hand   ssh -F {fleet.folder}/ssh_config {names[-1]}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("ends")


if __name__ == "__main__":
    main()
