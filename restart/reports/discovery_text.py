"""What was discovered, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from restart.model.discovery import CONNECTION, Discovery, Link, Outside
from restart.model.document import as_json
from restart.reports.prose import count, listed, printable, wrapped
from restart.rules.durations import spoken
from restart.survey.discover.edges import Compared, Edge, NotSeen, Ring

ROWS_MAX = 30
"""Lines of a kind; of the rest the number. JSON has all of them."""

_HOWS = {
    "mount": "mounts from", "resolver": "asks for names at", "ntp": "asks for the time at", "ldap": "logs people in by",
    "syslog": "sends logs to", "package": "takes packages from", "image": "takes images from", "proxy": "goes out through",
    "unit": "names in a unit",
}  # fmt: skip


def discovery_text(discovery: Discovery, compared: Compared, *, ended: bool = True, width: int = 100) -> str:
    """All of it but the patch. Ends with a newline."""
    parts = [
        _head(discovery, ended, width),
        _edges("Seen, and the inventory lacks", compared.lacking, discovery, width),
        _edges("Seen, and declared", compared.declared, discovery, width),
        _not_seen(compared.not_seen, discovery, width),
        _rings(compared.rings, width),
        _levels(compared.levels, width),
        _host_level(compared, discovery, width),
        _inside(discovery, compared, width),
        _outside(discovery, width),
        _unmatched(discovery, width),
        _notes(discovery, width),
    ]
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part))) + "\n"


def _head(discovery: Discovery, ended: bool, width: int) -> Iterator[str]:
    told = [host for host, looked in discovery.hosts.items() if looked.answered]
    looks = "once" if discovery.looks == 1 else f"{discovery.looks} times in {spoken(discovery.for_s)}"
    early = "" if ended else ", ended early"
    yield from wrapped(
        f"{discovery.fleet}: looked at {count(len(discovery.hosts), 'host')} {looks} from {discovery.at} on{early}; {len(told)} answered",
        width=width, rest="  ",
    )  # fmt: skip
    silent: dict[str, list[str]] = {}
    for host, looked in discovery.hosts.items():
        if not looked.answered:
            silent.setdefault(looked.why, []).append(host)
    for why, hosts in silent.items():
        text = (
            f"{listed(hosts)}: {printable(why)}. What goes out from there is not known; none seen does not mean none."
        )
        yield from wrapped(text, width=width, first="UNKNOWN  ", rest="         ")
    if discovery.looks == 1 and told:
        yield from wrapped(
            "One look misses connections that are short or rare: --for 10m looks again and again.",
            width=width,
            rest="  ",
        )


def _edges(title: str, edges: Sequence[Edge], discovery: Discovery, width: int) -> Iterator[str]:
    if not edges:
        return
    yield f"{title} ({len(edges)})"
    for edge in edges:
        remark = ""
        if edge.declared is None:
            remark = f"   {edge.kind}, at {edge.at}" if edge.at != "both" else f"   {edge.kind}"
        elif edge.declared.at == "boot" and edge.at == "both":
            remark = "   declared for boots only, seen while it runs"
        yield f"  {edge.consumer} -> {edge.provider}{remark}"
        yield from bounded(link_lines(edge.links, discovery, width))


def bounded(lines: Iterable[str], most: int = ROWS_MAX) -> Iterator[str]:
    """At most so many lines, and how many more there are."""
    held = list(lines)
    yield from held[:most]
    if len(held) > most:
        yield f"      ... and {len(held) - most} more (--format json has all)"


def link_lines(links: Iterable[Link], discovery: Discovery, width: int) -> Iterator[str]:
    """Links that say the same of several hosts, in one."""
    groups: dict[tuple[Any, ...], list[Link]] = {}
    for link in links:
        groups.setdefault((link.how, link.port, link.clients, link.server, link.file, link.detail), []).append(link)
    for same in groups.values():
        yield from wrapped(_said(same, discovery), width=width, first="      ", rest="        ")


def _said(links: Sequence[Link], discovery: Discovery) -> str:
    one = links[0]
    who = f"{listed(dict.fromkeys(link.consumer for link in links))}"
    whom = f"{listed(dict.fromkeys(link.provider for link in links))}"
    place = f"{whom}:{one.port}" if one.port is not None else whom
    if one.how != CONNECTION:
        where = ", ".join(filter(None, (one.file, one.detail, "mounted now" if one.is_live else "")))
        return printable(f"{who} {_HOWS.get(one.how, one.how)} {place} ({where})")
    client = f" ({', '.join(one.clients)})" if one.clients else " (process not seen)"
    server = f" ({one.server})" if one.server else ""
    often = "" if discovery.looks == 1 else f", in {max(link.looks for link in links)} of {discovery.looks} looks"
    side = {"both": "", "consumer": ", seen by the client only", "provider": ", seen by the server only"}[one.sides]
    return printable(
        f"{who}{client} -> {place}{server}, {count(sum(link.open for link in links), 'connection')}{often}{side}"
    )


def _not_seen(rows: Sequence[NotSeen], discovery: Discovery, width: int) -> Iterator[str]:
    if not rows:
        return
    yield f"Declared, and not seen ({len(rows)})"
    for row in rows:
        if row.silent:
            why = f"not known: {listed(row.silent)} did not answer, or was not asked"
        elif row.maybe:
            why = "not told apart: there is something between their hosts (below), and no service is known at an end of it"
        elif row.at == "boot":
            why = "it holds at boot only, and no file that was read names it"
        else:
            why = "no connection in this time; it may be rare, or go through an address that is nobody's here"
        yield from wrapped(f"{row.consumer} -> {row.provider}: {why}", width=width, first="  ", rest="      ")


def _rings(rings: Sequence[Ring], width: int) -> Iterator[str]:
    if not rings:
        return
    yield f"Cycles ({len(rings)})"
    for ring in rings:
        way = " -> ".join((*ring.names, ring.names[0]))
        if ring.is_order_only:
            text = f"{way}: closed by order only (after), which yields; a plan says so"
        elif ring.new:
            text = f"{way}: once all of it is declared every plan refuses it; turn an edge into after, or declare a stand-in with break"
        else:
            text = (
                f"{way}: declared, and every plan refuses it; turn an edge into after, or declare a stand-in with break"
            )
        yield from wrapped(text, width=width, first="  ", rest="      ")


def _levels(levels: Sequence[Sequence[Sequence[str]]], width: int) -> Iterator[str]:
    if not levels:
        return
    head = "Must be up first: 1 needs nothing of the others, each next level rests on those before"
    yield from wrapped(head, width=width, rest="  ")
    for number, level in enumerate(levels, start=1):
        said = [group[0] if len(group) == 1 else f"({' + '.join(group)}, which wait for each other)" for group in level]
        yield from wrapped(", ".join(said), width=width, first=f"  {number}. ", rest="     ")


def _host_level(compared: Compared, discovery: Discovery, width: int) -> Iterator[str]:
    if not compared.host_level:
        return
    yield f"Between hosts, and no service is known at an end ({len(compared.host_level)})"
    groups: dict[str, list[Link]] = {}
    for link in compared.host_level:
        groups.setdefault(_why_host_level(link), []).append(link)
    for why, links in groups.items():
        yield from wrapped(why, width=width, first="  ", rest="  ")
        yield from bounded(link_lines(links, discovery, width))


def _why_host_level(link: Link) -> str:
    if not link.provider_services and link.how == "unit":
        return "A unit names the host, and no port that a check of its services names."
    if not link.provider_services:
        return "No check of a service names this port of the host: where it is a service's, add it to its ready checks (tcp: PORT)."
    if len(link.provider_services) > 1:
        return f"Several services may be meant there: {', '.join(link.provider_services)}."
    if not link.consumer_services:
        return "The host that uses it carries no service of the inventory."
    return f"The process may belong to several services of its host ({', '.join(link.consumer_services)}): a systemd check that names its unit tells them apart."


def _inside(discovery: Discovery, compared: Compared, width: int) -> Iterator[str]:
    within = compared.within or {}
    alone = {host: looked.inside for host, looked in discovery.hosts.items() if looked.inside}
    if not (within or alone or discovery.inside):
        return
    yield "Not between services"
    for name, number in within.items():
        yield f"  members of {name} among themselves: {count(number, 'link')}"
    pairs: dict[tuple[str, str], list[str]] = {}
    for link in discovery.inside:
        pairs.setdefault((link.consumer_services[0], link.provider_services[0]), []).append(link.consumer)
    for (consumer, provider), hosts in pairs.items():
        text = f"{consumer} uses {provider} on its own host: {listed(hosts)}. A dependency would hold for the other hosts of {provider} too, so none is proposed."
        yield from wrapped(text, width=width, first="  ", rest="      ")
    if alone:
        text = f"{count(sum(alone.values()), 'connection')} of hosts to themselves: {listed(alone)}"
        yield from wrapped(text, width=width, first="  ", rest="      ")
    if discovery.own:
        yield f"  sessions of this tool, left out: {discovery.own}"


def _outside(discovery: Discovery, width: int) -> Iterator[str]:
    if not discovery.outside:
        return
    number = sum(one.addresses for one in discovery.outside)
    yield f"Outside the inventory ({count(number, 'address', 'addresses')})"
    silent = [host for host, looked in discovery.hosts.items() if not looked.answered]
    if silent:
        yield from wrapped(
            f"{listed(silent)} did not answer, and may have some of these", width=width, first="  ", rest="  "
        )
    lines = [
        line for one in discovery.outside for line in wrapped(_stranger(one), width=width, first="  ", rest="      ")
    ]
    yield from bounded(lines)


def _stranger(one: Outside) -> str:
    hosts, processes = listed(one.hosts), f" ({', '.join(one.processes)})" if one.processes else ""
    address = f"[{one.address}]" if ":" in one.address else one.address
    if one.inbound:
        who = one.address if one.addresses == 1 else f"{one.addresses} addresses"
        return printable(f"{who} -> {hosts} port {one.port}{processes}, {count(one.open, 'connection')}")
    place = address if one.port is None else f"{address}:{one.port}"
    if one.how != CONNECTION:
        return printable(f"{hosts} {_HOWS.get(one.how, one.how)} {place}")
    return printable(f"{hosts}{processes} -> {place}, {count(one.open, 'connection')}")


def _unmatched(discovery: Discovery, width: int) -> Iterator[str]:
    if not discovery.unmatched:
        return
    yield f"Not matched ({len(discovery.unmatched)})"
    lines = [
        line
        for one in discovery.unmatched
        for line in wrapped(printable(f"{one.host} {one.what}: {one.why}"), width=width, first="  ", rest="      ")
    ]
    yield from bounded(lines)


def _notes(discovery: Discovery, width: int) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for host, looked in discovery.hosts.items():
        for note in looked.notes:
            groups.setdefault(note, []).append(host)
    contained = {host: looked.containers for host, looked in discovery.hosts.items() if looked.containers}
    if groups or contained:
        yield "Not seen in full"
    for note, hosts in groups.items():
        yield from wrapped(f"{listed(hosts)}: {printable(note)}", width=width, first="  ", rest="      ")
    if contained:
        number = count(sum(contained.values()), "container")
        text = f"{listed(contained)}: {number} (network namespaces) with connections of their own, which are only counted. {_CONTAINERS}"
        yield from wrapped(text, width=width, first="  ", rest="      ")


_CONTAINERS = (
    "What they have with other hosts shows from the other end, if that host answered: as connections of this host, without the container's "
    "process, or as outside the inventory where containers have addresses of their own. What they have with each other on one host does not show. To "
    "look, as root there, PID being a process of the container: nsenter -t PID -n ss -tnp. Declare by hand what is missing, and give the "
    "service whose port a container publishes a tcp check, so that it is known there."
)


def why_of(edge: Edge, discovery: Discovery) -> str:
    """In a few words why the edge is there, for a comment behind it."""
    link = edge.links[0]
    place = f"{link.provider}:{link.port}" if link.port is not None else link.provider
    via = f" ({', '.join(link.clients)})" if link.clients else "" if link.how == CONNECTION else f" ({link.how})"
    more = f" and {len(edge.links) - 1} more" if len(edge.links) > 1 else ""
    return printable(f"seen {(link.at or discovery.at)[:10]}: {link.consumer}{via} -> {place}{more}")


def summary_json(compared: Compared) -> dict[str, Any]:
    """What was seen held against the inventory, beside the discovery's own document."""

    def edge_json(edge: Edge) -> Mapping[str, Any]:
        return {"consumer": edge.consumer, "provider": edge.provider, "kind": edge.kind, "at": edge.at,
                "links": [as_json(link) for link in edge.links]}  # fmt: skip

    return {
        "lacking": [edge_json(edge) for edge in compared.lacking],
        "declared": [edge_json(edge) for edge in compared.declared],
        "not_seen": [
            {"consumer": row.consumer, "provider": row.provider, "at": row.at, "silent": list(row.silent)}
            for row in compared.not_seen
        ],
        "cycles": [{"names": list(ring.names), "order_only": ring.is_order_only} for ring in compared.rings],
        "first": [list(group) for group in compared.levels[0]] if compared.levels else [],
        "levels": [[list(group) for group in level] for level in compared.levels],
        "host_level": [as_json(link) for link in compared.host_level],
    }
