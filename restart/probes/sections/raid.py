"""RAID arrays and pools that lack a member or rebuild, and disks that say of themselves that they fail (md(4), smartctl(8))."""

from __future__ import annotations

import re
from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Raid:
    """Names and, in words, what is wrong: `degraded` lack a member, `rebuilding` are at work, `failing` are disks."""

    degraded: tuple[tuple[str, str], ...] = ()
    rebuilding: tuple[tuple[str, str], ...] = ()
    failing: tuple[tuple[str, str], ...] = ()


_TEXT = r"""
[ -r "$p/mdstat" ] && sed -e 's/^/md /' "$p/mdstat"
for f in "$p"/spl/kstat/zfs/*/state; do IFS= read -r s <"$f" && f=${f%/state} && echo "pool ${f##*/} $s"; done
has smartctl || return 0
n=0
for f in "$R"/sys/block/sd* "$R"/sys/block/nvme*; do
[ -e "$f" ] || continue
n=$((n + 1)); [ $n -le 8 ] || break
limited 1 smartctl -n standby -H "/dev/${f##*/}" | sed -n -e "s|^.*self-assessment test result: *|smart ${f##*/} |p" \
-e "s|^SMART Health Status: *|smart ${f##*/} |p"
done
"""

_ARRAY = re.compile(r"(md[^ ]{0,60}) : ")
_MEMBERS = re.compile(r"\[([0-9]{1,4})/([0-9]{1,4})\]")
_WORK = re.compile(r"(recovery|resync|reshape|check)\s*=\s*([0-9.]{1,8}%)")


def _read(lines: Lines) -> Raid:
    degraded: dict[str, str] = {}
    rebuilding: dict[str, str] = {}
    array = ""
    for row in lines.values("md"):
        if match := _ARRAY.match(row):
            array = match[1]
        if array and (match := _MEMBERS.search(row)) and int(match[2]) < int(match[1]):
            degraded[array] = f"{match[2]} of {match[1]} members"
        if array and (match := _WORK.search(row)) and match[1] != "check":
            rebuilding[array] = f"{match[1]} at {match[2]}"
    for value in lines.values("pool"):
        pool, _, state = value.partition(" ")
        if state not in ("ONLINE", ""):
            degraded[pool] = state
    failing = []
    for value in lines.values("smart"):
        disk, _, said = value.partition(" ")
        if said and not said.startswith(("PASSED", "OK")):
            failing.append((disk, said))
    return Raid(
        degraded=tuple(degraded.items()), rebuilding=tuple(rebuilding.items()), failing=tuple(dict.fromkeys(failing))
    )


SECTION = Section(name="raid", text=_TEXT, read=_read, lines_max=300)
