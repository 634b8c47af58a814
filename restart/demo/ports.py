"""Ports on the loopback for servers that go away and come back."""

from __future__ import annotations

import asyncio
import random
import socket
import time

from restart.demo.layout import ADDRESS
from restart.errors import RestartError

LOWEST, HIGHEST = 20_000, 32_000
"""Below the range from which systems take the local ports of outgoing connections (Linux from 32768, macOS from 49152):
a client that asks a closed port of that range again and again may be connected to itself."""

TRIES_MAX = 500

AGAIN_S = 5.0


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


async def reserve_again(port: int) -> socket.socket:
    """The same for a port that we had a moment ago, while its old connections linger for a minute.

    A process that another thread is just starting holds a copy of every socket until it has become its program; so the
    port may be taken for a moment longer than we held it. After `AGAIN_S` the error is raised.
    """
    bound = _socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    give_up_s = time.monotonic() + AGAIN_S
    while True:
        try:
            bound.bind((ADDRESS, port))
        except OSError:
            if time.monotonic() > give_up_s:
                bound.close()
                raise
            await asyncio.sleep(0.01)
        else:
            return bound


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    return made
