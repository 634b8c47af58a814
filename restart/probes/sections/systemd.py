"""systemd's state as a whole and its failed units. A host without systemd is no error: it says so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Systemd:
    """`state` is what `systemctl is-system-running` says; None where there is no systemd, or it did not say.

    `failed` are the failed units; `complete` is False where there are more.
    """

    runs: bool = False
    state: str | None = None
    failed: tuple[str, ...] = ()
    complete: bool = True

    @property
    def is_booting(self) -> bool:
        """systemd has not finished its first boot transaction."""
        return self.state in ("initializing", "starting")


_TEXT = r"""
[ -d "$r/systemd/system" ] && has systemctl || return 0
echo "runs systemd"
echo "state $(limited 3 systemctl is-system-running)"
limited 3 systemctl list-units --failed --plain --no-legend --no-pager | sed -e 's/^/failed /'
"""

_STATES = frozenset({"initializing", "starting", "running", "degraded", "maintenance", "stopping", "offline"})
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}\.[a-z]{1,20}")


def _read(lines: Lines) -> Systemd:
    state = lines.value("state")
    units = (word for rest in lines.values("failed") for word in rest.split()[:2] if _UNIT.fullmatch(word))
    return Systemd(
        runs=lines.value("runs") == "systemd",
        state=state if state in _STATES else None,
        failed=tuple(dict.fromkeys(units)),
        complete=lines.complete,
    )


SECTION = Section(name="systemd", text=_TEXT, read=_read)
