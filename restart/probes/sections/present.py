"""Who and what is at work on the host now: people logged in, package managers, inhibitors, a shutdown that is scheduled already.

Inhibitors are read from logind's own files; package managers are known by their names and by the locks that they hold, which the kernel lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """`people` as `who` tells them, `packaging` what changes packages now, `inhibitors` who forbids a shutdown and why.

    `interrupted` says that a package manager was cut off before; `scheduled` that a shutdown is.
    """

    people: tuple[str, ...] = ()
    packaging: tuple[str, ...] = ()
    inhibitors: tuple[str, ...] = ()
    interrupted: bool = False
    scheduled: bool = False


_TEXT = r"""
if has who; then limited 2 who | sed -e 's/^/person /'
elif has loginctl && [ -d "$r/systemd/system" ]; then
limited 2 loginctl list-sessions --no-legend --no-pager | sed -n -e '/ \(tty\|pts\)/s/^ */person session /p'
fi
for f in "$p"/[0-9]*/comm; do
IFS= read -r c <"$f" || continue
case $c in apt|apt-get|aptitude|dpkg|rpm|yum|dnf|dnf5|zypper|apk|pacman|emerge) f=${f%/comm}; echo "packaging $c, process ${f##*/}";; esac
done
for f in var/lib/dpkg/lock-frontend var/lib/dpkg/lock var/lib/rpm/.rpm.lock usr/lib/sysimage/rpm/.rpm.lock lib/apk/db/lock; do
[ -e "$R/$f" ] || continue
set -- $(ls -i "$R/$f")
while read -r n x x x w d x; do case $d in *:"$1") echo "packaging process $w, which holds /$f";; esac; done <"$p/locks"
done
for f in "$R"/var/lib/dpkg/updates/[0-9]*; do [ -e "$f" ] && echo "interrupted dpkg" && break; done
for f in "$r"/systemd/inhibit/*; do
case $f in *.ref) continue;; esac
[ -f "$f" ] && [ -r "$f" ] || continue
what= mode= who= why=
while IFS='=' read -r k v; do case $k in WHAT) what=$v;; MODE) mode=$v;; WHO) who=$v;; WHY) why=$v;; esac; done <"$f"
case $mode:$what in block:*shutdown*) printf "inhibitor %s\n" "$who: $why";; esac
done
[ -e "$r/systemd/shutdown/scheduled" ] && echo "scheduled yes"
"""


def _packaging(told: tuple[str, ...]) -> Iterator[str]:
    """Each process once, the first time with what it is told by: the names come before the locks."""
    processes = set()
    for what in dict.fromkeys(told):
        process = _PROCESS.search(what)
        if process is None or process[1] not in processes:
            yield what
        if process is not None:
            processes.add(process[1])


_PROCESS = re.compile(r"process ([0-9]{1,10})")


def _read(lines: Lines) -> Present:
    return Present(
        people=lines.values("person")[:20],
        packaging=tuple(_packaging(lines.values("packaging")))[:10],
        inhibitors=lines.values("inhibitor")[:10],
        interrupted=bool(lines.values("interrupted")),
        scheduled=bool(lines.values("scheduled")),
    )


SECTION = Section(name="present", text=_TEXT, read=_read, lines_max=120)
