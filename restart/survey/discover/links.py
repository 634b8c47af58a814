"""From what the hosts said to links between hosts of the inventory, and to all that is none: pure.

A connection to a listener of a host shows its provider, whichever of its ends was seen; the other one names the client's process. What is to
the host itself, of our own sessions, or from and to addresses that no host of the inventory has is sorted out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from restart.model.discovery import CONNECTION, Discovery, HostLooked, Link, Outside, Unmatched
from restart.model.inventory import Inventory
from restart.probes.sections.connections import Process
from restart.probes.sections.references import Reference
from restart.survey.discover.addresses import Addresses, is_loopback
from restart.survey.discover.members import Members
from restart.survey.discover.sightings import Ends, Kind, Row, Seen, Sightings
from restart.survey.sort import rfc3339

WELL_KNOWN_PORT_MAX = 1023

OUTSIDE_MAX, UNMATCHED_MAX = 2000, 200
"""What is told of the one and the other; the most used first."""


@dataclass(slots=True)
class _Pair:
    """What two hosts were seen to have on one port: by the consumer and by the provider."""

    clients: set[Process] = field(default_factory=set)
    server: Process | None = None
    open: dict[str, int] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)

    def add(self, side: str, row: Row, open_now: int) -> None:
        """Count `row`, which the host on `side` saw."""
        self.open[side] = self.open.get(side, 0) + open_now
        self.looks[side] = max(self.looks.get(side, 0), row.looks)


@dataclass(slots=True)
class _Strangers:
    """Who has to do with one port, or one address, outside of the fleet."""

    addresses: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)
    processes: set[str] = field(default_factory=set)
    open: int = 0


def discovery_of(inventory: Inventory, sightings: Sightings, *, began: float, for_s: float, looks: int) -> Discovery:
    """Everything that was seen. `began` is the controller's wall clock at the first of `looks`, in seconds since 1970."""
    return _Sorting(inventory, sightings).discovery(began, for_s, looks)


class _Sorting:
    """One use: the rows of all hosts, each put in its place."""

    def __init__(self, inventory: Inventory, sightings: Sightings) -> None:
        self._inventory = inventory
        self._hosts: Mapping[str, Seen] = {
            host: sightings.hosts[host] for host in inventory.hosts if host in sightings.hosts
        }
        self._addresses = Addresses(inventory, {host: frozenset(seen.addresses) for host, seen in self._hosts.items()})
        self._members = Members(
            inventory, self._addresses, {host: seen.listeners for host, seen in self._hosts.items()}
        )
        # The session that asked shows on the asked host; the same two ends are a row of whoever opened it, a gateway or the controller.
        self._own: frozenset[Ends] = frozenset(
            ends for seen in self._hosts.values() for here, there in seen.own for ends in ((here, there), (there, here))
        )
        self._own_ways = frozenset((here[0], here[1], there[0]) for here, there in self._own)
        self._controllers = frozenset(host.name for host in inventory.hosts.values() if host.controller)
        self._pairs: dict[tuple[str, str, int], _Pair] = {}
        self._inside: dict[tuple[str, tuple[str, ...], tuple[str, ...], int], Link] = {}
        self._within: dict[str, int] = {}
        self._outside: dict[tuple[str, int | None, bool, str], _Strangers] = {}
        self._unmatched: dict[Unmatched, int] = {}

    def discovery(self, began: float, for_s: float, looks: int) -> Discovery:
        for host, seen in self._hosts.items():
            for kind, row in seen.rows.items():
                self._row(host, kind, row)
        links = [*self._links(), *self._referred()]
        return Discovery(
            at=rfc3339(began),
            fleet=self._inventory.fleet,
            looks=looks,
            for_s=round(for_s, 1),
            hosts={host: self._looked(host, seen) for host, seen in self._hosts.items()},
            links=tuple(links),
            inside=tuple(self._inside.values()),
            outside=tuple(self._outsiders()),
            unmatched=tuple(sorted(self._unmatched, key=lambda one: -self._unmatched[one])[:UNMATCHED_MAX]),
            own=len({frozenset(ends) for ends in self._own}),
        )

    # --- connections -------------------------------------------------------------------------------------------------

    def _row(self, host: str, kind: Kind, row: Row) -> None:
        inbound, near, far, port, process = kind
        ours = self._ours(kind, row)
        number = row.open - ours
        owners = self._addresses.owners(far)
        if number <= 0 or (row.live <= ours and self._was_ours(host, kind, owners)):
            return
        if is_loopback(far) or host in owners or far == near:
            if not inbound:
                self._to_itself(host, port, process, row, number)
        elif not owners:
            self._stranger(far, port, inbound, host, process, number)
        elif len(owners) > 1:
            what = f"{'from' if inbound else 'to'} {far}" + ("" if inbound else f" port {port}")
            self._unmatch(host, what, f"{', '.join(sorted(owners)[:5])} all have this address", number)
        else:
            (other,) = owners
            if inbound:
                self._pair(other, host, port).add("provider", row, number)
                pair = self._pair(other, host, port)
                pair.server = pair.server or process
            elif self._is_answer(host, other, kind, row):
                self._unmatch(
                    host,
                    f"with {other}, its port {port}",
                    "nobody listens on either end any more: who began it is not known",
                    number,
                )
            else:
                pair = self._pair(host, other, port)
                pair.add("consumer", row, number)
                pair.clients |= {process} if process is not None else set()

    def _ours(self, kind: Kind, row: Row) -> int:
        """How many connections of `row` are sessions of this tool."""
        inbound, near, far, port, _ = kind
        return sum(
            (((near, port), (far, told)) if inbound else ((near, told), (far, port))) in self._own for told in row.ports
        )

    def _was_ours(self, host: str, kind: Kind, owners: frozenset[str]) -> bool:
        """Whether a connection that has closed was an earlier session of this tool, or a check that it asked.

        A session goes the way that one goes now, whatever its port; a check comes from the controller, and leaves no process either.
        """
        inbound, near, far, port, process = kind
        server, client = (near, far) if inbound else (far, near)
        by_controller = (owners if inbound else {host}) & self._controllers
        return process is None and ((server, port, client) in self._own_ways or bool(by_controller and owners))

    def _is_answer(self, host: str, other: str, kind: Kind, row: Row) -> bool:
        """Whether `other` has the same connection as one of its own, so that both ends outlived their listener."""
        _, near, far, port, _ = kind
        there = self._hosts.get(other)
        if there is None or there.listens_at(port) or port <= WELL_KNOWN_PORT_MAX or self._members.at(other, port):
            return False
        return any(
            not backward and (far_near, far_far) == (far, near) and far_port in row.ports and port in other_row.ports
            for (backward, far_near, far_far, far_port, _), other_row in there.rows.items()
        )

    def _pair(self, consumer: str, provider: str, port: int) -> _Pair:
        return self._pairs.setdefault((consumer, provider, port), _Pair())

    def _links(self) -> Iterator[Link]:
        for (consumer, provider, port), pair in self._pairs.items():
            server = pair.server or self._listener(provider, port)
            providers = self._members.at(provider, port, server)
            seen_by: set[str] = {side for side in ("consumer", "provider") if side in pair.open}
            self._one_sided(consumer, provider, port, seen_by)
            # Each client process may be another service's; those that lead to the same ones are one link.
            groups: dict[tuple[str, ...], set[str]] = {}
            clients: list[Process | None] = [*sorted(pair.clients, key=lambda process: (process.name, process.unit))]
            for client in clients or [None]:
                groups.setdefault(self._members.using(consumer, client), set()).update({client.name} if client else ())
            for consumers, names in groups.items():
                yield Link(
                    consumer=consumer,
                    provider=provider,
                    port=port,
                    consumer_services=consumers,
                    provider_services=providers,
                    clients=tuple(sorted(names)),
                    server=server.name if server else "",
                    open=max(pair.open.values()),
                    looks=max(pair.looks.values()),
                    sides="both" if len(seen_by) == 2 else next(iter(seen_by)),
                )

    def _listener(self, host: str, port: int) -> Process | None:
        seen = self._hosts.get(host)
        found = [one.process for one in seen.listeners if one.port == port and one.process] if seen else []
        return min(found, key=lambda process: process.name) if found else None

    def _one_sided(self, consumer: str, provider: str, port: int, seen_by: set[str]) -> None:
        """Say where the end that should have seen it answered and saw nothing: containers and translated addresses look like that."""
        there, here = self._hosts.get(provider), self._hosts.get(consumer)
        if seen_by == {"provider"} and here is not None and here.looks and here.elsewhere:
            why = f"{consumer} has no such socket: it is one of its containers, and which process is not known"
            self._unmatch(provider, f"from {consumer} to its port {port}", why, 1)
        elif (
            seen_by == {"consumer"}
            and there is not None
            and there.looks
            and there.is_known
            and not there.listens_at(port)
        ):
            why = f"{provider} does not listen there itself: a container or translated address, or closed meanwhile"
            self._unmatch(consumer, f"to {provider} port {port}", why, 1)

    def _to_itself(self, host: str, port: int, process: Process | None, row: Row, number: int) -> None:
        self._within[host] = self._within.get(host, 0) + number
        server = self._listener(host, port)
        providers, consumers = self._members.at(host, port, server), self._members.using(host, process)
        if len(providers) == len(consumers) == 1 and providers != consumers:
            self._inside[host, consumers, providers, port] = Link(
                consumer=host, provider=host, port=port, consumer_services=consumers, provider_services=providers,
                clients=(process.name,) if process else (), server=server.name if server else "", open=number, looks=row.looks,
            )  # fmt: skip

    def _stranger(
        self,
        address: str,
        port: int | None,
        inbound: bool,
        host: str,
        process: Process | None,
        number: int,
        how: str = CONNECTION,
    ) -> None:
        # Those who come to us may be a hundred thousand: they are counted by the port that they come to.
        key = ("" if inbound else address, port, inbound, how)
        strangers = self._outside.setdefault(key, _Strangers())
        strangers.addresses.add(address)
        strangers.hosts.add(host)
        strangers.open += number
        if process is not None:
            strangers.processes.add(process.name)

    def _outsiders(self) -> Iterator[Outside]:
        rows = sorted(self._outside.items(), key=lambda item: (item[0][2], -item[1].open, item[0][0], item[0][1] or 0))
        for (_, port, inbound, how), strangers in rows[:OUTSIDE_MAX]:
            yield Outside(
                address=min(strangers.addresses),
                addresses=len(strangers.addresses),
                port=port,
                hosts=tuple(host for host in self._hosts if host in strangers.hosts),
                inbound=inbound,
                how=how,
                processes=tuple(sorted(strangers.processes)),
                open=strangers.open,
            )

    def _unmatch(self, host: str, what: str, why: str, number: int) -> None:
        one = Unmatched(host=host, what=what, why=why)
        self._unmatched[one] = self._unmatched.get(one, 0) + number

    # --- references --------------------------------------------------------------------------------------------------

    def _referred(self) -> Iterator[Link]:
        found: dict[tuple[str, str, int | None, str, str], Link] = {}
        for host, seen in self._hosts.items():
            known = seen.references.names if seen.references else {}
            for one in seen.references.found if seen.references else ():
                owners = self._addresses.named(one.name, known, short=one.kind != "unit")
                if is_loopback(known.get(one.name.lower(), one.name)) or host in owners:
                    continue
                if len(owners) == 1:
                    link = self._reference(host, next(iter(owners)), one)
                    # Mounted and in fstab: one link that is both.
                    key = (link.consumer, link.provider, link.port, link.how, link.detail or link.file)
                    before = found.get(key)
                    found[key] = link if before is None else _both(before, link)
                elif owners:
                    why = f"{', '.join(sorted(owners)[:5])} all have this address"
                    self._unmatch(host, f"{one.file} names {one.name}", why, 1)
                elif one.kind != "unit" or (one.port is not None and "." in one.name and not one.detail):
                    # What stands in a unit's settings (`detail`) and is no host of ours may be anything, a password too: it ends here.
                    self._stranger(one.name, one.port, False, host, None, 0, how=one.kind)
        yield from found.values()

    def _reference(self, host: str, provider: str, one: Reference) -> Link:
        here, there = self._members.of[host], self._members.of[provider]
        if one.kind == "unit":
            unit = one.detail or next((p for p in one.file.split("/") if p.endswith((".service", ".service.d"))), "")
            here = self._members.using(host, Process(name="", unit=unit.removesuffix(".d")))
        at_port = self._members.at(provider, one.port)
        return Link(
            consumer=host,
            provider=provider,
            port=one.port,
            how=one.kind,
            consumer_services=here,
            # A file that names the host for its one service needs no port to tell which; a word in a unit may be any word.
            provider_services=at_port or (there if one.kind != "unit" else ()),
            file=one.file,
            detail=one.detail,
            is_needed=one.is_needed,
            is_live=one.is_live,
        )

    def _looked(self, host: str, seen: Seen) -> HostLooked:
        return HostLooked(
            answered=seen.looks > 0,
            why=seen.why if not seen.looks else "",
            looks=seen.looks,
            notes=tuple(_notes(seen)) if seen.looks else (),
            inside=self._within.get(host, 0),
            cpu_s=seen.cpu_s,
            containers=seen.elsewhere if seen.looks else 0,
        )


def _both(one: Link, other: Link) -> Link:
    file = one.file if one.is_needed or not other.is_needed else other.file
    return replace(one, is_live=one.is_live or other.is_live, is_needed=one.is_needed or other.is_needed, file=file)


def _notes(seen: Seen) -> Iterator[str]:
    """What could not be seen of a host that answered."""
    if not seen.is_known:
        yield "its connections cannot be read: it has neither ss nor a readable /proc/net/tcp, or no awk"
    elif not seen.is_root:
        yield "not root there: processes of other users are not named, and files that only root may read are not read (ssh: {sudo: true})"
    if not seen.complete:
        yield "it has more than was read: some connections or files are left out"
    if seen.references is None:
        yield "its files were not read: what they name is not known"
