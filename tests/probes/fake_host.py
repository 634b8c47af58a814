"""A folder that looks like a host to the sweep, and the real shells of this machine that are to sweep it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from restart.model.answer import NoAnswer
from restart.model.question import ShellReply
from restart.probes import sweep
from restart.probes.section import Section

BOOT = "6b0d1b2e-7c3f-4f0e-9d55-1f2a3b4c5d6e"
SHELLS = sorted(
    # One name for each shell: sh is often one of the others.
    {
        os.path.realpath(place): name for name in ("sh", "bash", "busybox", "dash") if (place := shutil.which(name))
    }.values()
)


@dataclass
class FakeHost:
    """A folder that looks like a host to the sweep; `tool` puts a command first in its PATH."""

    root: Path
    shell: str

    def file(self, path: str, text: str = "") -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def tool(self, name: str, text: str) -> None:
        self.file(f"bin/{name}", "#!/bin/sh\n" + text)
        (self.root / "bin" / name).chmod(0o755)

    def link(self, path: str, target: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(self.root / target)

    def age(self, folder: str, *, hours: float) -> None:
        """Make all files under `folder` so old."""
        then = time.time() - 3600 * hours
        for place in (self.root / folder).rglob("*"):
            os.utime(place, (then, then), follow_symlinks=False)

    def sweep(self, *sections: Section[object], before: str = "", path: str | None = None) -> sweep.Swept | NoAnswer:
        words = [shutil.which(self.shell) or self.shell, *(["sh"] if self.shell == "busybox" else [])]
        done = subprocess.run(
            words,
            input=before + sweep.text(sections),
            env={
                "PATH": path or f"{self.root}/bin:/usr/bin:/bin",
                "RESTART_PROC": f"{self.root}/proc",
                "RESTART_RUN": f"{self.root}/run",
                "RESTART_ROOT": str(self.root),
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return sweep.parse(ShellReply(exit_status=done.returncode, stdout=done.stdout, stderr=done.stderr))

    def swept(self, *sections: Section[object], before: str = "", path: str | None = None) -> sweep.Swept:
        found = self.sweep(*sections, before=before, path=path)
        assert isinstance(found, sweep.Swept), found
        return found


def fake_host(root: Path, shell: str) -> FakeHost:
    """One that has booted, and has nothing else yet."""
    fake = FakeHost(root=root, shell=shell)
    fake.file("proc/sys/kernel/random/boot_id", BOOT + "\n")
    fake.file("proc/uptime", "1000.25 99.00\n")
    fake.file("proc/sys/kernel/hostname", "db-1\n")
    fake.file("proc/sys/kernel/osrelease", "6.1.0-28-amd64\n")
    (root / "run").mkdir()
    return fake
