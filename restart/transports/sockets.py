"""Opening a TCP connection, with a deadline for the whole of it and every failure named."""

from __future__ import annotations

import errno
import socket
import time

from restart.model.answer import NoAnswer

_NO_ROUTE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL})


class Unanswered(Exception):
    """Inside this room: nothing was learnt, and why. It leaves the room as the `NoAnswer` that it carries."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.answer = NoAnswer(reason=reason, detail=detail)


def connect(address: str, port: int, timeout_s: float, *, late: str = "timeout") -> socket.socket:
    """A connected TCP socket without Nagle's delay; every address that the name has is tried, all within `timeout_s`.

    Raises `Unanswered`: `refused` where at least one address refused and none accepted, `unreachable` for no route and
    for names that do not resolve, `late` when time ran out. Resolving a name is the system's and has its own deadlines.
    """
    end_s = time.monotonic() + timeout_s
    where = f"{address} port {port}"
    try:
        found = socket.getaddrinfo(address.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unanswered("unreachable", f"{address}: {_said(error)}") from None
    failures: list[Unanswered] = []
    for family, kind, protocol, _, place in found:
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            failures.append(Unanswered(late, f"{where}: no connection within {timeout_s:g} s"))
            break
        try:
            return _connected(socket.socket(family, kind, protocol), place, left_s)
        except TimeoutError:
            failures.append(Unanswered(late, f"{where}: no connection within {timeout_s:g} s"))
        except ConnectionRefusedError:
            failures.append(Unanswered("refused", f"{where}: connection refused"))
        except OSError as error:
            reason = "unreachable" if error.errno in _NO_ROUTE else "dropped"
            failures.append(Unanswered(reason, f"{where}: {_said(error)}"))
    if not failures:
        raise Unanswered("unreachable", f"{address}: the name has no address")
    # A refusal is the one that proves something; else the last failure speaks for all.
    raise next((failure for failure in failures if failure.answer.reason == "refused"), failures[-1])


def _connected(sock: socket.socket, place: tuple[object, ...], timeout_s: float) -> socket.socket:
    try:
        sock.settimeout(timeout_s)
        sock.connect(place)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)[:120]
