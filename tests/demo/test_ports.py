"""Ports that are ours alone, also while their hosts are down."""

from __future__ import annotations

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
            with line, ports.reserve_again(only_one) as second:
                with pytest.raises(RestartError):
                    ports.reserve()
                second.listen()
                socket.create_connection(("127.0.0.1", only_one), timeout=5).close()
