"""Plain output of a run: one line a fact with its UTC time. And the outlet that survives a closed pipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from restart.model.event import Event, Fact
from restart.reports.sentences import QUIET, sentence


class Writable(Protocol):
    """What lines are written to."""

    def write(self, text: str, /) -> object:
        """Take `text`."""

    def flush(self) -> object:
        """Pass on what was taken."""


class Outlet:
    """A stream that may go away: a closed pipe or terminal ends the output, never the run. `open` says whether it is there."""

    def __init__(self, stream: Writable) -> None:
        self._stream = stream
        self.open = True

    def write(self, text: str, /) -> int:
        """Write `text`; does nothing once the reader is gone. Returns how many characters it was."""
        if self.open:
            try:
                self._stream.write(text)
            except (OSError, ValueError):
                # ValueError is a stream that was closed on our side. Either way nobody reads any more.
                self.open = False
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        if self.open:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self.open = False

    def line(self, text: str) -> None:
        """Write one line and pass it on at once."""
        self.write(text + "\n")
        self.flush()


class PlainLines:
    """A watcher that writes one line a fact. `clock` gives the controller's time in seconds since 1970."""

    def __init__(self, outlet: Outlet, clock: Callable[[], float]) -> None:
        self._outlet = outlet
        self._clock = clock

    def see(self, event: Event, facts: Sequence[Fact]) -> None:
        """Write the facts."""
        at = utc(self._clock())
        for fact in facts:
            self.tell(at, fact)

    def tell(self, at: str, fact: Fact) -> None:
        """Write one fact with the time `at`."""
        if fact.fact not in QUIET:
            self._outlet.line(f"{at} {sentence(fact)}")


def utc(seconds: float) -> str:
    """RFC 3339, UTC, whole seconds: `2026-11-22T00:10:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
