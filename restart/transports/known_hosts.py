"""`known_hosts` files, as sshd(8) describes them: parsed once, shared by every connection.

Hashed names, wildcards with exclusions, `[host]:port` and `@revoked` are understood. `@cert-authority` is not: a host
known only by one is unknown here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from restart.errors import UsageMistake

Key = tuple[str, bytes]
"""A key's type, as `ssh-ed25519`, and its bytes."""


_ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"),
}


def useless_algorithms(keys: tuple[Key, ...]) -> tuple[str, ...]:
    """Host key algorithms that can only lead to a key we do not know, so that the server shows the one that we do."""
    types = {kind for kind, _ in keys} & set(_ALGORITHMS)
    return tuple(name for kind, names in _ALGORITHMS.items() for name in names if types and kind not in types)


_USUAL_FILES = (Path("~/.ssh/known_hosts"), Path("~/.ssh/known_hosts2"), Path("/etc/ssh/ssh_known_hosts"))


def public_key(path: Path) -> bytes | None:
    """The key in a `.pub` file; None where it cannot be read."""
    try:
        return base64.b64decode(path.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None


@dataclass(slots=True)
class KnownHosts:
    """The keys of hosts, by name as `host` (port 22) or `[host]:port`."""

    _named: dict[str, list[Key]] = field(default_factory=dict)
    _hashed: list[tuple[bytes, bytes, Key]] = field(default_factory=list)
    _patterns: list[tuple[tuple[str, ...], Key]] = field(default_factory=list)
    _revoked: set[bytes] = field(default_factory=set)

    @classmethod
    def of(cls, path: str | None) -> KnownHosts:
        """From the file `path`, or from the user's own and the system's. Raises `UsageMistake` where it cannot be read."""
        known = cls()
        for file in [Path(path)] if path else _USUAL_FILES:
            try:
                text = file.expanduser().read_text(errors="replace")
            except OSError as error:
                if path is None and isinstance(error, FileNotFoundError):
                    continue
                what = f"cannot read the known_hosts file {file}: {error.strerror}"
                raise UsageMistake(what, remedy="name a file that can be read in ssh.known_hosts") from None
            for line in text.splitlines():
                known._add(line.split())
        return known

    def refusal(self, name: str, keys: tuple[Key, ...], shown: Key, fingerprint: str) -> str | None:
        """Why a host that shows the key `shown` is not the one that `keys` belong to; None where it is."""
        seen = f"{shown[0]} {fingerprint}"
        if shown[1] in self._revoked:
            return f"{name} shows a key that known_hosts revokes: {seen}"
        if not keys:
            return f"no key of {name} in known_hosts; it shows {seen}"
        if all(blob != shown[1] for _, blob in keys):
            return f"the host key of {name} has changed: it shows {seen}, not the one in known_hosts"
        return None

    def keys(self, host: str, port: int) -> tuple[Key, ...]:
        """Every key that `host` may show on `port`."""
        exact = self._keys(f"[{host}]:{port}" if port != 22 else host)
        # OpenSSH falls back to the name without a port, so that a key learnt on port 22 serves elsewhere.
        return exact or (self._keys(host) if port != 22 else ())

    def _keys(self, name: str) -> tuple[Key, ...]:
        name = name.lower()
        found = list(self._named.get(name, ()))
        for salt, digest, key in self._hashed:
            if hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest):
                found.append(key)
        for patterns, key in self._patterns:
            if _matches(name, patterns):
                found.append(key)
        return tuple(found)

    def _add(self, words: list[str]) -> None:
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in ("", "@revoked"):
            return
        try:
            key = (words[1], base64.b64decode(words[2], validate=True))
            if marker:
                self._revoked.add(key[1])
            elif words[0].startswith("|1|"):
                salt, digest = words[0].removeprefix("|1|").split("|")
                self._hashed.append((base64.b64decode(salt), base64.b64decode(digest), key))
            else:
                names = tuple(words[0].lower().split(","))
                if any(mark in words[0] for mark in "*?!"):
                    self._patterns.append((names, key))
                else:
                    for name in names:
                        self._named.setdefault(name, []).append(key)
        except (binascii.Error, ValueError):
            # A line that cannot be read vouches for nobody.
            return


def _matches(name: str, patterns: Iterable[str]) -> bool:
    matched = False
    for pattern in patterns:
        # Brackets stand for themselves in these patterns, as in [host]:port.
        negated, wanted = pattern.startswith("!"), pattern.removeprefix("!").replace("[", "[[]")
        if fnmatchcase(name, wanted):
            if negated:
                return False
            matched = True
    return matched
