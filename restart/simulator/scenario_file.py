"""Scenario files: YAML to a `Scenario`, with every problem at once as file:line:column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from restart.errors import must
from restart.inventory.scenarios import Document
from restart.model.inventory import Inventory
from restart.model.world import Gate
from restart.rules.durations import seconds
from restart.rules.names import Names, select
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import (
    HostFigures,
    LogIns,
    Physics,
    Power,
    Rebuild,
    Relapse,
    Resource,
    ServiceFigures,
    Steady,
    Stuck,
    Transfer,
)
from restart.simulator.physics.unkept import LOSABLE, losable
from restart.simulator.scenario import Bound, Naive, Scenario
from restart.simulator.scenario_schema import DURATIONS, file_schema

Where = tuple[str | int, ...]


def read_scenario(path: Path, gates: Mapping[str, Gate]) -> Scenario:
    """The scenario in the file at `path`. Raises `InventoryInvalid` with all problems in it and in its inventory."""
    document = Document(path, file_schema(), gates)
    root = document.root
    for key in ("version", "scenario"):
        if key not in root:
            document.raise_if_any()
    if ("fleet" in root) == ("inventory" in root):
        document.problem((), "a scenario has a fleet, or names an inventory", "write one of fleet and inventory")
        document.raise_if_any()
    if "inventory" in root and "playbooks" in root:
        document.problem(
            ("playbooks",), "the inventory has its own playbooks", "write a fleet, or no playbooks", key=True
        )
        document.raise_if_any()
    name = str(root.get("scenario", ""))
    inventory = document.inventory_within("fleet", name) if "fleet" in root else document.inventory_beside("inventory")
    document.raise_if_any()
    if inventory is None:
        raise AssertionError("an inventory that cannot be read is a problem")
    scenario = _Reading(document, inventory).scenario()
    document.raise_if_any()
    return scenario


class _Reading:
    """One reading of a scenario whose shape and fleet are in order."""

    def __init__(self, document: Document, inventory: Inventory) -> None:
        self._document = document
        self._root = document.root
        self._inventory = inventory
        self._names = Names(inventory.hosts)
        self._members = {name: service.hosts for name, service in inventory.services.items()}

    def scenario(self) -> Scenario:
        """The scenario; what is wrong goes to the document's problems."""
        root = self._root
        naive, staged = root.get("naive"), root.get("staged", {})
        selection = root.get("select")
        if selection is not None:
            self._hosts(selection, ("select",))
        return Scenario(
            name=str(root["scenario"]),
            file=str(self._document.file),
            about=str(root.get("about", "")),
            inventory=self._inventory,
            physics=self._physics(root.get("physics", {})),
            mode=str(root.get("mode", "rolling")),
            selection=None if selection is None else tuple(_texts(selection)),
            faults=tuple(self._fault(entry, ("faults", index)) for index, entry in enumerate(root.get("faults", ()))),
            seed=root.get("seed", 0),
            horizon_s=_seconds(root, "horizon", 14400.0),
            start=str(root.get("start", "")),
            naive=None if naive is None else self._naive(naive, selection),
            expected_naive={} if naive is None else self._expected(naive, ("naive", "expect")),
            staged="staged" in root,
            expected_staged=self._expected(staged, ("staged", "expect")),
            needs=tuple(staged.get("needs", ())),
        )

    # --- names -------------------------------------------------------------------------------------------------------

    def _hosts(self, selection: Any, path: Where, *, key: bool = False) -> tuple[str, ...]:
        try:
            return select(_texts(selection), self._names, self._members)
        except ValueError as error:
            words = str(error).strip("'\"").split("'")
            self._document.problem(
                path, str(error), self._document.meant(words[0], list(self._members_and_hosts())), key=key
            )
            return ()

    def _members_and_hosts(self) -> tuple[str, ...]:
        return (*self._inventory.hosts, *self._members)

    def _service(self, name: str, path: Where, *, key: bool = False) -> bool:
        if name in self._members:
            return True
        self._document.problem(
            path, f"{name} is not a service", self._document.meant(name, list(self._members)), key=key
        )
        return False

    # --- physics -----------------------------------------------------------------------------------------------------

    def _physics(self, block: Mapping[str, Any]) -> Physics:
        off = self._root.get("off")
        services = {
            name: self._service_figures(name, entry)
            for name, entry in block.get("services", {}).items()
            if self._service(name, ("physics", "services", name), key=True)
        }
        resources = tuple(
            _resource(name, entry)
            for name, entry in block.get("resources", {}).items()
            if self._service(name, ("physics", "resources", name), key=True)
        )
        return Physics(
            hosts=self._host_figures(block.get("hosts", {})),
            services=services,
            transfers=tuple(self._transfer(name, entry) for name, entry in block.get("transfers", {}).items()),
            resources=resources,
            log_ins=tuple(self._log_ins(entry, index) for index, entry in enumerate(block.get("log_ins", ()))),
            steady=tuple(self._steady(entry, index) for index, entry in enumerate(block.get("steady", ()))),
            power=tuple(self._power(name, entry) for name, entry in block.get("power", {}).items()),
            stuck=tuple(self._stuck(entry, index) for index, entry in enumerate(block.get("stuck", ()))),
            latency_s=_seconds(block, "latency", 0.0),
            silence_s=_seconds(block, "silence", 5.0),
            strikes_after_s=_seconds(block, "strikes_after", 0.0),
            off=frozenset() if off is None else frozenset(self._hosts(off, ("off",))),
            metrics=self._metrics(block.get("metrics", {})),
        )

    def _host_figures(self, block: Mapping[str, Any]) -> dict[str, HostFigures]:
        found: dict[str, HostFigures] = {}
        for selection, entry in block.items():
            fields = {f"{key}_s": seconds(entry[key]) for key in ("boot", "dep_timeout", "uptime") if key in entry}
            if "spread" in entry:
                fields["spread"] = _share(entry["spread"])
            for host in self._hosts(selection, ("physics", "hosts", selection), key=True):
                found[host] = replace(found.get(host, HostFigures()), **fields)
        return found

    def _service_figures(self, name: str, entry: Mapping[str, Any]) -> ServiceFigures:
        path = ("physics", "services", name)
        for provider in entry.get("soft", {}):
            self._service(provider, (*path, "soft", provider), key=True)
        for host in entry.get("writes", {}):
            if host not in self._members[name]:
                self._document.problem((*path, "writes", host), f"{host} is not a member of {name}", key=True)
        if entry.get("leader", self._members[name][0]) not in self._members[name]:
            self._document.problem((*path, "leader"), f"{entry['leader']} is not a member of {name}")
        quorum = entry.get("quorum")
        if quorum is not None and quorum > len(self._members[name]):
            what = f"{name} has {len(self._members[name])} members: a quorum of {quorum} can never be"
            self._document.problem((*path, "quorum"), what)
        rebuild, relapse = entry.get("rebuild"), entry.get("relapse")
        if relapse is not None:
            self._service(relapse["provider"], (*path, "relapse", "provider"))
        return ServiceFigures(
            warm_s=_seconds(entry, "warm", 0.0),
            sync_s=_seconds(entry, "sync", 0.0),
            quorum=quorum,
            reseed_s=seconds(entry["reseed"]) if "reseed" in entry else None,
            restart_s=_seconds(entry, "restart", 5.0),
            soft={provider: seconds(wait) for provider, wait in entry.get("soft", {}).items()},
            leader=entry.get("leader"),
            election_s=_seconds(entry, "election", 5.0),
            sealed=entry.get("sealed", False),
            writes=dict(entry.get("writes", {})),
            shallow=tuple(entry.get("shallow", ())),
            needs=entry.get("needs"),
            rebuild=rebuild
            and Rebuild(below=rebuild["below"], work_s=seconds(rebuild["work"]), at_once=rebuild["at_once"]),
            relapse=relapse
            and Relapse(provider=relapse["provider"], work_s=seconds(relapse["work"]), at_once=relapse.get("at_once")),
        )

    def _transfer(self, name: str, entry: Mapping[str, Any]) -> Transfer:
        path = ("physics", "transfers", name)
        server = entry.get("server")
        if server is not None:
            self._service(server, (*path, "server"))
        elif entry.get("per_server"):
            self._document.problem((*path, "per_server"), "per_server means nothing without server", "name the service")
        return Transfer(
            name=name,
            hosts=self._hosts(entry["hosts"], (*path, "hosts")),
            work_s=seconds(entry["work"]),
            at_once=entry["at_once"],
            timeout_s=seconds(entry["timeout"]) if "timeout" in entry else None,
            service=server,
            per_server=entry.get("per_server", False),
            before=entry.get("before", "boot"),
        )

    def _demanding(self, entry: Mapping[str, Any], path: Where) -> None:
        """Who demands is a service, and what it demands of is a resource."""
        self._service(entry["service"], (*path, "service"))
        resources = self._root.get("physics", {}).get("resources", {})
        if self._service(entry["of"], (*path, "of")) and entry["of"] not in resources:
            what = f"{entry['of']} is no resource: a demand on nothing"
            self._document.problem((*path, "of"), what, f"state physics.resources.{entry['of']}")

    def _log_ins(self, entry: Mapping[str, Any], index: int) -> LogIns:
        path = ("physics", "log_ins", index)
        self._demanding(entry, path)
        if "cache" in entry:
            self._service(entry["cache"], (*path, "cache"))
        numbers = {key: float(entry[key]) for key in ("waiting", "rate", "holds", "cold", "warm", "warm_after")}
        return LogIns(service=entry["service"], of=entry["of"], cache=entry.get("cache"), **numbers)

    def _steady(self, entry: Mapping[str, Any], index: int) -> Steady:
        self._demanding(entry, ("physics", "steady", index))
        return Steady(service=entry["service"], of=entry["of"], each=float(entry["each"]))

    def _power(self, name: str, entry: Mapping[str, Any]) -> Power:
        hosts = entry.get("hosts")
        per = entry.get("per")
        if per is not None and not any(per in host.labels for host in self._inventory.hosts.values()):
            self._document.problem(("physics", "power", name, "per"), f"no host has a label {per}")
        return Power(
            name=name,
            limit_w=float(entry["limit"]),
            inrush_w=float(entry["inrush"]),
            inrush_s=seconds(entry["inrush_for"]),
            steady_w=float(entry["steady"]),
            per=per,
            hosts=None if hosts is None else self._hosts(hosts, ("physics", "power", name, "hosts")),
            auto_on_s=seconds(entry["auto_on"]) if "auto_on" in entry else None,
        )

    def _stuck(self, entry: Mapping[str, Any], index: int) -> Stuck:
        return Stuck(
            hosts=self._hosts(entry["hosts"], ("physics", "stuck", index, "hosts")),
            ways=tuple(entry.get("ways", ())),
            times=entry.get("times"),
            chance=_share(entry["chance"]) if "chance" in entry else 1.0,
        )

    def _metrics(self, block: Mapping[str, str]) -> dict[str, str]:
        for glob, quantity in block.items():
            self._service(quantity.partition(" ")[2], ("physics", "metrics", glob))
        return dict(block)

    # --- what happens ------------------------------------------------------------------------------------------------

    def _fault(self, entry: Mapping[str, Any], path: Where) -> Fault:
        fields: dict[str, Any] = {
            key: entry[key] for key in ("event", "moment", "word", "target", "phase", "times") if key in entry
        }
        for key in ("at", "for", "by"):
            if key in entry:
                fields[f"{key}_s"] = seconds(entry[key])
        if "chance" in entry:
            fields["chance"] = _share(entry["chance"])
        if entry.get("kind") == "loses_at_boot" and losable(entry.get("target", "")) is None:
            self._document.problem((*path, "target"), f"what a boot loses is to be said: {LOSABLE}")
        if "hosts" in entry:
            fields["hosts"] = self._hosts(entry["hosts"], (*path, "hosts"))
        for service in _texts(entry.get("services", ())):
            self._service(service, (*path, "services"))
            fields["services"] = tuple(_texts(entry["services"]))
        return Fault(kind=entry.get("kind", ""), **fields)

    def _naive(self, entry: Mapping[str, Any], selection: Any) -> Naive:
        hosts = entry.get("hosts", selection)
        path: Where = ("naive", "hosts") if "hosts" in entry else ("select",)
        again: list[tuple[float, tuple[str, ...] | None]] = []
        for index, more in enumerate(entry.get("again", ())):
            whom = self._hosts(more["hosts"], ("naive", "again", index, "hosts")) if "hosts" in more else None
            again.append((seconds(more["at"]), whom))
        return Naive(
            act=entry.get("act", "reboot"),
            hosts=tuple(self._inventory.hosts) if hosts is None else self._hosts(hosts, path),
            batch=entry.get("batch"),
            every_s=_seconds(entry, "every", 0.0),
            wait_for=entry.get("wait_for"),
            patience_s=_seconds(entry, "patience", 300.0),
            again=tuple(again),
        )

    def _expected(self, entry: Mapping[str, Any], path: Where) -> dict[str, Bound]:
        found: dict[str, Bound] = {}
        for measure, value in entry.get("expect", {}).items():
            if measure in ("ready", "lowest"):
                for service, bound in value.items():
                    self._service(service, (*path, measure, service), key=True)
                    found[f"{measure} {service}"] = _bound(bound, float)
            elif measure == "first":
                found.update({f"first {what}": _bound(bound, seconds) for what, bound in value.items()})
            elif isinstance(value, bool):
                found[measure] = Bound(at_least=float(value), at_most=float(value))
            else:
                found[measure] = _bound(value, seconds if measure in DURATIONS else float)
        return found


def _resource(name: str, entry: Mapping[str, Any]) -> Resource:
    return Resource(
        service=name,
        cap=float(entry["cap"]),
        per_member=entry.get("per_member", False),
        collapse_after_s=_seconds(entry, "collapse_after", 10.0),
        clear_below=float(entry.get("clear_below", 0.0)),
        clear_s=_seconds(entry, "clear_for", 30.0),
        base=float(entry.get("base", 0.0)),
    )


def _bound(value: Any, read: Callable[[Any], float]) -> Bound:
    if isinstance(value, Mapping):
        return Bound(**{side: read(held) for side, held in value.items()})
    return Bound(at_least=read(value), at_most=read(value))


def _seconds(entry: Mapping[str, Any], key: str, default_s: float) -> float:
    return seconds(entry[key]) if key in entry else default_s


def _share(text: str) -> float:
    must(text.endswith("%"), f"{text} is no percentage")
    return float(text.removesuffix("%")) / 100


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
