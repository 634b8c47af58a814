"""Shell commands on the controller: bounded in time and in output, and nothing of them is left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time

from restart.errors import must
from restart.model.answer import NoAnswer
from restart.model.question import Shell, ShellReply

_LINGER_S = 0.2


def run(shell: Shell) -> ShellReply | NoAnswer:
    """Run it in `/bin/sh`, in a process group of its own that is killed when `timeout_s` is over.

    Output beyond its bound is read and thrown away. A command that ends while something it started keeps its
    output open has ended.
    """
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", shell.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return NoAnswer(reason="command", detail=f"cannot start: {error}")
    with process:
        try:
            kept = _pump(process, shell, time.monotonic() + shell.timeout_s)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if kept is None:
        return NoAnswer(reason="command", detail=f"still running after {shell.timeout_s:g} s, killed")
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    stdout, stderr = (kept_bytes.decode(errors="replace") for kept_bytes in kept)
    return ShellReply(exit_status=status, stdout=stdout, stderr=stderr)


def _pump(process: subprocess.Popen[bytes], shell: Shell, end_s: float) -> tuple[bytes, bytes] | None:
    """Feed and read until the process has ended; None when time is over first."""
    must(process.stdin and process.stdout and process.stderr, "the three streams are piped")
    outputs = (process.stdout, process.stderr)
    stdin = shell.stdin.encode()
    kept = {stream.fileno(): bytearray() for stream in outputs if stream}
    with selectors.DefaultSelector() as selector:
        for stream in (*outputs, process.stdin):
            if stream:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_WRITE if stream is process.stdin else selectors.EVENT_READ)
        linger_end_s = None
        while True:
            now_s = time.monotonic()
            if linger_end_s is None and process.poll() is not None:
                linger_end_s = now_s + _LINGER_S
            if linger_end_s is None and now_s >= end_s:
                return None
            if linger_end_s is not None and (now_s >= linger_end_s or not selector.get_map()):
                stdout, stderr = (bytes(taken) for taken in kept.values())
                return stdout, stderr
            if not selector.get_map():
                # It closed its output and still runs.
                time.sleep(0.02)
            for key, _ in selector.select(min(0.1, max(0.0, end_s - now_s))) if selector.get_map() else ():
                if key.fd in kept:
                    done = not _take(key.fd, kept[key.fd], shell.output_bytes_max)
                else:
                    stdin = _feed(key.fd, stdin)
                    done = not stdin
                if done:
                    selector.unregister(key.fileobj)
                    if key.fileobj is process.stdin:
                        process.stdin.close()


def _feed(descriptor: int, stdin: bytes) -> bytes:
    """What is still to be written; nothing once the reader is gone."""
    try:
        return stdin[os.write(descriptor, stdin) :] if stdin else b""
    except BlockingIOError:
        return stdin
    except OSError:
        return b""


def _take(descriptor: int, kept: bytearray, bytes_max: int) -> bool:
    """Read once; False at the end of the stream."""
    try:
        data = os.read(descriptor, 65536)
    except BlockingIOError:
        return True
    kept += data[: bytes_max - len(kept)]
    return bool(data)
