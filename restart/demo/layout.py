"""The demo fleet's layout: which hosts there are, and the files that describe them to the tool and to ssh. Pure text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

USER = "ops"
"""The one user that may log in."""

ADDRESS = "127.0.0.1"
"""The only address that anything of the demo listens on."""

SERVICES = ("db", "queue", "cache", "app", "lb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many hosts each service has. A service with none is left out; there is always a database and an application."""

    db: int = 3
    queue: int = 3
    cache: int = 3
    app: int = 9
    lb: int = 2

    def hosts(self) -> dict[str, str]:
        """Every host's name and its service, providers first."""
        return {name: service for service in SERVICES for name in _names(service, getattr(self, service))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one host listens, and what it is: its service, its SSH and HTTP port on the loopback, its rack."""

    host: str
    service: str
    ssh_port: int
    http_port: int
    rack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The paths, inside the fleet's folder, that its files name."""

    folder: Path
    inventory: Path = field(init=False)
    playbooks: Path = field(init=False)
    identity: Path = field(init=False)
    known_hosts: Path = field(init=False)
    ssh_config: Path = field(init=False)

    def __post_init__(self) -> None:
        for name, path in (
            ("inventory", "inventory.yml"),
            ("playbooks", "playbooks"),
            ("identity", "keys/id_ed25519"),
            ("known_hosts", "keys/known_hosts"),
            ("ssh_config", "ssh_config"),
        ):
            object.__setattr__(self, name, self.folder / path)


def racks(hosts: Mapping[str, str], count: int = 5) -> dict[str, str]:
    """A rack for each host: members of a service in different racks as far as they reach, services beginning apart."""
    seen: dict[str, int] = {}
    placed = {}
    for host, service in hosts.items():
        number = seen.setdefault(service, 2 * len(seen))
        seen[service] = number + 1
        placed[host] = f"r{number % count + 1}"
    return placed


def inventory(places: Sequence[Place], files: Files, board_port: int) -> str:
    """The fleet's inventory, format version 1."""
    members = {service: [p for p in places if p.service == service] for service in SERVICES}
    parts = [
        _HEAD.format(
            identity=_quoted(files.identity),
            known_hosts=_quoted(files.known_hosts),
            config=_quoted(files.ssh_config),
            user=USER,
        )
    ]
    parts += [
        f"  {place.host}: {{address: {ADDRESS}, ssh: {{port: {place.ssh_port}}}, "
        f'labels: {{rack: {place.rack}, http: "{place.http_port}"}}}}\n'
        for place in places
    ]
    parts.append("services:\n")
    parts += [_service(service, members, f"http://{ADDRESS}:{board_port}") for service in SERVICES if members[service]]
    parts.append(_TAIL.format(board=f"http://{ADDRESS}:{board_port}"))
    return "".join(parts)


def playbooks(shape: Shape) -> dict[str, str]:
    """File name to text: how a host restarts, and how an application is taken out of the load balancers first."""
    steps = "".join(
        f'  - {{run: "lbctl drain {{host}}", on: {lb}, undo: "lbctl undrain {{host}}", timeout: 5s}}\n'
        for lb in _names("lb", shape.lb)
    )
    return {
        "reboot.yml": f"version: 1\nname: reboot\n{_REBOOT}",
        "drain-app.yml": "version: 1\nname: drain-app\n" + (f"drain:\n{steps}" if steps else "") + _REBOOT,
    }


def known_hosts(keys: Mapping[int, str]) -> str:
    """`keys` maps each SSH port to that host's public key, as `ssh-ed25519 AAAA...`."""
    return "".join(f"[{ADDRESS}]:{port} {key}\n" for port, key in keys.items())


def ssh_config(places: Sequence[Place], files: Files) -> str:
    """So that `ssh -F FILE app-1 COMMAND` works by hand, and nobody's own settings get in the way."""
    return "".join(
        f"Host {place.host}\n  HostName {ADDRESS}\n  Port {place.ssh_port}\n  User {USER}\n"
        f"  IdentityFile {_quoted(files.identity)}\n  IdentitiesOnly yes\n  UserKnownHostsFile {_quoted(files.known_hosts)}\n"
        for place in places
    )


def _names(service: str, count: int) -> list[str]:
    width = 2 if count > 9 else 1
    return [f"{service}-{number:0{width}d}" for number in range(1, count + 1)]


def _quoted(path: Path) -> str:
    # A JSON string is also a YAML double-quoted scalar; ssh_config takes it as well where nothing needs escaping.
    return json.dumps(str(path))


def _service(service: str, members: Mapping[str, Sequence[Place]], board: str) -> str:
    hosts = ", ".join(place.host for place in members[service])
    lines = [f"  {service}:", f"    hosts: [{hosts}]"]
    providers = [p for p in _PROVIDERS.get(service, ()) if members[p]]
    if providers:
        lines.append("    depends_on:")
        lines += [f"      {p}: {{kind: requires}}" for p in providers]
    lines += [f"    {line}" for line in (*_budget(service, len(members[service])), *_EXTRA.get(service, ()))]
    ready = f'http: {{url: "http://{{address}}:{{label.http}}/health", status: 200, {_PACE}}}'
    gate = f'http: {{url: "{board}/services/{service}", status: 200, {_PACE}}}'
    lines += ["    ready:", f"      - {ready}", "    gate:", f"      - {gate}"]
    return "\n".join(lines) + "\n"


def _budget(service: str, members: int) -> tuple[str, ...]:
    if members < 2:
        return ()
    if service in ("db", "queue") and members > 2:
        return ("min_available: quorum",)
    return (f"max_unavailable: {max(1, members // 3) if service == 'app' else 1}",)


_PACE = "timeout: 2s, every: 200ms, healthy_for: 400ms, within: 30s"

_PROVIDERS = {"app": ("db", "queue", "cache"), "lb": ("app",)}

_EXTRA = {
    "db": (
        "admission: 3          # at most 3 applications log their sessions in at once",
        "expect: {boot: 2.7s, warm: 500ms}",
    ),
    "app": ("playbook: drain-app", "expect: {boot: 2.2s, warm: 1s}"),
}

_REBOOT = """restart:
  - reboot: {down_within: 10s, back_within: 30s}
"""

_HEAD = """\
# The demo's fleet: real SSH servers and health pages, all on the loopback of this machine.
version: 1
fleet: chat-demo
defaults:
  ssh:
    user: {user}
    identity_file: {identity}
    known_hosts: {known_hosts}
    config: {config}
  playbook: reboot
  expect: {{boot: 2.2s}}
hosts:
"""

_TAIL = """\
limits:
  fleet: {{max_in_flight: 6}}
  rack: {{per: rack, max_in_flight: 2}}
watch:                        # asked all through a run: can anybody chat?
  - http: {{url: "{board}/site", status: 200, timeout: 2s, every: 1s}}
policy: {{on_failure: halt, max_failures: 1, confirm_above: 100%}}
"""
