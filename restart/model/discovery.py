"""What the hosts of a fleet were seen to use of each other: the findings of `restart discover`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CONNECTION = "connection"
"""How a link was seen: by a TCP connection, or by the kind of a reference in the host's files (`mount`, `resolver`, ...)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Host `consumer` uses `port` of host `provider`. `port` is None where a file names the host and nothing tells for what.

    `consumer_services` and `provider_services` are what may be at the ends: one is sure, several are not told apart, none means that
    no service of the inventory is known to be there. `clients` are the processes at the consumer, `server` the one at the provider;
    empty where nobody could tell. `open` is the most connections seen at once, those closed within a minute before among them; `looks` in
    how many looks there was any. `sides` tells who saw it: `both`, `consumer` or `provider`. `file` and `detail` (a mount point) are a reference's;
    `is_needed`: the consumer's boot stops without it, `is_live`: it is mounted now. `at` is when it was seen (UTC, RFC 3339) where that was not
    with the rest of its discovery.
    """

    consumer: str
    provider: str
    port: int | None
    how: str = CONNECTION
    consumer_services: tuple[str, ...] = ()
    provider_services: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    server: str = ""
    open: int = 0
    looks: int = 0
    sides: str = "both"
    file: str = ""
    detail: str = ""
    is_needed: bool = False
    is_live: bool = False
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What `hosts` have to do with `address` (or name), which no host of the inventory has. `inbound`: it comes to them, at `port`.

    Of those who come there may be many: `addresses` is their number, `address` one of them. `how` as of a link; `processes` are those
    of our hosts; `open` the most connections seen at once, in all.
    """

    address: str
    port: int | None
    hosts: tuple[str, ...]
    inbound: bool = False
    addresses: int = 1
    how: str = CONNECTION
    processes: tuple[str, ...] = ()
    open: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """A connection that belongs to the fleet and could not be put in its place, and why, in words."""

    host: str
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLooked:
    """How one host was looked at. `answered` False: nothing is known of it, as `why` says. `looks` counts its answers.

    `notes` say what of it could not be seen; `inside` is how many connections it had to itself, its loopback among them, at most at once;
    `cpu_s` the most that one look cost it. `containers` is how many network namespaces beside its own had connections, which are not read.
    """

    answered: bool = True
    why: str = ""
    looks: int = 0
    notes: tuple[str, ...] = ()
    inside: int = 0
    cpu_s: float | None = None
    containers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was seen in `looks` looks at `hosts`, the first at `at` (UTC, RFC 3339), over `for_s` seconds.

    `own` counts the SSH sessions of this tool, which are left out, those inside a gateway's too; `inside` are links between two services on one host.
    """

    at: str
    fleet: str
    looks: int
    for_s: float
    hosts: Mapping[str, HostLooked] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    inside: tuple[Link, ...] = ()
    outside: tuple[Outside, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    own: int = 0
