"""Check entries: the kind, its own keys read by the gate on the shelf, and the keys that every check takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from restart.inventory.problems import Path, Problems, Source, clipped
from restart.inventory.schema_check import COMMON
from restart.inventory.tree import Block, Listing
from restart.inventory.values import plain, seconds_or
from restart.model.check import Check
from restart.model.inventory import Host
from restart.model.world import Gate
from restart.rules.comparing import KIND
from restart.rules.durations import spoken
from restart.rules.fill import placeholders

_SHARED = frozenset(COMMON)
_NAMED_MAX = 3
_NOBODY_ASKED = "a gate asks the group and a watch the fleet: there is no host to fill in"
_BUILT_IN = Check(kind="")  # for its default times


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who is asked: `ready` (each of `members`), `gate` (the group of `service`) or `watch` (the fleet)."""

    kind: str
    service: str | None = None
    members: Sequence[Host] = ()


class CheckReader:
    """Reads check entries. `services` are the names that a check's `service:` may take."""

    def __init__(self, problems: Problems, gates: Mapping[str, Gate], services: Mapping[str, object]) -> None:
        self._problems = problems
        self._gates = gates
        self._services = services

    def read(self, source: Source, path: Path, entries: Listing | None, subject: Subject) -> tuple[Check, ...]:
        """The checks of one list."""
        found = []
        for index, entry in enumerate(entries or ()):
            if entry is None:  # taken out, being wrong
                continue
            check = self._entry(source, (*path, index), entry, subject)
            if check is not None:
                found.append(check)
        return tuple(found)

    def _entry(self, source: Source, path: Path, entry: Block, subject: Subject) -> Check | None:
        kinds = [key for key in entry if key not in _SHARED]
        if len(kinds) != 1:
            what = f"{' and '.join(kinds)} in one check" if kinds else "no kind of check"
            way_out = "one item of the list for each" if kinds else f"known: {', '.join(sorted(self._gates))}"
            self._problems.at(source, path, what, way_out)
            return None
        kind = kinds[0]
        if kind == KIND and subject.kind == "ready":
            return None  # of the host and not of the service: read by `restart.inventory.comparing`
        own, common = self._parted(source, path, entry, kind)
        check = self._check(source, path, kind, own, common)
        if check is not None:
            self._judge(source, (*path, kind), check, subject)
        return check

    def _parted(self, source: Source, path: Path, entry: Block, kind: str) -> tuple[Any, dict[str, Any]]:
        """The kind's own value, and the common keys from beside it or from inside of it."""
        common = {key: entry[key] for key in entry if key in _SHARED}
        value = entry[kind]
        if not isinstance(value, Block):
            return ({} if value is None else plain(value)), common
        own = {}
        claimed = self._claimed(kind)
        for key, held in value.items():
            if key not in _SHARED or key in claimed:
                own[key] = plain(held)
            elif key in common:
                what = f"{key} is stated twice, beside {kind} and inside of it"
                self._problems.at(source, (*path, kind, key), what, "keep one", key=True)
            else:
                common[key] = held
        return own, common

    def _claimed(self, kind: str) -> frozenset[str]:
        """Common keys that the gate's own schema takes for itself."""
        gate = self._gates.get(kind)
        return frozenset(gate.schema.get("properties", {})) & _SHARED if gate else frozenset()

    def _check(self, source: Source, path: Path, kind: str, own: Any, common: dict[str, Any]) -> Check | None:
        gate = self._gates.get(kind)
        try:
            params = gate.params(own) if gate else own if isinstance(own, dict) else {"value": own}
        except ValueError as error:
            self._problems.at(source, (*path, kind), str(error).removeprefix(f"{kind}: "))
            return None
        check = Check(
            kind=kind,
            params=params,
            timeout_s=seconds_or(common, "timeout", _BUILT_IN.timeout_s),
            every_s=seconds_or(common, "every", _BUILT_IN.every_s),
            healthy_for_s=seconds_or(common, "healthy_for", _BUILT_IN.healthy_for_s),
            within_s=seconds_or(common, "within", _BUILT_IN.within_s),
            service=common.get("service"),
        )
        if check.service is not None and check.service not in self._services:
            meant = self._problems.meant(check.service, self._services)
            self._problems.at(source, (*path, kind), f"service: {clipped(check.service)} is not a service", meant)
        if check.healthy_for_s > check.within_s:
            what = f"healthy_for {spoken(check.healthy_for_s)} never fits into within {spoken(check.within_s)}"
            self._problems.at(source, (*path, kind), what, "raise within")
        return check

    def _judge(self, source: Source, path: Path, check: Check, subject: Subject) -> None:
        """Whether the question can be asked of that subject: the gate itself says so."""
        if check.kind == "approve" and subject.kind != "gate":
            what = f"a person cannot be waited for in {subject.kind}"
            self._problems.at(source, path, what, "approve belongs into a gate or a playbook")
            return
        if subject.kind == "ready" and "not_below" in check.params:
            what = "not_below compares a service with what it was before the run, not one member"
            self._problems.at(source, path, what, "move it to the service's gate")
            return
        host: Host | None = None
        if subject.kind == "ready":
            if not subject.members:
                return
            host = subject.members[0]
            for label in sorted({name for text in _texts(check.params) for name in placeholders(text)}):
                if not self.label_everywhere(source, path, label, subject.members):
                    return
        try:
            self._gates[check.kind].ask(check, host, subject.service)
        except ValueError as error:
            what = str(error).removeprefix(f"{check.kind}: ")
            way_out = "" if subject.kind == "ready" or "has no value" not in what else _NOBODY_ASKED
            self._problems.at(source, path, what, way_out)

    def label_everywhere(self, source: Source, path: Path, placeholder: str, members: Sequence[Host]) -> bool:
        """Whether `{label.NAME}` can be filled on each of `members`; a problem where it cannot. True for other placeholders."""
        if not placeholder.startswith("label."):
            return True
        label = placeholder.removeprefix("label.")
        without = [host.name for host in members if label not in host.labels]
        if without:
            some = ", ".join(without[:_NAMED_MAX])
            more = f" and {len(without) - _NAMED_MAX} more" if len(without) > _NAMED_MAX else ""
            known = {name for host in members for name in host.labels}
            meant = "" if label in known else self._problems.meant(label, sorted(known))
            meant = meant or f"give each the label {label}"
            self._problems.at(source, path, f"{{{placeholder}}} has no value on {some}{more}", meant)
        return not without


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for held in value.values():
            yield from _texts(held)
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _texts(held)
