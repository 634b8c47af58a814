"""What is mounted and swapped to, and what fstab and the units say would be after a boot (fstab(5), systemd.mount(5))."""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of /proc/mounts."""

    device: str
    place: str
    kind: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of fstab. `device_there` is None where that cannot be told from a path (a network share, a folder)."""

    device: str
    place: str
    kind: str
    options: tuple[str, ...] = ()
    device_there: bool | None = None

    @property
    def is_needed(self) -> bool:
        """A boot waits for it, and stops without it."""
        return not {"noauto", "nofail"} & set(self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """`entries` is None where no fstab can be read. `units` are the names of mount, automount and swap units that boots have."""

    mounts: tuple[Mount, ...] = ()
    swaps: tuple[str, ...] = ()
    entries: tuple[Entry, ...] | None = None
    units: frozenset[str] = frozenset()
    complete: bool = True


_TEXT = r"""
sed -e '/^[^ ]* [^ ]* \(proc\|sysfs\|devpts\|devtmpfs\|cgroup2*\|mqueue\|nsfs\|securityfs\|debugfs\|tracefs\|bpf\|pstore\|configfs\) /d' \
-e 's/^/mount /' "$p/mounts"
while read -r d t x; do [ "$d" = Filename ] || echo "swap $d"; done <"$p/swaps"
if [ -r "$R/etc/fstab" ]; then
echo "fstab read"
while read -r d m t o x || [ -n "$d" ]; do
k=$R/dev/disk
case $d in
''|'#'*) continue;;
UUID=*) f=$k/by-uuid/${d#*=};;
LABEL=*) f=$k/by-label/${d#*=};;
PARTUUID=*) f=$k/by-partuuid/${d#*=};;
PARTLABEL=*) f=$k/by-partlabel/${d#*=};;
/dev/*) f=$R$d k=$R/dev;;
*) f=;;
esac
s=unknown
case $f in
''|*['"\\']*) f=;;
*) if [ -e "$f" ]; then s=there; elif [ -d "$k" ]; then s=missing; fi;;
esac
[ "$t" = swap ] && [ $s = there ] && d=$(readlink -f "$f") && d=${d#"$R"}
printf "entry %s\n" "$s $d $m ${t:-auto} ${o:-defaults}"
done <"$R/etc/fstab"
fi
for f in "$R"/etc/systemd/system/*.*[mtp] "$R"/usr/lib/systemd/system/*.*[mtp] "$r"/systemd/generator.late/*.*[mtp]; do
case $f in *'*'*) ;; *.mount|*.automount|*.swap) printf "unit %s\n" "${f##*/}";; esac
done
"""


def _read(lines: Lines) -> Mounts:
    mounts, entries = [], []
    for value in lines.values("mount"):
        words = value.split()
        if len(words) >= 4:
            read_only = "ro" in words[3].split(",")
            mounts.append(Mount(device=words[0], place=plain(words[1]), kind=words[2], read_only=read_only))
    for value in lines.values("entry"):
        words = value.split()
        if len(words) == 5:
            there = {"there": True, "missing": False}.get(words[0])
            entries.append(
                Entry(device=words[1], place=plain(words[2]), kind=words[3], options=tuple(words[4].split(",")),
                      device_there=there)
            )  # fmt: skip
    return Mounts(
        mounts=tuple(mounts),
        swaps=lines.values("swap"),
        entries=tuple(entries) if lines.value("fstab") else None,
        units=frozenset(lines.values("unit")),
        complete=lines.complete,
    )


def plain(path: str) -> str:
    """A path as people write it: blanks are `\\040` in these files, and a slash at the end means nothing."""
    for code, mark in (("\\040", " "), ("\\011", "\t"), ("\\134", "\\")):
        path = path.replace(code, mark)
    return path.rstrip("/") or "/"


SECTION = Section(name="mounts", text=_TEXT, read=_read, lines_max=1500)
