"""Defects that are planted on a real Debian, each with what preflight must tell of it, and how it is mended again.

Shell texts for root on the machine. Each mends all that it planted, so that the next one finds a clean host.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """`evidence` is a part of what is told. `beside` are other rules that the same defect breaks; `disk` the NVMe disk's own warnings."""

    rule: str
    grade: str
    evidence: str
    plant: str
    mend: str
    beside: frozenset[str] = frozenset()
    disk: int = 0


def _d(rule: str, grade: str, evidence: str, plant: str, mend: str, *beside: str, disk: int = 0) -> Planted:
    return Planted(
        rule=rule, grade=grade, evidence=evidence, plant=plant, mend=mend, beside=frozenset(beside), disk=disk
    )


_SECOND = "mke2fs -q -F -t ext4 /dev/nvme0n1 32M; mkdir -p /srv/more"
_MOUNTED = f"{_SECOND}; cp -p /etc/fstab /root/fstab; echo '/dev/nvme0n1 /srv/more ext4 defaults 0 2' >>/etc/fstab; mount /srv/more"
_UNMOUNT = "umount /srv/more; cp -p /root/fstab /etc/fstab"
_FSTAB = "cp -p /root/fstab /etc/fstab"
_UNIT = "/etc/systemd/system/planted.service"
_FORGET = f"rm -f {_UNIT}; systemctl daemon-reload; systemctl reset-failed"
_FREE = "$(df --output=avail -k / | tail -1)"
_RAID = """\
modprobe loop; for n in 1 2; do dd if=/dev/zero of=/root/raid$n bs=1M count=20 status=none; done
one=$(losetup -f --show /root/raid1); two=$(losetup -f --show /root/raid2); echo "$one $two" >/root/raid
mdadm --quiet --create /dev/md0 --run --level=1 --metadata=1.2 --raid-devices=2 $one missing; udevadm settle
"""
_UNRAID = "mdadm --quiet --stop /dev/md0; udevadm settle; losetup -d $(cat /root/raid); rm -f /root/raid*"
_DEB = """\
mkdir -p /root/deb/DEBIAN
printf 'Package: planted\\nVersion: 1\\nArchitecture: all\\nMaintainer: lab <lab@lab>\\nDescription: x\\n' >/root/deb/DEBIAN/control
printf '#!/bin/sh\\n[ ! -e /run/planted-slow ] || exec sleep 1000\\n' >/root/deb/DEBIAN/postinst
chmod 755 /root/deb/DEBIAN/postinst; dpkg-deb -b /root/deb /root/planted.deb >/dev/null; touch /run/planted-slow
systemd-run -q --unit=planted-dpkg dpkg -i /root/planted.deb; until pgrep -x sleep >/dev/null; do sleep 0.2; done
"""
_UNDEB = "rm -f /run/planted-slow; systemctl stop planted-dpkg; dpkg --configure -a; dpkg --purge planted; rm -r /root/deb /root/planted.deb"

DEFECTS: tuple[Planted, ...] = (
    _d("not-enabled", "blocks", "web.service runs and is not enabled",
       "systemctl -q disable web.service", "systemctl -q enable web.service"),
    _d("not-enabled", "blocks", "by-hand.service runs and was started by hand",
       "systemd-run -q --unit=by-hand sleep 10000", "systemctl stop by-hand"),
    _d("not-enabled", "blocks", "cron.service runs and is masked",
       "systemctl -q mask cron.service", "systemctl -q unmask cron.service"),
    _d("not-enabled", "blocks", "oldapp.service runs and has an init script",
       "printf '#!/bin/sh\\n### BEGIN INIT INFO\\n# Provides: oldapp\\n# Default-Start:\\n# Default-Stop: 0 1 6\\n### END INIT INFO\\n"
       "[ $1 != start ] || busybox start-stop-daemon -S -b -x /bin/sleep -- 10000\\n[ $1 != stop ] || pkill -x sleep\\n' >/etc/init.d/oldapp;"
       " chmod 755 /etc/init.d/oldapp; systemctl daemon-reload; systemctl start oldapp",
       "systemctl stop oldapp; rm /etc/init.d/oldapp; systemctl daemon-reload"),
    _d("unit-failed", "warns", "planted.service is enabled and has failed (exit-code)",
       f"printf '[Service]\\nExecStart=/bin/false\\n[Install]\\nWantedBy=multi-user.target\\n' >{_UNIT};"
       " systemctl -q enable planted; systemctl start planted; until systemctl -q is-failed planted; do sleep 0.2; done",
       f"systemctl -q disable planted; {_FORGET}"),
    _d("unowned-listener", "blocks", ":8081 busybox (tcp, *) runs in a log-in (session-",
       "busybox httpd -p 8081 -h /srv", "pkill -f 'httpd -p 8081'"),
    _d("unowned-listener", "notes", ":40001 busybox", "busybox httpd -p 40001 -h /srv", "pkill -f 'httpd -p 40001'"),
    _d("mount-not-in-fstab", "blocks", "/dev/nvme0n1 is mounted on /srv/more (ext4)",
       f"{_SECOND}; mount /dev/nvme0n1 /srv/more", "umount /srv/more"),
    _d("fstab-not-mounted", "warns", "fstab mounts /dev/nvme0n1 on /srv/more, and it is not mounted",
       f"{_MOUNTED}; umount /srv/more", _FSTAB),
    _d("fstab-device-missing", "blocks", "fstab mounts UUID=8a1c on /srv/gone, and there is no such device",
       "cp -p /etc/fstab /root/fstab; echo 'UUID=8a1c /srv/gone ext4 defaults 0 2' >>/etc/fstab", _FSTAB),
    _d("fstab-device-missing", "warns", "/dev/sdz1 on /srv/gone, and there is no such device (nofail)",
       "cp -p /etc/fstab /root/fstab; echo '/dev/sdz1 /srv/gone ext4 nofail 0 2' >>/etc/fstab", _FSTAB),
    _d("swap-not-in-fstab", "warns", "/swapfile is swapped to",
       "dd if=/dev/zero of=/swapfile bs=1M count=8 status=none; chmod 600 /swapfile; mkswap -q /swapfile; swapon /swapfile",
       "swapoff /swapfile; rm /swapfile"),
    _d("full", "blocks", "/ has ", f"fallocate -l $(({_FREE} - 2000))K /root/filled", "rm /root/filled"),
    _d("full", "warns", "/ has ", f"fallocate -l $(({_FREE} - 30000))K /root/filled", "rm /root/filled"),
    _d("read-only", "blocks", "/ (/dev/vda, ext4) is mounted read-only",
       "echo u >/proc/sysrq-trigger; until grep -q '^/dev/vda / ext4 ro' /proc/mounts; do sleep 0.2; done", "mount -o remount,rw /"),
    _d("fsck-due", "warns", "/dev/nvme0n1: mounted 30 times, to be checked after 30",
       f"{_MOUNTED}; tune2fs -C 30 -c 30 /dev/nvme0n1 >/dev/null", _UNMOUNT),
    _d("filesystem-errors", "warns", "nvme0n1: the kernel has counted 1 error on it",
       f"{_MOUNTED}; echo planted >/sys/fs/ext4/nvme0n1/trigger_fs_error; sync", _UNMOUNT, "fsck-due"),
    _d("raid-degraded", "blocks", "md0 is degraded: 1 of 2 members", _RAID, _UNRAID),
    _d("raid-rebuilding", "warns", "md0 rebuilds: recovery at ",
       f"{_RAID} echo 10 >/sys/block/md0/md/sync_speed_min; echo 10 >/sys/block/md0/md/sync_speed_max; mdadm --quiet /dev/md0 --add $two;"
       " until grep -q recovery /proc/mdstat; do sleep 0.2; done", _UNRAID, "raid-degraded"),
    _d("disk-failing", "blocks", "nvme0n1 says of itself: FAILED!", ":", ":", disk=4),
    _d("address-not-kept", "blocks", "10.77.0.77/24 on eth1",
       "ip addr add 10.77.0.77/24 dev eth1", "ip addr del 10.77.0.77/24 dev eth1"),
    _d("route-not-kept", "warns", "10.99.0.0/16 via 10.77.0.254 on eth1",
       "ip route add 10.99.0.0/16 via 10.77.0.254", "ip route del 10.99.0.0/16"),
    _d("route-not-kept", "blocks", "default via 10.77.0.254 on eth1",
       "cd /etc/network/interfaces.d; cp -p lab /root/lab; sed -i 's/inet dhcp/inet manual/' lab; ip route add default via 10.77.0.254",
       "ip route del default; cp -p /root/lab /etc/network/interfaces.d/lab"),
    _d("sysctl-differs", "warns", "fs.protected_fifos is 0, and /usr/lib/sysctl.d/99-protect-links.conf says 1",
       "sysctl -q -w fs.protected_fifos=0", "sysctl -q -w fs.protected_fifos=1"),
    _d("sysctl-not-kept", "notes", "vm.swappiness is 10", "sysctl -q -w vm.swappiness=10", "sysctl -q -w vm.swappiness=60"),
    _d("firewall-not-kept", "warns", "2 firewall rules are live",
       "nft add table inet t; nft add chain inet t in '{ type filter hook input priority 0; }'; nft add rule inet t in tcp dport 23 drop;"
       " nft add rule inet t in tcp dport 111 drop", "nft flush ruleset"),
    _d("firewall-not-kept", "warns", "1 firewall rule is live",
       "systemctl -q enable nftables; nft add table inet t; nft add chain inet t in '{ type filter hook input priority 0; }';"
       " nft add rule inet t in tcp dport 23 drop", "nft flush ruleset; systemctl -q disable nftables"),
    _d("bootloader", "blocks", "the boot loader's entry 1 names /boot/initrd.img-",
       "cd /boot; mv initrd.img-* /root", "mv /root/initrd.img-* /boot", "kernel-incomplete"),
    _d("kernel-incomplete", "blocks", "kernel 99.1.0-1-cloud-amd64 is the newest in /boot, and its modules are missing",
       "echo x >/boot/vmlinuz-99.1.0-1-cloud-amd64; echo x >/boot/initrd.img-99.1.0-1-cloud-amd64", "rm /boot/*-99.1.0-1-cloud-amd64",
       "pending-kernel"),
    _d("pending-kernel", "notes", "99.1.0-1-cloud-amd64 is installed",
       "mkdir /lib/modules/99.1.0-1-cloud-amd64; touch /lib/modules/99.1.0-1-cloud-amd64/modules.dep", "rm -r /lib/modules/99.1.0-1-cloud-amd64"),
    # Whoever logs in as root sees a kernel that is up for longer: a time namespace (time_namespaces(7)).
    _d("long-uptime", "warns", "up for 462 days",
       "cd /root/.ssh; cp -p authorized_keys /root/keys; old='exec unshare --time --boottime 40000000 --fork sh -c \\\\\"$SSH_ORIGINAL_COMMAND\\\\\"';"
       " sed -i \"s|^ssh-|command=\\\"$old\\\" &|\" authorized_keys", "cp -p /root/keys /root/.ssh/authorized_keys", "changed-since-boot"),
    _d("changed-since-boot", "notes", "/etc/sysctl.d/planted.conf",
       "echo '# x' >/etc/sysctl.d/planted.conf; cd /root/.ssh; cp -p authorized_keys /root/keys;"
       " old='exec unshare --time --boottime 36000 --fork sh -c \\\\\"$SSH_ORIGINAL_COMMAND\\\\\"'; sed -i \"s|^ssh-|command=\\\"$old\\\" &|\" authorized_keys",
       "cp -p /root/keys /root/.ssh/authorized_keys; rm /etc/sysctl.d/planted.conf"),
    _d("clock", "warns", "timedatectl says that the clock is not synchronised",
       "systemctl stop systemd-timesyncd; date -s \"$(date)\" >/dev/null",
       "systemctl start systemd-timesyncd; until [ -e /run/systemd/timesync/synchronized ]; do sleep 0.5; done"),
    _d("packages", "blocks", "packages are being changed: dpkg, process ", _DEB, _UNDEB, "not-enabled"),
    _d("packages-interrupted", "warns", "dpkg was interrupted before",
       f"{_DEB} pkill -9 -x dpkg; systemctl stop planted-dpkg", _UNDEB.replace("systemctl stop planted-dpkg;", "systemctl reset-failed;")),
    _d("inhibitor", "blocks", "a shutdown is inhibited by Backup: half way",
       "systemd-run -q --unit=planted-backup systemd-inhibit --what=shutdown --who=Backup --why='half way' --mode=block sleep 10000;"
       " until systemd-inhibit --list | grep -q Backup; do sleep 0.2; done", "systemctl stop planted-backup", "not-enabled"),
    _d("shutdown-scheduled", "warns", "a shutdown or reboot is scheduled already", "shutdown -r +600 2>/dev/null", "shutdown -c 2>/dev/null"),
    _d("rights", "blocks", "there is neither systemctl nor reboot",
       "mv /usr/bin/systemctl /usr/bin/systemctl.gone", "mv /usr/bin/systemctl.gone /usr/bin/systemctl"),
)  # fmt: skip
"""One after the other on two machines, two at a time."""

CYCLE = """\
printf '[Unit]\\nAfter=two.service\\n[Service]\\nExecStart=/bin/sleep 100\\n' >/etc/systemd/system/one.service
printf '[Unit]\\nAfter=one.service\\nRequires=one.service\\n[Service]\\nExecStart=/bin/sleep 100\\n' >/etc/systemd/system/two.service
systemctl daemon-reload; systemctl start two.service || :
"""
CYCLE_FORGOTTEN = """\
rm /etc/systemd/system/one.service /etc/systemd/system/two.service
systemctl daemon-reload; systemctl stop one.service two.service || :
"""
"""Two units that each wait for the other, and their end."""
