"""What the fleet's power and cables are to real hosts: boots each host, sees it go down, boots it again when its time has come.

One process for a fleet, of one thread: `python -m tests.e2e.supervisor FOLDER`. It ends when its standard input does, so
when whoever started it ends, however; its hosts end with it. It hears words through the pipe `FOLDER/words`:
`HOST off` (dies by itself, stays down), `HOST crash` (dies, comes back), `HOST on`.
"""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from tests.e2e import kernel
from tests.e2e.machine import REBOOT, Machine, Spec, tell


class Supervisor:
    """The hosts of one fleet: which run, and when those that are down are to boot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log.jsonl"
        rows: list[dict[str, Any]] = json.loads((folder / "fleet.json").read_text(encoding="utf-8"))
        self.specs = {row["name"]: Spec(**{**row, "folder": folder / row["name"]}) for row in rows}
        self.words = os.open(folder / "words", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.network = kernel.private_network() if any(spec.behind for spec in self.specs.values()) else None
        self.running: dict[int, str] = {}
        self.boot_at = dict.fromkeys(self.specs, time.monotonic())
        self.booted: set[str] = set()
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Until standard input ends."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write)
        gc.freeze()
        while True:
            now = time.monotonic()
            for name in [name for name, at in self.boot_at.items() if at <= now]:
                del self.boot_at[name]
                self._boot(self.specs[name])
            wait_s = max(0.0, min(self.boot_at.values()) - time.monotonic()) if self.boot_at else None
            ready, _, _ = select.select([sys.stdin, self.words, self.wake_read], [], [], wait_s)
            if self.wake_read in ready:
                os.read(self.wake_read, 4096)
                self._reap()
            if self.words in ready:
                for line in os.read(self.words, 65536).decode().splitlines():
                    self._obey(*line.split())
            if sys.stdin in ready and not os.read(0, 4096):
                self._end()
                return

    def _end(self) -> None:
        """No host and no file of the fleet is left, though the process that started it may have been killed."""
        for pid in self.running:
            os.kill(pid, signal.SIGKILL)
        for pid in self.running:
            os.waitpid(pid, 0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _boot(self, spec: Spec) -> None:
        first = spec.name not in self.booted
        self.booted.add(spec.name)
        boot_id = spec.folder / "boot_id"
        if first or not spec.faults().get("same_boot_id"):
            # A new file: the one before may still be shown in the namespace that is going away.
            boot_id.unlink(missing_ok=True)
            boot_id.write_text(f"{uuid.uuid4()}\n", encoding="ascii")
        child = kernel.fork_machine(spec.uptime_s if first else 0.0)
        if child == 0:
            try:
                kernel.die_with_parent()
                signal.set_wakeup_fd(-1)
                Machine(spec, lifeline=0, network=self.network).run()
            except BaseException as trouble:
                tell(self.log, spec.name, "broken", why=repr(trouble))
                raise
            finally:
                os._exit(1)
        self.running[child] = spec.name

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self.running.pop(pid)
            ended = os.waitstatus_to_exitcode(status)
            if ended == -signal.SIGHUP:
                # The system call reboot(2) in a pid namespace ends its first process with this signal.
                tell(self.log, name, "down", why="reboot")
            if ended in (REBOOT, -signal.SIGHUP) and not self.specs[name].faults().get("never_returns"):
                self.boot_at[name] = time.monotonic() + self.specs[name].down_s

    def _obey(self, name: str, word: str) -> None:
        pid = next((pid for pid, running in self.running.items() if running == name), None)
        if word == "on" and pid is None:
            self.boot_at.setdefault(name, time.monotonic())
        elif word in ("off", "crash") and pid is not None:
            tell(self.log, name, "down", why=word)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            del self.running[pid]
            if word == "crash":
                self.boot_at[name] = time.monotonic() + self.specs[name].down_s
        elif word == "off":
            self.boot_at.pop(name, None)


if __name__ == "__main__":
    Supervisor(Path(sys.argv[1])).run()
