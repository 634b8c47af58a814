"""Ports that are ours alone, also while their hosts are down."""

from __future__ import annotations

import asyncio
import socket

import pytest

from restart.demo import ports
from restart.errors import RestartError


@pytest.fixture
def only_one(monkeypatch: pytest.MonkeyPatch) -> int:
    """The range of ports has one port, and that is free."""
    with ports.reserve() as bound:
        number = int(bound.getsockname()[1])
    monkeypatch.setattr(ports, "LOWEST", number)
    monkeypatch.setattr(ports, "HIGHEST", number + 1)
    monkeypatch.setattr(ports, "TRIES_MAX", 1)
    return number


def test_a_reserved_port_refuses_connections_and_nobody_else_gets_it(only_one: int) -> None:
    with ports.reserve():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", only_one), timeout=5)
        with pytest.raises(RestartError, match="found none of 1 ports"):
            ports.reserve()


def test_a_port_is_had_again_while_its_old_connections_linger(only_one: int) -> None:
    with ports.reserve() as first:
        first.listen()
        with socket.create_connection(("127.0.0.1", only_one), timeout=5):
            first.setblocking(True)
            line, _ = first.accept()
            first.close()
            with line, asyncio.run(ports.reserve_again(only_one)) as second:
                with pytest.raises(RestartError):
                    ports.reserve()
                second.listen()
                socket.create_connection(("127.0.0.1", only_one), timeout=5).close()


def test_a_port_that_a_starting_process_still_holds_is_waited_for(only_one: int) -> None:
    async def let_go(holder: socket.socket) -> None:
        await asyncio.sleep(0.1)
        holder.close()

    async def both(holder: socket.socket) -> socket.socket:
        mine, _ = await asyncio.gather(ports.reserve_again(only_one), let_go(holder))
        return mine

    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", only_one))
    holder.listen()
    with asyncio.run(both(holder)) as again:
        assert again.getsockname()[1] == only_one
