"""What stands on a host: what listens, runs, is mounted, addressed and reachable, as one flat table that can be kept and compared.

This is what a baseline is made of (`same_as_before`). A key is what an allow-list of an inventory takes, its value how the thing stands:

    tcp:5432            any postgresql.service postgres     from where, in which unit, of which process
    unit:nginx.service  active
    mount:/srv          rw
    swap:/dev/sda2      on
    address:10.0.0.5/24 eth0
    addresses:4         2                                    so many by DHCP or router advertisements
    route:default       10.0.0.1                             via; `route6:` for IPv6
    gateway:10.0.0.1    answers
    resolver:10.0.0.2   configured

What a boot is meant to change is left out: ports from the range that the kernel takes them from, units and mounts that are there for one
call, user or container, addresses that a cluster moves, names that hold a kernel's version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from restart.probes.section import Section
from restart.probes.sections import listening, mounts, network, running
from restart.probes.sections.listening import Listening, Socket
from restart.probes.sections.mounts import Mount, Mounts
from restart.probes.sections.network import Network
from restart.probes.sections.running import Running
from restart.probes.sweep import Swept

SECTIONS: tuple[Section[object], ...] = (listening.SECTION, running.SECTION, mounts.SECTION, network.SECTION)
"""What is asked for it, in one sweep."""

ASPECTS: Mapping[str, str] = {
    "tcp": "listening",
    "udp": "listening",
    "mount": "mounts",
    "swap": "mounts",
    "address": "addresses",
    "addresses": "addresses",
    "route": "routes",
    "route6": "routes",
    "gateway": "routes",
    "resolver": "resolvers",
    "unit": "running",
}
"""To which part of the answer a key belongs, by its first word: what the host could not tell says nothing of its things."""

KEYS_MAX = 500
"""Things that are kept of one host. What is beyond is not held against it, and that is said."""

KEY_CHARACTERS_MAX = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`there` by key; `told` are the aspects that the host could tell; `partly` those cut at a bound, `states` how units that do not run stand."""

    there: Mapping[str, str] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    partly: frozenset[str] = frozenset()
    states: Mapping[str, str] = field(default_factory=dict)


def standing(swept: Swept) -> Standing:
    """What the host said stands there. Never raises."""
    told: set[str] = set()
    partly: set[str] = set()
    there: dict[str, str] = {}
    heard = swept.of(listening.SECTION)
    if heard is not None and heard.sockets:
        # We came in through a socket that listens: none at all is an answer that was not given.
        told.add("listening")
        there |= _listening(heard)
        partly |= set() if heard.complete else {"listening"}
    placed = swept.of(mounts.SECTION)
    if placed is not None and placed.mounts:
        told.add("mounts")
        there |= dict(_mounts(placed))
        partly |= set() if placed.complete else {"mounts"}
    reached = swept.of(network.SECTION)
    if reached is not None:
        told |= reached.told & {"addresses", "routes", "resolvers"}
        there |= dict(_network(reached))
        partly |= set() if reached.complete else {"addresses", "routes", "resolvers"}
    runs = swept.of(running.SECTION)
    if runs is not None and runs.states:
        told.add("running")
        there |= {f"unit:{name}": "active" for name in runs.lasting if not _VERSIONED.search(name)}
        partly |= set() if runs.complete else {"running"}
    kept = {key: how for key, how in there.items() if len(key) <= KEY_CHARACTERS_MAX}
    return Standing(
        there=kept,
        told=frozenset(told),
        partly=frozenset(partly),
        states=_states(runs),
    )


def aspect(key: str) -> str:
    """To which part of the answer the thing belongs; empty for what no version of this has written."""
    return ASPECTS.get(key.partition(":")[0], "")


_VERSIONED = re.compile(r"\d+\.\d+\.\d+[-.]\d")
"""A kernel's version, such as 6.1.0-28-amd64."""


def _states(runs: Running | None) -> dict[str, str]:
    return {} if runs is None else {name: state for name, state in runs.states.items() if state != "active"}


# --- what listens ---------------------------------------------------------------------------------------------------

_WANDERING = frozenset({"rpc.statd", "rpc.mountd", "rpcbind", "rpc.rquotad", "ypbind"})
_WELL_KNOWN = frozenset({111, 2049, 20048})
"""Sun RPC's daemons take any free reserved port, another one each time, beside those that are known."""

_WIDTH = {"loopback": 0, "outside": 1, "any": 2}


def _listening(heard: Listening) -> dict[str, str]:
    found: dict[str, tuple[str, Socket]] = {}
    low, high = heard.ephemeral
    for socket in heard.sockets:
        passing = low <= socket.port <= high or (socket.process in _WANDERING and socket.port not in _WELL_KNOWN)
        group = socket.cgroup or ""
        # A log-in's own forwarded ports, and what a cluster put here and may put elsewhere.
        forwarded = socket.process.startswith("sshd") and socket.unit.startswith("session-")
        if passing or forwarded or "kubepods" in group or "pacemaker" in group:
            continue
        key, width = f"{socket.protocol}:{socket.port}", _width(socket.address)
        if key not in found or _WIDTH[width] > _WIDTH[found[key][0]]:
            found[key] = (width, socket)
    return {
        key: f"{width} {socket.unit or '-'} {socket.process}".rstrip()
        for key, (width, socket) in sorted(found.items(), key=lambda row: (row[1][1].port, row[0]))
    }


def _width(address: str) -> str:
    if address == "*":
        return "any"
    return "loopback" if address == "::1" or address.startswith("127.") else "outside"


# --- what is mounted ------------------------------------------------------------------------------------------------

_PASSING_KINDS = frozenset({"autofs", "squashfs", "nsfs", "rpc_pipefs", "binfmt_misc", "fusectl", "selinuxfs", "hugetlbfs", "efivarfs", "fuse.lxcfs", "fuse.snapfuse", "fuse.gvfsd-fuse", "fuse.portal"})  # fmt: skip
_PASSING_PLACES = ("/run/", "/sys/", "/proc/", "/dev/", "/snap/", "/media/", "/tmp/", "/var/tmp/", "/var/snap/", "/var/lib/docker/", "/var/lib/containers/", "/var/lib/containerd/", "/var/lib/kubelet/", "/var/lib/lxcfs/", "/var/lib/lxd/", "/var/lib/incus/")  # fmt: skip
"""Where users, containers and daemons mount what they need for a while."""


def _mounts(placed: Mounts) -> Iterator[tuple[str, str]]:
    # What is mounted when somebody walks in is mounted when somebody walks in.
    on_demand = tuple(mount.place.rstrip("/") + "/" for mount in placed.mounts if mount.kind == "autofs")
    for mount in placed.mounts:
        if not _is_passing(mount) and not f"{mount.place}/".startswith(on_demand or ("\0",)):
            yield f"mount:{mount.place}", "ro" if mount.read_only else "rw"
    for swap in placed.swaps:
        yield f"swap:{swap}", "on"


def _is_passing(mount: Mount) -> bool:
    if mount.place == "/":
        return False
    layered = mount.kind in _PASSING_KINDS or mount.kind == "overlay"
    return layered or mount.place.startswith(_PASSING_PLACES) or _VERSIONED.search(mount.place) is not None


# --- how it is reached, and reaches others ---------------------------------------------------------------------------


def _network(reached: Network) -> Iterator[tuple[str, str]]:
    by_server: dict[int, int] = {}
    for address in reached.addresses:
        if address.how == "static":
            yield f"address:{address.what}", address.device
        elif address.how == "dynamic":
            by_server[address.family] = by_server.get(address.family, 0) + 1
    for family, number in by_server.items():
        # Of IPv6 one address is as good as several: which there are changes as prefixes are announced.
        yield f"addresses:{family}", str(number if family == 4 else 1)
    for route in reversed(reached.routes):  # the first of several to one place is the one that is used
        yield f"{'route' if route.family == 4 else 'route6'}:{route.to}", route.gateway
    for gateway in reached.answering:
        yield f"gateway:{gateway}", "answers"
    for resolver in reached.resolvers:
        yield f"resolver:{resolver}", "configured"
