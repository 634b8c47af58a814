"""The progress line: one line whatever the width of the terminal, and nothing at all where there is none."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios

import pytest

from restart.reports.progress import ProgressLine


def drawn(columns: int) -> list[str]:
    """What a terminal of so many columns is told, line over line."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    times = iter(float(number) for number in range(100))
    try:
        with open(end, "w", encoding="utf-8") as stream:
            with ProgressLine("losing each host", stream=stream, drawable=True, clock=lambda: next(times)) as line:
                for done in (0, 7, 12_000, 100_000):
                    line.told(done, 100_000)
            said = ""
            # The last that is written wipes the line; a read may end anywhere before it.
            while said.count("\r\x1b[K") < 5:
                said += os.read(terminal, 65536).decode()
            return said.split("\r\x1b[K")[1:]
    finally:
        os.close(terminal)


@pytest.mark.parametrize("columns", [200, 80, 60, 40, 25, 12, 1])
def test_it_never_wraps_and_is_gone_at_the_end(columns: int) -> None:
    lines = drawn(columns)
    assert len(lines) == 5
    assert all(len(line) < max(columns, 2) for line in lines)
    assert lines[-1] == ""


def test_what_does_not_fit_is_left_out_the_least_needed_first() -> None:
    wide, middle, narrow, tiny = (drawn(columns)[2] for columns in (100, 55, 36, 20))
    assert wide.startswith("losing each host |")
    assert wide.endswith("| 12000 of 100000, about 22s left")
    assert middle.startswith("losing each host |")
    assert middle.endswith("| 12000 of 100000")
    assert narrow.startswith("|")
    assert narrow.endswith("| 12000 of 100000")
    assert tiny == "12000 of 100000"


def test_through_a_pipe_nothing_is_written() -> None:
    stream = io.StringIO()
    with ProgressLine("simulating", stream=stream, drawable=False) as line:
        line.told(1, 2)
        line.told(2, 2)
    assert stream.getvalue() == ""


def test_those_that_are_waited_for_are_named_at_once_and_no_time_is_promised() -> None:
    stream = io.StringIO()
    with ProgressLine("looking", stream=stream, drawable=True, clock=lambda: 0.0) as line:
        line.told(1, 3)
        line.told(2, 3, waiting="web-6")
    assert "2 of 3, waits for web-6" in stream.getvalue()
    assert "left" not in stream.getvalue().split("2 of 3")[1]


def test_what_is_waited_for_is_said_in_one_line_and_the_bar_comes_back_after_it() -> None:
    stream = io.StringIO()
    times = iter(float(number) for number in range(100))
    with ProgressLine("looking", stream=stream, drawable=True, clock=lambda: next(times)) as line:
        line.says("next look in 27s, 9m to go")
        line.says("x" * 200)
        line.says("look 2, 9m to go")
        line.told(1, 2)
    lines = stream.getvalue().split("\r\x1b[K")[1:]
    assert lines[0] == "next look in 27s, 9m to go"
    assert lines[1] == "x" * 79
    # What is left counts from when this look began.
    assert lines[3].startswith("look 2, 9m to go |")
    assert lines[3].endswith("| 1 of 2, about 1s left")
    assert lines[-1] == ""


def test_words_through_a_pipe_are_not_written_either() -> None:
    stream = io.StringIO()
    with ProgressLine("looking", stream=stream, drawable=False) as line:
        line.says("look 2")
    assert stream.getvalue() == ""
