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


def reserve() -> socket.socket:
    """A socket bound to a free port that does not listen yet: connections are refused, and the port is ours alone."""
    for port in random.sample(range(LOWEST, HIGHEST), TRIES_MAX):
        bound = _socket()
        try:
            # Without SO_REUSEADDR: Linux lets two sockets that both have it share a port until one of them listens.
            bound.bind((ADDRESS, port))
        except OSError:
            bound.close()
            continue
        # Connections inherit it from here, so that those of one boot do not keep the next from having the port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return bound
    raise RestartError(
        f"the demo found none of {TRIES_MAX} ports from {LOWEST} to {HIGHEST} free on {ADDRESS}",
        remedy="end what holds them and start again",
    )


def reserve_again(port: int) -> socket.socket:
    """The same for a port that we had a moment ago, while its old connections linger for a minute."""
    bound = _socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((ADDRESS, port))
    return bound


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    return made
