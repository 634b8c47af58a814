"""How far a long piece of work is: one line on a terminal, drawn over and over, gone when it is done."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from restart.reports.chart import bar

WIDTH, LEAST = 30, 8
"""Characters of the bar, where there is room, and at least."""
COLUMNS = 80
"""Taken for the width of a terminal that does not say."""
EVERY_S = 0.1


class ProgressLine:
    """`told(done, of)` draws it; nothing at all is written where the stream is no terminal."""

    def __init__(
        self,
        what: str,
        *,
        stream: TextIO | None = None,
        drawable: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._stream = sys.stderr if stream is None else stream
        self._drawable = drawable
        self._clock = clock
        self._began_s = clock()
        self._drawn_s: float | None = None

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn_s is not None:
            self._write("\r\x1b[K")

    def says(self, what: str) -> None:
        """Another piece of work begins, or is waited for: `what` it is, alone in the line until some of it is done."""
        self._what, self._began_s = what, self._clock()
        if self._drawable:
            self._drawn_s = self._began_s
            self._write(f"\r\x1b[K{what[: max(0, self._columns() - 1)]}")

    def told(self, done: int, of: int, waiting: str = "") -> None:
        """So many are done. `waiting` names those that are left: then nothing is said of how long, and the line is drawn at once."""
        now_s = self._clock()
        soon = self._drawn_s is not None and now_s - self._drawn_s < EVERY_S
        if not self._drawable or (soon and done < of and not waiting):
            return
        self._drawn_s = now_s
        left = ""
        if waiting:
            left = f", waits for {waiting}"
        elif 0 < done < of:
            left = f", about {round((now_s - self._began_s) / done * (of - done))}s left"
        self._write(f"\r\x1b[K{self._line(done, of, left)}")

    def _line(self, done: int, of: int, left: str) -> str:
        """What fits in one line: one that wraps could not be drawn over."""
        columns, told = self._columns(), f" {done} of {of}"
        for words, behind in ((f"{self._what} ", f"{told}{left}"), (f"{self._what} ", told), ("", told)):
            width = min(WIDTH, columns - len(words) - len(behind) - 3)
            if width >= LEAST:
                return f"{words}|{bar(done / max(1, of), width, blocks=True):<{width}}|{behind}"
        return told.strip()[: max(0, columns - 1)]

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or COLUMNS
        except (OSError, ValueError):
            return COLUMNS

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody looks any more; the work goes on.
            self._drawable = False
