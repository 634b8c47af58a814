"""Problems of one reading: collected, not met one by one, each with file, line and column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Any

from restart.errors import InventoryInvalid, Problem
from restart.inventory.tree import Block, Listing, Place, column_of, line_of

PROBLEMS_MAX = 1000
"""Problems shown at most: a file with more has one cause, and nobody reads on."""
SHOWN_MAX = 60
SENTENCE_MAX = 400
SUGGESTED_LENGTH_MAX = 100
COMPARISONS_MAX = 30_000
"""Words compared at most in one reading when looking for what was meant: about half a second."""
ALIKE = 0.65

Path = tuple[str | int, ...]
"""The way from the top of a file to a value: keys, and indices of lists."""


class Source:
    """One file as read: its name for people and its top mapping."""

    __slots__ = ("file", "root")

    def __init__(self, file: str, root: Block) -> None:
        self.file = file
        self.root = root


class EnoughProblems(Exception):
    """`PROBLEMS_MAX` problems were found."""


class Problems:
    """Collects what is wrong. `add` raises `EnoughProblems` at `PROBLEMS_MAX`."""

    def __init__(self) -> None:
        self._found: set[Problem] = set()
        self._comparisons = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(self, file: str, place: Place, what: str, way_out: str = "") -> None:
        """One problem at a place of a file."""
        if len(what) > SENTENCE_MAX or not what.isprintable():
            what = clipped(what, SENTENCE_MAX)
        self._found.add(Problem(file=file, line=line_of(place), column=column_of(place), what=what, way_out=way_out))
        if len(self._found) >= PROBLEMS_MAX:
            raise EnoughProblems

    def take(self, problem: Problem) -> None:
        """One that another reading has found."""
        self._found.add(problem)

    def at(self, source: Source, path: Path, what: str, way_out: str = "", *, key: bool = False) -> None:
        """One problem at the value under `path`, or at its key; `what` is told with the path before it."""
        before = spoken(path[:-1] if key else path)
        self.add(source.file, place_of(source, path, key=key), f"{before}: {what}" if before else what, way_out)

    def meant(self, word: str, candidates: Iterable[str]) -> str:
        """`did you mean db-1?`, or nothing where nothing is alike."""
        best = self.nearest(word, candidates)
        return f"did you mean {best}?" if best else ""

    def nearest(self, word: str, candidates: Iterable[str], alike: float = ALIKE) -> str | None:
        """The candidate most like `word`; the first of those equally like it."""
        if len(word) > SUGGESTED_LENGTH_MAX:
            return None
        best, best_ratio = None, alike
        matcher = SequenceMatcher(b=word, autojunk=False)
        for candidate in candidates:
            if abs(len(candidate) - len(word)) > max(len(word), 3):
                continue
            if self._comparisons >= COMPARISONS_MAX:
                break
            self._comparisons += 1
            matcher.set_seq1(candidate)
            if matcher.real_quick_ratio() > best_ratio and matcher.quick_ratio() > best_ratio:
                ratio = matcher.ratio()
                if ratio > best_ratio:
                    best, best_ratio = candidate, ratio
        return best

    def in_order(self) -> tuple[Problem, ...]:
        """All of them, by file, line and column."""
        return tuple(sorted(self._found))

    def raise_if_any(self) -> None:
        """Raise `InventoryInvalid` with all of them, if there are any."""
        if self._found:
            raise InventoryInvalid(self.in_order())


def place_of(source: Source, path: Path, *, key: bool = False) -> Place:
    """Where the value under `path` (or its key) stands; where it is gone, its nearest parent."""
    held: Any = source.root
    place = source.root.place
    for depth, step in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(held, Block) and isinstance(step, str) and step in held:
            place = held.key_place(step) if key and last else held.value_place(step)
        elif isinstance(held, Listing) and isinstance(step, int) and step < len(held):
            place = held.places[step]
        else:
            return place
        held = held[step]
    return place


def spoken(path: Path) -> str:
    """`services.web.ready[0].tcp`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{clipped(step)}" if text else clipped(step)
    return text


def clipped(text: str, characters_max: int = SHOWN_MAX) -> str:
    """`text` on one line that cannot steer a terminal, at most so many characters of it."""
    cut = text if len(text) <= characters_max else text[: characters_max - 3] + "..."
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in cut)


def shown(value: Any) -> str:
    """A value as people would name it in a sentence: `the text yes`, `true`, `the number 30`, `a list`."""
    if value is None:
        return "nothing"
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {clipped(value)}" if value else "an empty text"
    if isinstance(value, int | float):
        return f"the number {clipped(str(value))}"
    return "a list" if isinstance(value, Sequence) else "a mapping"
