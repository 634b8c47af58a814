"""Whether the clock is synchronised, by whoever keeps it: systemd-timesyncd, chrony, or what systemd says of the kernel."""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """None: nothing on the host tells."""

    synchronised: bool | None = None
    source: str = ""


_TEXT = r"""
f=$r/systemd/timesync/synchronized
if [ -e "$f" ] && [ -n "$(find "$f" -mmin -90)" ]; then echo "said yes systemd-timesyncd"; return 0; fi
if has chronyc; then
s=$(limited 2 chronyc -n tracking | sed -n -e 's/^Leap status *: *//p')
case $s in "Not synch"*) echo "said no chrony"; return 0;; ?*) echo "said yes chrony"; return 0;; esac
fi
if [ -d "$r/systemd/system" ] && has timedatectl; then
case $(limited 2 timedatectl show -p NTPSynchronized) in *=yes) echo "said yes timedatectl";; *=no) echo "said no timedatectl";; esac
fi
"""


def _read(lines: Lines) -> Clock:
    said, _, source = (lines.value("said") or "").partition(" ")
    return Clock(synchronised={"yes": True, "no": False}.get(said), source=source)


# The file is touched at each synchronisation, of which timesyncd makes one at least every 34 minutes; it stays when nobody does any more.

SECTION = Section(name="clock", text=_TEXT, read=_read, lines_max=5)
