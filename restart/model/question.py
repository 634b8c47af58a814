"""Questions: what a gate wants looked up in the world, and the replies. They change nothing.

A gate's `ask()` turns a check into one question, a transport carries it out, and the gate's `judge()` reads the reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from restart.model.answer import NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpConnect:
    """Does this port accept a connection? `address` is a name or an IP address."""

    address: str
    port: int
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The port accepted the connection after `took_s`."""

    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGet:
    """Fetch `url` (http or https; certificates are verified against `ca_file`, or the system's). Redirects are not followed.

    `headers_env` maps a header to the name of the controller's environment variable that holds its value: secrets are
    named in a plan, never held.
    """

    url: str
    timeout_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_env: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What came back; `body` is at most 256 KiB of it."""

    status: int
    body: bytes
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Run a POSIX shell command on `host`, or on the controller where None. `stdin` is fed to it.

    At most `output_bytes_max` of each of its two streams are kept; what comes after is read and thrown away.
    """

    host: str | None
    command: str
    timeout_s: float
    stdin: str = ""
    output_bytes_max: int = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellReply:
    """The command ended. `stdout` and `stderr` are bounded as the question says."""

    exit_status: int
    stdout: str
    stderr: str


Question = TcpConnect | HttpGet | Shell
Reply = Connected | HttpReply | ShellReply | NoAnswer
