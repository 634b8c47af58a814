"""How far a long piece of work is: one line on a terminal, drawn over and over, gone when it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from restart.reports.chart import bar

WIDTH = 30
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

    def told(self, done: int, of: int) -> None:
        """So many are done."""
        now_s = self._clock()
        if not self._drawable or (self._drawn_s is not None and now_s - self._drawn_s < EVERY_S and done < of):
            return
        self._drawn_s = now_s
        left = ""
        if 0 < done < of:
            left = f", about {round((now_s - self._began_s) / done * (of - done))}s left"
        self._write(
            f"\r\x1b[K{self._what} |{bar(done / max(1, of), WIDTH, blocks=True):<{WIDTH}}| {done} of {of}{left}"
        )

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody looks any more; the work goes on.
            self._drawable = False
