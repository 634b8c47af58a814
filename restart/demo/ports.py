"""Ports on the loopback for servers that go away and come back."""

from __future__ import annotations

import random
import socket

from restart.demo.layout import ADDRESS
from restart.errors import RestartError

LOWEST, HIGHEST = 20_000, 32_000
"""Below the range from which systems take the local ports of outgoing connections (Linux from 32768, macOS from 49152):
a client that asks a closed port of that range again and again may be connected to itself."""

TRIES_MAX = 500


def reserve(port: int | None = None) -> socket.socket:
    """A socket bound to `port` (None: a free one) that does not listen yet: connections are refused, the port is ours."""
    candidates = [port] if port is not None else random.sample(range(LOWEST, HIGHEST), TRIES_MAX)
    for candidate in candidates:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setblocking(False)
        try:
            # Connections of the boot before linger for a minute; they must not keep the port from being bound again.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((ADDRESS, candidate))
        except OSError:
            bound.close()
            continue
        return bound
    wanted = f"port {port}" if port is not None else f"any of {TRIES_MAX} ports from {LOWEST} to {HIGHEST}"
    raise RestartError(f"the demo could not have {wanted} on {ADDRESS}", remedy="end what holds it and start again")
