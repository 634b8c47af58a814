"""Room on / and /boot, and file systems that want a check or have seen errors (tune2fs(8), /sys/fs/ext4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One file system: KiB (or inodes) in all and free."""

    place: str
    unit: str
    total: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disks:
    """`due` says of each device, in words, why a boot checks it; `errors` counts by device what the kernel has seen go wrong."""

    rooms: tuple[Room, ...] = ()
    due: tuple[tuple[str, str], ...] = ()
    errors: tuple[tuple[str, int], ...] = ()


_TEXT = r"""
s=
for m in / /boot; do
[ -d "$R$m" ] || continue
set -- $(limited 2 df -Pk "$R$m" | sed -n '$p')
case $6 in ''|"$s") continue;; esac
s=$6; echo "room KiB $2 $4 $m"
set -- $(limited 2 df -Pi "$R$m" | sed -n '$p'); [ -n "$4" ] && echo "room inodes $2 $4 $m"
done
for f in "$R"/sys/fs/ext4/*/errors_count; do
IFS= read -r n <"$f" && f=${f%/errors_count} && echo "errors ${f##*/} $n"
done
for f in "$R/forcefsck" "$R/.autofsck"; do [ -e "$f" ] && echo "forced ${f#"$R"}"; done
has tune2fs || return 0
echo "now $(date +%Y%m%d%H%M)"
s=" "; n=0
while read -r d m t x; do
case $t in ext2|ext3|ext4) ;; *) continue;; esac
case $s in *" $d "*) continue;; esac
s="$s$d "; n=$((n + 1)); [ $n -le 6 ] && [ -r "$R$d" ] || continue
limited 2 tune2fs -l "$d" | sed -n -e "s|^Filesystem state: *|ext $d state |p" -e "s|^Mount count: *|ext $d count |p" \
-e "s|^Maximum mount count: *|ext $d max |p" -e "s|^Next check after: *|ext $d next |p"
done <"$p/mounts"
"""


def _read(lines: Lines) -> Disks:
    rooms, errors = [], []
    for value in lines.values("room"):
        words = value.split()
        if len(words) == 4 and all(_is_number(word) for word in words[1:3]):
            rooms.append(Room(unit=words[0], total=int(words[1]), free=int(words[2]), place=words[3]))
    for value in lines.values("errors"):
        device, _, number = value.partition(" ")
        if _is_number(number) and int(number):
            errors.append((device, int(number)))
    facts: dict[str, dict[str, str]] = {}
    for value in lines.values("ext"):
        words = value.split(maxsplit=2)
        if len(words) == 3:
            facts.setdefault(words[0], {})[words[1]] = words[2]
    now = lines.value("now") or ""
    due = [(path, "it is there, and asks for a check of all") for path in lines.values("forced")]
    due += [
        (device, why)
        for device, known in facts.items()
        if (why := _why(known, int(now) if _is_number(now) else None)) is not None
    ]
    return Disks(rooms=tuple(rooms), due=tuple(due), errors=tuple(errors))


def _why(known: dict[str, str], now: int | None) -> str | None:
    count, most = known.get("count", ""), known.get("max", "")
    if "error" in known.get("state", ""):
        return f"its state is {known['state']}"
    if _is_number(count) and _is_number(most) and int(most) and int(count) >= int(most):
        return f"mounted {count} times, to be checked after {most}"
    after = _MOMENT.fullmatch(known.get("next", ""))
    if after is None or now is None or after["month"] not in _MONTHS:
        return None
    month = _MONTHS.index(after["month"]) + 1
    minute = int(f"{after['year']}{month:02}{int(after['day']):02}{after['hour']}{after['minute']}")
    return f"to be checked after {known['next']}" if now > minute else None


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOMENT = re.compile(
    r"[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>[0-9]{1,2}) (?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):[0-9]{2} (?P<year>[0-9]{4})",
    re.ASCII,
)
"""As tune2fs prints a moment, in the host's own time, as `date` prints its now."""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16


SECTION = Section(name="disks", text=_TEXT, read=_read, lines_max=80)
