"""All looks at the hosts, added up. No I/O: what came back is told to it, from one thread at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from restart.model.answer import NoAnswer
from restart.probes.sections import connections, references
from restart.probes.sections.connections import Listener, Process
from restart.probes.sections.references import References
from restart.probes.sweep import Swept
from restart.survey.sort import silence

ROWS_MAX = 20_000
"""Kinds of connections that are kept of one host, over all looks; of one that has more the rest is left out, and that is said."""

PORTS_MAX = 64
"""Ports kept of one kind of connections."""

Ends = tuple[tuple[str, int], tuple[str, int]]


@dataclass(slots=True)
class Row:
    """Connections that are alike, over all looks: `open` is the most at once, those just closed among them, `live` without those.

    `ports` are those that were told.
    """

    open: int = 0
    live: int = 0
    looks: int = 0
    ports: set[int] = field(default_factory=set)


Kind = tuple[bool, str, str, int, Process | None]
"""Inbound or not, the address here and there, the port that counts, the process."""


@dataclass(slots=True)
class Seen:
    """What one host said, over all looks."""

    rows: dict[Kind, Row] = field(default_factory=dict)
    listeners: set[Listener] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    own: set[Ends] = field(default_factory=set)
    references: References | None = None
    looks: int = 0
    why: str = ""
    is_root: bool = True
    is_known: bool = True
    complete: bool = True
    elsewhere: int = 0
    cpu_s: float | None = None

    def listens_at(self, port: int) -> bool:
        """Whether the host was seen to listen on `port`."""
        return any(listener.port == port for listener in self.listeners)


class Sightings:
    """What every host said so far."""

    def __init__(self) -> None:
        self.hosts: dict[str, Seen] = {}

    def add(self, host: str, swept: Swept | NoAnswer) -> None:
        """One look at one host."""
        seen = self.hosts.setdefault(host, Seen())
        if isinstance(swept, NoAnswer):
            seen.why = silence(swept)
            return
        found = swept.of(connections.SECTION)
        said = swept.of(references.SECTION)
        if said is not None:
            seen.references = said
        if swept.cpu_s is not None:
            seen.cpu_s = max(swept.cpu_s, seen.cpu_s or 0.0)
        if found is None:
            seen.why = "it answered, and did not tell its connections to the end"
            return
        seen.looks += 1
        seen.listeners.update(found.listeners)
        seen.addresses.update(found.addresses)
        seen.own.update(found.own)
        seen.is_root = seen.is_root and found.is_root
        seen.is_known = seen.is_known and found.is_known
        seen.complete = seen.complete and found.complete and (said is None or said.complete)
        seen.elsewhere = max(seen.elsewhere, found.elsewhere)
        now: dict[Kind, Row] = {}
        for one in found.connections:
            # Open ones and closed ones come apart, and those of several processes that are not told.
            row = now.setdefault((one.inbound, one.near, one.far, one.port, one.process), Row())
            row.open += one.open + one.closed
            row.live += one.open
            row.ports.update(one.ports)
        for kind, row in now.items():
            if row.open:
                self._count(seen, kind, row)

    def unasked(self, host: str) -> None:
        """`host` was to be looked at, and the looking ended before it had answered."""
        self.hosts.setdefault(host, Seen()).why = "the looking ended before it answered"

    def _count(self, seen: Seen, kind: Kind, now: Row) -> None:
        """Add what one look showed of one kind."""
        row = seen.rows.get(kind)
        if row is None:
            if len(seen.rows) >= ROWS_MAX:
                seen.complete = False
                return
            row = seen.rows[kind] = Row()
        row.open, row.live = max(row.open, now.open), max(row.live, now.live)
        row.ports.update(sorted(now.ports)[: PORTS_MAX - len(row.ports)])
        row.looks += 1
