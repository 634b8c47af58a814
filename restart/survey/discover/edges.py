"""What was seen, held against what the inventory says: edges it lacks, edges that were not seen, rings, what must be up first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from restart.model.discovery import CONNECTION, Discovery, Link
from restart.model.inventory import Dependency, Inventory
from restart.planner.graph import groups
from restart.rules.rings import rings


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Service `consumer` uses `provider`, by `links`. `kind` and `at` are what an inventory should say of it.

    `declared` is what it says already; None: nothing.
    """

    consumer: str
    provider: str
    links: tuple[Link, ...]
    kind: str = "requires"
    at: str = "both"
    declared: Dependency | None = None

    def dependency(self) -> Dependency:
        """The edge as an inventory has it."""
        return Dependency(provider=self.provider, kind=self.kind, at=self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSeen:
    """A declared edge of which nothing was seen. `silent` are hosts at its ends that did not answer, or were not asked: then that says
    nothing.

    `maybe`: something was seen between hosts of both, and not which services it belongs to.
    """

    consumer: str
    provider: str
    at: str
    silent: tuple[str, ...] = ()
    maybe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Services (or hosts without one) that use each other in a ring, consumer before provider; the first is not repeated.

    `is_order_only`: some edge of it is `after`, which yields; a ring of `requires` is refused by every plan. `new`: edges of it
    that the inventory lacks.
    """

    names: tuple[str, ...]
    is_order_only: bool
    new: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A discovery held against an inventory.

    `levels`: who must be up first and who then, each level resting on those before; those in one group of a level wait for each
    other. Who uses nobody and is used by nobody is in none. `host_level` are links of which a service at an end is not known.
    `within` counts the links between members of one service.
    """

    lacking: tuple[Edge, ...] = ()
    declared: tuple[Edge, ...] = ()
    not_seen: tuple[NotSeen, ...] = ()
    rings: tuple[Ring, ...] = ()
    levels: tuple[tuple[tuple[str, ...], ...], ...] = ()
    host_level: tuple[Link, ...] = ()
    within: Mapping[str, int] | None = None


def compared(inventory: Inventory, discovery: Discovery) -> Compared:
    """The whole comparison. Hosts and services that the inventory no longer has are left out."""
    seen, host_level, within = _edges(inventory, discovery.links)
    known = {(name, edge.provider): edge for name, service in inventory.services.items() for edge in service.depends_on}
    edges = [_edge(pair, links, known.get(pair)) for pair, links in seen.items()]
    lacking = tuple(edge for edge in edges if edge.declared is None)
    inside = {(link.consumer_services[0], link.provider_services[0]) for link in discovery.inside}
    return Compared(
        lacking=lacking,
        declared=tuple(edge for edge in edges if edge.declared is not None),
        not_seen=tuple(
            NotSeen(
                consumer=pair[0],
                provider=pair[1],
                at=edge.at,
                silent=_silent(inventory, discovery, pair),
                maybe=_maybe(inventory, host_level, pair),
            )
            for pair, edge in known.items()
            if pair not in seen and pair not in inside and _was_looked_at(inventory, discovery, pair)
        ),
        rings=_rings(inventory, lacking),
        levels=_levels(inventory, lacking, host_level),
        host_level=host_level,
        within=within,
    )


def _edges(
    inventory: Inventory, links: Iterable[Link]
) -> tuple[dict[tuple[str, str], list[Link]], tuple[Link, ...], dict[str, int]]:
    """Links by consumer and provider service; those that do not tell; how many are between members of one service."""
    found: dict[tuple[str, str], list[Link]] = {}
    host_level: list[Link] = []
    within: dict[str, int] = {}
    for link in links:
        if link.consumer not in inventory.hosts or link.provider not in inventory.hosts:
            continue
        providers = [name for name in link.provider_services if name in inventory.services]
        consumers = [name for name in link.consumer_services if name in inventory.services]
        # What a host needs at its boot, all of its services need; whose a connection is, one of them knows.
        if len(providers) != 1 or not consumers or (link.how in (CONNECTION, "unit") and len(consumers) > 1):
            host_level.append(link)
            continue
        for consumer in consumers:
            if consumer == providers[0]:
                within[consumer] = within.get(consumer, 0) + 1
            else:
                found.setdefault((consumer, providers[0]), []).append(link)
    order = {name: at for at, name in enumerate(inventory.services)}
    in_order = sorted(found, key=lambda pair: (order[pair[0]], order[pair[1]]))
    return {pair: found[pair] for pair in in_order}, tuple(host_level), within


def _edge(pair: tuple[str, str], links: list[Link], declared: Dependency | None) -> Edge:
    kind, at = suggested(links)
    return Edge(consumer=pair[0], provider=pair[1], links=tuple(links), kind=kind, at=at, declared=declared)


def suggested(links: Iterable[Link]) -> tuple[str, str]:
    """Kind and time of the edge that `links` amount to.

    A connection or a live mount is needed while the service runs. A mount that a boot waits for, and the log-in, are needed at
    boot; name servers, time, logs, packages, images and names in units give an order for boots only, for hosts come up without.
    """
    found = ("after", "boot")
    for link in links:
        if link.how == CONNECTION or link.is_live:
            return "requires", "both"
        if link.is_needed or link.how == "ldap":
            found = ("requires", "boot")
    return found


def _silent(inventory: Inventory, discovery: Discovery, pair: tuple[str, str]) -> tuple[str, ...]:
    """Hosts at both ends that told nothing. One end that answered in full is enough to see a connection; a part of it is not."""
    silent = {
        name: [host for host in inventory.services[name].hosts if not _answered(discovery, host)]
        for name in pair
        if name in inventory.services
    }
    return () if not all(silent.values()) else tuple(dict.fromkeys(host for hosts in silent.values() for host in hosts))


def _maybe(inventory: Inventory, host_level: tuple[Link, ...], pair: tuple[str, str]) -> bool:
    """Whether a link between their hosts may be this edge: neither of its ends is known to be another service's."""
    consumers, providers = (
        frozenset(inventory.services[name].hosts) if name in inventory.services else () for name in pair
    )
    return any(
        link.consumer in consumers
        and link.provider in providers
        and pair[0] in link.consumer_services
        and (not link.provider_services or pair[1] in link.provider_services)
        for link in host_level
    )


def _was_looked_at(inventory: Inventory, discovery: Discovery, pair: tuple[str, str]) -> bool:
    """Whether any host at an end was looked at: of a part of a fleet only that part can be missed."""
    return any(
        host in discovery.hosts
        for name in pair
        if name in inventory.services
        for host in inventory.services[name].hosts
    )


def _answered(discovery: Discovery, host: str) -> bool:
    looked = discovery.hosts.get(host)
    return looked is not None and looked.answered


def _rings(inventory: Inventory, lacking: tuple[Edge, ...]) -> tuple[Ring, ...]:
    """One shortest ring of each group, of those that `requires` closes first. Declared stand-ins open theirs."""
    new = {(edge.consumer, edge.provider) for edge in lacking}
    found: dict[frozenset[str], Ring] = {}
    for kinds in (("requires",), ("requires", "after")):
        edges = {
            name: [
                edge.provider
                for edge in (*service.depends_on, *(edge.dependency() for edge in lacking if edge.consumer == name))
                if edge.kind in kinds and edge.stand_in is None
            ]
            for name, service in inventory.services.items()
        }
        for ring in rings(edges):
            pairs = list(zip(ring, (*ring[1:], ring[0]), strict=True))
            if not any(set(ring) & names for names in found):
                found[frozenset(ring)] = Ring(
                    names=ring, is_order_only=len(kinds) > 1, new=tuple(pair for pair in pairs if pair in new)
                )
    return tuple(found.values())


def _levels(
    inventory: Inventory, lacking: tuple[Edge, ...], host_level: tuple[Link, ...]
) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """Groups by how many steps of others they rest on. A host without a service that others use is one by itself."""
    carried = {host for service in inventory.services.values() for host in service.hosts}
    pairs = {
        (name, edge.provider)
        for name, service in inventory.services.items()
        for edge in service.depends_on
        if edge.at in ("boot", "both") and edge.stand_in is None
    } | {(edge.consumer, edge.provider) for edge in lacking}
    for link in host_level:
        if link.provider not in carried:
            pairs |= {
                (consumer, f"host {link.provider}") for consumer in link.consumer_services or (f"host {link.consumer}",)
            }
    names = [*inventory.services, *sorted({name for pair in pairs for name in pair} - set(inventory.services))]
    number = {name: at for at, name in enumerate(names)}
    used: list[list[int]] = [[] for _ in names]
    for consumer, provider in sorted(pairs):
        used[number[consumer]].append(number[provider])
    linked = {name for pair in pairs for name in pair}
    level: dict[int, int] = {}
    rows: dict[int, list[tuple[str, ...]]] = {}
    # Each group comes after all groups that it uses.
    for group in groups(used):
        below = [level[other] for vertex in group for other in used[vertex] if other not in group]
        height = max(below, default=-1) + 1
        level.update(dict.fromkeys(group, height))
        if names[group[0]] in linked:
            rows.setdefault(height, []).append(tuple(names[vertex] for vertex in group))
    return tuple(tuple(sorted(rows[height], key=lambda group: number[group[0]])) for height in sorted(rows))


def closing(inventory: Inventory, lacking: tuple[Edge, ...]) -> frozenset[tuple[str, str]]:
    """Those of `lacking` that with others close a ring of `requires`: with them the inventory would be refused by every plan."""
    names = list(inventory.services)
    number = {name: at for at, name in enumerate(names)}
    required: list[list[int]] = [
        [number[edge.provider] for edge in service.depends_on if edge.kind == "requires" and edge.stand_in is None]
        for service in inventory.services.values()
    ]
    new = [(edge.consumer, edge.provider) for edge in lacking if edge.kind == "requires"]
    for consumer, provider in new:
        required[number[consumer]].append(number[provider])
    group_of = {vertex: at for at, group in enumerate(groups(required)) for vertex in group}
    return frozenset(pair for pair in new if group_of[number[pair[0]]] == group_of[number[pair[1]]])
