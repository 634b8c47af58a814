"""How a host reaches others: its addresses and routes as they are live, its gateway, and the name servers it would ask.

The gateway is asked for one echo, a second at most. Addresses that the kernel or a server chose are told apart from those that somebody wrote down,
because they may be others after a boot; so are those that a cluster (keepalived, pacemaker) moves from host to host.
"""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`how` is `static`, `dynamic` (DHCP, router advertisements) or `floating` (a cluster moves it); `family` is 4 or 6."""

    how: str
    device: str
    family: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`gateway` is empty where the route says none; `is_written` where somebody set it, and no daemon or server."""

    family: int
    to: str
    gateway: str = ""
    is_written: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """`told` are the parts that the host could tell: `addresses`, `routes`, `resolvers`. `answering` are gateways that gave an echo."""

    told: frozenset[str] = frozenset()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    answering: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    complete: bool = True


_TEXT = r"""
if has ip; then
c=
for f in "$R/etc/keepalived" "$R/var/lib/pacemaker/cib"; do [ -r "$f" ] && c="$c $f"; done
a=$(limited 2 ip -o addr show scope global) && echo "told addresses" && echo "$a" | sed 100q | while read -r x d t a o; do
case $t in inet|inet6) ;; *) continue;; esac
k=static
case " $o" in
*" temporary"*|*" deprecated"*|*" tentative"*|*" dadfailed"*) continue;;
*" dynamic"*|*" mngtmpaddr"*) k=dynamic;;
*) [ -n "$c" ] && grep -rqsFw -e "${a%/*}" $c && k=floating;;
esac
echo "address $k $d $t $a"
done
g=
for v in 4 6; do
o=$(limited 2 ip -$v -o route show default) || continue
echo "told routes$v"
[ $v = 6 ] || { g=${o#*via }; [ "$g" != "$o" ] || g=; g=${g%% *}; }
{ echo "$o"; for q in static boot; do limited 2 ip -$v -o route show proto $q | sed 60q; done; } | sed -n -e "s/^\(.*[^ ]\) *$/route $v \1/p"
done
case $g in
''|*[!0-9.]*) ;;
*) if has ping; then for k in 1 2; do limited 2 ping -c 1 -W 1 "$g" >/dev/null && echo "answers $g" && break; done; fi;;
esac
fi
if [ -r "$R/etc/resolv.conf" ]; then
echo "told resolvers"
while read -r w s x; do [ "$w" = nameserver ] && echo "resolver $s"; done <"$R/etc/resolv.conf"
fi
"""

_VIRTUAL = ("docker", "br-", "veth", "virbr", "cni", "flannel", "cali", "kube", "lxc", "lxdbr", "podman", "nodelocaldns", "vxlan", "cilium", "incusbr", "vnet", "azv")  # fmt: skip
"""Interfaces that a daemon makes when it has something to connect."""

_NOWHERE = frozenset({"blackhole", "unreachable", "prohibit", "throw"})


def _read(lines: Lines) -> Network:
    routes = [route for value in lines.values("route") if (route := _route(value.split())) is not None]
    return Network(
        told=_told(lines.values("told")),
        addresses=tuple(
            Address(how=words[0], device=words[1], family=6 if words[2] == "inet6" else 4, what=words[3])
            for value in lines.values("address")
            if len(words := value.split()) == 4 and not words[1].startswith(_VIRTUAL)
        ),
        routes=tuple(dict.fromkeys(routes)),
        answering=lines.values("answers"),
        resolvers=tuple(dict.fromkeys(lines.values("resolver"))),
        complete=lines.complete,
    )


def _told(words: tuple[str, ...]) -> frozenset[str]:
    told = set(words) - {"routes4", "routes6"}
    return frozenset(told | {"routes"} if "routes4" in words else told)


def _route(words: list[str]) -> Route | None:
    if len(words) < 2 or words[0] not in ("4", "6") or words[1] in _NOWHERE:
        return None
    known = dict(zip(words[2::2], words[3::2], strict=False))
    if known.get("dev", "").startswith(_VIRTUAL):
        return None
    protocol = known.get("proto", "boot")
    is_written = protocol in ("static", "boot")
    return Route(
        family=int(words[0]), to=words[1], gateway=known.get("via", "") if is_written else "", is_written=is_written
    )


SECTION = Section(name="network", text=_TEXT, read=_read, lines_max=500)
