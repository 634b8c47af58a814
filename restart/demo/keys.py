"""The demo's keys: made for one fleet, gone with its folder."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def new_key() -> tuple[paramiko.PKey, str]:
    """An ed25519 key, and its text in OpenSSH's private format."""
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode("ascii")
    return paramiko.Ed25519Key.from_private_key(StringIO(text)), text


def public_line(key: paramiko.PKey) -> str:
    """`ssh-ed25519 AAAA...`, as known_hosts and authorized_keys have it."""
    return f"{key.get_name()} {key.get_base64()}"


def write_private(path: Path, text: str) -> None:
    """Write a private key that only its owner reads; it never exists with wider permissions."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
