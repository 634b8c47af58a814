"""What stands on a host, as real shells tell it of fake folders: what is demanded after a restart, and what a boot is meant to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from restart.probes.sections import network, running
from restart.probes.standing import SECTIONS, Standing, aspect, standing
from tests.probes.fake_host import SHELLS, FakeHost, fake_host

UNITS = """\
nginx.service loaded active running A web server
setup.service loaded active exited Done once
apt.service loaded activating start A job
broken.service loaded failed failed Broken
packagekit.service loaded active running By bus
run-u12.service loaded active running Somebody's
user@1000.service loaded active running Somebody's manager
sshd@3-10.0.0.1:22-10.0.0.9:51234.service loaded active running A connection
vip.service loaded active running Of the cluster
docker.service loaded active running Containers
backup.timer loaded active waiting Nightly
ssh.socket loaded active listening SSH
"""
SHOWN = """\
Id=nginx.service
Type=forking
UnitFileState=disabled
WantedBy=

Id=packagekit.service
Type=dbus
BusName=org.freedesktop.PackageKit
UnitFileState=static

Id=run-u12.service
Type=simple
Transient=yes

Id=vip.service
Type=simple
DropInPaths=/run/systemd/system/vip.service.d/50-pacemaker.conf

Id=docker.service
Type=notify
TriggeredBy=docker.socket
WantedBy=multi-user.target
UnitFileState=enabled
"""
SS = """\
Netid State Recv-Q Send-Q Local Peer
tcp LISTEN 0 128 0.0.0.0:5432 0.0.0.0:* users:(("postgres",pid=11,fd=3))
tcp LISTEN 0 128 [::]:443 [::]:* users:(("nginx",pid=12,fd=6),("nginx",pid=13,fd=6))
tcp LISTEN 0 128 127.0.0.1:443 0.0.0.0:* users:(("other",pid=16,fd=6))
tcp LISTEN 0 128 127.0.0.1:6010 0.0.0.0:* users:(("sshd",pid=14,fd=7))
tcp LISTEN 0 128 0.0.0.0:41234 0.0.0.0:* users:(("java",pid=15,fd=7))
tcp LISTEN 0 128 0.0.0.0:30080 0.0.0.0:* users:(("pod",pid=17,fd=7))
udp UNCONN 0 0 0.0.0.0:731 0.0.0.0:* users:(("rpc.statd",pid=18,fd=7))
udp UNCONN 0 0 10.0.0.5:123 0.0.0.0:* users:(("chronyd",pid=19,fd=7))
"""
GROUPS = {
    11: ("postgres", "/system.slice/postgresql.service"),
    12: ("nginx", "/system.slice/nginx.service"),
    14: ("sshd", "/user.slice/user-0.slice/session-3.scope"),
    17: ("pod", "/kubepods.slice/kubepods-pod1.slice/cri-1.scope"),
}
MOUNTS = """\
/dev/vda1 / ext4 rw 0 0
/dev/vdb1 /srv xfs rw 0 0
nfs:/home /home nfs4 ro 0 0
systemd-1 /net autofs rw 0 0
nfs:/a /net/a nfs4 rw 0 0
tmpfs /run/user/0 tmpfs rw 0 0
overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0
tmpfs /lib/modules/6.1.0-28-amd64/volatile tmpfs rw 0 0
/dev/loop1 /snap/core/123 squashfs ro 0 0
"""
ADDRESSES = """\
2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0
2: eth0    inet 10.0.0.77/32 scope global eth0
2: eth0    inet6 fd00::5/64 scope global dynamic mngtmpaddr
2: eth0    inet6 fd00::abcd/64 scope global temporary dynamic
3: eth1    inet 192.168.7.9/24 scope global dynamic eth1
4: docker0    inet 172.17.0.1/16 scope global docker0
"""


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path, request.param)


@pytest.fixture(params=[shell for shell in SHELLS if shell != "busybox"])
def tooled(request: pytest.FixtureRequest, tmp_path: Path) -> FakeHost:
    """Busybox's shell takes its own `ip` and `ping` before those in PATH."""
    return whole(fake_host(tmp_path, request.param))


def whole(host: FakeHost) -> FakeHost:
    """A host with one of everything."""
    (host.root / "run/systemd/system").mkdir(parents=True)
    host.file("units", UNITS)
    host.file("shown", SHOWN)
    host.tool("systemctl", f'case "$1" in list-units) cat {host.root}/units;; show) cat {host.root}/shown;; esac\n')
    host.file("ss", SS)
    host.tool("ss", f"cat {host.root}/ss\n")
    for pid, (name, group) in GROUPS.items():
        host.file(f"proc/{pid}/comm", f"{name}\n")
        host.file(f"proc/{pid}/cgroup", f"0::{group}\n")
    host.file("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
    host.file("proc/mounts", MOUNTS)
    host.file("proc/swaps", "Filename Type Size Used Priority\n/dev/vda2 partition 1 0 -2\n")
    host.file("addresses", ADDRESSES)
    host.tool(
        "ip",
        f'case "$*" in *addr*) cat {host.root}/addresses;; '
        '"-4 -o route show default") echo "default via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.5 metric 100 ";; '
        '"-4 -o route show proto static") echo "10.9.0.0/16 via 10.0.0.2 dev eth0 "; echo "blackhole 10.8.0.0/16 ";; '
        '"-6 -o route show default") echo "default via fe80::1 dev eth0 proto ra metric 100 pref medium";; esac\n',
    )
    host.tool("ping", 'case "$*" in *" 10.0.0.1") exit 0;; esac; exit 1\n')
    host.file("etc/keepalived/keepalived.conf", "virtual_ipaddress { 10.0.0.77 }\n")
    host.file("etc/resolv.conf", "search x\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n")
    return host


def look(host: FakeHost) -> Standing:
    return standing(host.swept(*SECTIONS))


def test_everything_that_must_be_there_again_is_told_and_what_a_boot_changes_is_left_out(tooled: FakeHost) -> None:
    seen = look(tooled)
    assert dict(seen.there) == {
        "udp:123": "outside - chronyd",
        "tcp:443": "any nginx.service nginx",
        "tcp:5432": "any postgresql.service postgres",
        "mount:/": "rw",
        "mount:/srv": "rw",
        "mount:/home": "ro",
        "swap:/dev/vda2": "on",
        "address:10.0.0.5/24": "eth0",
        "addresses:6": "1",
        "addresses:4": "1",
        "route:default": "",
        "route:10.9.0.0/16": "10.0.0.2",
        "route6:default": "",
        "gateway:10.0.0.1": "answers",
        "resolver:10.0.0.2": "configured",
        "resolver:10.0.0.3": "configured",
        "unit:nginx.service": "active",
        "unit:docker.service": "active",
        "unit:backup.timer": "active",
        "unit:ssh.socket": "active",
    }
    assert seen.told == {"listening", "running", "mounts", "addresses", "routes", "resolvers"}
    assert seen.states["broken.service"] == "failed"
    assert all(aspect(key) in seen.told for key in seen.there)


def test_a_host_with_nothing_but_proc_tells_what_it_can(host: FakeHost) -> None:
    host.file("proc/mounts", "/dev/vda1 / ext4 rw 0 0\n")
    host.file("proc/net/tcp", "  sl local\n   0: 0100007F:0016 00000000:0000 0A 0 0 0 0 0 77\n")
    seen = look(host)
    assert dict(seen.there) == {"tcp:22": "loopback -", "mount:/": "rw"}
    assert seen.told == {"listening", "mounts"}


def test_a_host_that_tells_nothing_has_told_nothing(host: FakeHost) -> None:
    assert look(host) == Standing()


def test_services_that_openrc_has_started_are_units(host: FakeHost) -> None:
    for name in ("sshd", "crond"):
        host.file(f"run/openrc/started/{name}")
    assert host.swept(running.SECTION).of(running.SECTION) == running.Running(
        lasting=("crond", "sshd"), states={"crond": "started", "sshd": "started"}
    )


def test_a_gateway_that_does_not_answer_is_not_demanded(tooled: FakeHost) -> None:
    tooled.tool("ping", "exit 1\n")
    assert "gateway:10.0.0.1" not in look(tooled).there


def test_an_ip_that_fails_has_told_nothing(tooled: FakeHost) -> None:
    tooled.tool("ip", "exit 1\n")
    seen = tooled.swept(network.SECTION).of(network.SECTION)
    assert seen is not None
    assert seen.told == {"resolvers"}


def test_a_hanging_systemctl_has_told_nothing(host: FakeHost) -> None:
    whole(host).tool("systemctl", "exec sleep 60\n")
    assert "running" not in look(host).told
