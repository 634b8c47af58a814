"""Services: members, dependencies, budgets and checks, with all that must exist and can be met."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from restart.inventory.checks import CheckReader, Subject
from restart.inventory.comparing import Comparing
from restart.inventory.hosts import UNREAD
from restart.inventory.problems import Path, Problems, Source, clipped
from restart.inventory.soaks import soak_of, soaked
from restart.inventory.tree import Block
from restart.inventory.values import amount_of, expect_of, seconds_of, seconds_or, texts
from restart.model.check import SSH_CHECK
from restart.model.inventory import Amount, Break, Dependency, Role, Seed, Service, Spares
from restart.rules.budgets import needed
from restart.rules.names import Names, terms

SELECTED_MAX = 2_000_000
"""Hosts that all selections of an inventory together may name: more is a mistake or an attack."""
_COPIED = ("co_start", "playbook", "pace", "canaries", "carries_load", "path")


class ServiceTable:
    """The services of all files, and where each stands. `known` also holds those whose entry is wrong."""

    def __init__(self, problems: Problems, hosts: Callable[[], Names]) -> None:
        self._problems = problems
        self._hosts = hosts
        self._names: Names | None = None
        self._selected = 0
        self.services: dict[str, Service] = {}
        self.known: dict[str, tuple[Source, Path]] = {}

    def announce(self, source: Source) -> None:
        """Take down the names in `source` before anything in it is judged."""
        entries = source.root.get("services")
        for name in entries if isinstance(entries, Block) else ():
            if name in self.known:
                other, _ = self.known[name]
                what = f"service {clipped(name)} is also in {other.file}"
                self._problems.at(source, ("services", name), what, "keep one", key=True)
            else:
                self.known[name] = (source, ("services", name))

    def read(self, source: Source, checks: CheckReader, comparing: Comparing) -> None:
        """Build the services of `source`, whose shape has been checked."""
        for name, entry in (source.root.get("services") or {}).items():
            if self.known.get(name, (None,))[0] is source:
                self.services[name] = self._service(source, name, entry, checks, comparing)

    def members(self, source: Source, path: Path, written: str | list[str] | None) -> tuple[str, ...]:
        """The hosts that a selection in the inventory names; what matches nothing is a problem."""
        if self._names is None:
            self._names = self._hosts()
        names = self._names
        if not names.hosts:  # which is a problem of its own, and told
            return ()
        chosen, excluded = set[str](), set[str]()
        only_exclusions = True
        for index, text in enumerate(texts(written)):
            place = path if isinstance(written, str) else (*path, index)
            for term in terms(text):
                wanted = term.removeprefix("!")
                only_exclusions = only_exclusions and term != wanted
                if self._selected > SELECTED_MAX:
                    self._problems.at(source, path, f"selections name more than {SELECTED_MAX} hosts in all")
                    return ()
                try:
                    (chosen if term == wanted else excluded).update(names.matching(wanted, {}))
                except ValueError as error:
                    meant = self._problems.meant(wanted.rstrip("*?"), names.hosts)
                    self._problems.at(source, place, str(error).replace("'", ""), meant)
                self._selected += len(chosen) + len(excluded)
        if only_exclusions and excluded:
            chosen = set(names.hosts)
        if chosen and not chosen - excluded:
            self._problems.at(source, path, "leaves no host")
        return names.in_order(chosen - excluded)

    def _service(self, source: Source, name: str, entry: Block, checks: CheckReader, comparing: Comparing) -> Service:
        path: Path = ("services", name)
        told = len(self._problems)
        hosts = self.members(source, (*path, "hosts"), entry.get("hosts"))
        # With a member amiss nothing can be said of budgets: one mistake is told once.
        members = len(hosts) if len(self._problems) == told and "" not in texts(entry.get("hosts")) else 0
        known = self._names.hosts if self._names else {}
        ready = Subject(
            kind="ready", service=name, members=[known[host] for host in hosts if known[host] is not UNREAD]
        )
        admission = entry.get("admission")
        fields: dict[str, Any] = {key: entry[key] for key in _COPIED if key in entry}
        if isinstance(admission, Block):
            fields["admission_held_until"] = admission.get("held_until", "gate")
            admission = admission.get("max_in_flight")
        soak = soak_of(entry.get("soak"))
        gate = checks.read(source, (*path, "gate"), entry.get("gate"), Subject(kind="gate", service=name))
        if soak is not None and all(check.kind == "approve" for check in gate):
            what = "nothing would hold for that long: there is no gate"
            self._problems.at(source, (*path, "soak"), what, "write a gate whose checks must hold", key=True)
        held = checks.read(source, (*path, "ready"), entry.get("ready"), ready) or (SSH_CHECK,)
        return Service(
            name=name,
            hosts=hosts,
            depends_on=self._dependencies(source, (*path, "depends_on"), name, entry.get("depends_on") or {}),
            min_available=self._amount(source, path, entry, "min_available", members),
            max_unavailable=amount_of(entry.get("max_unavailable")),
            ready=held,
            same_as_before=comparing.of_service(source, (*path, "ready"), entry.get("ready") or (), held),
            gate=soaked(gate, soak),
            soak=soak,
            ready_when=self._amount(source, path, entry, "ready_when", members),
            settle_s=seconds_or(entry, "settle", 0.0),
            gate_fresh_s=seconds_of(entry, "gate_fresh"),
            canary_for_s=seconds_of(entry, "canary_for"),
            admission=admission,
            expect=expect_of(entry.get("expect")),
            role=self._role(source, (*path, "role"), entry.get("role")),
            seed=_seed(entry.get("seed")),
            spares=self._spares(source, (*path, "spares"), entry.get("spares"), name, hosts),
            **fields,
        )

    def _amount(self, source: Source, path: Path, entry: Block, key: str, members: int) -> Amount | None:
        amount = amount_of(entry.get(key))
        if amount is not None and members and needed(amount, members) > members:
            what = f"{amount} of {members} can never be met"
            self._problems.at(source, (*path, key), what, f"at most {members}, or a percentage")
        return amount

    def _dependencies(
        self, source: Source, path: Path, name: str, entries: Mapping[str, Any]
    ) -> tuple[Dependency, ...]:
        found = []
        for provider, written in entries.items():
            edge: Mapping[str, Any] = written or {}
            if provider not in self.known:
                meant = self._problems.meant(provider, self.known)
                what = f"{clipped(provider)} is not a service"
                self._problems.at(source, (*path, provider), what, meant, key=True)
                continue
            if provider == name:
                what = f"{name} cannot depend on itself"
                self._problems.at(source, (*path, provider), what, "take it out", key=True)
                continue
            kind = edge.get("kind", "requires")
            if kind == "after" and "needs" in edge:
                what = "after takes no needs: it is order only"
                self._problems.at(
                    source, (*path, provider, "needs"), what, "write kind: requires, or take needs out", key=True
                )
            found.append(
                Dependency(
                    provider=provider,
                    kind=kind,
                    needs=edge.get("needs"),
                    at=edge.get("at", "both"),
                    restart=edge.get("restart", False),
                    stand_in=self._stand_in(source, (*path, provider, "break"), edge.get("break")),
                )
            )
        return tuple(found)

    def _stand_in(self, source: Source, path: Path, entry: Mapping[str, Any] | None) -> Break | None:
        if entry is None:
            return None
        on = entry.get("on")
        if on is not None:
            self.host_exists(source, (*path, "on"), on)
        return Break(with_run=entry["with"], undo=entry["undo"], on=on, why=entry.get("why", ""))

    def host_exists(self, source: Source, path: Path, host: str) -> bool:
        """Whether `host` is in the inventory; a problem where it is not."""
        if self._names is None:
            self._names = self._hosts()
        if host in self._names.hosts:
            return True
        meant = self._problems.meant(host, self._names.hosts)
        self._problems.at(source, path, f"{clipped(host)} is not in the inventory", meant)
        return False

    def _role(self, source: Source, path: Path, entry: Mapping[str, Any] | None) -> Role | None:
        if entry is None:
            return None
        try:
            re.compile(entry["leader"])
        except (re.error, OverflowError, RecursionError) as error:
            self._problems.at(source, (*path, "leader"), f"not a regular expression: {error}")
        return Role(run=entry["run"], leader=entry["leader"])

    def _spares(
        self, source: Source, path: Path, entry: Mapping[str, Any] | None, name: str, hosts: tuple[str, ...]
    ) -> Spares | None:
        if entry is None:
            return None
        spares = self.members(source, (*path, "hosts"), entry["hosts"])
        if carried := [host for host in spares if host in set(hosts)]:
            what = f"{', '.join(map(clipped, carried[:3]))} is a member of {name}, which it is to take a place in"
            self._problems.at(source, (*path, "hosts"), what, "a spare is another host: leave it out here, or in hosts")
        return Spares(hosts=spares, playbook=entry["playbook"])

    def judge_needs(self) -> None:
        """`needs` above the provider's members can never be met. Asked once every service is known."""
        for name, service in self.services.items():
            source, path = self.known[name]
            for edge in service.depends_on:
                provider = self.services.get(edge.provider)
                members = len(provider.hosts) if provider else 0
                if edge.needs is not None and members and edge.needs > members:
                    what = f"{edge.needs} of {members} members of {edge.provider} can never be ready"
                    self._problems.at(source, (*path, "depends_on", edge.provider, "needs"), what, f"at most {members}")


def _seed(entry: Mapping[str, Any] | None) -> Seed | None:
    return None if entry is None else Seed(run=entry["run"], pick=entry.get("pick", "max"), start=entry.get("start"))
