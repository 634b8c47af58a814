"""Worker threads: a bounded number, made when needed, that never keep the process from ending."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Crew:
    """Runs pieces of work in at most `threads_max` threads; what comes beyond waits its turn.

    The threads are daemons: an operator who lets go of a run at once does not wait for a host that hangs. The standard
    library's executor joins its threads at exit, so it cannot serve here.
    """

    def __init__(self, name: str, threads_max: int) -> None:
        self._name = name
        self._threads_max = threads_max
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._owed = 0

    def begin(self, work: Callable[[], None]) -> None:
        """Run `work` as soon as a thread is free. It must not raise."""
        with self._lock:
            self._owed += 1
            wanted = self._owed > self._threads and self._threads < self._threads_max
            if wanted:
                self._threads += 1
                number = self._threads
        self._work.put(work)
        if wanted:
            try:
                threading.Thread(target=self._serve, name=f"{self._name} {number}", daemon=True).start()
            except RuntimeError:
                # The system gives no more threads: those that there are do the work, if there are any.
                with self._lock:
                    self._threads -= 1
                    if self._threads == 0:
                        raise

    def close(self) -> None:
        """Let the threads end once they have nothing to do; returns at once."""
        with self._lock:
            for _ in range(self._threads):
                self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            finally:
                with self._lock:
                    self._owed -= 1
