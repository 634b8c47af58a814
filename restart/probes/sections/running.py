"""What runs on a host as its service manager tells it: systemd's services, sockets, timers and paths, or the services that OpenRC has started.

A baseline is made of these, so each unit also says whether a boot would have to bring it: one that a bus name or a trigger starts when
somebody calls comes and goes, one that does its work once is gone afterwards, and one that somebody ran with `systemd-run` has a name for that
one time only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """`lasting` are the units that run and that nothing but a fault would end, `states` how each unit that was told of stands.

    A state is as systemd's `ActiveState`, or `started`. Both are empty where no service manager could be asked.
    """

    lasting: tuple[str, ...] = ()
    states: dict[str, str] = field(default_factory=dict)
    complete: bool = True


_TEXT = r"""
if [ -d "$r/systemd/system" ] && has systemctl; then
o=$(limited 3 systemctl list-units --type=service,socket,timer,path --state=active,activating,reloading,failed \
--plain --no-legend --no-pager | sed -e 's/^[^A-Za-z0-9]*//' -e 600q)
echo "$o" | sed -n -e 's/^\([^ ]*\)  *[^ ]*  *\([^ ]*\)  *\([^ ]*\).*/unit \1 \2 \3/p'
n=$(echo "$o" | sed -n -e '/^[^ ]*\.service  *[^ ]*  *[^ ]*  *running/s/ .*//p' | sed 300q)
set -f
[ -z "$n" ] || limited 3 systemctl show -p Id -p Type -p Transient -p UnitFileState -p BusName -p DropInPaths \
-p WantedBy -p RequiredBy -p BoundBy -p TriggeredBy -- $n | sed -n -e 's/=/ /' -e 's/^$/next/' -e '/ ./p' -e '/^next/p'
else
for f in "$r"/openrc/started/*; do [ -e "$f" ] && printf "openrc %s\n" "${f##*/}"; done
fi
"""

_FOR_ONCE = re.compile(
    r"run-[a-z]?[0-9a-f]+\.|user@|user-runtime-dir@|getty@tty[2-9]|systemd-(fsck|coredump|journald@)|.*@[0-9]+-[0-9.:a-f]+[-.]"
)
"""Units whose names say that they are there for one call, one user, or one console that somebody looked at."""

_SUBSTATES = frozenset({"running", "listening", "waiting", "elapsed"})


def _read(lines: Lines) -> Running:
    states: dict[str, str] = {}
    up: list[str] = []
    for value in lines.values("unit"):
        words = value.split()
        if len(words) != 3:
            continue
        name, active, sub = words
        states[name] = active
        if active in ("active", "reloading") and sub in _SUBSTATES and not _FOR_ONCE.match(name):
            up.append(name)
    passing = {name for name, comes_and_goes in _shown(lines) if comes_and_goes}
    started = lines.values("openrc")
    states.update(dict.fromkeys(started, "started"))
    return Running(
        lasting=(*(name for name in up if name not in passing), *started), states=states, complete=lines.complete
    )


def _shown(lines: Lines) -> Iterator[tuple[str, bool]]:
    """Each service that systemd was asked about, and whether it comes and goes by itself."""
    fields: dict[str, str] = {}
    for word, rest in (*lines.named(), ("next", "")):
        if word in ("unit", "openrc"):
            continue
        if word == "next" or (word == "Id" and "Id" in fields):
            if "Id" in fields:
                yield fields["Id"], _comes_and_goes(fields)
            fields = {}
        if word != "next":
            fields[word] = rest


def _comes_and_goes(fields: dict[str, str]) -> bool:
    if fields.get("Type") == "oneshot" or fields.get("Transient") == "yes":
        return True
    if "50-pacemaker.conf" in fields.get("DropInPaths", ""):
        return True  # a cluster decides where it runs, and moves it away from a host that restarts
    pulled_in = any(fields.get(key) for key in ("WantedBy", "RequiredBy", "BoundBy"))
    on_demand = fields.get("BusName") or fields.get("TriggeredBy")
    return bool(on_demand) and not pulled_in and not fields.get("UnitFileState", "").startswith("enabled")


SECTION = Section(name="running", text=_TEXT, read=_read, lines_max=3500)
