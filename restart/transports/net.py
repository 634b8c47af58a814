"""TCP and HTTP from the controller. Proxies of the environment are not used, redirects are not followed."""

from __future__ import annotations

import base64
import io
import os
import socket
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from http import client as http_client
from urllib.parse import SplitResult, unquote, urlsplit

from restart.model.answer import NoAnswer
from restart.model.question import Connected, HttpGet, HttpReply, TcpConnect
from restart.transports.sockets import Unanswered, connect

BODY_BYTES_MAX = 256 * 1024


def tcp(question: TcpConnect) -> Connected | NoAnswer:
    """Connect and close again."""
    start_s = time.monotonic()
    try:
        connect(question.address, question.port, question.timeout_s).close()
    except Unanswered as nothing:
        return nothing.answer
    return Connected(took_s=time.monotonic() - start_s)


def http(
    question: HttpGet, *, method: str = "GET", body: bytes = b"", bytes_max: int = BODY_BYTES_MAX
) -> HttpReply | NoAnswer:
    """Fetch the URL, or send `body` to it by another `method`; at most `bytes_max` of the answer are read.

    `timeout_s` bounds all of it, a body that drips included. Details never hold the URL or a header."""
    start_s = time.monotonic()
    end_s = start_s + question.timeout_s
    try:
        headers = _headers(question)
        parts = urlsplit(question.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return NoAnswer(reason="connect", detail="not an http or https URL")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        sock = connect(parts.hostname, port, question.timeout_s)
        try:
            sent = _Sent(method, body, bytes_max)
            return _fetched(_encrypted(sock, parts, question, end_s), parts, headers, sent, start_s, end_s)
        finally:
            sock.close()
    except Unanswered as nothing:
        return nothing.answer
    except TimeoutError:
        return NoAnswer(reason="timeout", detail=f"no full answer within {question.timeout_s:g} s")
    except ssl.SSLCertVerificationError as error:
        return NoAnswer(reason="connect", detail=f"certificate: {error.verify_message}")
    except (http_client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError) as error:
        return NoAnswer(reason="dropped", detail=type(error).__name__)
    except (http_client.HTTPException, OSError, ValueError) as error:
        # The error's own text may quote a header's value.
        return NoAnswer(reason="connect", detail=f"no http answer: {type(error).__name__}")


def _headers(question: HttpGet) -> dict[str, str]:
    headers = {"User-Agent": "staged-restart", "Accept": "*/*", "Connection": "close", **question.headers}
    for header, variable in question.headers_env.items():
        value = os.environ.get(variable)
        if value is None:
            raise Unanswered("auth", f"the environment variable {variable} is not set")
        headers[header] = value
    return headers


def _encrypted(sock: socket.socket, parts: SplitResult, question: HttpGet, end_s: float) -> socket.socket:
    if parts.scheme != "https":
        return sock
    sock.settimeout(_left(end_s))
    return _context(question.ca_file).wrap_socket(sock, server_hostname=parts.hostname)


@lru_cache(maxsize=16)
def _context(ca_file: str | None) -> ssl.SSLContext:
    """Loading the system's authorities takes tens of milliseconds: once for each file."""
    return ssl.create_default_context(cafile=ca_file)


@dataclass(frozen=True, slots=True)
class _Sent:
    """What is sent, and how much of the answer is read."""

    method: str
    body: bytes
    bytes_max: int


def _fetched(
    sock: socket.socket, parts: SplitResult, headers: dict[str, str], sent: _Sent, start_s: float, end_s: float
) -> HttpReply:
    connection = http_client.HTTPConnection(parts.hostname or "", parts.port)
    connection.sock = _TimedSocket(sock, end_s)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers.setdefault("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    host = parts.netloc.rpartition("@")[2]
    try:
        connection.putrequest(sent.method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        for header, value in headers.items():
            connection.putheader(header, value)
        if sent.body:
            connection.putheader("Content-Length", str(len(sent.body)))
        connection.endheaders(sent.body or None)
        response = connection.getresponse()
        try:
            body = response.read(sent.bytes_max)
            if response.length and len(body) < sent.bytes_max:
                raise Unanswered("dropped", f"the answer broke off after {len(body)} bytes")
        finally:
            response.close()
        return HttpReply(status=response.status, body=body, took_s=time.monotonic() - start_s)
    finally:
        connection.close()
        sock.close()


def _left(end_s: float) -> float:
    """Seconds left, always more than 0; raises `TimeoutError` where there are none."""
    left_s = end_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


class _TimedSocket:
    """What `http.client` needs of a socket, under one deadline: a server that drips bytes cannot renew it."""

    def __init__(self, sock: socket.socket, end_s: float) -> None:
        self._sock = sock
        self._end_s = end_s

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._end_s))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedBytes(self._sock, self._end_s))

    def close(self) -> None:
        """The socket is closed by its owner."""


class _TimedBytes(io.RawIOBase):
    def __init__(self, sock: socket.socket, end_s: float) -> None:
        self._sock = sock
        self._end_s = end_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._sock.settimeout(_left(self._end_s))
        return self._sock.recv_into(buffer)
