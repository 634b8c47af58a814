"""Playbooks: found beside the inventory, read, and held against the hosts that use them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from restart.inventory.files import SUFFIXES, source_of
from restart.inventory.leaves import Checker, Report
from restart.inventory.problems import Path, Problems, Source, clipped
from restart.inventory.schema import NAME
from restart.inventory.values import seconds_or
from restart.model.inventory import Host
from restart.model.playbook import Playbook, Rung, Step
from restart.rules.durations import spoken
from restart.rules.fill import placeholders

BUILT_IN = Playbook(name="reboot", restart=(Rung(kind="reboot"),))
"""The playbook named `reboot`, where no file defines it."""
_STEP, _RUNG = Step(), Rung(kind="")  # for their default times
_LADDERS = ("restart", "start", "stop")

HostExists = Callable[[Source, Path, str], bool]
LabelEverywhere = Callable[[Source, Path, str, Sequence[Host]], bool]


class PlaybookShelf:
    """The playbooks that an inventory names; those that nothing names are not read."""

    def __init__(
        self,
        folders: Iterable[FilePath],
        checker: Checker,
        problems: Problems,
        host_exists: HostExists,
        given: Mapping[str, Source],
    ) -> None:
        """`given` stand in the document itself, by name, and go before those in `folders`."""
        self._folders = list(folders)
        self._checker = checker
        self._problems = problems
        self._host_exists = host_exists
        self._given = given
        self._sources: dict[str, Source] = {}
        self._bare: dict[str, Source] = {}  # those without a ladder
        self._missing: set[str] = set()
        self.playbooks: dict[str, Playbook] = {}

    def want(self, name: str, source: Source, path: Path) -> None:
        """Read the playbook `name`, which stands at `path`; a problem there where there is none."""
        if name in self.playbooks:
            return
        file = self._file(name) if name not in self._missing and re.search(NAME, name) else None
        if name in self._given:
            self.playbooks[name] = self._read(name, self._given[name], self._given[name].file)
        elif file is not None:
            self.playbooks[name] = self._read(name, source_of(file, self._problems), file.name)
        elif name == BUILT_IN.name:
            self.playbooks[name] = BUILT_IN
        else:
            self._missing.add(name)
            known = sorted({BUILT_IN.name, *self._given, *self._names()})
            where = f"write {clipped(name)}.yml into {self._folders[0]}/ or {self._folders[-1]}/"
            if not re.search(NAME, name):
                where = "a playbook is named, without folder and ending"
            meant = self._problems.meant(name, known) or where
            self._problems.at(source, path, f"there is no playbook {clipped(name)}", meant)

    def judge(
        self,
        users: Mapping[str, Sequence[Host]],
        promoted: Mapping[str, Sequence[Host]],
        label_everywhere: LabelEverywhere,
    ) -> None:
        """Whether each playbook can be carried out on every host that it restarts (`users`) and every spare that it promotes."""
        for name, source in self._bare.items():
            if users.get(name) or name not in promoted or not source.root.get("drain"):
                self._problems.at(source, (), "no ladder: it does nothing", "write restart:, start: or stop:")
        for name, source in self._sources.items():
            hosts = [*users.get(name, ()), *promoted.get(name, ())]
            for path, text in _texts(source.root):
                for placeholder in sorted(set(placeholders(text))):
                    if placeholder == "member":
                        self._member(source, path, users.get(name, ()), promotes=name in promoted)
                    elif path[-1] in ("run", "undo"):
                        label_everywhere(source, path, placeholder, hosts)

    def _member(self, source: Source, path: Path, users: Sequence[Host], *, promotes: bool) -> None:
        """`{member}` is the lost one whose place a spare takes: nobody else has it."""
        if promotes and not users:
            return
        who = f"{clipped(users[0].name)}, which this playbook restarts" if users else "a host that is no spare"
        way_out = "a playbook that only spares: names may use it"
        self._problems.at(source, path, f"{{member}} has no value on {who}", way_out)

    def _file(self, name: str) -> FilePath | None:
        for folder in self._folders:
            for suffix in SUFFIXES:
                file = folder / f"{name}{suffix}"
                if file.is_file():
                    return file
        return None

    def _names(self) -> list[str]:
        return [
            file.stem
            for folder in self._folders
            if folder.is_dir()
            for file in sorted(folder.iterdir())
            if file.suffix in SUFFIXES
        ]

    def _read(self, name: str, source: Source | None, file: str) -> Playbook:
        if source is None or not self._checker(source.root, (), Report(self._problems, source)):
            return Playbook(name=name)
        self._sources[name] = source
        root = source.root
        if root.get("name", name) != name:
            what = f"the playbook {clipped(root['name'])} is in the file {file}"
            self._problems.at(source, ("name",), what, f"write name: {name}, or rename the file")
        if not any(root.get(ladder) for ladder in _LADDERS):
            self._bare[name] = source
        for ladder in ("restart", "start"):
            self._brings_up(source, ladder, root.get(ladder) or ())
        return Playbook(
            name=name,
            drain=tuple(
                self._step(source, ("drain", index), held)
                for index, held in enumerate(root.get("drain", ()))
                if held is not None
            ),
            **{ladder: tuple(_rung(rung) for rung in root.get(ladder, ()) if rung is not None) for ladder in _LADDERS},
        )

    def _brings_up(self, source: Source, ladder: str, rungs: Sequence[Mapping[str, Any] | None]) -> None:
        """A ladder that is to end with the host up has no rung that ends with it off."""
        for index, held in enumerate(rungs):
            kind, value = next(iter((held or {"": None}).items()))
            path: Path = (ladder, index, kind)
            if kind == "power" and value["reset"] == "off":
                self._problems.at(
                    source, (*path, "reset"), f"off in the ladder {ladder} brings no host back", "cycle, or on"
                )
            elif kind == "reboot":
                self._times(source, path, value or {})
            elif kind == "poweroff":
                self._problems.at(
                    source, path, f"poweroff in the ladder {ladder} brings no host back", "reboot", key=True
                )

    def _times(self, source: Source, path: Path, held: Mapping[str, Any]) -> None:
        """A host that is back must have gone down before."""
        down_s = seconds_or(held, "down_within", _RUNG.down_within_s)
        back_s = seconds_or(held, "back_within", _RUNG.back_within_s)
        if back_s < down_s:
            key, other = ("back_within", "down_within") if "back_within" in held else ("down_within", "back_within")
            what = f"back_within {spoken(back_s)} is shorter than down_within {spoken(down_s)}"
            self._problems.at(
                source, (*path, key), what, f"the first counts the second in: change it, or state {other}"
            )

    def _step(self, source: Source, path: Path, held: Mapping[str, Any]) -> Step:
        if ("run" in held) == ("approve" in held):
            what = "run and approve in one step" if "run" in held else "neither run nor approve"
            self._problems.at(source, path, what, "a step is one command, or one person to wait for")
        if "approve" in held:
            for key in ("undo", "on"):
                if key in held:
                    self._problems.at(
                        source, (*path, key), f"{key} means nothing beside approve", "take it out", key=True
                    )
        if "on" in held:
            self._host_exists(source, (*path, "on"), held["on"])
        for key in ("run", "undo"):
            if "${host}" in held.get(key, ""):
                what = "${host} would become $ and the host's name"
                self._problems.at(source, (*path, key), what, "write {host}; it is filled before any shell sees it")
        return Step(
            run=held.get("run", ""),
            on=held.get("on"),
            undo=held.get("undo"),
            timeout_s=seconds_or(held, "timeout", _STEP.timeout_s),
            approve=held.get("approve"),
        )


def _texts(root: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The texts of a playbook in which placeholders are filled, each with its place; entries that were wrong are None."""
    for index, step in enumerate(root.get("drain") or ()):
        for key in ("run", "undo", "approve"):
            if step is not None and key in step:
                yield ("drain", index, key), step[key]
    for ladder in _LADDERS:
        for index, rung in enumerate(root.get(ladder) or ()):
            if rung is not None and "approve" in rung:
                yield (ladder, index, "approve"), rung["approve"]


def _rung(held: Mapping[str, Any]) -> Rung:
    kind, value = next(iter(held.items()))
    if kind == "approve":
        return Rung(kind=kind, text=value)
    own: Mapping[str, Any] = value or {}
    return Rung(
        kind=kind,
        units=tuple(own.get("units", ())),
        ready_within_s=seconds_or(own, "ready_within", _RUNG.ready_within_s),
        down_within_s=seconds_or(own, "down_within", _RUNG.down_within_s),
        back_within_s=seconds_or(own, "back_within", _RUNG.back_within_s),
        reset=own.get("reset"),
        blind=own.get("blind", False),
    )
