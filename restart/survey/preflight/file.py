"""The last preflight of each fleet as a file beside the store: `plan` and `run` refuse what it found to block."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from restart.model.document import as_json
from restart.model.preflight import Preflight
from restart.survey.file import kept, write
from restart.survey.sort import moment

VERSION = 1

AGE_MAX_S = 24 * 3600.0
"""What was found longer ago no longer holds anybody up: it may have been mended since, or worse have come."""

KIND = "preflights"


def preflight_json(preflight: Preflight) -> dict[str, Any]:
    """The document."""
    return {"version": VERSION, "kind": "preflight", **as_json(preflight)}


def save(path: Path, preflight: Preflight) -> None:
    """Write it for its owner alone. Raises `UsageMistake` where that cannot be."""
    write(path, preflight_json(preflight))


def last(path: Path, now: float) -> Preflight | None:
    """What is known of each host that was looked at in the last `AGE_MAX_S`; None where there is no file.

    `now` is the wall clock, in seconds since 1970. Raises `UsageMistake` where the file holds something else: what blocks must not
    be lost for that.
    """

    def fresh(found: Preflight) -> Preflight:
        hosts = {host: looked for host, looked in found.hosts.items() if now - moment(looked.at) <= AGE_MAX_S}
        return replace(found, hosts=hosts)

    return kept(path, "preflight", VERSION, Preflight, fresh=fresh, remedy="look again: restart preflight INVENTORY")
