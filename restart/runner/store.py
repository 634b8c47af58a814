"""The store: one SQLite file with runs, journals, leases, operators' words, stop flags, slots and the history of moves (design: section 8).

Every write is one transaction that is on disk when it returns: write-ahead log, `synchronous=FULL`. Readers (`status`,
`report`) never wait for a running run, and never make it wait. One `Store` holds one connection behind a lock, so that
the run's own thread and the one that renews its lease may share it; other processes open their own.

What SQLite cannot do becomes `Held` (exit 7): who cannot write the journal may not act. This file alone knows sqlite3.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import platformdirs

from restart.errors import Held, UsageMistake, must
from restart.runner.mounts import network_file_system

SCHEMA_VERSION = 2

# How long a write waits for another process's, in seconds. Theirs take milliseconds; a backup that locks for longer
# ends the run (resumable), and it is well below the two thirds of its lease after which a leader stops by itself.
BUSY_S = 10.0

# Runs and samples are in the order of their `number`: wall clocks step.
_SCHEMA = """
CREATE TABLE schema (version INTEGER NOT NULL);
CREATE TABLE run (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, fleet TEXT NOT NULL, plan TEXT NOT NULL, plan_sum TEXT NOT NULL, plan_digest TEXT NOT NULL,
    inventory_digest TEXT NOT NULL, reason TEXT NOT NULL, user TEXT NOT NULL, controller TEXT NOT NULL,
    options TEXT NOT NULL, started_at TEXT NOT NULL, rows INTEGER NOT NULL DEFAULT 0,
    state TEXT, exit_code INTEGER, why TEXT, ended_at TEXT, cpu_s REAL);
CREATE INDEX run_of_fleet ON run (fleet);
CREATE TABLE journal (
    run TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL,
    sum TEXT NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID;
CREATE TABLE lease (
    fleet TEXT PRIMARY KEY, token INTEGER NOT NULL, run TEXT NOT NULL, user TEXT NOT NULL, controller TEXT NOT NULL,
    pid INTEGER NOT NULL, since TEXT NOT NULL, ttl_s REAL NOT NULL, renewed_s REAL NOT NULL, renewed_at TEXT NOT NULL,
    released_at TEXT) WITHOUT ROWID;
CREATE TABLE word (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, at TEXT NOT NULL, word TEXT NOT NULL, by TEXT NOT NULL,
    reason TEXT NOT NULL, target TEXT, taken INTEGER);
CREATE INDEX word_of_run ON word (run, taken);
CREATE TABLE sample (
    number INTEGER PRIMARY KEY, fleet TEXT NOT NULL, host TEXT NOT NULL, at TEXT NOT NULL, run TEXT NOT NULL,
    boot_s REAL, ready_s REAL, took_s REAL NOT NULL);
CREATE INDEX sample_of_host ON sample (fleet, host, number);
"""

# What a store of the version before lacks: it is added when one is opened, and then only new restarts read it.
_ADDED = {
    2: """
CREATE TABLE flag (
    number INTEGER PRIMARY KEY AUTOINCREMENT, level TEXT NOT NULL, fleet TEXT, service TEXT, by TEXT NOT NULL,
    reason TEXT NOT NULL, at TEXT NOT NULL, lifted_by TEXT, lifted_why TEXT, lifted_at TEXT);
CREATE TABLE slot (
    slot TEXT NOT NULL, run TEXT NOT NULL, host TEXT NOT NULL, amount REAL NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (slot, run, host)) WITHOUT ROWID;
""",
}

Execute = Callable[..., Any]
"""Runs one SQL statement, with its parameters, inside the transaction it was handed out for; returns the cursor."""


def default_path() -> Path:
    """Root's store is the machine's, `/var/lib/restart/store.db`; a user's lies in the platform's state folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/restart/store.db")
    return platformdirs.user_state_path("restart") / "store.db"


def utc_now() -> str:
    """The wall clock in UTC, RFC 3339 with milliseconds. For people: nothing is decided by it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """An open store. Use `Store.open` or `Store.existing`; close it, or use it in a `with`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._file = _identity(path)

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """The store at `path` (default: `default_path()`), made where there is none: folder 0700, file 0600.

        Raises `UsageMistake` where the path is a folder, `Held` where a lock cannot be trusted (a network file system),
        where the file is no store or of another version, and where the file cannot be opened.
        """
        place = (path or default_path()).expanduser().resolve()
        if place.is_dir():
            raise UsageMistake(f"the store {place} is a folder", remedy=f"name a file, such as {place / 'store.db'}")
        kind = network_file_system(place)
        if kind is not None:
            raise Held(
                f"the store {place} lies on a network file system ({kind}), where a lock cannot be trusted",
                remedy="name a file on a local disk by --store or RESTART_STORE",
            )
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_private(place)
        except OSError as error:
            raise Held(
                f"the store {place} cannot be made: {error.strerror}", remedy="name another by --store or RESTART_STORE"
            ) from error
        with _trouble_told(place):
            connection = sqlite3.connect(place, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            # Text that a failing disk has garbled is for the journal's sums to find, and to name the row.
            connection.text_factory = lambda text: text.decode("utf-8", errors="replace")
            try:
                _prepare(connection, place)
            except BaseException:
                connection.close()
                raise
        return cls(place, connection)

    @classmethod
    def existing(cls, path: Path | None = None) -> Self | None:
        """The store at `path` if there is one; else None, and nothing is made. For commands that only look."""
        place = (path or default_path()).expanduser()
        return cls.open(place) if place.exists() else None

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Every row of one query, as tuples, from one moment of the store."""
        with self._lock, _trouble_told(self.path):
            self._must_stand()
            return self._execute(sql, parameters).fetchall()

    @contextmanager
    def writing(self) -> Iterator[Execute]:
        """One write transaction: on disk when the block ends, undone when it raises."""
        with self._lock, _trouble_told(self.path):
            must(not self._connection.in_transaction, "a transaction inside a transaction")
            self._must_stand()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._execute
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has undone it already where the disk was full.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Words of a command line may hold bytes that are no text. SQLite takes none such, so they become `?`."""
        return self._connection.execute(sql, [_as_text(value) for value in parameters])

    def _must_stand(self) -> None:
        """Raise `Held` where the file was deleted, or another was put in its place.

        SQLite would go on in the file that nobody finds any more: no word, no resume and no other run would meet it there.
        """
        if self._file is None or _identity(self.path) != self._file:
            raise Held(
                f"journal lost: the store {self.path} was deleted or replaced while it was in use",
                remedy="put its backup in its place, then `restart resume`; where there is none, look at the hosts and make a new plan",
            )

    def close(self) -> None:
        """Close the connection. Twice does nothing."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _identity(place: Path) -> tuple[int, int] | None:
    """Which file lies at `place`; None: none that can be seen."""
    try:
        found = place.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make_private(place: Path) -> None:
    """Make the file ourselves, for us alone; SQLite gives its log files the same mode.

    A file that exists is not opened here: closing it would drop the locks that SQLite holds on it in this process.
    """
    try:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def _prepare(connection: sqlite3.Connection, place: Path) -> None:
    _use_log(connection)
    connection.execute("PRAGMA synchronous=FULL")
    # A store that exists is only looked at: whoever reads waits for no writer.
    if not _tables(connection):
        _make(connection)
    if "schema" not in _tables(connection):
        raise Held(f"{place} is a database, but no store of restart", remedy="name another by --store")
    found = connection.execute("SELECT max(version) FROM schema").fetchone()[0]
    if found is not None and found < SCHEMA_VERSION:
        found = _bring_up(connection)
    if found != SCHEMA_VERSION:
        raise Held(
            f"the store {place} has the form of version {found}, this restart reads version {SCHEMA_VERSION}",
            remedy="use the restart that wrote it, or name another store by --store",
        )


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have made them while we waited.
        if not _tables(connection):
            for part in (_SCHEMA, *_ADDED.values()):
                for statement in part.split(";")[:-1]:
                    connection.execute(statement)
            connection.execute("INSERT INTO schema VALUES (?)", (SCHEMA_VERSION,))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _bring_up(connection: sqlite3.Connection) -> int:
    """Add what an older store lacks; the version that it has then."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done so while we waited.
        found = int(connection.execute("SELECT max(version) FROM schema").fetchone()[0])
        for version in range(found + 1, SCHEMA_VERSION + 1):
            for statement in _ADDED[version].split(";")[:-1]:
                connection.execute(statement)
            connection.execute("UPDATE schema SET version = ?", (version,))
        connection.execute("COMMIT")
        return SCHEMA_VERSION
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _use_log(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. Two processes that do so at the same moment meet "locked" without any waiting."""
    give_up_s = time.monotonic() + BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.02)


@contextmanager
def _trouble_told(place: Path) -> Iterator[None]:
    """What SQLite raises, as an operator meets it."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "full" in text:
            what, remedy = f"journal lost: {text} at {place}", "make room there, then `restart resume`"
        elif "locked" in text or "busy" in text:
            what = f"journal lost: another process has locked {place} for more than {BUSY_S:g} s"
            remedy = "end it (a backup? an sqlite3 shell?), then `restart resume`"
        elif "malformed" in text or "not a database" in text:
            what, remedy = (
                f"the store {place} is damaged: {text}",
                "put a backup in its place, or name another by --store",
            )
        else:
            what, remedy = (
                f"journal lost: {place}: {text}",
                "mend what keeps it from being read and written, then `restart resume`",
            )
        raise Held(what, remedy=remedy) from error


def _as_text(value: Any) -> Any:
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
