"""One section of the sweep: what is sent to the host, and how what comes back is read. `sweep.py` tells the protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from restart.errors import must

T_co = TypeVar("T_co", covariant=True)

LINE_CHARACTERS_MAX = 510
"""What the host sends of one line; bytes, in fact, for it counts in the C locale."""

_NAME = re.compile(r"[a-z][a-z_]{0,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What a host said in one section, without the frames. `complete` is False where the host cut it at its bound."""

    text: tuple[str, ...] = ()
    complete: bool = True

    def named(self) -> Iterator[tuple[str, str]]:
        """Each line as its first word and the rest, which may be empty; blank lines are left out."""
        for line in self.text:
            word, _, rest = line.strip().partition(" ")
            if word:
                yield word, rest.strip()

    def values(self, name: str) -> tuple[str, ...]:
        """The rest of every line whose first word is `name`, the empty ones left out."""
        return tuple(rest for word, rest in self.named() if word == name and rest)

    def value(self, name: str) -> str | None:
        """The one value of `name`; None where there is none, or two that differ."""
        found = set(self.values(name))
        return found.pop() if len(found) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(Generic[T_co]):
    """`text` is the body of a POSIX shell function that prints at most `lines_max` lines; `read` makes of them what they mean.

    `read` never raises, whatever the lines are: a host may be broken, or hostile.
    """

    name: str
    text: str
    read: Callable[[Lines], T_co]
    lines_max: int = 200

    def __post_init__(self) -> None:
        """Refuses a name that is no name of a shell function."""
        must(_NAME.fullmatch(self.name) is not None, f"{self.name!r} is no section's name")
        must(1 <= self.lines_max <= 20_000, f"{self.name}: {self.lines_max} lines")
