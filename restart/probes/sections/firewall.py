"""Firewall rules that are live, and who would bring them back. Nothing is asked whose asking would load a module."""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Firewall:
    """`rules` counts live ones, None where that cannot be told; `keepers` are the services at boot that set rules."""

    rules: int | None = None
    keepers: tuple[str, ...] = ()


_TEXT = r"""
if [ -s "$p/net/ip_tables_names" ]; then
t=iptables-save; has iptables-legacy-save && t=iptables-legacy-save
has $t && echo "rules $(limited 2 $t | grep -c '^-A')"
fi
if has nft && grep -q '^nf_tables ' "$p/modules"; then
echo "rules $(limited 2 nft -s list ruleset | sed -n -e '/^\t\t[a-z]/{/^\t\t\(type\|policy\|flags\|elements\|comment\|size\|timeout\) /!p;}' | grep -c .)"
fi
for f in nftables netfilter-persistent firewalld ufw iptables ip6tables ferm shorewall docker podman containerd kubelet k3s \
k3s-agent libvirtd fail2ban lxc-net lxd incus cilium calico; do
# Debian's own nftables.conf sets up empty chains: where it is what nftables.service loads, nothing is kept.
[ $f = nftables ] && [ -r "$R/etc/nftables.conf" ] && ! sed -e 's/#.*//' "$R/etc/nftables.conf" |
grep -q -w -e include -e accept -e drop -e reject -e jump -e goto -e snat -e dnat -e masquerade -e redirect -e counter && continue
for g in "$R"/etc/systemd/system/*.wants/$f.service "$R"/etc/runlevels/*/$f "$R"/etc/rc2.d/S??$f; do
if [ -e "$g" ] || [ -L "$g" ]; then echo "keeper $f"; break; fi
done
done
"""


def _read(lines: Lines) -> Firewall:
    counts = [
        int(value) for value in lines.values("rules") if value.isdecimal() and value.isascii() and len(value) < 10
    ]
    return Firewall(rules=sum(counts) if counts else None, keepers=tuple(dict.fromkeys(lines.values("keeper"))))


SECTION = Section(name="firewall", text=_TEXT, read=_read, lines_max=60)
