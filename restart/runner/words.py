"""Operators' words to a run that another process leads: `pause`, `go`, `stop`, `approve`, `done`, `retry`, `skip`.

They travel through a table that the run reads each second. A word counts as taken once it is in the journal, in the
same transaction; one that was read by a process which died before is read again by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from restart.errors import UsageMistake
from restart.model.event import Word
from restart.runner import runs
from restart.runner.store import Store, utc_now


def say(store: Store, run: str, word: str, *, by: str, reason: str = "", target: str | None = None) -> int:
    """Leave a word for the run; its number. A run that nobody leads hears it when it is resumed.

    Raises `UsageMistake` where there is no such run, or where it is done.
    """
    found = runs.find(store, run)
    if found.state == "done":
        raise UsageMistake(
            f"run {found.id} is done: it hears no more words", remedy="`restart report` tells how it went"
        )
    with store.writing() as execute:
        added = execute(
            "INSERT INTO word (run, at, word, by, reason, target) VALUES (?, ?, ?, ?, ?, ?)",
            (found.id, utc_now(), word, by, reason, target),
        )
        return int(added.lastrowid)


def fate(store: Store, number: int) -> Literal["heard", "missed"] | None:
    """What became of the word of this number: the run has `heard` it, or ended first and will never hear it (`missed`); None: it waits still."""
    found = store.read("SELECT taken FROM word WHERE id = ?", (number,))
    if not found or found[0][0] is None:
        return None
    return "heard" if found[0][0] else "missed"


class Words:
    """What was said to `run` since the last call, each word once in this process, oldest first. Their `at_s` is 0: the world knows the time."""

    def __init__(self, store: Store, run: str) -> None:
        self._store = store
        self._run = run
        self._heard = 0

    def __call__(self) -> tuple[Word, ...]:
        found = self._store.read(
            "SELECT id, word, by, reason, target FROM word WHERE run = ? AND taken IS NULL AND id > ? ORDER BY id",
            (self._run, self._heard),
        )
        if found:
            self._heard = found[-1][0]
        return tuple(
            Word(at_s=0.0, word=word, by=by, reason=reason, target=target) for _, word, by, reason, target in found
        )


def heard_from(*sources: Callable[[], Sequence[Word]]) -> Callable[[], Sequence[Word]]:
    """What any of them has heard since the last call, in their order."""
    return lambda: tuple(word for source in sources for word in source())
