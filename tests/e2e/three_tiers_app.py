"""The middle tier: an HTTP server that asks PostgreSQL and Redis for every answer, each in its own protocol.

`python -m tests.e2e.three_tiers_app DATABASE CACHE keeps|anew`: whether it keeps its connection to the cache or opens it anew each time.
(PostgreSQL: https://www.postgresql.org/docs/current/protocol-flow.html; Redis: https://redis.io/docs/latest/develop/reference/protocol-spec/)
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.e2e.three_tiers import APP_PORT


class Database:
    """One connection, kept; the user and the database are `postgres`, and the server trusts us."""

    def __init__(self, address: str) -> None:
        self._socket = socket.create_connection((address, 5432), timeout=10)
        words = b"user\0postgres\0database\0postgres\0\0"
        self._socket.sendall(struct.pack("!II", 8 + len(words), 196608) + words)
        self._until_ready()

    def one(self, query: str) -> str:
        """The one value that `query` gives."""
        body = query.encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack("!I", 4 + len(body)) + body)
        row = dict(self._until_ready())[b"D"]
        return row[6:].decode()

    def _until_ready(self) -> list[tuple[bytes, bytes]]:
        messages = []
        while True:
            kind, length = struct.unpack("!cI", self._read(5))
            body = self._read(length - 4)
            if kind == b"E":
                raise OSError(body)
            if kind == b"Z":
                return messages
            messages.append((kind, body))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise OSError("the database closed the connection")
            data += more
        return data


class Cache:
    """A counter in Redis."""

    def __init__(self, address: str, *, keeps: bool) -> None:
        self._address = address
        self._kept = self._open() if keeps else None

    def count(self) -> int:
        """Count one up."""
        opened = self._kept or self._open()
        opened.sendall(b"*2\r\n$4\r\nINCR\r\n$6\r\nvisits\r\n")
        answer = opened.recv(100)
        if self._kept is None:
            opened.close()
        return int(answer.strip().removeprefix(b":"))

    def _open(self) -> socket.socket:
        return socket.create_connection((self._address, 6379), timeout=10)


class Server(ThreadingHTTPServer):
    """Listens on IPv4 and IPv6 alike: the kernel then shows IPv4 peers as addresses mapped into IPv6."""

    address_family = socket.AF_INET6
    daemon_threads = True


def main() -> None:
    """Serve until killed."""
    database_address, cache_address, how = sys.argv[1:]
    while True:
        # The others boot at the same time.
        try:
            database, cache = Database(database_address), Cache(cache_address, keeps=how == "keeps")
            break
        except OSError:
            time.sleep(0.3)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with lock:
                body = f"{database.one('SELECT 6 * 7')} {cache.count()}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    Server(("::", APP_PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
