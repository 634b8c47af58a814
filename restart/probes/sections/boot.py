"""Boot id and uptime, read together."""

from __future__ import annotations

from restart.probes import probe, script
from restart.probes.probe import Seen
from restart.probes.section import Lines, Section


def _read(lines: Lines) -> Seen | None:
    return probe.read({name: lines.value(name) or "" for name in ("boot", "uptime")})


SECTION = Section(
    name="boot", text=f'{script.READ_BOOT} && echo "boot $b" && echo "uptime $u"', read=_read, lines_max=2
)
