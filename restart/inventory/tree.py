"""A tree of plain values that knows where everything stands: what a YAML file holds, before anybody asks what it means."""

from __future__ import annotations

from typing import Any

Place = int
"""Line and column, counted from 0, in one number: half the memory of a pair."""


def place(line: int, column: int) -> Place:
    """The place at `line` and `column`, both counted from 0."""
    return line << 32 | column


def line_of(where: Place) -> int:
    """The line, counted from 1."""
    return (where >> 32) + 1


def column_of(where: Place) -> int:
    """The column, counted from 1."""
    return (where & 0xFFFFFFFF) + 1


class Block(dict[str, Any]):
    """A mapping with the places of its keys and values. `written` holds the source text of values that are not text.

    `numeric_keys` are keys that YAML reads as something else than text; `cut` is set once a wrong key was taken out.
    """

    __slots__ = ("cut", "numeric_keys", "place", "places", "written")

    def __init__(self, where: Place) -> None:
        super().__init__()
        self.place = where
        self.places: list[Place] = []
        self.written: dict[str, str] | None = None
        self.numeric_keys: set[str] | None = None
        self.cut = False

    def key_place(self, key: str) -> Place:
        """Where the key stands."""
        return self.places[2 * list(self).index(key)]

    def value_place(self, key: str) -> Place:
        """Where the value under the key stands."""
        return self.places[2 * list(self).index(key) + 1]

    def drop(self, key: str) -> None:
        """Take a key out, with its places."""
        self.cut = True
        at = 2 * list(self).index(key)
        del self[key], self.places[at : at + 2]


class Listing(list[Any]):
    """A list with the places of its items."""

    __slots__ = ("place", "places")

    def __init__(self, where: Place) -> None:
        super().__init__()
        self.place = where
        self.places: list[Place] = []

    def drop(self, index: int) -> None:
        """Put None in an item's place: the others keep their index, by which problems name them."""
        self[index] = None


class Unreadable(Exception):
    """The file cannot be read on from `where`."""

    def __init__(self, where: Place, what: str, way_out: str = "") -> None:
        super().__init__(what)
        self.where = where
        self.what = what
        self.way_out = way_out
