"""SSH: one connection for each host, kept and shared, with a deadline for every phase of opening it.

fabric opens connections and reads ssh_config, paramiko speaks, tenacity tries an opening again that the server cut short
(sshd sheds connections at random when many come at once, see MaxStartups in sshd_config(5)); nothing else is ever repeated
here. Host keys are strict, nothing ever asks for a password, and forwarding of the agent is off.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from fabric import Config, Connection
from paramiko.auth_strategy import AuthResult, AuthStrategy, InMemoryPrivateKey
from paramiko.pkey import UnknownKeyType
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from restart.errors import UsageMistake, must
from restart.model.answer import NoAnswer
from restart.model.inventory import Inventory, Ssh
from restart.model.question import Shell, ShellReply
from restart.probes.output import one_line
from restart.transports import session
from restart.transports.hop import Hop, gateway, hop
from restart.transports.known_hosts import Key, KnownHosts, public_key, useless_algorithms
from restart.transports.sockets import Unanswered, connect
from restart.transports.ssh_config import config_text

# A library's warnings would run into the operator's screen; what matters of them comes back as an answer.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

SESSIONS_MAX = 8
"""Commands at once over one connection; sshd allows ten unless told otherwise (MaxSessions in sshd_config(5))."""

KEEPALIVE_S = 30

_BROKEN = (paramiko.SSHException, OSError, EOFError)
_USUAL_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long each phase may take, in seconds, and how often an opening that was cut short is tried (1: never again).

    `banner_s` holds twice: for the server's banner, and for the key exchange after it. A command's own deadline is its
    `timeout_s`.
    """

    connect_s: float = 5.0
    banner_s: float = 5.0
    auth_s: float = 10.0
    channel_s: float = 5.0
    attempts_max: int = 3

    @property
    def opening_s(self) -> float:
        """The longest that one attempt may take once the port has answered."""
        return 2 * self.banner_s + self.auth_s

    @property
    def waiting_s(self) -> float:
        """How long to wait for another thread that opens the same connection, perhaps through a gateway."""
        return 2 * (self.connect_s + self.opening_s)


class _CutShort(Unanswered):
    """The server ended the connection before the log-in: worth another attempt."""


class _Stale(Unanswered):
    """The connection broke before anything was sent over it."""


class _HostKeyRefused(paramiko.SSHException):
    """The host's key is not the one we know."""


class _Strict(paramiko.MissingHostKeyPolicy):
    """Lets in a host that shows one of `keys`, and no other."""

    def __init__(self, known: KnownHosts, keys: tuple[Key, ...]) -> None:
        self._known = known
        self._keys = keys

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        shown = (key.get_name(), key.asbytes())
        refusal = self._known.refusal(hostname, self._keys, shown, key.fingerprint)
        if refusal is not None:
            raise _HostKeyRefused(refusal)


class _Line:
    """The connection to one host or gateway: made when needed, kept, shared, replaced when broken."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()
        self.sessions = threading.BoundedSemaphore(SESSIONS_MAX)
        self.connection: Connection | None = None
        self.failure: Unanswered | None = None
        self.failed_s = 0.0

    def drop(self, connection: Connection | None = None) -> None:
        """Close the kept connection; where one is given, only if it is that one."""
        kept = self.connection
        if kept is not None and (connection is None or kept is connection):
            self.connection = None
            kept.client.close()


class SshPool:
    """Runs commands on the inventory's hosts, from any number of threads."""

    def __init__(self, inventory: Inventory, *, deadlines: Deadlines | None = None) -> None:
        """Reads the ssh_config and known_hosts files that the inventory names; raises `UsageMistake` where it cannot."""
        self._inventory = inventory
        self._deadlines = deadlines or Deadlines()
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}
        self._configs: dict[str | None, paramiko.SSHConfig] = {}
        self._known: dict[str | None, KnownHosts] = {}
        self._direct: dict[str, tuple[str, int]] = {}
        self._identities: dict[str, paramiko.PKey | str] = {}
        for ssh in {inventory.ssh_of(name) for name in inventory.hosts} | {inventory.ssh}:
            if ssh.config not in self._configs:
                self._configs[ssh.config] = _read_config(ssh.config)
            if ssh.known_hosts not in self._known:
                self._known[ssh.known_hosts] = KnownHosts.of(ssh.known_hosts)

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        """Run a command on `shell.host`. `timeout_s` is the command's own; opening a connection has deadlines of its own."""
        must(shell.host is not None, "a command for the controller has no place in the SSH pool")
        name = shell.host or ""
        if name not in self._inventory.hosts:
            return NoAnswer(reason="unreachable", detail=f"{name} is not in the inventory")
        line = self._line(name)
        if not line.sessions.acquire(timeout=shell.timeout_s):
            return NoAnswer(reason="timeout", detail=f"no free session on {name} within {shell.timeout_s:g} s")
        try:
            return self._run(line, shell)
        except Unanswered as nothing:
            return nothing.answer
        finally:
            line.sessions.release()

    def forget(self, host: str) -> None:
        """Close the connection to `host`, so that the next command opens a fresh one: after a reboot, before a proof."""
        self._line(host).drop()

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            lines = list(self._lines.values())
        for line in lines:
            line.drop()

    def _line(self, name: str) -> _Line:
        with self._lock:
            return self._lines.setdefault(name, _Line(name))

    def _run(self, line: _Line, shell: Shell) -> ShellReply | NoAnswer:
        connection, was_kept = self._connection(line, ())
        try:
            channel = self._channel(line, connection)
        except _Stale:
            if not was_kept:
                raise
            # The kept connection had broken while nobody looked. Nothing was sent yet, so a fresh one is safe.
            connection, _ = self._connection(line, ())
            channel = self._channel(line, connection)
        sudo = self._inventory.ssh_of(line.name).sudo
        reply = session.run(channel, shell, sudo=sudo, channel_s=self._deadlines.channel_s, broken=_BROKEN)
        # A command that hangs costs only itself: others may be running over the same connection.
        if isinstance(reply, NoAnswer) and (reply.reason == "channel" or not connection.is_connected):
            line.drop(connection)
        return reply

    def _channel(self, line: _Line, connection: Connection) -> paramiko.Channel:
        try:
            channel: paramiko.Channel = connection.transport.open_session(timeout=self._deadlines.channel_s)
        except _BROKEN as error:
            is_stale = isinstance(error, OSError | EOFError) or not connection.is_connected
            line.drop(connection)
            failure = _Stale if is_stale else Unanswered
            raise failure("channel", f"no session was opened: {_said(error)}") from None
        return channel

    def _connection(self, line: _Line, via: tuple[str, ...]) -> tuple[Connection, bool]:
        """The line's connection, and whether it was there before; opened where there is none that lives."""
        asked_s = time.monotonic()
        if not line.lock.acquire(timeout=self._deadlines.waiting_s):
            raise Unanswered("timeout", f"waited {self._deadlines.waiting_s:g} s for the connection to {line.name}")
        try:
            kept = line.connection
            if kept is not None and kept.is_connected:
                return kept, True
            line.drop()
            if line.failure is not None and line.failed_s >= asked_s:
                # Others waited in line with us while one found out: its finding serves all, or a dead gateway would
                # cost every host behind it the whole deadline, one after the other.
                raise line.failure
            line.connection = self._tried(line.name, via)
            line.failure = None
            return line.connection, False
        except Unanswered as failure:
            line.failure, line.failed_s = failure, time.monotonic()
            raise
        finally:
            line.lock.release()

    def _tried(self, name: str, via: tuple[str, ...]) -> Connection:
        """A new connection, tried again where the server cut it short."""
        attempts = Retrying(
            stop=stop_after_attempt(self._deadlines.attempts_max),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            retry=retry_if_exception_type(_CutShort),
            reraise=True,
        )
        return attempts(self._opened, name, (*via, name))

    def _opened(self, name: str, via: tuple[str, ...]) -> Connection:
        # A closed port is found out before anything is built for the connection that will not come.
        known = self._direct.get(name)
        sock = None if known is None else connect(*known, self._deadlines.connect_s, late="connect")
        to = hop(self._inventory, name)
        ssh = to.ssh
        # A Config shared between threads breaks at random; the parsed ssh_config in it is only read.
        connection = Connection(
            to.address,
            user=ssh.user,
            port=ssh.port,
            config=Config(lazy=True, ssh_config=self._configs[ssh.config]),
            gateway=False,
            forward_agent=False,
            connect_kwargs={},
        )
        # Fabric would take ConnectTimeout from ssh_config in whole seconds; the deadlines here are ours.
        connection.connect_timeout = None
        alias = connection.ssh_config.get("hostkeyalias") or connection.host
        keys = self._known[ssh.known_hosts].keys(alias, connection.port)
        connection.client.set_missing_host_key_policy(_Strict(self._known[ssh.known_hosts], keys))
        if sock is None:
            sock = self._socket(to, connection, via)
        connection.connect_kwargs = {
            "sock": sock,
            "timeout": 2 * self._deadlines.banner_s,
            "banner_timeout": self._deadlines.banner_s,
            "auth_timeout": self._deadlines.auth_s,
            "channel_timeout": self._deadlines.channel_s,
            "auth_strategy": _KeysOnly(connection, ssh, self._identities, self._deadlines.auth_s),
            "disabled_algorithms": {"keys": useless_algorithms(keys)},
        }
        self._log_in(connection, sock)
        return connection

    def _log_in(self, connection: Connection, sock: Any) -> None:
        """Banner, key exchange, host key and log-in on an open socket. Raises `Unanswered` that names the phase."""

        def give_up() -> None:
            with suppress(*_BROKEN):
                sock.close()

        alarm = threading.Timer(self._deadlines.opening_s, give_up)
        alarm.daemon = True
        alarm.start()
        start_s = time.monotonic()
        try:
            connection.open()
            connection.transport.set_keepalive(KEEPALIVE_S)
        except _BROKEN as error:
            failure = self._failure(connection, error, time.monotonic() - start_s)
            connection.client.close()
            give_up()
            raise failure from None
        finally:
            alarm.cancel()

    def _failure(self, connection: Connection, error: Exception, took_s: float) -> Unanswered:
        where, said = f"{connection.host} port {connection.port}", _said(error)
        transport = connection.client.get_transport()
        if isinstance(error, _HostKeyRefused):
            return Unanswered("host-key", said)
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            is_key = "host key" in said
            return Unanswered("host-key" if is_key else "connect", f"{where}: {said}")
        has_key = transport is not None and transport.host_key is not None
        if has_key or isinstance(error, paramiko.AuthenticationException):
            # A directory that is down makes healthy hosts hang here, so that it reads as what it is and not as a refusal.
            late = said.startswith("Authentication timeout") or took_s >= self._deadlines.opening_s
            said = f"the log-in hangs, no answer to it within {took_s:.1f} s" if late else said
            return Unanswered("auth", f"{connection.user}@{where}: {said}")
        if took_s < self._deadlines.banner_s * 0.9:
            return _CutShort("dropped", f"{where} ended the connection before the log-in")
        if transport is not None and transport.remote_version:
            return Unanswered("banner", f"{where} sent a banner and then no key exchange within {took_s:.1f} s")
        return Unanswered("banner", f"{where} accepted and then sent no banner within {took_s:.1f} s")

    def _socket(self, to: Hop, connection: Connection, via: tuple[str, ...]) -> Any:
        """A socket, or what serves as one, to the host's port. Raises `Unanswered`."""
        settings: Mapping[str, str] = connection.ssh_config
        before = gateway(self._inventory, to, connection.host, settings)
        if before is not None:
            return self._through(before, connection, via)
        if "proxycommand" in settings and to.ssh.gateway is None:
            return paramiko.ProxyCommand(settings["proxycommand"])
        self._direct[to.name] = (connection.host, connection.port)
        return connect(connection.host, connection.port, self._deadlines.connect_s, late="connect")

    def _through(self, before: str, connection: Connection, via: tuple[str, ...]) -> paramiko.Channel:
        if before in via:
            raise Unanswered("gateway", f"{' -> '.join((*via, before))} is a ring")
        line = self._line(before)
        try:
            there, _ = self._connection(line, via)
        except Unanswered as nothing:
            raise Unanswered("gateway", f"{before}: {nothing.answer.reason}, {nothing.answer.detail}") from None
        where = f"{connection.host} port {connection.port} through {before}"
        try:
            channel: paramiko.Channel = there.transport.open_channel(
                "direct-tcpip", (connection.host, connection.port), ("", 0), timeout=self._deadlines.connect_s
            )
        except paramiko.ChannelException as error:
            refused = "refused" in error.text.lower()
            prohibited = error.code == 1
            reason = "gateway" if prohibited else "refused" if refused else "unreachable"
            raise Unanswered(reason, f"{where}: {error.text}") from None
        except _BROKEN as error:
            if there.is_connected:
                raise Unanswered("connect", f"{where}: {_said(error)}") from None
            line.drop(there)
            raise _CutShort("gateway", f"{before}: its connection broke: {_said(error)}") from None
        return channel


class _KeysOnly(AuthStrategy):
    """Logs in with keys from files and from the agent; never asks anybody for anything."""

    def __init__(self, connection: Connection, ssh: Ssh, loaded: dict[str, paramiko.PKey | str], auth_s: float) -> None:
        super().__init__(ssh_config=connection.ssh_config)
        self._user = connection.user
        self._loaded = loaded
        self._auth_s = auth_s
        named = [ssh.identity_file] if ssh.identity_file else list(connection.ssh_config.get("identityfile", []))
        self._named = [str(Path(path).expanduser()) for path in named]
        self._agent_too = connection.ssh_config.get("identitiesonly", "no").lower() != "yes"
        self._tried: list[str] = []

    def get_sources(self) -> Generator[InMemoryPrivateKey, None, None]:
        """The files that are named, then the agent's keys, those of the named files first; without a name the usual files last."""
        yield from self._from_files(self._named)
        public = {blob for path in self._named if (blob := public_key(Path(path + ".pub")))}
        agent = paramiko.Agent()
        try:
            for key in sorted(agent.get_keys(), key=lambda key: key.asbytes() not in public):
                if self._agent_too or key.asbytes() in public:
                    self._tried.append("a key of the agent")
                    yield InMemoryPrivateKey(self._user, key)
        finally:
            agent.close()
        if not self._named:
            usual = (str(Path(path).expanduser()) for path in _USUAL_KEYS)
            yield from self._from_files(path for path in usual if Path(path).exists())

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:
        """Raises `AuthenticationException` that says what was tried."""
        end_s = time.monotonic() + self._auth_s
        with closing(self.get_sources()) as sources:
            for source in sources:
                try:
                    wanted_too = source.authenticate(transport)
                except paramiko.BadAuthenticationType as error:
                    raise paramiko.AuthenticationException(f"it takes no keys, only {error.allowed_types}") from None
                except paramiko.AuthenticationException:
                    if not transport.is_active() or time.monotonic() >= end_s:
                        raise
                    continue
                if wanted_too:
                    raise paramiko.AuthenticationException(f"it wants {', '.join(wanted_too)} beside a key")
                return AuthResult(strategy=self)
        tried = ", ".join(self._tried) or "there is none to try"
        raise paramiko.AuthenticationException(f"no key was accepted: {tried}")

    def _from_files(self, paths: Iterable[str]) -> Iterator[InMemoryPrivateKey]:
        for path in paths:
            key = self._load(path)
            self._tried.append(f"{path} ({key})" if isinstance(key, str) else path)
            if not isinstance(key, str):
                yield InMemoryPrivateKey(self._user, key)

    def _load(self, path: str) -> paramiko.PKey | str:
        """The key in a file, or why there is none; read once."""
        if path not in self._loaded:
            try:
                self._loaded[path] = paramiko.PKey.from_path(path)
            except (paramiko.PasswordRequiredException, TypeError):
                self._loaded[path] = "needs a passphrase: add it to ssh-agent"
            except (paramiko.SSHException, UnknownKeyType, OSError, ValueError) as error:
                self._loaded[path] = f"cannot be read: {_said(error)}"
        return self._loaded[path]


def _read_config(path: str | None) -> paramiko.SSHConfig:
    config = paramiko.SSHConfig()
    try:
        config.parse(io.StringIO(config_text(path)))
    except (paramiko.SSHException, ValueError) as error:
        raise UsageMistake(f"cannot read {path or 'ssh_config'}: {_said(error)}", remedy="mend the file") from None
    return config


def _said(error: Exception) -> str:
    return one_line(str(getattr(error, "strerror", None) or error)) or type(error).__name__
