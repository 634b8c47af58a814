"""Listening sockets, the process behind each and the unit that owns it: from `ss`, or from /proc where there is none.

Only root sees other users' processes; a socket without a process is the kernel's, or not ours to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """`address` as the host writes it (`*` is any). `process` is empty where it is not known; `cgroup` None likewise."""

    protocol: str
    address: str
    port: int
    process: str = ""
    cgroup: str | None = None

    @property
    def unit(self) -> str:
        """The innermost systemd unit that the process is in: `ssh.service`, `session-3.scope`; empty where there is none."""
        names = [part for part in (self.cgroup or "").split("/") if part.endswith((".service", ".scope", ".socket"))]
        return names[-1] if names else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """`ephemeral` is the range from which the kernel itself takes ports; `lingering` the user ids whose own units start at boot."""

    sockets: tuple[Socket, ...] = ()
    ephemeral: tuple[int, int] = (32768, 60999)
    lingering: frozenset[str] = frozenset()
    complete: bool = True


_TEXT = r"""
sed -e 's/^/range /' "$p/sys/net/ipv4/ip_local_port_range"
for f in "$R"/var/lib/systemd/linger/*; do [ -e "$f" ] && echo "linger $(id -u "${f##*/}")"; done
if has ss; then
o=$(limited 3 ss -lntup)
echo "$o" | sed -n -e 's/^\(tcp\|udp\) /ss \1 /p'
i=$(echo "$o" | sed -n -e 's/^[^"]*"[^"]*",pid=\([0-9]*\),.*/\1/p' | sort -u | sed 300q)
else
w=" "
for f in tcp tcp6 udp udp6; do
while read -r n l x s x x x x x j x; do
case ${f%6}$s in tcp0A|udp07) echo "proc ${f%6} $l $j"; w="$w$j ";; esac
done <"$p/net/$f"
done
c=; i=
for l in $(limited 2 ls -l "$p"/[0-9]*/fd | sed -n -e 's|^.*/\([0-9]*\)/fd:$|\1|p' -e 's|^.* -> socket:\[\([0-9]*\)\]$|=\1|p'); do
case $l in
=*) case $w in *" ${l#=} "*) echo "owner ${l#=} $c"; i="$i $c";; esac;;
*) c=$l;;
esac
done
fi
for c in $i; do
IFS= read -r n <"$p/$c/comm" && echo "comm $c $n"
while IFS= read -r l; do
case $l in 0::*|*:name=systemd:*|*:name=openrc:*) echo "cgroup $c ${l#*:*:}";; esac
done <"$p/$c/cgroup"
done
"""

_PROCESS = re.compile(r'"([^"]{0,64})",pid=([0-9]{1,10})')
_PORT = re.compile(r"(.*):([0-9]{1,5})")
_HEX = re.compile(r"([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})")


def _read(lines: Lines) -> Listening:
    names = dict(_pairs(lines.values("comm")))
    # The unified hierarchy, or systemd's own: a host has the one or the other, and a line that says no more than `/` loses.
    groups = dict(sorted(_pairs(lines.values("cgroup")), key=lambda row: len(row[1])))
    owners = dict(_pairs(lines.values("owner")))
    found = [*_of_ss(lines, groups), *_of_proc(lines, names, groups, owners)]
    low, high = (*(lines.value("range") or "").split(), "", "")[:2]
    known = low.isdecimal() and high.isdecimal() and len(low + high) < 16
    return Listening(
        sockets=tuple(dict.fromkeys(found)),
        ephemeral=(int(low), int(high)) if known else (32768, 60999),
        lingering=frozenset(lines.values("linger")),
        complete=lines.complete,
    )


def _pairs(values: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for value in values:
        first, mark, rest = value.partition(" ")
        if mark:
            yield first, rest


def _of_ss(lines: Lines, groups: dict[str, str]) -> Iterator[Socket]:
    for value in lines.values("ss"):
        words = value.split()
        place = _PORT.fullmatch(words[4]) if len(words) > 4 else None
        if place is None:
            continue
        process = _PROCESS.search(value)
        yield Socket(
            protocol=words[0],
            address=_plain(place[1]),
            port=int(place[2]),
            process=process[1] if process else "",
            cgroup=groups.get(process[2]) if process else None,
        )


def _of_proc(lines: Lines, names: dict[str, str], groups: dict[str, str], owners: dict[str, str]) -> Iterator[Socket]:
    for value in lines.values("proc"):
        words = value.split()
        place = _HEX.fullmatch(words[1]) if len(words) == 3 else None
        if place is None:
            continue
        pid = owners.get(words[2], "")
        yield Socket(
            protocol=words[0],
            address=_of_hex(place[1]),
            port=int(place[2], 16),
            process=names.get(pid, ""),
            cgroup=groups.get(pid),
        )


def _plain(address: str) -> str:
    bare = address.partition("%")[0].strip("[]")
    return "*" if bare in ("*", "0.0.0.0", "::", "") else bare


def _of_hex(text: str) -> str:
    """The kernel writes each 32 bits in the machine's order; nearly all are little-endian, and `*` is alike in both."""
    if not int(text, 16):
        return "*"
    groups = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    if len(groups) == 1:
        return ".".join(str(byte) for byte in groups[0])
    raw = b"".join(groups)
    if raw[:15] == bytes(15) and raw[15] == 1:
        return "::1"
    return ":".join(raw[at : at + 2].hex() for at in range(0, 16, 2))


SECTION = Section(name="listening", text=_TEXT, read=_read, lines_max=2000)
