"""Files that a boot reads and that were changed since the last one: no boot has proved them yet.

The first ten minutes after a boot don't count: that is when a host sets itself up for the first time.
"""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Paths, as the host names them."""

    files: tuple[str, ...] = ()


_TEXT = r"""
read -r u x <"$p/uptime" || return 0
m=$((${u%%.*} / 60 - 10)); [ $m -gt 0 ] || return 0
set --
for f in fstab crypttab network/interfaces network/interfaces.d netplan systemd/network NetworkManager/system-connections \
sysconfig/network-scripts sysctl.conf sysctl.d modprobe.d modules default/grub default/grub.d nftables.conf iptables mdadm/mdadm.conf \
initramfs-tools dracut.conf dracut.conf.d; do
[ -e "$R/etc/$f" ] && set -- "$@" "$R/etc/$f"
done
[ $# = 0 ] || limited 2 find "$@" -type f -mmin "-$m" | sed -e "s|^$R|file |"
"""


def _read(lines: Lines) -> Changed:
    return Changed(files=lines.values("file"))


SECTION = Section(name="changed", text=_TEXT, read=_read, lines_max=40)
