"""Sections `connections` and `references`: real shells against what `ss` prints, the kernel's own tables, and the files of a host."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from restart.model.question import ShellReply
from restart.probes import sweep
from restart.probes.sections import connections, references
from restart.probes.sections.connections import Connected, Connections, Listener, Process
from restart.probes.sections.references import parted
from tests.probes.fake_host import SHELLS, FakeHost, fake_host

SS = """\
State      Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
LISTEN     0      128          0.0.0.0:5432      0.0.0.0:*    users:(("postgres",pid=10,fd=6))
LISTEN     0      128             [::]:5432         [::]:*    users:(("postgres",pid=10,fd=7))
ESTAB      0      0         10.0.0.21:5432     10.0.0.11:40000 users:(("postgres",pid=11,fd=9))
ESTAB      0      0         10.0.0.21:5432     10.0.0.11:40001 users:(("postgres",pid=12,fd=9))
TIME-WAIT  0      0         10.0.0.21:5432     10.0.0.11:40002
ESTAB      0      0   [::ffff:10.0.0.21]:5432 [::ffff:10.0.0.12]:41000 users:(("postgres",pid=13,fd=9))
ESTAB      0      0         10.0.0.21:50000    10.0.0.31:6379  users:(("a b",pid=20,fd=3))
CLOSE-WAIT 1      0         10.0.0.21:50001    10.0.0.31:6379  users:(("a b",pid=20,fd=4))
SYN-SENT   0      1         10.0.0.21:50002    10.0.0.99:1     users:(("a b",pid=20,fd=5))
"""


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path, request.param)


def connected(host: FakeHost) -> Connected:
    found = host.swept(connections.SECTION).of(connections.SECTION)
    assert found is not None
    return found


def test_what_ss_prints_is_counted_up_on_the_host(host: FakeHost) -> None:
    host.tool("ss", f"cat <<'END'\n{SS}END\n")
    host.tool("ip", "echo '2: eth0    inet 10.0.0.21/24 brd 10.0.0.255 scope global eth0\\    valid_lft forever'\n"
              "echo '2: eth0    inet6 fd00::21/64 scope global \\    valid_lft forever'\n")  # fmt: skip
    host.file("proc/20/cgroup", "0::/system.slice/report.service\n")
    found = connected(host)
    assert found.is_known
    # busybox takes its own `ip` before the one in the PATH.
    assert found.addresses == {"10.0.0.21", "fd00::21"} or host.shell == "busybox"
    assert set(found.listeners) == {Listener(address="*", port=5432, process=Process(name="postgres"))}
    report = Process(name="a b", unit="report.service")
    postgres = Process(name="postgres")
    assert set(found.connections) == {
        Connections(inbound=False, near="10.0.0.21", far="10.0.0.31", port=6379, open=2, ports=(50000, 50001), process=report),
        Connections(inbound=True, near="10.0.0.21", far="10.0.0.11", port=5432, open=2, ports=(40000, 40001), process=postgres),
        Connections(inbound=True, near="10.0.0.21", far="10.0.0.11", port=5432, closed=1, ports=(40002,)),
        Connections(inbound=True, near="10.0.0.21", far="10.0.0.12", port=5432, open=1, ports=(41000,), process=postgres),
    }  # fmt: skip


def test_the_kernels_own_tables_tell_the_same_where_there_is_no_ss(host: FakeHost) -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    rest = "00000000:00000000 00:00000000 00000000     0        0"
    host.file(
        "proc/net/tcp",
        f"{head}   0: 00000000:1538 00000000:0000 0A {rest} 900 1\n   1: 1500000A:1538 0B00000A:9C40 01 {rest} 901 1\n"
        f"   2: 1500000A:C350 1F00000A:18EB 06 {rest} 0 1\n",
    )
    mapped = "0000000000000000FFFF00001500000A:C351 0000000000000000FFFF00001F00000A:18EB"
    host.file("proc/net/tcp6", f"{head}   0: {mapped} 01 {rest} 902 1\n")
    host.file("proc/net/fib_trie", "  |-- 10.0.0.0\n     /24 link UNICAST\n  |-- 10.0.0.21\n     /32 host LOCAL\n")
    host.file("proc/net/if_inet6", "fd000000000000000000000000000021 02 40 00 80     eth0\n")
    for pid, name, inode in (("10", "postgres", "900"), ("11", "postgres", "901"), ("20", "worker", "902")):
        (host.root / f"proc/{pid}/fd").mkdir(parents=True)
        host.file(f"proc/{pid}/comm", f"{name}\n")
        (host.root / f"proc/{pid}/fd/3").symlink_to(f"socket:[{inode}]")
    found = connected(host)
    assert found.is_known
    assert found.addresses == {"10.0.0.21", "fd00::21"}
    assert found.listeners == (Listener(address="*", port=5432, process=Process(name="postgres")),)
    assert set(found.connections) == {
        Connections(inbound=True, near="10.0.0.21", far="10.0.0.11", port=5432, open=1, ports=(40000,), process=Process(name="postgres")),
        Connections(inbound=False, near="10.0.0.21", far="10.0.0.31", port=6379, closed=1, ports=(50000,)),
        Connections(inbound=False, near="10.0.0.21", far="10.0.0.31", port=6379, open=1, ports=(50001,), process=Process(name="worker")),
    }  # fmt: skip


def test_closed_connections_do_not_hide_the_ports_of_open_ones(host: FakeHost) -> None:
    closed = "".join(f"echo 'TIME-WAIT 0 0 10.0.0.1:{port} 10.0.0.21:22'\n" for port in range(40000, 40010))
    host.tool("ss", f"{closed}echo 'ESTAB 0 0 10.0.0.1:41000 10.0.0.21:22'\n")
    rows = {(row.open, row.closed, row.ports) for row in connected(host).connections}
    assert rows == {(1, 0, (41000,)), (0, 10, ())}


def test_fifty_thousand_connections_are_few_lines(host: FakeHost) -> None:
    host.tool(
        "ss",
        "echo 'LISTEN 0 128 *:443 *:* users:((\"nginx\",pid=3,fd=6))'\n"
        'awk \'BEGIN { for (i = 0; i < 50000; i++) print "ESTAB 0 0 10.0.0.1:443 192.0.2." i % 200 ":" 1024 + i'
        ' " users:((\\"nginx\\",pid=" 3 + i % 8 ",fd=6))" }\'\n',
    )
    swept = host.swept(connections.SECTION)
    found = swept.of(connections.SECTION)
    assert found is not None
    assert found.complete
    assert len(found.connections) == 200
    assert sum(row.open for row in found.connections) == 50000
    # The issue bounds a normal host at 0.3 s; on this one the fake `ss` itself is most of it.
    assert swept.cpu_s is not None
    assert swept.cpu_s < 2.0


def test_nothing_to_read_is_not_no_connections(host: FakeHost) -> None:
    assert not connected(host).is_known
    host.tool("ss", "exit 1\n")
    assert not connected(host).is_known


def test_a_session_is_known_by_the_processes_above_the_script(host: FakeHost) -> None:
    host.tool(
        "ss",
        "echo 'LISTEN 0 128 *:22 *:* users:((\"sshd\",pid=4,fd=3))'\n"
        'echo \'ESTAB 0 0 10.0.0.21:22 10.0.0.99:40000 users:(("sshd",pid=77,fd=4),("sshd",pid=76,fd=4))\'\n'
        "echo 'ESTAB 0 0 10.0.0.21:22 10.0.0.98:40001 users:((\"sshd\",pid=87,fd=4))'\n",
    )
    section = connections.SECTION
    # Whatever process id the shell has here, 76 is the parent of its parent.
    before = f'mkdir -p "{host.root}/proc/$$" "{host.root}/proc/80"; echo "PPid: 80" >"{host.root}/proc/$$/status"; echo "PPid: 76" >"{host.root}/proc/80/status"\n'
    found = host.swept(section, before=before).of(section)
    assert found is not None
    assert found.own == ((("10.0.0.21", 22), ("10.0.0.99", 40000)),)
    assert [row.far for row in found.connections] == ["10.0.0.98"]


def test_a_real_host_tells_both_ends_of_a_real_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        port = server.getsockname()[1]
        # Detached from this process, or its own connections would pass for the session that asked.
        script = sweep.text((connections.SECTION,))
        done = subprocess.run(
            ["setsid", "-f", "sh"], input=script, capture_output=True, text=True, timeout=30, check=False
        )
        swept = sweep.parse(ShellReply(exit_status=0, stdout=done.stdout, stderr=""))
        assert isinstance(swept, sweep.Swept)
        found = swept.of(connections.SECTION)
        assert found is not None
        assert port in {listener.port for listener in found.listeners}
        assert client.getsockname()[1] in {at for row in found.connections if row.port == port for at in row.ports}


ETC = {
    "proc/mounts": "files-1:/export /home nfs4 rw 0 0\n/dev/sda1 / ext4 rw 0 0\n",
    "etc/hosts": "127.0.0.1 localhost\n10.0.0.9 cache.internal cache-1 # the cache\n",
    "etc/fstab": "# c\nUUID=1 / ext4 defaults 0 1\nfiles-1:/export /home nfs4 rw,nofail 0 0\n[fd00::9]:/x /x nfs defaults 0 0\n//share-1/s /s cifs noauto 0 0\n",
    "etc/resolv.conf": "search x\nnameserver 10.0.0.53\nnameserver fd00::53\n",
    "etc/chrony/chrony.conf": "server time-1 iburst\n# server no\npool 2.pool.example iburst\n",
    "etc/systemd/timesyncd.conf": "[Time]\nNTP=time-2 10.0.0.5\n#NTP=no\n",
    "etc/sssd/sssd.conf": "[domain/x]\nldap_uri = ldaps://ldap-1.site.net, ldap://ldap-2:1389\nkrb5_server=kdc-1\n",
    "etc/rsyslog.d/x.conf": '*.* @@log-1:6514\n*.* @10.0.0.7\n*.* @@[fd00::7]:514\naction(type="omfwd" target="log-2" port="514")\n',
    "etc/syslog-ng/syslog-ng.conf": 'destination d { tcp("log-3" port(514)); };\n',
    "etc/apt/sources.list": "deb [signed-by=/x] http://mirror-1:8080/debian bookworm main\n# deb http://no/ x\n",
    "etc/apt/sources.list.d/a.sources": "Types: deb\nURIs: https://[fd00::8]:8443/debian\n",
    "etc/apt/apt.conf.d/p": 'Acquire::http::Proxy "http://user:pw@proxy-1:3142";\n// "http://no"\n',
    "etc/yum.repos.d/x.repo": "[x]\nbaseurl=https://repo-1/x/$basearch\nproxy=http://proxy-2:3128\n",
    "etc/docker/daemon.json": '{"registry-mirrors": ["https://reg-1:5000"], "insecure-registries": ["reg-2:5000"]}\n',
    "etc/containers/registries.conf": '[[registry]]\nlocation = "reg-3.local:5000"\n',
    "etc/environment": 'http_proxy="http://proxy-3:8888"\n',
    "etc/systemd/system/app.service": "[Service]\nExecStart=/usr/bin/app --db postgres://app:s3cret@db-1:5432/x \\\n  --cache=cache-1:6379,cache-2:6379 amqp://[fd00::4]:5672/\nEnvironment=\"REDIS=10.0.0.4\"\n#ExecStart=no\nUser=nobody-1\n",
    "etc/systemd/system/app.service.d/o.conf": "[Service]\nEnvironment=QUEUE=queue-1\n",
}  # fmt: skip

NAMED = {
    ("mount", "files-1", 2049), ("mount", "fd00::9", 2049), ("mount", "share-1", 445), ("resolver", "10.0.0.53", 53),
    ("resolver", "fd00::53", 53), ("ntp", "time-1", 123), ("ntp", "2.pool.example", 123), ("ntp", "time-2", 123), ("ntp", "10.0.0.5", 123),
    ("ldap", "ldap-1.site.net", 636), ("ldap", "ldap-2", 1389), ("ldap", "kdc-1", 389), ("syslog", "log-1", 6514),
    ("syslog", "10.0.0.7", 514), ("syslog", "fd00::7", 514), ("syslog", "log-2", 514), ("syslog", "log-3", 514),
    ("package", "mirror-1", 8080), ("package", "fd00::8", 8443), ("proxy", "proxy-1", 3142), ("package", "repo-1", 443),
    ("proxy", "proxy-2", 3128), ("image", "reg-1", 5000), ("image", "reg-2", 5000), ("image", "reg-3.local", 5000),
    ("proxy", "proxy-3", 8888), ("unit", "db-1", 5432), ("unit", "cache-1", 6379), ("unit", "cache-2", 6379), ("unit", "fd00::4", 5672),
    ("unit", "10.0.0.4", None), ("unit", "queue-1", None),
}  # fmt: skip


def test_every_kind_of_file_names_its_machines(host: FakeHost) -> None:
    for path, text in ETC.items():
        host.file(path, text)
    found = host.swept(references.SECTION).of(references.SECTION)
    assert found is not None
    assert {(one.kind, one.name, one.port) for one in found.found} == NAMED
    assert found.names["cache-1"] == found.names["cache.internal"] == "10.0.0.9"
    mounts = {(one.file, one.name): one for one in found.found if one.kind == "mount"}
    assert mounts["/proc/mounts", "files-1"].is_live
    assert not mounts["/etc/fstab", "files-1"].is_needed
    assert mounts["/etc/fstab", "fd00::9"].is_needed
    # What stands before an @ never leaves the host.
    reply = host.swept(references.SECTION).sections["references"]
    assert not any("s3cret" in line or "pw" in line.split() for line in reply.text)


SETTINGS = """\
# DB=no-such
DATABASE_URL="postgres://shop:p@ss/w0rd@db-1:5432/shop?sslpassword=hunter2"
export CACHE='cache-1:6379'
DB_PASSWORD=hunter3.example:1234
API_KEY=hunter4
SIGNING_KEY="hunter5"
OPTS=--user=x --password hunter6 --token=hunter7 \\
  --peer=queue-1:5672
DSN=host=db-2 port=5432 password=hunter8 user=x
CONFIG={"secret": "hunter9", "search": "http://search-1:9200/"}
KEY="-----BEGIN PRIVATE KEY-----
hunterAAAAhunterBBBB
hunterCCCC==
-----END PRIVATE KEY-----"
"""


def test_the_files_of_a_units_environment_name_machines_and_tell_no_secret(host: FakeHost) -> None:
    host.file("etc/default/shop", SETTINGS)
    host.file("etc/app/a.env", "PEER=peer-1:80\n")
    host.file("etc/app/b.env", "PEER=peer-2:80\n")
    host.file("etc/systemd/system/shop.service", "[Service]\nEnvironmentFile=-/etc/default/shop\nExecStart=/bin/x\n")
    host.file("etc/systemd/system/app.service.d/x.conf", "[Service]\nEnvironmentFile=/etc/app/*.env\n")
    # A packaged unit is not read, but what an administrator wrote for it is.
    packaged = "[Service]\nEnvironmentFile = /etc/default/agent\nExecStart=/bin/agent --to=vendor-1:1\n"
    host.file("usr/lib/systemd/system/agent.service", packaged)
    host.file("etc/default/agent", "ARGS=--to=mon-1:9090\n")
    host.file("etc/systemd/system/gone.service", "[Service]\nEnvironmentFile=-/etc/gone\nEnvironmentFile=/etc/%i\n")
    lines = host.swept(references.SECTION).sections["references"]
    found = references.SECTION.read(lines)
    assert {(one.detail, one.name, one.port) for one in found.found if one.detail} >= {
        ("shop.service", "db-1", 5432), ("shop.service", "cache-1", 6379), ("shop.service", "queue-1", 5672),
        ("shop.service", "db-2", None), ("shop.service", "search-1", 9200), ("app.service", "peer-1", 80),
        ("app.service", "peer-2", 80), ("agent.service", "mon-1", 9090),
    }  # fmt: skip
    assert {one.file for one in found.found if one.name == "db-1"} == {"/etc/default/shop"}
    assert {one.kind for one in found.found} == {"unit"}
    told = "\n".join(lines.text)
    for secret in ("hunter", "p@ss", "w0rd", "vendor-1", "no-such", "PRIVATE"):
        assert secret not in told, told


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_with_thousands_of_units_is_read_to_a_bound_in_time(shell: str, tmp_path: Path) -> None:
    host = fake_host(tmp_path, shell)
    for number in range(1500):
        host.file(f"etc/systemd/system/u{number}.service", f"[Service]\nExecStart=/bin/x --peer=host-{number}:80\n")
    swept = host.swept(references.SECTION)
    assert swept.cpu_s is not None
    assert swept.cpu_s < 0.3
    found = swept.of(references.SECTION)
    assert found is not None
    assert 100 < len(found.found) <= 1500


@pytest.mark.parametrize(
    ("text", "name", "port"),
    [
        ("db-1", "db-1", None),
        ("db-1:5432", "db-1", 5432),
        ("http://db-1:80/x", "db-1", 80),
        ("[fd00::1]:22", "fd00::1", 22),
        ("fd00::1", "fd00::1", None),
        ("db-1:99999", "db-1", None),
        ("", "", None),
        ("$HOST:1", "", None),
        ("-x", "", None),
    ],
)
def test_a_place_is_parted_into_name_and_port(text: str, name: str, port: int | None) -> None:
    assert parted(text)[1:] == (name, port)
