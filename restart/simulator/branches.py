"""Both cores: child processes, each a copy of this one at the moment of its birth, that send one result back each.

A copy costs milliseconds and no pickling of what it works on, and it may be made in the middle of a play: so a hundred futures
share one past. Processes with more than one thread are not copied (a lock that another thread holds would be held for ever in
the copy); there, and where the system knows no fork, the work is done in this process: slower, with the same results.

No copy is left behind. A Ctrl-C ends them all in its own handler, before it is raised, so that it does not matter between which
two instructions it strikes; it waits while a copy is being born or buried. And a copy ends when its maker does (Linux).
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from select import select
from types import FrameType, TracebackType
from typing import Any, NoReturn, TypeVar

from restart.errors import Bug, RestartError

Item = TypeVar("Item")
Found = TypeVar("Found")

Progress = Callable[[int, int], None]
"""Told how many are done, of how many."""

PORTION_MAX = 100
"""Portions that the work of `each` is cut into at most: what is told of its progress, against the price of a copy."""
_READ_BYTES = 1 << 16
_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process gets when the one that made it has ended."""


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


def _buried(child: _Child) -> int:
    """How it ended: its exit code, or less than 0 for a signal. Waits for its end."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
    except ChildProcessError:
        # Whoever started us lets the system forget ended processes (SIGCHLD ignored): what the copy has sent must do.
        return 0


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A Ctrl-C waits until the end of this."""
    # The first call changes nothing: each may raise a Ctrl-C that has come before it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Branches:
    """Copies of this process, at most `at_once` alive. `found` holds their results by number. Leaving the context ends them all.

    Only for processes that can be copied (`can_branch`).
    """

    def __init__(self, at_once: int, told: Callable[[], None] | None = None) -> None:
        self.found: dict[int, Any] = {}
        self._at_once = max(1, at_once)
        self._told = told
        self._alive: dict[int, _Child] = {}
        self._out: int | None = None
        self._maker = os.getpid()
        self._libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        self._on_interrupt = signal.getsignal(signal.SIGINT)

    def __enter__(self) -> Branches:
        # Who is deaf to Ctrl-C (a process in the background) stays so; a handler of the system's own kills us, and so the copies.
        if callable(self._on_interrupt):
            signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            # We are the copy, and something went wrong: whoever made us is told, and nothing above us is gone through twice.
            self._fail(error)
        try:
            if error is None:
                self.join()
        finally:
            self._end_all()

    def branch(self, number: int) -> bool:
        """Make a copy, once fewer than `at_once` are alive. True in the copy, which then owes `send`; False here."""
        while len(self._alive) >= self._at_once:
            self._hear()
        with _undisturbed():
            pipe, out = os.pipe()
            pid = os.fork()
            if pid:
                self._alive[pipe] = _Child(number, pid)
                os.close(out)
            else:
                self._be_copy(pipe, out)
        return pid == 0

    def _be_copy(self, pipe: int, out: int) -> None:
        """The first that a copy does. `pipe` is where its maker listens, `out` where it speaks itself."""
        self._out = out
        if self._libc is not None:
            self._libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != self._maker:
            os._exit(1)
        # It reaches the whole group of processes. The one that was started by the operator ends the others.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for other in (*self._alive, pipe):
            os.close(other)
        self._alive.clear()

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C: end all copies, then let it be heard as it was before us."""
        self._end_all()
        if callable(self._on_interrupt):
            self._on_interrupt(number, frame)
        # A handler that only takes a note of it would leave us waiting for copies that are no more.
        raise KeyboardInterrupt

    def _end_all(self) -> None:
        """End all copies; Ctrl-C is heard again as it was before us."""
        with _undisturbed():
            for child in self._alive.values():
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
            for pipe, child in self._alive.items():
                _buried(child)
                os.close(pipe)
            self._alive.clear()
            if callable(self._on_interrupt):
                signal.signal(signal.SIGINT, self._on_interrupt)

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
            # Its end of the pipe is closed only as it ends: this does not wait long.
            with _undisturbed():
                del self._alive[pipe]
                os.close(pipe)
                exit_code = _buried(child)
            self._take(child, exit_code)

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
