"""TCP and HTTP against real sockets: refused, silent, dripping, endless and encrypted ones."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from restart.model.answer import NoAnswer
from restart.model.question import Connected, HttpGet, HttpReply, TcpConnect
from restart.transports import net

Talk = Callable[[socket.socket, bytes], None]


class Listener:
    """Accepts, reads a request's head and lets `talk` answer."""

    def __init__(self, talk: Talk, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.heads: list[bytes] = []
        self.over = threading.Event()
        self._talk = talk
        self._socket = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer, suppress(OSError):
                peer.settimeout(5)
                head = b""
                while b"\r\n\r\n" not in head and (data := peer.recv(4096)):
                    head += data
                self.heads.append(head)
                self._talk(peer, head)

    def close(self) -> None:
        self.over.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Starts listeners that end with the test."""
    listeners: list[Listener] = []

    def start(talk: Talk, family: socket.AddressFamily = socket.AF_INET) -> Listener:
        listeners.append(Listener(talk, family))
        return listeners[-1]

    yield start
    for one in listeners:
        one.close()


def saying(text: bytes) -> Talk:
    return lambda peer, _: peer.sendall(text)


def get(port: int, timeout_s: float = 3.0, *, host: str = "127.0.0.1", **more: object) -> HttpReply | NoAnswer:
    return net.http(HttpGet(url=f"http://{host}:{port}/p?q=hunter2", timeout_s=timeout_s, **more))  # type: ignore[arg-type]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def why(answer: object) -> str:
    assert isinstance(answer, NoAnswer), answer
    assert "hunter2" not in answer.detail
    return answer.reason


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def test_a_port_that_accepts_is_connected(listen: Callable[..., Listener]) -> None:
    answer = net.tcp(TcpConnect(address="127.0.0.1", port=listen(saying(b"")).port, timeout_s=2))
    assert isinstance(answer, Connected)
    assert 0 <= answer.took_s < 2


def test_a_port_that_nobody_listens_on_is_refused() -> None:
    assert why(net.tcp(TcpConnect(address="127.0.0.1", port=free_port(), timeout_s=2))) == "refused"
    assert why(get(free_port())) == "refused"


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    assert why(net.tcp(TcpConnect(address="no-such-host.invalid", port=1, timeout_s=2))) == "unreachable"
    assert why(net.tcp(TcpConnect(address="x" * 300, port=1, timeout_s=2))) == "unreachable"


def test_a_backlog_that_is_full_is_a_timeout() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        start_s = time.monotonic()
        answer = net.tcp(TcpConnect(address="127.0.0.1", port=listener.getsockname()[1], timeout_s=0.3))
        for filler in fillers:
            filler.close()
    assert why(answer) == "timeout"
    assert time.monotonic() - start_s < 1.5


def test_a_page_is_fetched_with_its_query_and_headers(
    listen: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGE_TOKEN", "s3cret")
    server = listen(saying(OK))
    answer = get(server.port, headers={"X-A": "b"}, headers_env={"Authorization": "PAGE_TOKEN"})
    assert isinstance(answer, HttpReply)
    assert (answer.status, answer.body) == (200, b"hello")
    head = server.heads[0].decode()
    assert head.startswith("GET /p?q=hunter2 HTTP/1.1\r\n")
    for line in (f"Host: 127.0.0.1:{server.port}", "X-A: b", "Authorization: s3cret"):
        assert f"\r\n{line}\r\n" in head


def test_a_header_whose_variable_is_not_set_is_named_before_anything_is_sent(listen: Callable[..., Listener]) -> None:
    server = listen(saying(OK))
    answer = get(server.port, headers_env={"Authorization": "NO_SUCH_TOKEN"})
    assert why(answer) == "auth"
    assert "NO_SUCH_TOKEN" in str(answer)
    assert server.heads == []


def test_a_header_with_a_line_break_is_not_sent_and_not_quoted(
    listen: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGE_TOKEN", "hunter2\r\nX: y")
    assert why(get(listen(saying(OK)).port, headers_env={"A": "PAGE_TOKEN"})) == "connect"


def test_a_redirect_is_not_followed(listen: Callable[..., Listener]) -> None:
    server = listen(saying(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"))
    answer = get(server.port)
    assert isinstance(answer, HttpReply)
    assert answer.status == 302
    assert len(server.heads) == 1


def test_a_body_is_cut_at_256_kib(listen: Callable[..., Listener]) -> None:
    server = listen(saying(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 400_000))
    answer = get(server.port)
    assert isinstance(answer, HttpReply)
    assert len(answer.body) == 256 * 1024


def drip(text: bytes) -> Talk:
    def talk(peer: socket.socket, _: bytes) -> None:
        for byte in text:
            peer.sendall(bytes([byte]))
            time.sleep(0.05)

    return talk


@pytest.mark.parametrize(
    "talk",
    [
        drip(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"a" * 100),
        lambda peer, _: time.sleep(2),
    ],
)
def test_a_server_that_drips_or_is_silent_cannot_stretch_the_deadline(
    listen: Callable[..., Listener], talk: Talk
) -> None:
    server = listen(talk)
    start_s = time.monotonic()
    assert why(get(server.port, 0.5)) == "timeout"
    assert time.monotonic() - start_s < 1.5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "dropped"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "connect"),
        (b"\x00\xff" * 100, "connect"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "connect"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500, "connect"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "dropped"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "connect"),
    ],
)
def test_what_is_no_full_http_answer_is_no_answer(listen: Callable[..., Listener], text: bytes, reason: str) -> None:
    assert why(get(listen(saying(text)).port)) == reason


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://[::1", "http://x:99999/", "nonsense", "http://x y/"])
def test_what_is_no_url_is_no_answer(url: str) -> None:
    assert why(net.http(HttpGet(url=url, timeout_s=1))) in ("connect", "unreachable")


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_ipv6_addresses_are_understood(listen: Callable[..., Listener]) -> None:
    server = listen(saying(OK), socket.AF_INET6)
    assert isinstance(get(server.port, host="[::1]"), HttpReply)
    assert isinstance(net.tcp(TcpConnect(address="::1", port=server.port, timeout_s=1)), Connected)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate and its key in one file."""
    place = tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-keyout", place, "-out", tmp_path / "c"], check=True, capture_output=True)
    place.write_text(place.read_text() + (tmp_path / "c").read_text())
    return place


def test_certificates_are_verified(listen: Callable[..., Listener], certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            for _ in range(2):
                peer, _address = listener.accept()
                with peer, suppress(OSError), context.wrap_socket(peer, server_side=True) as wrapped:
                    wrapped.recv(4096)
                    wrapped.sendall(OK)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{port}/"
        stranger = net.http(HttpGet(url=url, timeout_s=3))
        friend = net.http(HttpGet(url=url, timeout_s=3, ca_file=str(certificate)))
        thread.join(5)
    assert why(stranger) == "connect"
    assert "certificate" in str(stranger)
    assert isinstance(friend, HttpReply), friend


def test_tls_to_a_port_that_speaks_something_else_is_no_answer(listen: Callable[..., Listener]) -> None:
    server = listen(saying(b"hello\r\n\r\n"))
    start_s = time.monotonic()
    assert why(net.http(HttpGet(url=f"https://127.0.0.1:{server.port}/", timeout_s=0.5))) in (
        "connect",
        "timeout",
        "dropped",
    )
    assert time.monotonic() - start_s < 1.5
