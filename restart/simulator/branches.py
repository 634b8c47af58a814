"""Both cores: child processes, each a copy of this one at the moment of its birth, that send one result back each.

A copy costs milliseconds and no pickling of what it works on, and it may be made in the middle of a play: so a hundred futures
share one past. Processes with more than one thread are not copied (a lock that another thread holds would be held for ever in
the copy); there, and where the system knows no fork, the work is done in this process: slower, with the same results.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from select import select
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from restart.errors import Bug, RestartError

Item = TypeVar("Item")
Found = TypeVar("Found")

Progress = Callable[[int, int], None]
"""Told how many are done, of how many."""

PORTION_MAX = 100
"""Portions that the work of `each` is cut into at most: what is told of its progress, against the price of a copy."""
_READ_BYTES = 1 << 16


def can_branch() -> bool:
    """Whether this process can be copied now."""
    return hasattr(os, "fork") and threading.active_count() == 1


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(slots=True)
class _Child:
    """One living copy: the number of its result, and what it has sent so far."""

    number: int
    pid: int
    sent: bytearray = field(default_factory=bytearray)


class Branches:
    """Copies of this process, at most `at_once` alive. `found` holds their results by number. Leaving the context ends them all."""

    def __init__(self, at_once: int, told: Callable[[], None] | None = None) -> None:
        self.found: dict[int, Any] = {}
        self._at_once = max(1, at_once)
        self._told = told
        self._alive: dict[int, _Child] = {}
        self._out: int | None = None

    def __enter__(self) -> Branches:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            # We are the copy, and something went wrong: whoever made us is told, and nothing above us is gone through twice.
            self._fail(error)
        if error is None:
            self.join()
        for pipe, child in self._alive.items():
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            os.close(pipe)
        self._alive.clear()

    def branch(self, number: int) -> bool:
        """Make a copy, once fewer than `at_once` are alive. True in the copy, which then owes `send`; False here."""
        while len(self._alive) >= self._at_once:
            self._hear()
        pipe, out = os.pipe()
        # A Ctrl-C between the copy's birth and its being written down would leave it behind: it waits that long.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pid = os.fork()
            if pid:
                self._alive[pipe] = _Child(number, pid)
            else:
                # It reaches the whole group of processes. The one that was started by the operator ends the others.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if pid:
            os.close(out)
            return False
        for other in self._alive:
            os.close(other)
        os.close(pipe)
        self._alive.clear()
        self._out = out
        return True

    @property
    def is_copy(self) -> bool:
        """Whether this is a copy, which owes its result."""
        return self._out is not None

    def send(self, result: object) -> NoReturn:
        """In a copy: hand the result over, and end."""
        self._write((True, result))
        os._exit(0)

    def join(self) -> None:
        """Wait until all have sent their results."""
        while self._alive:
            self._hear()

    def _fail(self, error: BaseException | None) -> NoReturn:
        said: object = "a copy went on beyond its work"
        if isinstance(error, RestartError):
            said = error
        elif error is not None:
            said = "".join(traceback.format_exception(error))
        self._write((False, said))
        os._exit(1)

    def _write(self, message: tuple[bool, object]) -> None:
        data = memoryview(pickle.dumps(message))
        # Whoever made us may be gone; then nobody wants the result.
        with suppress(BrokenPipeError):
            while data and self._out is not None:
                data = data[os.write(self._out, data) :]

    def _hear(self) -> None:
        """Wait for anything that a copy sends; take the results of those that have ended."""
        ready, _, _ = select(list(self._alive), [], [])
        for pipe in ready:
            child = self._alive[pipe]
            data = os.read(pipe, _READ_BYTES)
            if data:
                child.sent += data
                continue
            del self._alive[pipe]
            os.close(pipe)
            _, status = os.waitpid(child.pid, 0)
            self._take(child, os.waitstatus_to_exitcode(status))

    def _take(self, child: _Child, exit_code: int) -> None:
        if exit_code < 0 or not child.sent:
            why = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
            raise RestartError(
                f"a simulating process was ended from outside ({why})", remedy="free some memory, or take --processes 1"
            )
        # Nobody but our own copy can have written this: the pipe has no name.
        well, result = pickle.loads(child.sent)
        if not well:
            raise result if isinstance(result, RestartError) else Bug(f"in a simulating process: {result}")
        self.found[child.number] = result
        if self._told is not None:
            self._told()


def each(
    work: Callable[[Item], Found], items: Sequence[Item], *, at_once: int, progress: Progress | None = None
) -> list[Found]:
    """`work` on every item, in their order, whatever the number of processes. Raises what `work` raises."""
    if at_once < 2 or len(items) < 2 or not can_branch():
        found = []
        for done, item in enumerate(items, 1):
            found.append(work(item))
            if progress is not None:
                progress(done, len(items))
        return found
    size = -(-len(items) // PORTION_MAX)
    portions = [items[first : first + size] for first in range(0, len(items), size)]

    def told() -> None:
        if progress is not None:
            progress(sum(len(portions[number]) for number in branches.found), len(items))

    with Branches(at_once, told) as branches:
        for number, portion in enumerate(portions):
            if branches.branch(number):
                branches.send([work(item) for item in portion])
    return [result for number in range(len(portions)) for result in branches.found[number]]
