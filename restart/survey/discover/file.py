"""The last discovery of each fleet as a file beside the store: `plan` warns of edges in it that the inventory lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from restart.model.discovery import Discovery
from restart.model.document import as_json
from restart.survey.file import kept, write
from restart.survey.sort import moment

VERSION = 1

AGE_MAX_S = 30 * 24 * 3600.0
"""What was seen longer ago is no longer held against anybody: who depends on whom changes with releases, not with nights."""

KIND = "discoveries"


def discovery_json(discovery: Discovery) -> dict[str, Any]:
    """The document."""
    return {"version": VERSION, "kind": "discovery", **as_json(discovery)}


def save(path: Path, discovery: Discovery) -> None:
    """Write it for its owner alone. Raises `UsageMistake` where that cannot be."""
    write(path, discovery_json(discovery))


def last(path: Path, now: float) -> Discovery | None:
    """The last discovery, with what of it was seen in the last `AGE_MAX_S`; None where there is none. `now` in seconds since 1970.

    Raises `UsageMistake` where the file holds something else.
    """

    def fresh(found: Discovery) -> Discovery:
        return replace(
            found, links=tuple(link for link in found.links if now - moment(link.at or found.at) <= AGE_MAX_S)
        )

    remedy = "discover again: restart discover INVENTORY"
    return kept(path, "discovery", VERSION, Discovery, fresh=fresh, remedy=remedy)


def merged(before: Discovery | None, now: Discovery) -> Discovery:
    """`now`, and what was seen `before` between hosts neither of which told anything this time."""
    told = {host for host, looked in now.hosts.items() if looked.answered}
    if before is None or before.fleet != now.fleet:
        return now
    if not told:
        return before
    links = tuple(
        replace(link, at=link.at or before.at)
        for link in before.links
        if link.consumer not in told and link.provider not in told
    )
    hosts = {host: looked for host, looked in before.hosts.items() if host not in now.hosts}
    return replace(now, links=(*now.links, *links), hosts={**hosts, **now.hosts})
