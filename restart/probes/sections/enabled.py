"""systemd units that run or have failed, whether a boot would start them, and the ordering cycles of this boot.

A unit comes back by itself where something pulls it in: its unit file is enabled, another unit wants it, or a socket, timer, path or
bus name starts it (systemd.unit(5)). Cycles are read from what systemd itself wrote while it booted: looking for them anew would
load every unit of the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """`file_state` is systemd's UnitFileState (`enabled`, `disabled`, `static`, `generated`, `transient`, ... or empty).

    `pulled_in` says whether another unit that is loaded starts it; `bus_name` is the one it owns, or empty.
    """

    name: str
    failed: bool = False
    file_state: str = ""
    pulled_in: bool = False
    bus_name: str = ""
    result: str = ""

    @property
    def comes_back(self) -> bool:
        """Whether something starts it at boot; what a bus name starts, or a unit of an unknown kind, is given the benefit."""
        # Whoever wants a unit that is masked gets nothing; those of this boot's mask get it again.
        if self.file_state == "masked":
            return False
        if self.pulled_in or self.file_state not in ("disabled", "masked", "masked-runtime", "generated", "transient"):
            return True
        return bool(self.bus_name) and self.file_state == "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enabled:
    """`units` by name; `cycles` are systemd's own words. `complete` is False where the host has more units than were asked about."""

    units: tuple[Unit, ...] = ()
    cycles: tuple[str, ...] = ()
    complete: bool = True


_TEXT = r"""
[ -d "$r/systemd/system" ] && has systemctl || return 0
n=$(limited 5 systemctl list-units --type=service,socket,timer,path --state=running,listening,waiting,failed \
--plain --no-legend --no-pager | sed -n -e 's/^[^A-Za-z0-9]*\([^ ]*\).*/\1/' -e '1,250p')
set -f
[ -z "$n" ] || limited 5 systemctl show -p Id -p ActiveState -p UnitFileState -p Result -p BusName \
-p WantedBy -p RequiredBy -p BoundBy -p TriggeredBy -p ConsistsOf -- $n | sed -e 's/=/ /' -e 's/^$/next/'
has journalctl && limited 2 journalctl -b -q --no-pager -o cat _PID=1 PRIORITY=3 PRIORITY=4 | sed -n -e '/ordering cycle/s/^/cycle /p'
"""

_PULLS = frozenset({"WantedBy", "RequiredBy", "BoundBy", "TriggeredBy", "ConsistsOf"})


def _read(lines: Lines) -> Enabled:
    cycles = tuple(dict.fromkeys(lines.values("cycle")))[:10]
    return Enabled(units=tuple(_units(lines)), cycles=cycles, complete=lines.complete)


def _units(lines: Lines) -> Iterator[Unit]:
    fields: dict[str, str] = {}
    pulled_in = False
    for word, rest in (*lines.named(), ("next", "")):
        if word == "next" or (word == "Id" and "Id" in fields):
            if fields.get("Id"):
                yield Unit(
                    name=fields["Id"],
                    failed=fields.get("ActiveState") == "failed",
                    file_state=fields.get("UnitFileState", ""),
                    pulled_in=pulled_in,
                    bus_name=fields.get("BusName", ""),
                    result=fields.get("Result", ""),
                )
            fields, pulled_in = {}, False
        if word in _PULLS:
            pulled_in = pulled_in or bool(rest)
        elif word != "next":
            fields[word] = rest


SECTION = Section(name="enabled", text=_TEXT, read=_read, lines_max=3500)
