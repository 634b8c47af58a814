"""Which files make up an inventory, and where its playbooks lie."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from restart.inventory.compose import read_tree
from restart.inventory.events import BYTES_MAX
from restart.inventory.problems import Problems, Source
from restart.inventory.tree import Unreadable

SUFFIXES = (".yml", ".yaml")


def sources(paths: Sequence[Path], problems: Problems, edited: Mapping[Path, bytes] | None = None) -> list[Source]:
    """Every file of `paths`, folders opened one level deep in the order of their names, as trees; each file once.

    `edited` is what some of them would hold after a change that is not yet written.
    """
    found: list[Source] = []
    for file in files(paths, problems):
        source = source_of(file, problems, (edited or {}).get(file))
        if source is not None:
            found.append(source)
    return found


def files(paths: Sequence[Path], problems: Problems) -> list[Path]:
    """The files of `paths`, in the order in which they are read; each once."""
    return list(dict.fromkeys(file for path in paths for file in _files(path, problems)))


def source_of(file: Path, problems: Problems, edited: bytes | None = None) -> Source | None:
    """One file as a tree, or what it would be with `edited` in it; None where it cannot be read, which is a problem by then."""
    name = str(file)
    try:
        if edited is None:
            with open(file, "rb") as stream:
                data = stream.read(BYTES_MAX + 1)
        else:
            data = edited
    except OSError as error:
        problems.add(name, 0, f"cannot be read: {error.strerror or error}")
        return None
    try:
        tree = read_tree(data, lambda place, what, way_out: problems.add(name, place, what, way_out))
    except Unreadable as unreadable:
        problems.add(name, unreadable.where, unreadable.what, unreadable.way_out)
        return None
    return Source(name, tree)


def playbook_folders(paths: Iterable[Path]) -> list[Path]:
    """Where playbooks are looked for, in order: `playbooks/` inside each folder, beside each file or folder, one level up."""
    inside = [path for path in paths if path.is_dir()]
    beside = [path.parent for path in paths]
    # The parent by its own name, not through "..", so that problems name a path that people would write.
    up = [Path(os.path.normpath(home / "..")) for home in (*inside, *beside)]
    return list(dict.fromkeys(home / "playbooks" for home in (*inside, *beside, *up)))


def _files(path: Path, problems: Problems) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        held = sorted(
            entry
            for entry in path.iterdir()
            if entry.suffix in SUFFIXES and not entry.name.startswith(".") and not entry.is_dir()
        )
    except OSError as error:
        problems.add(str(path), 0, f"cannot be read: {error.strerror or error}")
        return []
    if not held:
        problems.add(str(path), 0, "the folder holds no .yml or .yaml file", "restart init writes one")
    return held
