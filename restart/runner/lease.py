"""One leader per fleet: a lease with a fencing token, and a lock that tells the dead from the living (design: section 8).

The lease is a row of the store. Whoever takes it counts its token up; every append of the journal compares, inside its
own transaction, the token it was given with the row's. So a leader that was stopped, swapped out or cut off can never
write again once another has taken over, however late it wakes.

Is the leader of a row dead? No wall clock is asked: it may be stepped by hours just when a data centre comes back.

- Each leader holds `flock` on a file of its own, named after its token. The kernel lets go of it with the process,
  `kill -9` and power cuts included: a free lock is a proof of death, and the lease can be taken at once. A pid can be
  given to another process; a lock cannot.
- A lock that is held proves a living process on this very kernel (a store on a network file system is refused), so
  `time.monotonic()` of both processes is one clock. A leader that has not renewed for the whole TTL by that clock hangs
  or was stopped: it has given itself up at two thirds of it, and the lease may be taken in spite of the lock.
- Where the file is gone (somebody tidied up), the clock alone decides.

`since` and `renewed_at` are wall clock times for people; nothing is decided by them.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from restart.errors import Held
from restart.runner.store import Execute, Store, utc_now

TTL_S = 30.0


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container whose user has no name.
        return f"uid-{os.getuid()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who leads a run: for people, and for the claims on hosts."""

    user: str = field(default_factory=_user)
    controller: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    def __str__(self) -> str:
        return f"{self.user}@{self.controller} (pid {self.pid})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """What the lease row of a fleet says. `alive`: its process lives; `silent_s`: since its last renewal, in seconds."""

    holder: Holder
    run: str
    token: int
    since: str
    alive: bool
    silent_s: float
    ttl_s: float

    def __str__(self) -> str:
        return f"{self.holder} with run {self.run} since {self.since}"

    @property
    def leads(self) -> bool:
        """It lives and renews: the lease cannot be taken from it."""
        return self.alive and self.silent_s < self.ttl_s


class LeaseGone(Held):
    """Another process has taken the lease over."""


class Lease:
    """The lease of one fleet, held by this process until `release`. A thread renews it every third of the TTL.

    Made by `take`. Use it in a `with`.
    """

    def __init__(
        self, store: Store, fleet: str, run: str, *, token: int, lock: int, ttl_s: float, renewed_s: float
    ) -> None:
        self.fleet = fleet
        self.run = run
        self.token = token
        self._store = store
        self._lock = lock
        self._ttl_s = ttl_s
        self._renewed_s = renewed_s
        self._trouble = "no reason is known"
        self._why_lost: str | None = None
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._renewing = threading.Thread(target=self._renew_until_over, name=f"lease {fleet}", daemon=True)
        self._renewing.start()

    def fence(self, execute: Execute) -> None:
        """Raise `Held` unless the lease is still ours. To be called inside the transaction that it guards."""
        found = execute("SELECT token, user, controller, pid, run, since FROM lease WHERE fleet = ?", (self.fleet,))
        token, user, controller, pid, run, since = found.fetchone() or (0, "nobody", "?", 0, "?", "?")
        if token != self.token:
            by = Holder(user=user, controller=controller, pid=pid)
            raise LeaseGone(
                f"run {self.run} lost its lease on fleet {self.fleet}: {by} took it with run {run}, since {since}",
                remedy=f"`restart status {run}` shows how it goes on there",
            )

    def lost(self) -> str | None:
        """Why this process may lead no longer, or None while it may. Once lost, it stays lost.

        True at two thirds of the TTL without a renewal, well before anybody else may take over.
        """
        with self._guard:
            silent_s = time.monotonic() - self._renewed_s
            if self._why_lost is None and silent_s > self._ttl_s * 2 / 3:
                self._why_lost = (
                    f"the lease on fleet {self.fleet} could not be renewed for {silent_s:.0f} s: {self._trouble}"
                )
            return self._why_lost

    def release(self) -> None:
        """Let go: the next leader may come at once. Twice does nothing."""
        if self._over.is_set():
            return
        self._over.set()
        self._renewing.join()
        try:
            with self._store.writing() as execute:
                execute(
                    "UPDATE lease SET released_at = ? WHERE fleet = ? AND token = ?",
                    (utc_now(), self.fleet, self.token),
                )
        except Held:
            # The lock goes in any case, and a free one says the same as the row: its file stays for that. Whoever leads next tidies it away.
            pass
        else:
            _lock_file(self._store, self.fleet, self.token).unlink(missing_ok=True)
        finally:
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _renew_until_over(self) -> None:
        pause_s = self._ttl_s / 3
        while not self._over.wait(pause_s):
            pause_s = self._ttl_s / 3 if self._renew() else self._ttl_s / 15
            if self._why_lost is not None:
                return

    def _renew(self) -> bool:
        """One renewal; False where the store could not be written. The time counts from before the attempt."""
        now_s = time.monotonic()
        try:
            with self._store.writing() as execute:
                self.fence(execute)
                execute(
                    "UPDATE lease SET renewed_s = ?, renewed_at = ? WHERE fleet = ?", (now_s, utc_now(), self.fleet)
                )
        except Held as error:
            with self._guard:
                self._trouble = error.message
                if isinstance(error, LeaseGone):
                    self._why_lost = error.message
            return False
        with self._guard:
            self._renewed_s = now_s
        return True


def take(store: Store, *, fleet: str, run: str, holder: Holder | None = None, ttl_s: float = TTL_S) -> Lease:
    """The lease of `fleet` for `run`. Raises `Held`, naming who leads and since when, while a living leader renews it."""
    holder = holder or Holder()
    lock: int | None = None
    try:
        with store.writing() as execute:
            found = execute(_ROW, (fleet,)).fetchone()
            leader = _leader(store, fleet, found) if found else None
            if leader is not None and leader.leads:
                raise _held(fleet, leader)
            token = found[0] + 1 if found else 1
            # Nobody else can want this file: it is named after a token that only this transaction gives out.
            lock = _locked(_lock_file(store, fleet, token))
            now_s, now = time.monotonic(), utc_now()
            execute(
                "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (fleet, token, run, holder.user, holder.controller, holder.pid, now, ttl_s, now_s, now),
            )
    except BaseException:
        if lock is not None:
            os.close(lock)
        raise
    own = _lock_file(store, fleet, token)
    for file in own.parent.iterdir():
        if file != own:
            file.unlink(missing_ok=True)
    return Lease(store, fleet, run, token=token, lock=lock, ttl_s=ttl_s, renewed_s=now_s)


def leader(store: Store, fleet: str) -> Leader | None:
    """Who leads a run of `fleet`, or led it last and never let go; None: nobody."""
    found = store.read(_ROW, (fleet,))
    return _leader(store, fleet, found[0]) if found else None


_ROW = "SELECT token, run, user, controller, pid, since, ttl_s, renewed_s, released_at IS NOT NULL FROM lease WHERE fleet = ?"


def _leader(store: Store, fleet: str, row: tuple[Any, ...]) -> Leader | None:
    token, run, user, controller, pid, since, ttl_s, renewed_s, released = row
    if released:
        return None
    silent_s = time.monotonic() - renewed_s
    locked = _is_locked(_lock_file(store, fleet, token))
    # A time ahead of our clock is one of an earlier boot of this machine.
    alive = locked if locked is not None else 0 <= silent_s < ttl_s
    holder = Holder(user=user, controller=controller, pid=pid)
    return Leader(
        holder=holder, run=run, token=token, since=since, alive=alive, silent_s=max(silent_s, 0.0), ttl_s=ttl_s
    )


def _held(fleet: str, leader: Leader) -> Held:
    return Held(
        f"fleet {fleet} is held by {leader}",
        remedy=f"`restart status {leader.run}` shows it; wait for its end, or stop it and use `restart resume {leader.run}`",
    )


def _lock_file(store: Store, fleet: str, token: int) -> Path:
    name = quote(fleet, safe="")
    if len(name) > 200:
        name = hashlib.sha256(fleet.encode()).hexdigest()
    return store.path.with_name(f"{store.path.name}.leases") / f"fleet-{name}" / f"{token}.lock"


def _locked(file: Path) -> int:
    """The descriptor of `file`, made and locked for us alone for as long as this process lives; children don't inherit it."""
    try:
        file.parent.parent.mkdir(mode=0o700, exist_ok=True)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Held(
            f"the lock {file} cannot be made: {error.strerror}", remedy="mend that, or use another --store"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Held(
            f"the lock {file} cannot be taken: {error.strerror}", remedy="use a --store on a local disk"
        ) from error
    return descriptor


def _is_locked(file: Path) -> bool | None:
    """Does a living process hold the lock? None: the file is gone, or not ours to open. Two who look at once don't disturb each other."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
