"""A site of three tiers: a real nginx, a small app, a real PostgreSQL and a real Redis, each host in network, process and mount
namespaces of its own, with its own addresses, /etc and OpenSSH server.

All addresses exist inside these namespaces only; `lan` is the switch between them, and where the tool runs. Each host is one tree of
processes that ends with its first one, and that one with the process that started the site. Needs Linux, root, openssh-server, iproute2,
nginx, postgresql and redis-server.

By hand, from the root of the repository; it stays until Ctrl-C:

    python -m tests.e2e.three_tiers
    ip netns exec SITE-lan restart discover FOLDER/inventory.yml
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
WAIT_S = 60.0
LAN = "lan"
NUMBERS = {LAN: 254, "lb-1": 1, "app-1": 11, "app-2": 12, "db-1": 21, "cache-1": 31, "infra-1": 41}
"""The last part of each host's addresses, 10.77.0.N and fd77::N."""
APP_PORT = 8000

_SSHD = """\
Port 22
HostKey {folder}/host_key
AuthorizedKeysFile {site}/id_ed25519.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PidFile none
LogLevel ERROR
"""

_NGINX = """\
daemon off;
user root;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream app {{ server {app1}:8000 max_fails=0; server {app2}:8000 max_fails=0; keepalive 4; }}
  server {{
    listen 80; listen [::]:80;
    location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""

SITE = """\
# The shop, as somebody wrote it down two years ago.
version: 1
fleet: shop
defaults:
  ssh: {{user: root, identity_file: {folder}/id_ed25519, known_hosts: {folder}/known_hosts, config: /dev/null}}
hosts:
  lb-1:    {{address: {lb-1}}}
  app-1:   {{address: {app-1}}}
  app-2:   {{address: {app-2}}}
  db-1:    {{address: {db-1}, ssh: {{gateway: lb-1}}}}   # behind the balancer
  cache-1: {{address: {cache-1}}}
  infra-1: {{address: {infra-1}}}
services:
  web:
    hosts: lb-1
    ready: [{{http: "http://{{address}}/"}}]
    depends_on:
      app:   # and nothing else, we believe
      cache: {{kind: after}}  # long gone
  app:
    hosts: app-*
    max_unavailable: 1
    ready:
      - tcp: 8000
    # everything is in the database
    depends_on: {{db: {{kind: requires}}}}
  db: {{hosts: db-1, ready: [{{tcp: 5432}}]}}
  cache: {{hosts: cache-1, ready: [{{tcp: 6379}}]}}
  infra: {{hosts: infra-1}}
"""


def address(host: str, family: int = 4) -> str:
    """The host's address."""
    return f"10.77.0.{NUMBERS[host]}" if family == 4 else f"fd77::{NUMBERS[host]}"


def missing() -> list[str]:
    """What this machine lacks, by package."""
    needed = {
        "openssh-server": "/usr/sbin/sshd",
        "iproute2": "ip",
        "nginx-light": "nginx",
        "redis-server": "redis-server",
    }
    lacks = [package for package, program in needed.items() if shutil.which(program, path=_PATH) is None]
    return lacks if list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) else [*lacks, "postgresql"]


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Site:
    """Starts with `with` and ends with it."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="site-")
        self.folder = Path(self._scratch.name)
        self.name = f"site{os.getpid()}"
        self._running: list[subprocess.Popen[bytes]] = []
        self._networks: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process and forget namespaces and files."""
        for process in self._running:
            # `unshare` waits through a SIGTERM; when it is killed, so is the first process of its host, and with that the whole host.
            process.kill()
        for process in self._running:
            process.wait(10)
        for network in self._networks:
            subprocess.run(["ip", "netns", "del", network], check=False, capture_output=True)
        self._scratch.cleanup()

    def inside(self, *command: Any) -> list[Any]:
        """`command` where the controller is: on the switch, on none of the hosts."""
        return ["ip", "netns", "exec", self.network(LAN), *command]

    def network(self, host: str) -> str:
        """The name of the host's network namespace."""
        return f"{self.name}-{host}"

    def ssh(self, host: str, command: str) -> str:
        """What `command` prints on `host`."""
        words = [
            "ssh",
            "-F",
            "/dev/null",
            "-i",
            f"{self.folder}/id_ed25519",
            "-o",
            f"UserKnownHostsFile={self.folder}/known_hosts",
        ]
        done = subprocess.run(
            self.inside(*words, f"root@{address(host)}", command),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=True,
        )
        return done.stdout

    def ask_shop(self, times: int = 8) -> list[str]:
        """What the shop answers to a customer on the lan; each request goes through all three tiers."""
        code = (
            "import sys, urllib.request\n"
            f"for _ in range({times}): print(urllib.request.urlopen('http://{address('lb-1')}/', timeout=20).read().decode())"
        )
        done = subprocess.run(
            self.inside(sys.executable, "-c", code), capture_output=True, text=True, timeout=WAIT_S, check=False
        )
        assert done.returncode == 0, done.stderr + self.trouble()
        return done.stdout.split("\n")[:-1]

    def inventory(self, path: Path, text: str = SITE) -> Path:
        """Write the site's inventory."""
        fields = {"folder": str(self.folder), **{host: address(host) for host in NUMBERS}}
        path.write_text(text.format_map(fields), encoding="utf-8")
        return path

    def trouble(self) -> str:
        """What the hosts said that is not well."""
        return "\n".join(f"{log}: {log.read_text(errors='replace')[-1500:]}" for log in self.folder.glob("*/*log"))

    # --- how it is made ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        _forget_dead_sites()
        self.folder.chmod(0o755)
        self._keygen(self.folder / "id_ed25519")
        self._networks.append(self.network(LAN))
        _run("ip", "netns", "add", self.network(LAN))
        self._in(LAN, "ip", "link", "add", "br0", "type", "bridge")
        known = []
        for host in NUMBERS:
            folder = self.folder / host
            folder.mkdir()
            if host != LAN:
                known.append(f"{address(host)} {self._keygen(folder / 'host_key')}")
                self._cable(host)
        self._addresses(LAN, "br0")
        (self.folder / "known_hosts").write_text("\n".join([*known, ""]), encoding="utf-8")
        for host in NUMBERS:
            if host != LAN:
                self._boot(host)
        self._wait(lambda: len(self.ask_shop(2)) == 2, "the shop answers")

    def _cable(self, host: str) -> None:
        """A network namespace for `host`, joined to the switch."""
        network, port = self.network(host), f"to-{host}"
        _run("ip", "netns", "add", network)
        self._networks.append(network)
        _run(
            "ip",
            "link",
            "add",
            "name",
            "eth0",
            "netns",
            network,
            "type",
            "veth",
            "peer",
            "name",
            port,
            "netns",
            self.network(LAN),
        )
        self._in(LAN, "ip", "link", "set", port, "master", "br0", "up")
        self._addresses(host, "eth0")

    def _addresses(self, host: str, device: str) -> None:
        self._in(host, "ip", "link", "set", "lo", "up")
        self._in(host, "ip", "link", "set", device, "up")
        self._in(host, "ip", "addr", "add", f"{address(host)}/24", "dev", device)
        # Without duplicate address detection: nothing can be bound to an address that is still being tried.
        self._in(host, "ip", "addr", "add", f"{address(host, 6)}/64", "dev", device, "nodad")

    def _in(self, host: str, *words: str) -> None:
        _run("ip", "netns", "exec", self.network(host), *words)

    def _boot(self, host: str) -> None:
        """Start the host's processes: an own /etc, /run and /proc, then sshd and its service."""
        folder = self.folder / host
        shutil.copytree(
            "/etc", folder / "etc", symlinks=True, ignore=shutil.ignore_patterns("ssl", "systemd", "apt", "docker")
        )
        # The user's own shell and its start-up files are no part of the site.
        accounts = (folder / "etc/passwd").read_text(encoding="utf-8").splitlines()
        plain = ["root:x:0:0:root:/run:/bin/sh", *(line for line in accounts if not line.startswith("root:")), ""]
        (folder / "etc/passwd").write_text("\n".join(plain), encoding="utf-8")
        # Somebody who is not root, and may log in with the same key.
        with (
            (folder / "etc/passwd").open("a", encoding="utf-8") as passwd,
            (folder / "etc/shadow").open("a", encoding="utf-8") as shadow,
        ):
            passwd.write("ops:x:4321:4321::/:/bin/sh\n")
            shadow.write("ops:*:20000:0:99999:7:::\n")
        for path, text in self._etc(host).items():
            place = folder / "etc" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            place.write_text(text, encoding="utf-8")
        (folder / "sshd_config").write_text(_SSHD.format(folder=folder, site=self.folder), encoding="utf-8")
        script = f"""
            set -e
            mount --make-rprivate /
            mount -t tmpfs tmpfs /run; mkdir /run/sshd
            mount --bind {folder}/etc /etc
            /usr/sbin/sshd -D -f {folder}/sshd_config &
            {self._service(host, folder)}
            wait
        """
        with (folder / "console.log").open("wb") as log:
            namespaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
            self._running.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", self.network(host), "setpriv", "--pdeathsig", "KILL", *namespaces, "sh", "-c", script],
                    cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )
            )  # fmt: skip

    def _etc(self, host: str) -> Mapping[str, str]:
        """Files that this host has otherwise than this machine."""
        files = {
            "resolv.conf": f"nameserver {address('infra-1')}\n" if host == "db-1" else "",
            "fstab": "",
            "hosts": "127.0.0.1 localhost\n",
        }
        if host == "app-1":
            files["fstab"] = "infra-1:/export/uploads /srv/uploads nfs4 rw,_netdev 0 0\n"
            files["hosts"] += f"{address('infra-1')} files.shop.internal files\n"
            unit = "[Service]\nExecStart=/usr/bin/python3 -m app --db postgres://shop:secret@db-1:5432/shop\n"
            files["systemd/system/app.service"] = unit
        if host == "lb-1":
            files["systemd/system/shop.service"] = "[Service]\nEnvironmentFile=-/etc/default/shop\n"
            files["default/shop"] = (
                f"APP=http://shop:hunter2@{address('app-2')}:8000/\nTOKEN=hunter3\nMODE=hunter4.night:80\n"
            )
        return files

    def _service(self, host: str, folder: Path) -> str:
        if host == "lb-1":
            config = _NGINX.format(folder=folder, app1=address("app-1"), app2=address("app-2"))
            (folder / "nginx.conf").write_text(config, encoding="utf-8")
            return f"nginx -c {folder}/nginx.conf -e {folder}/nginx.log &"
        if host.startswith("app"):
            # One keeps its connection to the cache, over IPv4; the other talks to the database over IPv6, and opens the cache anew each time.
            family, how = (4, "keeps") if host == "app-1" else (6, "anew")
            return (
                f"{sys.executable} -m tests.e2e.three_tiers_app {address('db-1', family)} {address('cache-1')} {how} &"
            )
        if host == "cache-1":
            return f"redis-server --bind 0.0.0.0 :: --protected-mode no --save '' --appendonly no --dir {folder} &"
        if host == "db-1":
            return self._database(folder)
        return ""

    def _database(self, folder: Path) -> str:
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        data = folder / "data"
        as_postgres = "setpriv --reuid postgres --regid postgres --clear-groups"
        return f"""
            install -d -o postgres -g postgres {data}
            {as_postgres} {programs}/initdb -D {data} -A trust -N >{folder}/initdb.log
            printf 'host all all 10.77.0.0/24 trust\\nhost all all fd77::/64 trust\\n' >>{data}/pg_hba.conf
            {as_postgres} {programs}/postgres -D {data} -c listen_addresses='*' -c unix_socket_directories='' -c fsync=off &
        """

    def _keygen(self, path: Path) -> str:
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path))
        return path.with_suffix(".pub").read_text(encoding="ascii").strip()

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + WAIT_S
        while True:
            try:
                if condition():
                    return
            except AssertionError:
                if time.monotonic() > until:
                    raise
            assert time.monotonic() < until, f"{what}: not within {WAIT_S:g} s. {self.trouble()}"
            time.sleep(0.3)


def _forget_dead_sites() -> None:
    """Take away the namespaces of sites whose process was killed: their hosts ended with it, the names did not."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for name in re.findall(r"^(site[0-9]+-[a-z0-9-]+)", listed, re.MULTILINE):
        if not Path(f"/proc/{name.partition('-')[0].removeprefix('site')}").exists():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PATH": _PATH}, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"


def main() -> None:
    """The site, until Ctrl-C."""
    with Site() as site:
        print(f"inventory {site.inventory(site.folder / 'inventory.yml')}")
        print(f"by hand   {' '.join(site.inside())} restart discover {site.folder}/inventory.yml", flush=True)
        try:
            while True:
                site.ask_shop()
                time.sleep(5)
        except KeyboardInterrupt:
            print("ends")


if __name__ == "__main__":
    main()
