"""Preflight: each rule with its defect planted on a clean Debian, and a clean Debian of which nothing is told. Real shells ask."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.model.answer import NoAnswer
from restart.model.preflight import Found
from restart.probes.section import Lines, Section
from restart.probes.sections import (
    addresses,
    bootloader,
    changed,
    clock,
    disks,
    enabled,
    firewall,
    identity,
    kernel,
    listening,
    mounts,
    present,
    raid,
    rights,
    sysctls,
)
from restart.probes.sweep import Swept
from restart.survey.preflight import SECTIONS, judged
from restart.survey.preflight.storage import escaped
from tests.probes.fake_host import SHELLS, FakeHost, fake_host

AT = "2026-11-22T00:00:00Z"
GUESTS = tuple(shell for shell in SHELLS if shell != "busybox")
"""Shells that call the tools of the fake host: busybox takes its own `ip`, `df` and `who` before any in PATH."""

RUNNING = """\
Id=cron.service
ActiveState=active
UnitFileState=enabled
Result=success
WantedBy=multi-user.target
RequiredBy=
BoundBy=
TriggeredBy=
ConsistsOf=

Id=dbus.service
ActiveState=active
UnitFileState=static
Result=success
WantedBy=
RequiredBy=
TriggeredBy=dbus.socket

Id=getty@tty1.service
ActiveState=active
UnitFileState=enabled
WantedBy=getty.target

Id=serial-getty@ttyS0.service
ActiveState=active
UnitFileState=disabled
WantedBy=getty.target

Id=ssh.service
ActiveState=active
UnitFileState=enabled
WantedBy=multi-user.target

Id=user@0.service
ActiveState=active
UnitFileState=static
WantedBy=session-3.scope

Id=systemd-hostnamed.service
ActiveState=active
UnitFileState=static
BusName=org.freedesktop.hostname1

Id=apt-daily.timer
ActiveState=active
UnitFileState=enabled
WantedBy=timers.target

Id=dbus.socket
ActiveState=active
UnitFileState=static
WantedBy=sockets.target
"""
"""`systemctl show` of a stock Debian 12, shortened to what is asked."""

SS = """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
udp   UNCONN 0      0            0.0.0.0:68        0.0.0.0:*    users:(("dhclient",pid=410,fd=7))
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=500,fd=3))
tcp   LISTEN 0      128             [::]:22           [::]:*    users:(("sshd",pid=500,fd=4))
"""

MOUNTS = """\
sysfs /sys sysfs rw,nosuid 0 0
proc /proc proc rw,nosuid 0 0
udev /dev devtmpfs rw,nosuid 0 0
tmpfs /run tmpfs rw,nosuid 0 0
/dev/sda1 / ext4 rw,relatime,errors=remount-ro 0 0
/dev/sda2 /boot ext4 rw,relatime 0 0
/dev/sdb1 /srv/data\\040one xfs rw,relatime 0 0
systemd-1 /proc/sys/fs/binfmt_misc autofs rw 0 0
overlay /var/lib/docker/overlay2/1/merged overlay rw,lowerdir=/x 0 0
"""

FSTAB = """\
# /etc/fstab: static file system information.
UUID=aaaa-1 /               ext4    errors=remount-ro 0       1
UUID=aaaa-2 /boot           ext4    defaults        0       2
/dev/sdb1\t/srv/data\\040one\txfs\tdefaults,nofail 0 0
UUID=aaaa-3 none            swap    sw              0       0
/dev/sr0    /media/cdrom0   udf,iso9660 user,noauto 0       0
"""

IP_ADDR = (
    "2: eth0    inet 10.0.1.5/24 brd 10.0.1.255 scope global eth0\\       valid_lft forever preferred_lft forever\n"
)
IP_ROUTE = "default via 10.0.1.1 dev eth0 onlink \n10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.5 \n"

GRUB = """\
set default="0"
menuentry 'Debian GNU/Linux' --class debian {
\tlinux\t/vmlinuz-6.1.0-28-amd64 root=UUID=aaaa-1 ro  quiet
\tinitrd\t/initrd.img-6.1.0-28-amd64
}
submenu 'Advanced options' {
\tmenuentry 'Debian GNU/Linux, with Linux 6.1.0-27-amd64' {
\t\tlinux\t/vmlinuz-6.1.0-27-amd64 root=UUID=aaaa-1 ro
\t\tinitrd\t/initrd.img-6.1.0-27-amd64
\t}
}
"""


def systemctl(shown: str) -> str:
    return (
        f"case $1 in show) cat <<'END'\n{shown}\nEND\n;; list-units) echo cron.service loaded active running x;; esac\n"
    )


def prints(text: str) -> str:
    return f"cat <<'END'\n{text}\nEND\n"


def debian(root: Path, shell: str) -> FakeHost:
    """A stock Debian 12 with a data disk, in the fourth hour after its boot; nothing is wrong with it."""
    host = fake_host(root, shell)
    host.file("proc/uptime", "14400.00 9.00\n")
    (root / "run/systemd/system").mkdir(parents=True)
    host.file("run/systemd/timesync/synchronized")
    host.file("etc/os-release", "ID=debian\n")
    host.tool("systemctl", systemctl(RUNNING))
    host.tool("journalctl", ":\n")
    host.tool("ss", prints(SS))
    for pid, unit in (("410", "ifup@eth0.service"), ("500", "ssh.service")):
        host.file(f"proc/{pid}/cgroup", f"0::/system.slice/{unit}\n")
        host.file(f"proc/{pid}/comm", "x\n")
    host.file("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
    host.file("proc/mounts", MOUNTS)
    host.file("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/sda3 partition 1 0 -2\n")
    host.file("etc/fstab", FSTAB)
    host.file("proc/locks", "1: POSIX  ADVISORY  WRITE 77 08:01:999999999 0 EOF\n")
    host.file("proc/modules", "ext4 1 0 - Live 0x0\n")
    host.file(
        "proc/mdstat",
        "Personalities : [raid1]\nmd0 : active raid1 sdb1[1] sda1[0]\n      1 blocks [2/2] [UU]\n\nunused devices: <none>\n",
    )
    for number in "123":
        host.file(f"dev/sda{number}")
        host.link(f"dev/disk/by-uuid/aaaa-{number}", f"dev/sda{number}")
    host.file("dev/sdb1")
    host.tool("ip", f"case $* in *addr*) {prints(IP_ADDR)};; *) {prints(IP_ROUTE)};; esac\n")
    host.file("etc/network/interfaces", "iface eth0 inet static\n  address 10.0.1.5/24\n  gateway 10.0.1.1\n")
    host.file("usr/lib/sysctl.d/50-default.conf", "kernel.sysrq = 438\n")
    host.file(
        "etc/sysctl.d/99-ours.conf", "# ours\nvm.swappiness=10\nnet.ipv4.conf.*.rp_filter = 2\n-kernel.sysrq  =  1\n"
    )
    for key, value in (
        ("vm/swappiness", "10"),
        ("kernel/sysrq", "1"),
        ("vm/overcommit_memory", "0"),
        ("kernel/panic", "0"),
    ):
        host.file(f"proc/sys/{key}", value + "\n")
    host.file("boot/grub/grub.cfg", GRUB)
    for version in ("6.1.0-27-amd64", "6.1.0-28-amd64"):
        for name in ("vmlinuz-", "initrd.img-"):
            host.file(f"boot/{name}{version}", "x")
        host.file(f"lib/modules/{version}/modules.dep", "x")
    df(600000)(host)
    host.file("sys/fs/ext4/sda1/errors_count", "0\n")
    host.tool(
        "tune2fs",
        prints(
            "Filesystem state:         clean\nMount count:              7\nMaximum mount count:      -1\nNext check after:         Sun Nov 22 00:00:00 2020\n"
        ).replace("Next check after:         Sun Nov 22 00:00:00 2020\n", ""),
    )
    host.file("sys/block/sda/size", "1")
    host.tool("smartctl", prints("SMART overall-health self-assessment test result: PASSED"))
    host.tool("who", ":\n")
    host.file("var/lib/dpkg/lock-frontend")
    host.file(
        "run/systemd/inhibit/1",
        "WHAT=shutdown\nMODE=delay\nWHO=Unattended Upgrades Shutdown\nWHY=Stop ongoing upgrades\n",
    )
    # Everything was there before the boot.
    host.age("etc", hours=400)
    return host


def found_on(host: FakeHost, *sections: Section[object]) -> tuple[Found, ...]:
    return judged(host.swept(*(sections or SECTIONS), *(() if not sections else (identity.SECTION,))), AT).found


@pytest.mark.parametrize("shell", GUESTS)
def test_nothing_is_told_of_a_clean_debian(tmp_path: Path, shell: str) -> None:
    host = debian(tmp_path, shell)
    swept = host.swept(*SECTIONS)
    assert judged(swept, AT).found == ()
    # And everything did answer: no rule is silent because its section was.
    assert {name for name, lines in swept.sections.items() if not lines.text} == {"changed", "firewall", "present"}
    units = swept.of(enabled.SECTION)
    assert units is not None
    assert len(units.units) == 9
    assert swept.cpu_s is not None
    assert swept.cpu_s < 0.3


@dataclass(frozen=True)
class Defect:
    """What is planted, and the finding that it leads to. `evidence` is a part of what is told."""

    rule: str
    grade: str
    evidence: str
    plant: Callable[[FakeHost], object]
    section: Section[object]


def replaced(path: str, old: str, new: str) -> Callable[[FakeHost], object]:
    def plant(host: FakeHost) -> None:
        text = (host.root / path).read_text()
        assert old in text
        host.file(path, text.replace(old, new))

    return plant


def unit(name: str, state: str, *more: str) -> Callable[[FakeHost], object]:
    shown = "\n".join((f"Id={name}", "ActiveState=active", f"UnitFileState={state}", "WantedBy=", *more))
    return lambda host: host.tool("systemctl", systemctl(f"{RUNNING}\n{shown}\n"))


def listens(line: str, cgroup: str) -> Callable[[FakeHost], object]:
    def plant(host: FakeHost) -> None:
        host.tool("ss", prints(SS + line))
        host.file("proc/900/cgroup", cgroup + "\n")

    return plant


def df(free: int) -> Callable[[FakeHost], object]:
    return lambda host: host.tool(
        "df",
        f"case $* in *boot) m=/boot;; *) m=/;; esac\n"
        f"echo Filesystem 1024-blocks Used Available Capacity Mounted on\necho /dev/sda1 1000000 1 {free} 9% $m\n",
    )


def tune2fs(text: str) -> Callable[[FakeHost], object]:
    return lambda host: host.tool("tune2fs", prints(text))


PG = 'tcp LISTEN 0 200 127.0.0.1:5432 0.0.0.0:* users:(("postgres",pid=900,fd=5))\n'
SESSION = "0::/user.slice/user-1000.slice/session-4.scope"

DEFECTS = (
    Defect("not-enabled", "blocks", "app.service runs and is not enabled", unit("app.service", "disabled"), enabled.SECTION),
    Defect("not-enabled", "blocks", "started by hand", unit("run-u7.service", "transient"), enabled.SECTION),
    Defect("not-enabled", "blocks", "is masked", unit("app.service", "masked"), enabled.SECTION),
    Defect("not-enabled", "blocks", "init script", unit("app.service", "generated"), enabled.SECTION),
    Defect("not-enabled", "blocks", "is masked", unit("app.service", "masked", "WantedBy=multi-user.target"), enabled.SECTION),
    Defect("not-enabled", "warns", "pacemaker.service runs",
           unit("pg.service", "disabled", "", "Id=pacemaker.service", "UnitFileState=enabled"), enabled.SECTION),
    Defect("unit-failed", "warns", "nginx.service is enabled and has failed (exit-code)",
           unit("x.service", "static", "", "Id=nginx.service", "ActiveState=failed", "Result=exit-code", "UnitFileState=enabled"),
           enabled.SECTION),
    Defect("ordering-cycle", "warns", "Found ordering cycle on a.service",
           lambda host: host.tool("journalctl", "echo 'a.service: Found ordering cycle on a.service/start'\n"), enabled.SECTION),
    Defect("unowned-listener", "blocks", ":5432 postgres (tcp, 127.0.0.1) runs in a log-in", listens(PG, SESSION), listening.SECTION),
    Defect("unowned-listener", "blocks", "runs in a log-in (ssh.service)", listens(PG, "0::/system.slice/ssh.service"), listening.SECTION),
    Defect("unowned-listener", "notes", ":40000", listens(PG.replace("5432", "40000"), SESSION), listening.SECTION),
    Defect("unowned-listener", "blocks", "belongs to no unit", listens(PG, "0::/"), listening.SECTION),
    Defect("unowned-listener", "blocks", "enable-linger",
           listens(PG, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/pg.service"), listening.SECTION),
    Defect("mount-not-in-fstab", "blocks", "/dev/sdc1 is mounted on /srv/more (ext4)",
           replaced("proc/mounts", "/dev/sdb1 ", "/dev/sdc1 /srv/more ext4 rw 0 0\n/dev/sdb1 "), mounts.SECTION),
    Defect("fstab-not-mounted", "warns", "fstab mounts /dev/sdb1 on /srv/data one",
           replaced("proc/mounts", "/dev/sdb1 /srv/data\\040one xfs rw,relatime 0 0\n", ""), mounts.SECTION),
    Defect("fstab-device-missing", "blocks", "UUID=gone on /boot", replaced("etc/fstab", "UUID=aaaa-2", "UUID=gone"), mounts.SECTION),
    Defect("fstab-device-missing", "warns", "/dev/sdz1 on /srv/data one", replaced("etc/fstab", "/dev/sdb1", "/dev/sdz1"), mounts.SECTION),
    Defect("swap-not-in-fstab", "warns", "/dev/sda3 is swapped to",
           replaced("etc/fstab", "UUID=aaaa-3 none            swap", "#"), mounts.SECTION),
    Defect("address-not-kept", "blocks", "10.0.1.5/24 on eth0", replaced("etc/network/interfaces", "10.0.1.5/24", "10.0.1.55/24"), addresses.SECTION),
    Defect("route-not-kept", "blocks", "default via 10.0.1.1", replaced("etc/network/interfaces", "gateway 10.0.1.1", ""), addresses.SECTION),
    Defect("route-not-kept", "warns", "10.9.0.0/16 via 10.0.1.7",
           lambda host: host.tool("ip", f"case $* in *addr*) {prints(IP_ADDR)};; *) {prints(IP_ROUTE + '10.9.0.0/16 via 10.0.1.7 dev eth0')};; esac\n"),
           addresses.SECTION),
    Defect("sysctl-differs", "warns", "vm.swappiness is 60, and /etc/sysctl.d/99-ours.conf says 10",
           replaced("proc/sys/vm/swappiness", "10", "60"), sysctls.SECTION),
    Defect("sysctl-not-kept", "notes", "vm.overcommit_memory is 2", replaced("proc/sys/vm/overcommit_memory", "0", "2"), sysctls.SECTION),
    Defect("firewall-not-kept", "warns", "2 firewall rules",
           lambda host: (host.file("proc/modules", "nf_tables 1 2 x, Live 0x0\n"),
                         host.tool("nft", prints("table inet f {\n\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\t\ttcp dport 22 accept\n\t\tct state established accept\n\t}\n}"))),
           firewall.SECTION),
    Defect("firewall-not-kept", "warns", "1 firewall rule is live",
           lambda host: (host.file("proc/modules", "nf_tables 1 2 x, Live 0x0\n"),
                         host.file("etc/systemd/system/sysinit.target.wants/nftables.service"),
                         host.file("etc/nftables.conf", "flush ruleset\ntable inet f {\n\tchain in {\n\t\ttype filter hook input priority filter; # drop\n\t}\n}\n"),
                         host.age("etc", hours=400),
                         host.tool("nft", prints("table inet f {\n\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\t\ttcp dport 22 accept\n\t}\n}"))),
           firewall.SECTION),
    Defect("bootloader", "blocks", "entry 1 names /initrd.img-6.1.0-28-amd64",
           lambda host: (host.root / "boot/initrd.img-6.1.0-28-amd64").unlink(), bootloader.SECTION),
    Defect("bootloader", "warns", "entry 2 names /vmlinuz-6.1.0-27-amd64",
           lambda host: (host.root / "boot/vmlinuz-6.1.0-27-amd64").unlink(), bootloader.SECTION),
    Defect("kernel-incomplete", "blocks", "kernel 6.1.0-30-amd64 is the newest in /boot, and its initramfs is missing or empty",
           lambda host: (host.file("boot/vmlinuz-6.1.0-30-amd64", "x"), host.file("boot/initrd.img-6.1.0-30-amd64"),
                         host.file("lib/modules/6.1.0-30-amd64/x")), bootloader.SECTION),
    Defect("kernel-incomplete", "blocks", "its modules are missing",
           lambda host: (host.file("boot/vmlinuz-6.1.0-30-amd64", "x"), host.file("boot/initrd.img-6.1.0-30-amd64", "x")), bootloader.SECTION),
    Defect("pending-kernel", "notes", "6.1.0-30-amd64 is installed", lambda host: host.file("boot/vmlinuz-6.1.0-30-amd64", "x"), kernel.SECTION),
    Defect("full", "blocks", "/ has 100 of 1000000 KiB free", df(100), disks.SECTION),
    Defect("full", "warns", "/boot has 40000 of 1000000 KiB free (4.0%)", df(40000), disks.SECTION),
    Defect("read-only", "blocks", "/ (/dev/sda1, ext4) is mounted read-only", replaced("proc/mounts", "/ ext4 rw,", "/ ext4 ro,"), mounts.SECTION),
    Defect("fsck-due", "warns", "mounted 30 times, to be checked after 30", tune2fs("Mount count: 30\nMaximum mount count: 30"), disks.SECTION),
    Defect("fsck-due", "warns", "to be checked after Sun Nov  1", tune2fs("Next check after:   Sun Nov  1 00:00:00 2020"), disks.SECTION),
    Defect("fsck-due", "warns", "its state is clean with errors", tune2fs("Filesystem state:   clean with errors"), disks.SECTION),
    Defect("filesystem-errors", "warns", "counted 3 errors", replaced("sys/fs/ext4/sda1/errors_count", "0", "3"), disks.SECTION),
    Defect("raid-degraded", "blocks", "md0 is degraded: 1 of 2 members", replaced("proc/mdstat", "[2/2] [UU]", "[2/1] [U_]"), raid.SECTION),
    Defect("raid-rebuilding", "warns", "recovery at 12.6%",
           replaced("proc/mdstat", "[UU]\n", "[UU]\n      [==>...]  recovery = 12.6% (1/2) finish=1min\n"), raid.SECTION),
    Defect("raid-degraded", "blocks", "tank is degraded: DEGRADED", lambda host: host.file("proc/spl/kstat/zfs/tank/state", "DEGRADED\n"), raid.SECTION),
    Defect("disk-failing", "blocks", "sda says of itself: FAILED!",
           lambda host: host.tool("smartctl", prints("SMART overall-health self-assessment test result: FAILED!")), raid.SECTION),
    Defect("clock", "warns", "chrony says",
           lambda host: ((host.root / "run/systemd/timesync/synchronized").unlink(),
                         host.tool("chronyc", prints("Stratum         : 0\nLeap status     : Not synchronised"))), clock.SECTION),
    Defect("clock", "warns", "timedatectl says",
           lambda host: (os.utime(host.root / "run/systemd/timesync/synchronized", (1e9, 1e9)),
                         host.tool("timedatectl", "echo NTPSynchronized=no\n")), clock.SECTION),
    Defect("people", "notes", "anna pts/0", lambda host: host.tool("who", prints("anna     pts/0        2026-11-22 00:02 (10.0.0.9)")), present.SECTION),
    Defect("packages", "blocks", "apt-get, process 901", lambda host: host.file("proc/901/comm", "apt-get\n"), present.SECTION),
    Defect("packages", "blocks", "process 77, which holds /var/lib/dpkg/lock-frontend",
           lambda host: host.file("proc/locks", f"1: POSIX  ADVISORY  WRITE 77 08:01:{(host.root / 'var/lib/dpkg/lock-frontend').stat().st_ino} 0 EOF\n"),
           present.SECTION),
    Defect("packages-interrupted", "warns", "dpkg was interrupted", lambda host: host.file("var/lib/dpkg/updates/0001", "x"), present.SECTION),
    Defect("inhibitor", "blocks", "Backup: half way", lambda host: host.file("run/systemd/inhibit/2", "WHAT=sleep:shutdown\nMODE=block\nWHO=Backup\nWHY=half way\n"), present.SECTION),
    Defect("shutdown-scheduled", "warns", "scheduled already", lambda host: host.file("run/systemd/shutdown/scheduled", "USEC=1\n"), present.SECTION),
    Defect("changed-since-boot", "notes", "/etc/netplan/01.yaml", lambda host: host.file("etc/netplan/01.yaml", "x"), changed.SECTION),
)  # fmt: skip


@pytest.mark.parametrize("shell", GUESTS[:1])
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: f"{defect.rule}-{defect.evidence[:20]}")
def test_a_planted_defect_is_found_and_only_it(tmp_path: Path, shell: str, defect: Defect) -> None:
    host = debian(tmp_path, shell)
    assert found_on(host, defect.section) == ()
    defect.plant(host)
    found = found_on(host, defect.section)
    assert {(one.rule, one.grade) for one in found if defect.evidence in one.evidence} == {(defect.rule, defect.grade)}
    assert {one.rule for one in found} <= {defect.rule, *BESIDE.get(defect.rule, ())}
    assert all(one.why and one.mend for one in found)


BESIDE = {"bootloader": ("kernel-incomplete",), "fstab-not-mounted": (), "kernel-incomplete": ("pending-kernel",)}
"""What the same defect is told as besides."""

OF_BUSYBOX = frozenset({"address-not-kept", "route-not-kept", "full", "people"})


@pytest.mark.parametrize("shell", SHELLS)
def test_a_defect_of_each_section_is_found_by_every_shell(tmp_path: Path, shell: str) -> None:
    host = debian(tmp_path, shell)
    # One of each section: several would overwrite what the others planted.
    chosen = {
        defect.section.name: defect
        for defect in DEFECTS
        if defect.grade != "notes" and (shell != "busybox" or defect.rule not in OF_BUSYBOX)
    }
    for defect in chosen.values():
        defect.plant(host)
    assert {defect.rule for defect in chosen.values()} <= {one.rule for one in found_on(host)}


def test_without_systemd_nothing_blocks_for_what_a_boot_may_bring_back(tmp_path: Path) -> None:
    host = debian(tmp_path, GUESTS[0])
    (host.root / "run/systemd/system").rmdir()
    for defect in DEFECTS:
        if defect.section in (mounts.SECTION, addresses.SECTION, listening.SECTION) and defect.rule != "read-only":
            defect.plant(host)
    found = found_on(host)
    assert {one.grade for one in found} == {"notes"}
    assert "no-systemd" in {one.rule for one in found}


def test_a_host_with_nothing_of_all_that_is_no_error(tmp_path: Path) -> None:
    # An Alpine without tools: busybox alone, an OpenRC host.
    for shell in SHELLS:
        root = tmp_path / shell
        root.mkdir()
        host = fake_host(root, shell)
        host.tool("reboot", ":\n")
        assert {one.grade for one in found_on(host) if one.rule not in OF_BUSYBOX} <= {"notes"}


def test_sockets_are_read_from_proc_where_there_is_no_ss() -> None:
    lines = (
        "proc tcp 0100007F:1538 111", "owner 111 900", "comm 900 postgres", "cgroup 900 /", f"cgroup 900 {SESSION[3:]}",
        "proc tcp 00000000000000000000000001000000:0016 112", "proc udp 00000000:0044 113",
    )  # fmt: skip
    seen = listening.SECTION.read(Lines(text=lines))
    assert [(one.protocol, one.address, one.port, one.process, one.unit) for one in seen.sockets] == [
        ("tcp", "127.0.0.1", 5432, "postgres", "session-4.scope"),
        ("tcp", "::1", 22, "", ""),
        ("udp", "*", 68, "", ""),
    ]


@pytest.mark.parametrize(
    ("cgroup", "told"),
    [
        ("/system.slice/docker-0123.scope", False),
        ("/system.slice/nginx.service", False),
        ("/system.slice/ssh.service", True),
        ("/user.slice/user-0.slice/session-1.scope", True),
        ("/user.slice/user-7.slice/user@7.service/app.slice/a.service", False),
        ("/user.slice/user-8.slice/user@8.service/app.slice/a.service", True),
    ],
)
def test_whose_socket_is_told(cgroup: str, told: bool) -> None:
    lines = {
        "listening": ("linger 7", 'ss tcp LISTEN 0 1 *:8080 *:* users:(("java",pid=9,fd=1))', f"cgroup 9 {cgroup}"),
        "identity": ("init systemd",),
    }
    swept = Swept(sections={name: Lines(text=text) for name, text in lines.items()})
    assert bool(judged(swept, AT).found) is told


@pytest.mark.parametrize(("uid", "writable", "grade"), [("root", "yes", None), ("ops", "no", "blocks")])
def test_the_right_to_reboot_is_asked_not_tried(uid: str, writable: str, grade: str | None) -> None:
    lines = {"rights": (f"user {uid}", f"claim {writable}", "reboots yes"), "identity": ("init systemd",)}
    found = judged(Swept(sections={name: Lines(text=text) for name, text in lines.items()}), AT).found
    assert [one.grade for one in found] == ([] if grade is None else [grade])


def test_a_host_up_for_years_is_warned_of() -> None:
    boot = ("boot 6b0d1b2e-7c3f-4f0e-9d55-1f2a3b4c5d6e", "uptime 40000000.0")
    lines = {"boot": boot, "identity": ("init systemd",)}
    found = judged(Swept(sections={name: Lines(text=text) for name, text in lines.items()}), AT).found
    assert [(one.rule, one.grade) for one in found] == [("long-uptime", "warns")]


@pytest.mark.parametrize(("reason", "rule"), [("privilege", "sudo"), ("auth", "ssh"), ("refused", "ssh")])
def test_a_host_that_cannot_be_looked_at_says_why(reason: str, rule: str) -> None:
    looked = judged(NoAnswer(reason=reason, detail="said so"), AT)
    assert (looked.answered, [(one.rule, one.grade) for one in looked.found]) == (False, [(rule, "blocks")])


def test_many_findings_of_one_kind_are_counted() -> None:
    listed = tuple(f'ss tcp LISTEN 0 1 *:{port} *:* users:(("x",pid=9,fd=1))' for port in range(1000, 1050))
    lines = {"listening": (*listed, f"cgroup 9 {SESSION[3:]}"), "identity": ("init systemd",)}
    found = judged(Swept(sections={name: Lines(text=text) for name, text in lines.items()}), AT).found
    assert len(found) == 11
    assert found[-1].evidence == "40 more of the same kind"


@pytest.mark.parametrize(
    ("path", "name"),
    [("/srv/data", "srv-data"), ("/srv/a-b", "srv-a\\x2db"), ("/dev/mapper/x y", "dev-mapper-x\\x20y")],
)
def test_mount_units_are_known_by_systemds_escaping(path: str, name: str) -> None:
    assert escaped(path) == name


_TEXTS: Sequence[str] = [section.name for section in SECTIONS]


@given(
    st.dictionaries(
        st.sampled_from(_TEXTS), st.lists(st.text(max_size=80), max_size=8).map(lambda text: Lines(text=tuple(text)))
    )
)
def test_no_rule_raises_on_any_answer(sections: dict[str, Lines]) -> None:
    judged(Swept(sections=sections), AT)


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_real_kernel_says_of_its_settings_is_read_whole(tmp_path: Path, shell: str) -> None:
    # A file of the kernel's own gives all of itself to one read, and nothing to the next: a copy of it proves nothing.
    host = fake_host(tmp_path, shell)
    keys = ("net.ipv4.ip_local_port_range", "vm.swappiness", "kernel.pid_max", "net.ipv4.tcp_rmem")
    for key in keys:
        path = f"sys/{key.replace('.', '/')}"
        host.link(f"proc/{path}", f"/proc/{path}")
    host.file("etc/sysctl.d/ours.conf", "".join(f"{key} = 7\n" for key in keys[2:]))
    swept = host.swept(sysctls.SECTION, listening.SECTION)
    seen, heard = swept.of(sysctls.SECTION), swept.of(listening.SECTION)
    assert seen is not None
    assert heard is not None
    real = {key: " ".join(Path("/proc/sys", key.replace(".", "/")).read_text().split()) for key in keys}
    assert {one.key: one.live for one in seen.differing} == {key: real[key] for key in keys[2:]}
    assert dict(seen.unkept) == ({} if real["vm.swappiness"] == "60" else {"vm.swappiness": real["vm.swappiness"]})
    assert " ".join(map(str, heard.ephemeral)) == real["net.ipv4.ip_local_port_range"]
    assert any(word == "range" for word, _ in swept.sections["listening"].named())


def test_a_full_file_system_that_holds_boot_too_is_told_once(tmp_path: Path) -> None:
    host = debian(tmp_path, GUESTS[0])
    df(100)(host)
    host.tool("df", (host.root / "bin/df").read_text().replace("m=/boot", "m=/"))
    assert [one.evidence.split()[0] for one in found_on(host) if "KiB" in one.evidence] == ["/"]


def test_what_the_boot_loader_hands_to_the_kernel_is_kept(tmp_path: Path) -> None:
    host = debian(tmp_path, GUESTS[0])
    host.file("proc/sys/kernel/panic", "5\n")
    host.file("proc/sys/vm/overcommit_memory", "2\n")
    assert {one.rule for one in found_on(host)} == {"sysctl-not-kept"}
    host.file("proc/cmdline", "root=/dev/sda1 quiet panic=5 sysctl.vm.overcommit_memory=2\n")
    assert found_on(host) == ()


@pytest.mark.parametrize(
    ("live", "kept", "same"),
    [("438", "0x01b6", True), ("438", "0666", True), ("4096 131072", "4096\t131072", True), ("1", "2", False), ("|/x", "|/y", False)],
)  # fmt: skip
def test_a_setting_is_compared_as_the_kernel_reads_it(live: str, kept: str, same: bool) -> None:
    seen = sysctls.SECTION.read(Lines(text=(f"file /etc/sysctl.conf kernel.x {kept}", f"live kernel/x {live}")))
    assert bool(seen.differing) is not same


@pytest.mark.parametrize("shell", SHELLS)
def test_what_hangs_on_the_host_is_told_and_never_taken_for_well(tmp_path: Path, shell: str) -> None:
    host = debian(tmp_path, shell)
    host.tool("systemctl", "exec sleep 60\n")
    host.tool("timedatectl", "exec sleep 60\n")
    (host.root / "run/systemd/timesync/synchronized").unlink()
    told = {one.evidence for one in found_on(host, enabled.SECTION, clock.SECTION) if one.rule == "not-told"}
    assert told == {
        f"{tool} did not end in time, so that nothing or little is known of: {section}"
        for tool, section in (("systemctl", "enabled"), ("timedatectl", "clock"))
    }


def test_a_package_manager_at_work_is_told_once_and_not_as_interrupted(tmp_path: Path) -> None:
    host = debian(tmp_path, GUESTS[0])
    host.file("proc/77/comm", "dpkg\n")
    host.file("var/lib/dpkg/updates/0001", "x")
    node = (host.root / "var/lib/dpkg/lock-frontend").stat().st_ino
    host.file("proc/locks", f"1: POSIX  ADVISORY  WRITE 77 08:01:{node} 0 EOF\n")
    assert [one.evidence for one in found_on(host)] == ["packages are being changed: dpkg, process 77"]


def test_rules_that_nftables_conf_holds_are_kept(tmp_path: Path) -> None:
    host = debian(tmp_path, GUESTS[0])
    host.file("etc/systemd/system/sysinit.target.wants/nftables.service")
    host.file("etc/nftables.conf", "table inet f {\n\tchain in {\n\t\ttcp dport 22 accept\n\t}\n}\n")
    seen = host.swept(firewall.SECTION).of(firewall.SECTION)
    assert seen is not None
    assert seen.keepers == ("nftables",)


def test_rights_come_from_the_host(tmp_path: Path) -> None:
    seen = debian(tmp_path, GUESTS[0]).swept(rights.SECTION).of(rights.SECTION)
    assert seen is not None
    assert (seen.may_claim, seen.reboots) == (True, True)
