"""The files of a fleet: keys, the ssh client's and the servers' configurations, what stands in for systemctl."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.e2e.machine import Spec

_SSHD = """\
ListenAddress {address}:{port}
AuthorizedKeysFile {folder}/id_ed25519.pub
SetEnv PATH={own}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PidFile none
MaxStartups 200
MaxSessions 100
LoginGraceTime 600
LogLevel ERROR
"""

_SS = """\
#!/bin/sh
# The host shares the network of this machine and has an address of its own there: what listens on it is what listens on the host.
while read -r n l r s x; do
case $s$l in 0A{hexed}:*) echo "tcp LISTEN 0 128 {address}:$((0x${{l#*:}})) 0.0.0.0:*";; esac
done </proc/net/tcp
"""

_CLIENT = """\
IdentityFile {folder}/id_ed25519
UserKnownHostsFile {folder}/known_hosts
IdentitiesOnly yes
StrictHostKeyChecking yes
BatchMode yes
KexAlgorithms curve25519-sha256
User root
ConnectTimeout 10
"""


def write_files(folder: Path, specs: Collection[Spec], faults: Mapping[str, Mapping[str, Any]]) -> None:
    """Everything in `folder` that the supervisor and the clients of the fleet read. `faults` are those of its first boot."""
    folder.chmod(0o755)
    (folder / "log.jsonl").touch()
    (folder / "empty_ssh_config").touch()
    os.mkfifo(folder / "words")
    _keygen(folder / "id_ed25519")
    passwd = Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
    # The user's shell and its start-up files are no part of the fleet; `ops` is somebody who is not called root.
    accounts = [f"{name}:x:0:0:{name}:/run/home:/bin/sh" for name in ("root", "ops")]
    accounts += [line for line in passwd if line.split(":")[0] not in ("root", "ops")]
    (folder / "passwd").write_text("\n".join([*accounts, ""]), encoding="utf-8")
    gateway = next((spec.name for spec in specs if spec.gateway), None)
    known, client = [], [_CLIENT.format(folder=folder)]
    for spec in specs:
        key = _write_host(spec, faults.get(spec.name, {}))
        known.append(f"[{spec.address}]:{spec.ssh_port} {key}")
        jump = f"  ProxyCommand ssh -F {folder}/ssh_config -W %h:%p {gateway}\n" if spec.behind else ""
        client.append(f"Host {spec.name}\n  HostName {spec.address}\n  Port {spec.ssh_port}\n{jump}")
    (folder / "known_hosts").write_text("\n".join([*known, ""]), encoding="utf-8")
    (folder / "ssh_config").write_text("\n".join(client), encoding="utf-8")
    rows = [{**asdict(spec), "folder": ""} for spec in specs]
    (folder / "fleet.json").write_text(json.dumps(rows), encoding="utf-8")


def _write_host(spec: Spec, faults: Mapping[str, Any]) -> str:
    """The host's folder; returns its public key."""
    own = spec.folder
    (own / "bin").mkdir(parents=True)
    os.mkfifo(own / "words")
    (own / "faults.json").write_text(json.dumps(faults), encoding="utf-8")
    script = (Path(__file__).parent / "systemctl.sh").read_text(encoding="utf-8")
    systemctl = own / "bin" / "systemctl"
    systemctl.write_text(script.replace("@WORDS@", shlex.quote(str(own / "words"))), encoding="utf-8")
    systemctl.chmod(0o755)
    listed = own / "bin" / "ss"
    octets = [int(part) for part in spec.address.split(".")]
    listed.write_text(
        _SS.format(address=spec.address, hexed="".join(f"{octet:02X}" for octet in reversed(octets))), encoding="utf-8"
    )
    listed.chmod(0o755)
    for name in ("reboot", "poweroff", "shutdown", "sudo"):
        (own / "bin" / name).symlink_to("systemctl")
    config = _SSHD.format(address=spec.address, port=spec.ssh_port, folder=own.parent, own=own)
    (own / "sshd_config").write_text(config, encoding="utf-8")
    _keygen(own / "other_key")
    return _keygen(own / "host_key")


def _keygen(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text(encoding="ascii").strip()
