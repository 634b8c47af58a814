"""Host entries to hosts: ranges unfolded in step, defaults applied, gateways proved not to go through themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from restart.inventory.problems import Path, Problems, Source, clipped
from restart.inventory.tree import Block, line_of
from restart.inventory.values import expect_of, plain, ssh_of, written
from restart.model.inventory import Host, Ssh
from restart.model.playbook import PowerControl
from restart.model.world import Power
from restart.rules.names import EXPANSION_MAX, Names, expand, span

HOSTS_MAX = EXPANSION_MAX
UNFOLDED_MAX = 1_000_000
"""Texts that all ranges together may stand for."""
UNREAD = Host(name="", address="")
"""Stands for a host whose entry could not be read: there is such a host, and no more is known of it."""
LIKE_A_HOST = 0.75
"""How alike a gateway's name must be to a host's to be taken for a slip of the pen."""


class HostTable:
    """The hosts of all files, and where each stands. `known` also holds those whose entry is wrong, so that one mistake is told once."""

    def __init__(self, problems: Problems, powers: Mapping[str, Power]) -> None:
        self._problems = problems
        self._powers = powers
        self._unfolded = 0
        self._ssh_own: dict[str, Mapping[str, Any]] = {}
        self._written: dict[tuple[int, str], tuple[str, ...]] = {}
        self.hosts: dict[str, Host] = {}
        self.known: dict[str, Host] = {}
        self.where: dict[str, tuple[Source, Path]] = {}

    def names(self) -> Names:
        """All known hosts, ready for selections."""
        return Names(self.known)

    def announce(self, source: Source) -> None:
        """Take down the names in `source` before anything in it is judged. Ranges that make no sense are problems here."""
        entries = source.root.get("hosts")
        if not isinstance(entries, Block):
            return
        for key in entries:
            try:
                names = expand(key)
            except ValueError as error:
                self._problems.at(source, ("hosts", key), str(error), key=True)
                continue
            if len(self.known) + len(names) > HOSTS_MAX:
                self._problems.at(source, ("hosts", key), f"more than {HOSTS_MAX} hosts", key=True)
                return
            self._take(source, key, names)

    def _take(self, source: Source, key: str, names: tuple[str, ...]) -> None:
        place = (source, ("hosts", key))
        for name in names:
            if name in self.where:
                other, path = self.where[name]
                line = line_of(cast(Block, other.root["hosts"]).key_place(str(path[1])))
                what = f"host {clipped(name)} is in two entries, the other is {clipped(str(path[1]))} in {other.file}:{line}"
                self._problems.at(source, place[1], what, "take one of them out", key=True)
                return
        for name in names:
            self.where[name] = place
            self.known[name] = UNREAD
        self._written[(id(source), key)] = names

    def read(self, source: Source, defaults: Ssh) -> None:
        """Build the hosts of `source`, whose shape has been checked."""
        for key, entry in (source.root.get("hosts") or {}).items():
            names = self._written.get((id(source), key))
            if names is not None:
                self._entry(source, key, names, entry or Block(0), defaults)

    def _entry(self, source: Source, key: str, names: tuple[str, ...], entry: Block, defaults: Ssh) -> None:
        path: Path = ("hosts", key)
        columns: dict[str, Any] = {}
        varying: dict[str, list[Any]] = {}
        for field, value in entry.items():
            if field == "labels":
                value = {label: written(value, label) for label in value}
            unfolded = self._unfold(value, key, names, source, (*path, field))
            convert = _FIELDS.get(field)
            if field == "ssh":
                convert = lambda own: ssh_of(own, defaults)  # noqa: E731 - one of the table's, with the defaults
            elif field == "power":
                convert = lambda own: self._power(own, source, path)  # noqa: E731 - and one with the shelf
            if isinstance(unfolded, list):
                varying[field] = [convert(one) for one in unfolded] if convert else unfolded
            else:
                columns[field] = convert(value) if convert else value
        own_ssh = entry.get("ssh") or {}
        for index, name in enumerate(names):
            fields = {field: values[index] for field, values in varying.items()}
            host = Host(**{"name": name, "address": name, **columns, **fields})
            self.hosts[name] = self.known[name] = host
            self._ssh_own[name] = own_ssh

    def _power(self, value: Mapping[str, Any], source: Source, path: Path) -> PowerControl | None:
        if not value:  # taken out, being wrong
            return None
        method, held = next(iter(value.items()))
        params = plain(held) or {}
        try:
            return PowerControl(method=method, params=self._powers[method].params(params) if self._powers else params)
        except ValueError as error:
            self._problems.at(source, (*path, "power", method), str(error).removeprefix(f"{method}: "))
            return None

    def _unfold(self, value: Any, key: str, names: tuple[str, ...], source: Source, path: Path) -> list[Any] | None:
        """What `value` is for each of `names`; None where it is the same for all."""
        if isinstance(value, str):
            return self._unfold_text(value, key, names, source, path) if "[" in value else None
        if not isinstance(value, dict | list):
            return None
        pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
        parts = {step: self._unfold(held, key, names, source, (*path, step)) for step, held in pairs}
        if not any(parts.values()):
            return None
        rows = []
        for index in range(len(names)):
            row = {step: held if (part := parts[step]) is None else part[index] for step, held in pairs}
            rows.append(row if isinstance(value, dict) else list(row.values()))
        return rows

    def _unfold_text(self, text: str, key: str, names: tuple[str, ...], source: Source, path: Path) -> list[str] | None:
        try:
            values = span(text)
        except ValueError as error:
            self._problems.at(source, path, str(error))
            return None
        if not values:
            return None
        if values != len(names):
            counted = f"{values} value{'s' if values > 1 else ''}"
            self._problems.at(
                source,
                path,
                f"the range in {clipped(text)} has {counted}, {clipped(key)} stands for {len(names)}",
                "ranges of one entry run in step: make them equally long",
            )
            return None
        self._unfolded += values
        if self._unfolded > UNFOLDED_MAX:
            self._problems.at(source, path, f"ranges stand for more than {UNFOLDED_MAX} texts")
            return None
        return list(expand(text))

    def settle_gateways(self, defaults: Ssh, defaults_at: tuple[Source, Path] | None) -> None:
        """Let no gateway go through itself: a default one is not its own; one that says so is a problem (design: rule 10)."""
        checked: set[str] = set()
        if defaults.gateway is not None and defaults_at is not None:
            self._gateway_exists(defaults.gateway, *defaults_at, checked)
            self._free_default(defaults)
        for name, own in self._ssh_own.items():
            gateway = self._gateway(name, defaults)
            if gateway is not None and "gateway" in own:
                source, path = self.where[name]
                self._gateway_exists(gateway, source, (*path, "ssh", "gateway"), checked)
        self._report_rings(defaults)

    def _gateway(self, name: str, defaults: Ssh) -> str | None:
        host = self.hosts.get(name)
        return None if host is None else (host.ssh or defaults).gateway

    def _free_default(self, defaults: Ssh) -> None:
        """The hosts that the default gateway itself is reached through, and it, do not go through it."""
        name, seen = defaults.gateway, set[str]()
        while name is not None and name in self.hosts and name not in seen:
            seen.add(name)
            if "gateway" not in self._ssh_own[name]:
                host = self.hosts[name]
                ssh = ssh_of({"gateway": None}, host.ssh or defaults)
                self.hosts[name] = self.known[name] = replace(host, ssh=ssh)
                return
            name = self._gateway(name, defaults)

    def _gateway_exists(self, gateway: str, source: Source, path: Path, checked: set[str]) -> None:
        if gateway in self.known or gateway in checked or any(char in gateway for char in ".:@/"):
            return
        checked.add(gateway)
        near = self._problems.nearest(gateway, self.known, LIKE_A_HOST)
        if near is not None:
            self._problems.at(
                source,
                path,
                f"{clipped(gateway)} is not in the inventory",
                f"did you mean {near}? for a machine outside of it write its IP address or full name",
            )

    def _report_rings(self, defaults: Ssh) -> None:
        done: set[str] = set()
        for start in self.hosts:
            trail: dict[str, None] = {}
            name: str | None = start
            while name is not None and name in self.hosts and name not in done and name not in trail:
                trail[name] = None
                name = self._gateway(name, defaults)
            if name is not None and name in trail:
                ring = [*trail][[*trail].index(name) :]
                source, path = self.where[name]
                way = " -> ".join([*ring, name]) if len(ring) < 10 else f"{len(ring)} hosts"
                self._problems.at(
                    source, (*path, "ssh", "gateway"), f"a gateway through itself: {way}", "write gateway: null for one"
                )
            done.update(trail)


def _uses(value: Mapping[str, Any]) -> dict[str, float]:
    return {limit: float(taken) for limit, taken in value.items()}


_FIELDS: Mapping[str, Callable[[Any], Any]] = {"labels": dict, "expect": expect_of, "uses": _uses}
