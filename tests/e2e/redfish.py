"""Starting and stopping the Redfish emulator, with a certificate authority of its own."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.fleet import ROOT, WAIT_S


class Redfish:
    """One emulated BMC on 127.0.0.1, or with the systems of a whole fleet or lab. Ends with `with`.

    `inside` makes of a command the one that runs it where the BMC is to be, for instance in a network namespace.
    """

    def __init__(self, folder: Path, systems: dict[str, str], **more: Any) -> None:
        self.folder = folder
        self._inside: Callable[..., list[Any]] = more.pop("inside", lambda *command: list(command))
        self.user, self.password = "operator", more.pop("password", "s3cret-of-the-bmc")
        self.authority = folder / "ca.pem"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        certify(folder, ipaddress.ip_address("127.0.0.1"))
        given = {
            "address": "127.0.0.1",
            "port": self.port,
            "certificate": str(folder / "bmc.pem"),
            "key": str(folder / "bmc.key"),
            "user": self.user,
            "password": self.password,
            "folder": str(folder),
            "systems": systems,
            **more,
        }
        (folder / "bmc.json").write_text(json.dumps(given), encoding="utf-8")
        (folder / "log.jsonl").touch()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.e2e.redfish_server", str(self.folder / "bmc.json")]
        with (self.folder / "bmc.log").open("wb") as trouble:
            self._process = subprocess.Popen(
                self._inside(*command), cwd=ROOT, stdin=subprocess.PIPE, stdout=trouble, stderr=trouble
            )
        until = time.monotonic() + WAIT_S
        while not self._listens():
            said = (self.folder / "bmc.log").read_text(encoding="utf-8")[-2000:]
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise AssertionError(f"the emulator does not serve: {said}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(WAIT_S)

    def _listens(self) -> bool:
        knock = f"import socket; socket.create_connection(('127.0.0.1', {self.port}), timeout=1)"
        return (
            subprocess.run(self._inside(sys.executable, "-c", knock), stderr=subprocess.DEVNULL, check=False).returncode
            == 0
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://127.0.0.1:{self.port}"

    def control(self, **more: Any) -> dict[str, Any]:
        """The `redfish:` of a host's `power:`, save where its password is."""
        return {"url": self.url, "user": self.user, "ca_file": str(self.authority), **more}

    def log(self, key: str) -> list[Any]:
        """What it noted under `key`: `reset`, `session`, `refused`, `path`."""
        rows = [json.loads(line) for line in (self.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        return [row[key] for row in rows if key in row]


def certify(folder: Path, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Write `ca.pem`, and `bmc.pem` with `bmc.key`, a certificate for `address` from that authority."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    now = datetime.datetime.now(datetime.UTC)

    def certificate(subject: x509.Name, public: Any, *extensions: tuple[x509.ExtensionType, bool]) -> x509.Certificate:
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, critical in extensions:
            built = built.add_extension(extension, critical=critical)
        return built.sign(authority_key, hashes.SHA256())

    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    authority = certificate(
        authority_name, authority_key.public_key(), (x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)
    )
    served = certificate(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bmc")]),
        key.public_key(),
        (x509.SubjectAlternativeName([x509.IPAddress(address)]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False),
    )
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "bmc.pem").write_bytes(served.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "bmc.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
