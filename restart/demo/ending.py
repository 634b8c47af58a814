"""The end of a fleet's processes: whoever it started must be gone before the folder is, with the stand-ins in it.

A command that outlived the folder with its harmless `reboot` would find the machine's own one next in PATH.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path


def end_session(session: int) -> None:
    """Kill every process of that session but this one: what a shell's job control moved out of its host's group, too."""
    for pid in _pids():
        with suppress(ProcessLookupError, PermissionError):
            if pid != os.getpid() and os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:  # macOS has no /proc, and small Linux images have no ps
        listed = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, text=True, check=True)
        return [int(word) for word in listed.stdout.split()]


def remove(folder: Path, session: int) -> None:
    """End the session, then remove the folder. May be repeated."""
    if not folder.exists():
        return
    end_session(session)
    shutil.rmtree(folder, ignore_errors=True)
