"""TCP connections that are open or were a minute ago, the listeners, the processes at both, and the host's own addresses.

From `ss`, or from /proc where there is none. The host counts them up itself, so that fifty thousand connections to one port are a few
lines: of a connection to one of the host's listeners the other end's port is left out, of any other one the host's own. Connections
that have closed stay in TIME-WAIT for a minute, on the side that closed first and without a process: they tell of the short ones.
Only root sees other users' processes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process at an end of a connection; `unit` is the innermost systemd unit that it is in, empty where that is not known."""

    name: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A port that is listened on; `address` is `*` for any. `process` is None where it is the kernel's or not ours to see."""

    address: str
    port: int
    process: Process | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """All connections that are alike. `inbound`: to a listener of this host, whose port is then `port`; else `port` is the other end's.

    `near` and `far` are the addresses here and there, `open` how many there are, `closed` how many more were until a minute ago.
    `ports` are the ports left out, where there are no more than four: the other end's of inbound ones, this host's of others.
    """

    inbound: bool
    near: str
    far: str
    port: int
    open: int = 0
    closed: int = 0
    ports: tuple[int, ...] = ()
    process: Process | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """What one host has open. `own` are the ends (here, there) of the session that asked; where SSH itself told them, and not the
    processes above the script, it is still one of the `connections`.

    `is_root`: whether processes of all users could be seen. `elsewhere`: other network namespaces (containers) with connections, which
    are not among these. `is_known`: False where the host has neither `ss` and awk nor a readable /proc/net/tcp.
    """

    connections: tuple[Connections, ...] = ()
    listeners: tuple[Listener, ...] = ()
    addresses: frozenset[str] = frozenset()
    own: tuple[tuple[tuple[str, int], tuple[str, int]], ...] = ()
    is_root: bool = False
    elsewhere: int = 0
    is_known: bool = False
    complete: bool = True


_TEXT = r"""
echo "uid $(id -u)"
[ -n "$SSH_CONNECTION" ] && echo "own $SSH_CONNECTION"
s=" "; c=$$; n=0
while [ "${c:-0}" -gt 1 ] && [ $n -lt 20 ]; do
s="$s$c "; n=$((n + 1)); f=$p/$c/status; c=0
[ -r "$f" ] && while read -r k v x; do [ "$k" = PPid: ] && c=$v && break; done <"$f"
done
if has ip; then limited 2 ip -o addr show | sed -n -e 's/^.* inet6\{0,1\} \([^ /]*\).*/address \1/p'
else
sed -n -e '/|-- /h' -e '/32 host LOCAL/{x;s/^.*|-- /address /p;}' "$p/net/fib_trie" | sort -u
while read -r a x; do echo "address6 $a"; done <"$p/net/if_inet6"
fi
o=$({
if has ss; then limited 3 ss -antp && echo "Read"
elif [ -r "$p/net/tcp" ]; then
limited 2 ls -l "$p"/[0-9]*/fd | sed -n -e 's|^.*/\([0-9]*\)/fd:$|Pid \1|p' -e 's|^.* -> socket:\[\([0-9]*\)\]$|Fd \1|p'
sed -e 's/^/Hex /' "$p/net/tcp" "$p/net/tcp6"; echo "Read"
fi
} | awk -v self="$s" -v proc="$p" '
function end(a) { sub(/.*:/, "", a); return a }
function bare(a) { sub(/:[^:]*$/, "", a); return a }
function mine(u, i) { for (i in me) if (index(u, ",pid=" i ",")) return 1; return 0 }
function first(u) { return match(u, /"[^"]*",pid=[0-9]+/) ? substr(u, RSTART, RLENGTH) : "" }
function row(s, l, f, u, k) {
if (s == "LISTEN") { P[end(l)] = 1; k = "listen " l " " first(u); if (!(k in seen)) { seen[k] = 1; print k }; return }
if (s !~ /^(ESTAB|TIME-WAIT|CLOSE-WAIT|FIN-WAIT-[12]|LAST-ACK|CLOSING)$/ || n >= 300000) return
n++; S[n] = s; A[n] = l; F[n] = f; U[n] = u
}
BEGIN {
m = split(self, w, " "); for (i = 1; i <= m; i++) me[w[i]] = 1
split("01 ESTAB 04 FIN-WAIT-1 05 FIN-WAIT-2 06 TIME-WAIT 08 CLOSE-WAIT 09 LAST-ACK 0A LISTEN 0B CLOSING", w, " ")
for (i = 1; i < 16; i += 2) name[w[i]] = w[i + 1]
}
$1 == "Pid" { c = $2; next }
$1 == "Fd" { if (!($2 in held)) held[$2] = ""; if (length(held[$2]) < 200) held[$2] = held[$2] " " c; next }
$1 == "Hex" {
if (!($5 in name)) next
u = ""; m = split(held[$11], w, " ")
for (i = 1; i <= m; i++) { k = "?"; getline k < (proc "/" w[i] "/comm"); close(proc "/" w[i] "/comm"); gsub(/"/, "", k); u = u "\"" k "\",pid=" w[i] "," }
row(name[$5], $3, $4, u); next
}
$1 == "Read" { print "read yes"; next }
{ i = index($0, "users:"); row($1, $4, $5, i ? substr($0, i) : "") }
END {
for (i = 1; i <= n; i++) {
inbound = end(A[i]) in P
if (inbound && mine(U[i])) { print "session " A[i] " " F[i]; continue }
u = first(U[i]); name_only = u; sub(/,pid=.*/, "", name_only)
k = inbound ? "in " A[i] " " bare(F[i]) : "out " bare(A[i]) " " F[i]
g = k " " name_only (S[i] == "TIME-WAIT" ? " closed" : "")
N[g]++; K[g] = k; if (!(g in W)) W[g] = u
if (S[i] != "TIME-WAIT") O[g]++
if (N[g] <= 4) L[g] = L[g] "," end(inbound ? F[i] : A[i])
}
for (d = 1; d <= 2; d++) for (g in N) if ((substr(g, 1, 4) == "out ") == (d == 1))
print K[g] " " O[g] + 0 " " N[g] - O[g] " " (N[g] <= 4 ? substr(L[g], 2) : "-") " " W[g]
}')
printf '%s\n' "$o"
for c in $(printf '%s\n' "$o" | sed -n -e 's/^.*",pid=\([0-9]*\)$/\1/p' | sort -u | sed 200q); do
while IFS= read -r l; do
case $l in 0::*|*:name=systemd:*) echo "cgroup $c ${l#*:*:}";; esac
done <"$p/$c/cgroup"
done
h=$(readlink "$p/self/ns/net")
n=0
for l in $(ls -l "$p"/[0-9]*/ns/net | sed -n -e 's|^.* [^ ]*/\([0-9]*\)/ns/net -> net:\[\([0-9]*\)\]$|\2/\1|p' | sort -u -t / -k 1,1); do
[ "net:[${l%/*}]" = "$h" ] && continue
grep -qs ' 01 [0-9A-F]*:' "$p/${l#*/}/net/tcp" "$p/${l#*/}/net/tcp6" && n=$((n + 1))
done
echo "elsewhere $n"
"""

_PLACE = re.compile(r"(.{1,64}):([0-9]{1,5})")
_HEX = re.compile(r"([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})")
_HEX_ADDRESS = re.compile(r"[0-9A-F]{8}|[0-9A-F]{32}")
_PROCESS = re.compile(r'"([^"]{0,64})",pid=([0-9]{1,10})')


def _read(lines: Lines) -> Connected:
    units = _units(lines)
    own = tuple(pair for value in lines.values("session") if (pair := _ends(value)) is not None)
    asked = (lines.value("own") or "").split()
    if len(asked) == 4 and asked[1].isdecimal() and asked[3].isdecimal() and len(asked[1] + asked[3]) <= 10:
        own = (*own, ((plain(asked[2]), int(asked[3])), (plain(asked[0]), int(asked[1]))))
    elsewhere = lines.value("elsewhere") or ""
    addresses = {plain(address) for address in lines.values("address")}
    addresses |= {_of_hex6(text) for text in lines.values("address6") if re.fullmatch("[0-9a-f]{32}", text)}
    return Connected(
        connections=tuple(_connections(lines, units)),
        listeners=tuple(dict.fromkeys(_listeners(lines, units))),
        addresses=frozenset(addresses),
        own=tuple(dict.fromkeys(own)),
        is_root=lines.value("uid") == "0",
        elsewhere=int(elsewhere) if elsewhere.isdecimal() and len(elsewhere) < 6 else 0,
        is_known=lines.value("read") == "yes",
        complete=lines.complete,
    )


def _units(lines: Lines) -> dict[str, str]:
    """The innermost unit of each process id."""
    found: dict[str, str] = {}
    for value in lines.values("cgroup"):
        pid, _, path = value.partition(" ")
        names = [part for part in path.split("/") if part.endswith((".service", ".scope"))]
        if names:
            found[pid] = names[-1]
    return found


def _listeners(lines: Lines, units: dict[str, str]) -> Iterator[Listener]:
    for value in lines.values("listen"):
        place = _place(value.partition(" ")[0])
        if place is not None:
            address = "*" if place[0] in ("0.0.0.0", "::", "*") else place[0]
            yield Listener(address=address, port=place[1], process=_process(value, units))


def _connections(lines: Lines, units: dict[str, str]) -> Iterator[Connections]:
    for word, value in lines.named():
        words = value.split(maxsplit=5)
        if word not in ("in", "out") or len(words) < 5 or not (_is_count(words[2]) and _is_count(words[3])):
            continue
        inbound = word == "in"
        place = _place(words[0] if inbound else words[1])
        other = words[1] if inbound else words[0]
        if place is None:
            continue
        other = _of_hex(other) if _HEX_ADDRESS.fullmatch(other) else plain(other)
        yield Connections(
            inbound=inbound,
            near=place[0] if inbound else other,
            far=other if inbound else place[0],
            port=place[1],
            open=int(words[2]),
            closed=int(words[3]),
            ports=tuple(_ports(words[4])),
            process=_process(words[5], units) if len(words) > 5 else None,
        )


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) <= 7


def _ports(text: str) -> Iterator[int]:
    for word in text.split(",")[:4]:
        if re.fullmatch("[0-9]{1,5}", word):
            yield int(word)
        elif re.fullmatch("[0-9A-F]{4}", word):
            yield int(word, 16)


def _ends(value: str) -> tuple[tuple[str, int], tuple[str, int]] | None:
    words = value.split()
    found = [place for word in words[:2] if (place := _place(word)) is not None]
    return (found[0], found[1]) if len(found) == 2 else None


def _place(text: str) -> tuple[str, int] | None:
    """Address and port, as `ss` or as the kernel writes them."""
    if (match := _HEX.fullmatch(text)) is not None:
        return _of_hex(match[1]), int(match[2], 16)
    match = _PLACE.fullmatch(text)
    return None if match is None else (plain(match[1]), int(match[2]))


def _process(text: str, units: dict[str, str]) -> Process | None:
    match = _PROCESS.search(text)
    return None if match is None else Process(name=match[1], unit=units.get(match[2], ""))


@lru_cache(maxsize=100_000)
def plain(address: str) -> str:
    """An address as it is written shortest, without brackets and zone; an IPv4 one that is mapped into IPv6 as IPv4. Else the text."""
    bare = address.strip().strip("[]").partition("%")[0].strip("[]")
    try:
        found = ip_address(bare)
    except ValueError:
        return bare
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(found)


def _of_hex(text: str) -> str:
    """The kernel writes each 32 bits in the machine's order; nearly all are little-endian."""
    raw = b"".join(bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8))
    return plain(str(ip_address(raw)))


def _of_hex6(text: str) -> str:
    return plain(str(ip_address(bytes.fromhex(text))))


SECTION = Section(name="connections", text=_TEXT, read=_read, lines_max=4000)
