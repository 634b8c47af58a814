"""Addresses and routes that are live, and whether the files that a boot reads name them.

Known files: ifupdown, netplan, systemd-networkd, NetworkManager, RHEL's and SUSE's scripts, dhcpcd, keepalived. What DHCP, router
advertisements or a routing daemon gave is theirs to give again.
"""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An address or route that is live and in none of the files; `what` as `ip` writes it, `device` its interface."""

    what: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """`is_known` is False where no file that says what a boot sets up could be read; then nothing counts as lost.

    `all` are the live addresses, DHCP's too, with their prefix length.
    """

    is_known: bool = False
    lost_addresses: tuple[Lost, ...] = ()
    lost_routes: tuple[Lost, ...] = ()
    dhcp: bool = False
    all: tuple[str, ...] = ()


_TEXT = r"""
has ip || return 0
c=
for f in etc/network/interfaces etc/network/interfaces.d etc/netplan etc/systemd/network run/systemd/network \
etc/NetworkManager/system-connections etc/sysconfig/network-scripts etc/sysconfig/network etc/conf.d/net etc/dhcpcd.conf \
etc/keepalived etc/wireguard; do
[ -e "$R/$f" ] || continue
if [ -r "$R/$f" ]; then c="$c $R/$f"; else echo "unreadable $f"; fi
done
[ -n "$c" ] && echo "config $c"
set -f
IFS= read -r l <"$p/cmdline"
kept() {
case $l in *[=:]"$1":*) return 0;; esac
 [ -n "$c" ] && grep -rqsiFw -e "$1" $c
}
n=0
limited 2 ip -o addr show scope global | while read -r x d t a o; do
case $t in inet|inet6) ;; *) continue;; esac
echo "all $a"
case "$o" in *dynamic*|*temporary*|*mngtmpaddr*) continue;; esac
n=$((n + 1)); [ $n -le 30 ] || break
kept "${a%/*}" || echo "address $t $d $a"
done
n=0
limited 2 ip -o route show | while read -r t o; do
case "$o" in *"proto kernel"*|*"scope link"*) continue;; *"proto boot"*|*"proto static"*) ;; *"proto "*) continue;; esac
g=${o#*via }; [ "$g" != "$o" ] || continue
g=${g%% *}; d=${o#*dev }; n=$((n + 1)); [ $n -le 30 ] || break
k=${t%/*}; [ "$k" != default ] || k=$g
kept "$k" || echo "route ${d%% *} $t via $g"
done
kept dhcp && echo "dhcp yes"
"""

_VIRTUAL = ("docker", "br-", "veth", "virbr", "cni", "flannel", "cali", "kube", "lxc", "lxdbr", "tun", "tap", "podman", "nodelocaldns", "vxlan", "cilium", "incusbr", "lo")  # fmt: skip
"""Interfaces that a daemon makes and sets up anew whenever it starts."""


def _read(lines: Lines) -> Addresses:
    addresses = [words for value in lines.values("address") if len(words := value.split()) == 3]
    routes = [words for value in lines.values("route") if len(words := value.split(maxsplit=1)) == 2]
    return Addresses(
        is_known=bool(lines.values("config")) and not lines.values("unreadable"),
        lost_addresses=tuple(
            Lost(what=words[2], device=words[1])
            for words in addresses
            # An IPv6 address has many spellings, so that a file may well name it in another one.
            if words[0] == "inet" and not words[1].startswith(_VIRTUAL)
        ),
        lost_routes=tuple(
            Lost(what=words[1], device=words[0]) for words in routes if not words[0].startswith(_VIRTUAL)
        ),
        dhcp=lines.value("dhcp") == "yes",
        all=lines.values("all"),
    )


SECTION = Section(name="addresses", text=_TEXT, read=_read, lines_max=400)
