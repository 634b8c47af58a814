"""The few Linux calls that the fleet needs and Python 3.11 does not offer: namespaces, mounts, death of the parent."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEWTIME, NEWNS, NEWPID, NEWNET = 0x80, 0x20000, 0x20000000, 0x40000000
"""Kinds of namespaces, see clone(2) and time_namespaces(7)."""

_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_PARENT_DEATH_SIGNAL = 1
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments}: {os.strerror(number)}")


def unshare(kinds: int) -> None:
    """Leave the namespaces of these kinds for new ones (pid and time: the children to come, not the caller)."""
    _call("unshare", kinds)


def enter(namespace: int, kind: int) -> None:
    """Go into the namespace that the open file `namespace` stands for."""
    _call("setns", namespace, kind)


def namespace(kind: str) -> int:
    """An open file for this process's own namespace of `kind` (`pid`, `net`, `time`)."""
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def die_with_parent() -> None:
    """Be killed when the process that started this one ends, however it ends."""
    _call("prctl", _PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def own_mounts() -> None:
    """A mount namespace whose mounts are seen by nobody else."""
    unshare(NEWNS)
    _call("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)


def mount(kind: str, target: str) -> None:
    """A fresh file system of `kind` (`proc`, `tmpfs`) on `target`."""
    _call("mount", kind.encode(), target.encode(), kind.encode(), 0, b"mode=755" if kind == "tmpfs" else None)


def bind(source: Path, target: str) -> None:
    """`target` shows the file `source` from now on."""
    _call("mount", os.fsencode(source), target.encode(), None, _BIND, None)


def fork_machine(uptime_s: float) -> int:
    """Fork; the child is the first process of a pid namespace and of a time namespace whose uptime is `uptime_s` and runs on.

    Returns what fork returns. The caller must have one thread only, and stays in its own namespaces.
    """
    own_pid, own_time = namespace("pid"), namespace("time")
    unshare(NEWPID | NEWTIME)
    offset_ns = int(uptime_s * 1e9) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    seconds, rest_ns = divmod(offset_ns, 1_000_000_000)
    Path("/proc/self/timens_offsets").write_text(f"boottime {seconds} {rest_ns}\n", encoding="ascii")
    child = os.fork()
    if child != 0:
        enter(own_pid, NEWPID)
        enter(own_time, NEWTIME)
    os.close(own_pid)
    os.close(own_time)
    return child


def private_network() -> int:
    """An open file for a new network namespace that has nothing but its own loopback."""
    own = namespace("net")
    unshare(NEWNET)
    try:
        with socket.socket() as any_socket:
            answer = fcntl.ioctl(any_socket, _GET_FLAGS, struct.pack("16sH14x", b"lo", 0))
            (flags,) = struct.unpack("16xH14x", answer)
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))
        return namespace("net")
    finally:
        enter(own, NEWNET)
        os.close(own)


@contextmanager
def inside(network: int | None) -> Iterator[None]:
    """Sockets opened meanwhile belong to `network` (None: to the network one is in anyway)."""
    if network is None:
        yield
        return
    own = namespace("net")
    enter(network, NEWNET)
    try:
        yield
    finally:
        enter(own, NEWNET)
        os.close(own)
