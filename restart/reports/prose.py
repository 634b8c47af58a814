"""Text for people: hosts folded to ranges, lines wrapped, columns aligned, control characters shown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

_LAST_NUMBER = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


def folded(names: Iterable[str]) -> tuple[str, ...]:
    """The names as terms, runs of numbers folded: `app-01` to `app-12` is `app-[01-12]`. `restart.rules.names.expand` undoes it.

    Only the last number of a name runs. Terms come in natural order (`app-9` before `app-10`).
    """
    split = sorted({_split(name) for name in names}, key=lambda part: (part[0], part[2], part[3], part[1]))
    terms: list[str] = []
    run: list[tuple[str, str, str, int]] = []
    for part in split:
        if run and not _follows(run[0], run[-1], part):
            terms.extend(_terms(run))
            run = []
        run.append(part)
    terms.extend(_terms(run))
    return tuple(terms)


def listed(names: Iterable[str]) -> str:
    """`folded`, in one line: `app-[01-12], db-1`."""
    return ", ".join(folded(names))


def wrapped(text: str, *, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of at most `width` columns; a word longer than that stays whole, so that it can be copied."""
    indent = " " * len(first) if rest is None else rest
    lines = textwrap.wrap(
        text,
        max(width, len(first) + 20),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [first.rstrip()]


def printable(text: str) -> str:
    """`text` with control characters shown as `\\x1b`: what a host answers must not drive the operator's terminal."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else " " if mark in "\n\t\r" else f"\\x{ord(mark):02x}" for mark in text)


def aligned(rows: Sequence[tuple[str, ...]], *, indent: str = "  ") -> list[str]:
    """The rows as lines, every column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        indent + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def count(number: int, one: str, many: str = "") -> str:
    """`1 host`, `3 hosts`; `many` where an s does not make the plural."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _split(name: str) -> tuple[str, str, str, int]:
    """Text before the last number, the number as written, text after it, and its value (-1: no number)."""
    match = _LAST_NUMBER.fullmatch(name)
    if match is None:
        return name, "", "", -1
    head, number, tail = match.groups()
    return head, number, tail, int(number)


def _follows(
    first: tuple[str, str, str, int], last: tuple[str, str, str, int], part: tuple[str, str, str, int]
) -> bool:
    """Whether `part` goes on with the run from `first` to `last`, as `expand` counts: padding is the first one's."""
    if part[3] < 0 or (part[0], part[2]) != (last[0], last[2]):
        return False
    width = len(first[1]) if first[1].startswith("0") else 0
    return part[1] == str(last[3] + 1).zfill(width)


def _terms(run: list[tuple[str, str, str, int]]) -> list[str]:
    """One range for three and more; two names read better than a range of two."""
    if len(run) < 3:
        return [head + number + tail for head, number, tail, _ in run]
    head, number, tail, _ = run[0]
    return [f"{head}[{number}-{run[-1][1]}]{tail}"]
