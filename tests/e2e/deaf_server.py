"""An SSH server that lets everybody log in and then never answers the request for a channel.

OpenSSH cannot be made to hang there, so this one phase is played by paramiko. `python -m tests.e2e.deaf_server ADDRESS PORT KEY`.
"""

from __future__ import annotations

import socket
import sys
import threading

import paramiko
from paramiko.common import AUTH_SUCCESSFUL, OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class Deaf(paramiko.ServerInterface):
    """Everybody is let in; no channel is ever granted, nor refused."""

    def get_allowed_auths(self, username: str) -> str:
        """Keys, so that a client offers one."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Any key will do."""
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Never returns."""
        threading.Event().wait()
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


def main(address: str, port: str, key: str) -> None:
    """Serve until killed."""
    host_key = paramiko.Ed25519Key.from_private_key_file(key)
    listener = socket.create_server((address, int(port)))
    held = []
    while True:
        connection, _ = listener.accept()
        transport = paramiko.Transport(connection)
        transport.add_server_key(host_key)
        transport.start_server(event=threading.Event(), server=Deaf())
        held.append(transport)


if __name__ == "__main__":
    main(*sys.argv[1:])
