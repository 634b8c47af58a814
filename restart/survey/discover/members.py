"""Which service of a host is at a port, and which one a process belongs to. Pure: the checks of the inventory say it.

A service is at the ports that its checks ask its members at (`tcp`, and URLs of `http` that name the member). Where no check names the port,
the unit that the process is in may be one that a `systemd` check names. Nothing is guessed beyond: a host that carries one service may well have
other things at other ports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from restart.model.check import Check
from restart.model.inventory import Inventory, Service
from restart.probes.sections.connections import Listener, Process
from restart.survey.discover.addresses import Addresses

_SCHEMES = {"http": 80, "https": 443}


class Members:
    """The services of each host, their ports there and their units."""

    def __init__(self, inventory: Inventory, addresses: Addresses, listeners: Mapping[str, Iterable[Listener]]) -> None:
        """`listeners` are what each host was seen to listen on."""
        self.of: dict[str, tuple[str, ...]] = dict.fromkeys(inventory.hosts, ())
        self._ports: dict[tuple[str, int], set[str]] = {}
        self._units: dict[str, set[str]] = {}
        for service in inventory.services.values():
            for host in service.hosts:
                self.of[host] = (*self.of[host], service.name)
            for check in (*service.ready, *service.gate):
                for host, port in _asked(check, service, addresses):
                    self._ports.setdefault((host, port), set()).add(service.name)
                for unit in check.params.get("units", ()) if check.kind == "systemd" else ():
                    self._units.setdefault(_bare(str(unit)), set()).add(service.name)
        self._by_process: dict[tuple[str, str], set[str]] = {}
        for host, seen in listeners.items():
            for listener in seen:
                here = self._ports.get((host, listener.port))
                if here and listener.process is not None:
                    self._by_process.setdefault((host, listener.process.name), set()).update(here)

    def at(self, host: str, port: int | None, process: Process | None = None) -> tuple[str, ...]:
        """The services of `host` that answer at `port`; none where nothing tells."""
        found = set() if port is None else self._ports.get((host, port), set())
        return self._in_order(host, found or self._in_unit(process))

    def using(self, host: str, process: Process | None) -> tuple[str, ...]:
        """The services of `host` that `process` may belong to: the only one there, the one whose unit or port it has, or all."""
        here = self.of[host]
        if len(here) < 2 or process is None:
            return here
        by_unit = self._in_order(host, self._in_unit(process))
        by_port = self._in_order(host, self._by_process.get((host, process.name), set()))
        return next((found for found in (by_unit, by_port) if len(found) == 1), here)

    def _in_unit(self, process: Process | None) -> set[str]:
        return set() if process is None or not process.unit else self._units.get(_bare(process.unit), set())

    def _in_order(self, host: str, names: set[str]) -> tuple[str, ...]:
        return tuple(name for name in self.of[host] if name in names)


def _bare(unit: str) -> str:
    """A unit without its suffix and instance: `postgresql@15-main.service` is an instance of `postgresql`."""
    return unit.removesuffix(".service").removesuffix(".socket").partition("@")[0]


def _asked(check: Check, service: Service, addresses: Addresses) -> Iterator[tuple[str, int]]:
    """Each member and the port at which `check` asks it."""
    if check.kind == "tcp":
        called, port = check.params.get("address"), check.params.get("port")
    elif check.kind == "http" and isinstance(check.params.get("url"), str):
        try:
            parts = urlsplit(str(check.params["url"]))
            called, port = parts.netloc.rpartition("@")[2], parts.port or _SCHEMES.get(parts.scheme)
        except ValueError:
            return  # a port that is filled in for each host
        called = called.removesuffix(f":{port}").strip("[]")
    else:
        return
    if not isinstance(port, int):
        return
    for host in service.hosts:
        if called is None or called in ("{address}", "{host}") or addresses.named(str(called), {}) == {host}:
            yield host, port
