"""From files to one inventory, or to every problem in them at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any

from restart.errors import InventoryInvalid, Problem, must
from restart.inventory.checks import CheckReader, Subject
from restart.inventory.comparing import Comparing
from restart.inventory.files import playbook_folders, sources
from restart.inventory.hooks import hooks_of
from restart.inventory.hosts import HostTable
from restart.inventory.leaves import Report
from restart.inventory.limits import limits_of, policy_of
from restart.inventory.playbooks import PlaybookShelf
from restart.inventory.problems import PROBLEMS_MAX, EnoughProblems, Path, Problems, Source, clipped
from restart.inventory.rings import report_rings
from restart.inventory.schema import definitions
from restart.inventory.schema_power import NO_SHELF
from restart.inventory.services import ServiceTable
from restart.inventory.shape import compiled
from restart.inventory.values import expect_of, ssh_of
from restart.model.inventory import Expect, Host, Inventory, Ssh
from restart.model.world import Gate, Power
from restart.rules.comparing import KIND


def read(
    paths: Sequence[FilePath],
    gates: Mapping[str, Gate],
    *,
    powers: Mapping[str, Power] = NO_SHELF,
    cycles_are_problems: bool = False,
    edited: Mapping[FilePath, bytes] | None = None,
) -> Inventory:
    """The inventory in `paths` (files, and folders of files), resolved. `gates` are the kinds of checks by name, `powers` the methods
    by which power is switched, `edited` what some files would hold after a change that is not yet written.

    Raises `InventoryInvalid` with all problems. Services that require each other in a ring are a problem only where
    `cycles_are_problems` (for `validate`); the planner refuses them in its own words.
    """
    must(bool(paths), "an inventory is read from at least one path")
    return _read(paths, gates, powers, cycles_are_problems=cycles_are_problems, block=None, edited=edited)


def read_block(
    source: Source, file: FilePath, gates: Mapping[str, Gate], playbooks: Mapping[str, Source] | None = None
) -> Inventory:
    """The inventory that is a part of another document: `source` holds that part of `file`, `playbooks` those in it, by name.

    Raises as `read` does.
    """
    return _read([file], gates, NO_SHELF, cycles_are_problems=False, block=source, playbooks=playbooks)


def _read(
    paths: Sequence[FilePath],
    gates: Mapping[str, Gate],
    powers: Mapping[str, Power],
    *,
    cycles_are_problems: bool,
    block: Source | None,
    playbooks: Mapping[str, Source] | None = None,
    edited: Mapping[FilePath, bytes] | None = None,
) -> Inventory:
    problems = Problems()
    try:
        with _no_garbage_collection():
            inventory = _Reading(paths, gates, powers, problems, block, playbooks or {}, edited).inventory(
                cycles_are_problems=cycles_are_problems
            )
    except EnoughProblems:
        found = problems.in_order()
        last = found[-1]
        more = Problem(
            file=last.file,
            line=last.line,
            column=last.column,
            what=f"more than {PROBLEMS_MAX} problems; the rest is not shown",
        )
        raise InventoryInvalid((*found, more)) from None
    problems.raise_if_any()
    return inventory


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A large tree has no garbage in it, and looking for some takes two to four times as long as building it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_NEEDED = (
    ("version", "write version: 1"),
    ("fleet", "write fleet: and a name; one run at a time holds it"),
    ("hosts", "write hosts: and below it a name for each"),
)


class _Reading:
    """One reading of an inventory, step by step."""

    def __init__(
        self,
        paths: Sequence[FilePath],
        gates: Mapping[str, Gate],
        powers: Mapping[str, Power],
        problems: Problems,
        block: Source | None,
        playbooks: Mapping[str, Source],
        edited: Mapping[FilePath, bytes] | None = None,
    ) -> None:
        self._problems = problems
        self._own_playbooks = playbooks
        self._gates = gates
        self._definitions = definitions(gates, powers)
        self._folders = playbook_folders(paths)
        self._sources = sources(paths, problems, edited) if block is None else [block]
        self._all_read = not len(problems)
        self._given = {key for source in self._sources for key in source.root}
        self._hosts = HostTable(problems, powers)
        self._services = ServiceTable(problems, self._hosts.names)

    def inventory(self, *, cycles_are_problems: bool) -> Inventory:
        """The whole of it; what is wrong goes to the problems, and what is left is still looked at."""
        for source in self._sources:
            self._hosts.announce(source)
            self._services.announce(source)
        self._check_shapes()
        fleet = self._fleet()
        defaults, where = self._once("defaults")
        ssh = ssh_of(defaults.get("ssh") or {}, Ssh())
        for source in self._sources:
            self._hosts.read(source, ssh)
        gateway_at = (where["ssh"], ("defaults", "ssh", "gateway")) if "ssh" in where else None
        self._hosts.settle_gateways(ssh, gateway_at)
        checks = CheckReader(self._problems, self._gates, self._services.known)
        comparing = Comparing(self._problems, self._gates, defaults.get(KIND), where.get(KIND))
        for source in self._sources:
            self._services.read(source, checks, comparing)
        self._services.judge_needs()
        limits = limits_of(self._sources, self._services.members, self._problems)
        self._uses(limits)
        watch = tuple(
            check
            for source in self._sources
            for check in checks.read(source, ("watch",), source.root.get("watch"), Subject(kind="watch"))
        )
        playbook = defaults.get("playbook", "reboot")
        shelf = self._playbooks(playbook, where.get("playbook"), checks)
        if cycles_are_problems:
            report_rings(self._services.services, self._services.known, self._problems)
        return Inventory(
            fleet=fleet,
            hosts=self._hosts.hosts,
            services=self._services.services,
            limits=limits,
            watch=watch,
            hooks=hooks_of(self._sources, self._services, self._hosts.hosts, self._problems),
            policy=policy_of(*self._once("policy"), self._problems),
            playbooks=dict(sorted(shelf.playbooks.items())),
            ssh=ssh,
            playbook=playbook,
            expect=expect_of(defaults.get("expect")) or Expect(),
            same_as_before=comparing.of_no_service(),
        )

    def _check_shapes(self) -> None:
        checker = compiled({"$ref": "#/$defs/inventory", "$defs": self._definitions})
        for source in self._sources:
            checker(source.root, (), Report(self._problems, source))

    def _fleet(self) -> str:
        """The fleet's name; it and the version must be said once, and alike wherever they are said."""
        if not self._sources:
            return ""
        first = self._sources[0]
        for key, way_out in _NEEDED if self._all_read else ():
            if key not in self._given:
                self._problems.at(first, (), f"{key} missing", way_out)
        named = [(source, source.root["fleet"]) for source in self._sources if "fleet" in source.root]
        if not named:
            return ""
        for source, name in named[1:]:
            if name != named[0][1]:
                what = f"another fleet than {clipped(named[0][1])} in {named[0][0].file}"
                self._problems.at(source, ("fleet",), what, "one inventory is one fleet")
        if self._all_read and "hosts" in self._given and not self._hosts.known and not len(self._problems):
            self._problems.at(first, ("hosts",), "no hosts", "write a name for each", key=True)
        return str(named[0][1])

    def _once(self, section: str) -> tuple[dict[str, Any], dict[str, Source]]:
        """The keys of `defaults` or `policy` from all files, each of which may be in one only, and where each stands."""
        held: dict[str, Any] = {}
        where: dict[str, Source] = {}
        for source in self._sources:
            for key, value in (source.root.get(section) or {}).items():
                if key in held:
                    what = f"{key} is in {where[key].file} too"
                    self._problems.at(source, (section, key), what, "keep one", key=True)
                else:
                    held[key], where[key] = value, source
        return held, where

    def _uses(self, limits: Mapping[str, object]) -> None:
        """A host's `uses` names limits."""
        seen: set[tuple[int, str]] = set()
        for name, host in self._hosts.hosts.items():
            source, path = self._hosts.where[name]
            entry = (id(source), str(path[1]))
            if not host.uses or entry in seen:
                continue
            seen.add(entry)
            for limit in host.uses:
                if limit not in limits:
                    meant = self._problems.meant(limit, limits)
                    self._problems.at(
                        source, (*path, "uses", limit), f"{clipped(limit)} is not a limit", meant, key=True
                    )

    def _playbooks(self, default: str, default_at: Source | None, checks: CheckReader) -> PlaybookShelf:
        checker = compiled({"$ref": "#/$defs/playbook", "$defs": self._definitions})
        shelf = PlaybookShelf(self._folders, checker, self._problems, self._services.host_exists, self._own_playbooks)
        fallback: tuple[Source | None, Path] = (default_at, ("defaults", "playbook"))
        if default_at is None and self._sources:
            fallback = (self._sources[0], ())
        if fallback[0] is not None:
            shelf.want(default, fallback[0], fallback[1])
        for name, host in self._hosts.hosts.items():
            if host.playbook is not None:
                source, path = self._hosts.where[name]
                shelf.want(host.playbook, source, (*path, "playbook"))
        for name, service in self._services.services.items():
            source, path = self._services.known[name]
            if service.playbook is not None:
                shelf.want(service.playbook, source, (*path, "playbook"))
            if service.spares is not None:
                shelf.want(service.spares.playbook, source, (*path, "spares", "playbook"))
        shelf.judge(self._users(default), self._promoted(), checks.label_everywhere)
        return shelf

    def _promoted(self) -> dict[str, list[Host]]:
        """The spares that each playbook promotes."""
        promoted: dict[str, list[Host]] = {}
        for service in self._services.services.values():
            if service.spares is not None:
                hosts = [self._hosts.hosts[name] for name in service.spares.hosts if name in self._hosts.hosts]
                promoted.setdefault(service.spares.playbook, []).extend(hosts)
        return promoted

    def _users(self, default: str) -> dict[str, list[Host]]:
        """The hosts that each playbook restarts. A host whose services name different ones must say which."""
        of_services: dict[str, dict[str, str]] = {}
        for service in self._services.services.values():
            for member in service.hosts if service.playbook else ():
                of_services.setdefault(member, {})[service.name] = service.playbook or ""
        users: dict[str, list[Host]] = {}
        for name, host in self._hosts.hosts.items():
            named = of_services.get(name, {})
            if host.playbook is None and len(set(named.values())) > 1:
                source, path = self._hosts.where[name]
                said = " and ".join(f"{service} says {playbook}" for service, playbook in named.items())
                self._problems.at(source, path, f"which playbook? {said}", "name one on the host")
            users.setdefault(host.playbook or next(iter(named.values()), default), []).append(host)
        return users
