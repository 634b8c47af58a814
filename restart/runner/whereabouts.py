"""What this machine knows of itself and of its way to the fleet, and which hosts of an inventory that is (design: rule 10).

Only local files are read, and no name is looked up: a plan touches no network. What a name stands for is taken from the inventory and from
`/etc/hosts`. Where a file is not there (another system than Linux) nothing is found, and what the inventory declares stands.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

from restart.errors import UsageMistake
from restart.model.check import Check
from restart.model.inventory import Host, Inventory
from restart.rules.named import gate_rule, watch_rule
from restart.rules.path import called_by
from restart.transports.hop import hop
from restart.transports.ssh_config import config_text

_LOCAL = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")
_JUMP = re.compile(r"^\s*proxyjump[\s=]+(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """`names` and `addresses` of this machine, those of its name servers and default gateways, what `/etc/hosts` says, and its boot id.

    Loopback addresses are left out: every machine has them.
    """

    names: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    resolvers: frozenset[str] = frozenset()
    routers: frozenset[str] = frozenset()
    known: Mapping[str, str] = field(default_factory=dict)
    boot_id: str = ""


def here(root: Path = Path("/")) -> Whereabouts:
    """Those of this machine; `root` is where its files begin."""
    addresses = _addresses(root)
    known, aliases = _etc_hosts(_text(root / "etc/hosts"), addresses)
    own = {socket.gethostname(), _text(root / "etc/hostname").strip(), *aliases} - {"", "localhost"}
    resolvers = set()
    for place in ("etc/resolv.conf", "run/systemd/resolve/resolv.conf"):
        words = (line.split() for line in _text(root / place).splitlines())
        resolvers |= {_plain(line[1]) for line in words if len(line) > 1 and line[0] == "nameserver"}
    return Whereabouts(
        names=frozenset(name.lower() for name in own),
        addresses=addresses,
        resolvers=frozenset(address for address in resolvers if _is_elsewhere(address)),
        routers=frozenset(_routers(_text(root / "proc/net/route"))),
        known=known,
        boot_id=_text(root / "proc/sys/kernel/random/boot_id").strip(),
    )


def with_path_found(inventory: Inventory, at: Whereabouts) -> Inventory:
    """`inventory` with the hosts marked that are the controller itself, or that it needs to see and reach the fleet. What is declared stays."""
    finder = _Finder(inventory, at)
    hosts = dict(inventory.hosts)
    for name, why in finder.found():
        if not hosts[name].on_path:
            hosts[name] = replace(hosts[name], on_path=why)
    for name, rules in finder.asked_by().items():
        hosts[name] = replace(hosts[name], asked_by=rules)
    for name, host in inventory.hosts.items():
        if (why_own := finder.is_here(host)) is not None:
            hosts[name] = replace(hosts[name], controller=True, on_path=why_own)
    return inventory if hosts == dict(inventory.hosts) else replace(inventory, hosts=hosts)


class _Finder:
    """Holds what this machine knows against the hosts of an inventory."""

    def __init__(self, inventory: Inventory, at: Whereabouts) -> None:
        self._inventory = inventory
        self._at = at
        self._by: dict[str, str] = {}
        for name, host in inventory.hosts.items():
            for called in (name, host.address, at.known.get(host.address.lower(), ""), at.known.get(name.lower(), "")):
                # A loopback address says nothing: hosts of a demo share it, and so does what runs beside them.
                if called and (_is_name(called) or _is_elsewhere(called)):
                    self._by.setdefault(_plain(called).lower(), name)

    def is_here(self, host: Host) -> str | None:
        """How it is known that `host` is this machine; None: it is not known to be."""
        address = _plain(self._at.known.get(host.address.lower(), host.address))
        if address in self._at.addresses:
            return f"its address {address} is this machine's"
        for called in (host.name.lower(), host.address.lower()):
            for own in self._at.names:
                if called == own or (
                    ("." in called) != ("." in own) and _is_name(called) and called.split(".")[0] == own.split(".")[0]
                ):
                    return f"its name {called} is this machine's"
        return None

    def found(self) -> Iterator[tuple[str, str]]:
        """Hosts of the inventory on the path, and why: the first reason that holds counts."""
        for address in sorted(self._at.resolvers):
            yield from self._host(address, "this machine asks it for names (resolv.conf)")
        for address in sorted(self._at.routers):
            yield from self._host(address, "this machine's default gateway")
        for jump in self._jumps():
            yield from self._host(hop(self._inventory, jump).address, "ssh_config jumps through it (ProxyJump)")
        for check in self._inventory.watch:
            yield from self._asked(check, "a watch asks it", ())
        for service in self._inventory.services.values():
            for check in (*service.gate, *service.ready):
                if check.kind == "prometheus" or check in service.gate:
                    yield from self._asked(check, f"checks of {service.name} ask it", service.hosts)

    def asked_by(self) -> dict[str, tuple[str, ...]]:
        """For each host that watches and gates ask by its URL or address: the names of their rules."""
        found: dict[str, dict[str, None]] = {}
        for number, check in enumerate(self._inventory.watch, 1):
            for name, rule in self._asked(check, watch_rule(number), ()):
                found.setdefault(name, {})[rule] = None
        for service in self._inventory.services.values():
            for check in service.gate:
                for name, rule in self._asked(check, gate_rule(service.name), service.hosts):
                    found.setdefault(name, {})[rule] = None
        return {name: tuple(rules) for name, rules in found.items()}

    def _asked(self, check: Check, why: str, members: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """The host that the check's URL or address names, unless it is one of the `members` that are asked about."""
        if check.service is not None:
            return
        called = called_by(check)
        if called is not None:
            yield from ((name, reason) for name, reason in self._host(called, why) if name not in members)

    def _host(self, called: str, why: str) -> Iterator[tuple[str, str]]:
        for one in (called, self._at.known.get(called.lower(), "")):
            name = self._by.get(_plain(one).lower()) if one else None
            if name is not None:
                yield name, why
                return

    def _jumps(self) -> Iterator[str]:
        """Every hop that an ssh_config in use names, whichever hosts it is for."""
        for path in sorted({self._inventory.ssh_of(host).config or "" for host in self._inventory.hosts}):
            try:
                text = config_text(path or None)
            except (OSError, UsageMistake):
                continue  # told when it is used
            for chain in _JUMP.findall(text):
                yield from (jump for jump in chain.split(",") if jump.lower() != "none")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _plain(address: str) -> str:
    """An address as it is written shortest; other text as it is."""
    try:
        return str(ip_address(address.strip("[]").partition("%")[0]))
    except ValueError:
        return address


def _is_name(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return True
    return False


def _is_elsewhere(address: str) -> bool:
    try:
        return not ip_address(address).is_loopback
    except ValueError:
        return False


def _addresses(root: Path) -> frozenset[str]:
    """The addresses of this machine's interfaces."""
    found = set(_LOCAL.findall(_text(root / "proc/net/fib_trie")))
    for line in _text(root / "proc/net/if_inet6").splitlines():
        digits = line.split()[:1]
        if digits and len(digits[0]) == 32:
            found.add(_plain(":".join(re.findall("....", digits[0]))))
    return frozenset(address for address in found if _is_elsewhere(address))


def _etc_hosts(text: str, own: frozenset[str]) -> tuple[dict[str, str], set[str]]:
    """Name -> address, and the names of this machine's own addresses."""
    known: dict[str, str] = {}
    aliases: set[str] = set()
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2 or not _is_elsewhere(words[0]):
            continue
        for name in words[1:]:
            known.setdefault(name.lower(), _plain(words[0]))
            if _plain(words[0]) in own:
                aliases.add(name)
    return known, aliases


def _routers(text: str) -> Iterator[str]:
    """The gateways of the default routes, from the kernel's table (hexadecimal, last byte first)."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == words[7] == "00000000" and words[2] != "00000000":
            yield ".".join(str(int(words[2][at : at + 2], 16)) for at in (6, 4, 2, 0))
