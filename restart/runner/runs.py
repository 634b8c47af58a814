"""The runs of a store: what was to be done, by whom and why, and how it ended."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from restart.errors import Held, UsageMistake
from restart.runner.store import Store, utc_now

# No letter that is read as another.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"

_COLUMNS = (
    "id, fleet, plan_digest, inventory_digest, reason, user, controller, options, started_at, rows, "
    "state, exit_code, why, ended_at, cpu_s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a plan. Times are UTC, RFC 3339; `options` are the command line's, for people.

    `state`, `exit_code`, `why` and `ended_at` are None while it goes on, and after a crash: `ended` tells.
    `rows` counts the journal's rows; `cpu_s` is the controllers' own CPU time over the run, as far as it was told.
    """

    id: str
    fleet: str
    plan_digest: str
    inventory_digest: str
    reason: str
    user: str
    controller: str
    options: Mapping[str, Any]
    started_at: str
    rows: int
    state: str | None
    exit_code: int | None
    why: str | None
    ended_at: str | None
    cpu_s: float | None = None

    @property
    def ended(self) -> bool:
        """It has an outcome. Save `done`, it can be resumed all the same."""
        return self.ended_at is not None


def spent(store: Store, id: str, cpu_s: float) -> None:
    """Add the CPU time of one process that led the run, in seconds."""
    with store.writing() as execute:
        execute("UPDATE run SET cpu_s = coalesce(cpu_s, 0) + ? WHERE id = ?", (cpu_s, id))


def new_id(store: Store) -> str:
    """A name for a run: short, readable, in the order of time to the minute, e.g. `20261122-0110-k3f9` (UTC)."""
    while True:
        letters = "".join(secrets.choice(_LETTERS) for _ in range(4))
        name = f"{datetime.now(UTC):%Y%m%d-%H%M}-{letters}"
        if not store.read("SELECT 1 FROM run WHERE id = ?", (name,)):
            return name


def create(
    store: Store,
    *,
    id: str,
    plan: Mapping[str, Any],
    reason: str,
    user: str,
    controller: str,
    options: Mapping[str, Any] | None = None,
) -> Run:
    """A new run of `plan` (its JSON, section 6), as `planner.plan_json` gives it. To be called by the fleet's leader.

    Raises `Held` where the run before it died and has not been resumed: its hosts may be in flight.
    """
    # The order of keys is kept: it is the order of the inventory.
    text = json.dumps(plan, separators=(",", ":"), allow_nan=False)
    with store.writing() as execute:
        before = execute("SELECT id, user, controller FROM run WHERE fleet = ? AND ended_at IS NULL", (plan["fleet"],))
        for name, by, where in before.fetchall():
            raise Held(
                f"run {name} of fleet {plan['fleet']} (by {by}@{where}) was cut off and never ended: its hosts may be in flight",
                remedy=f"`restart resume {name}` goes on with it, `restart stop {name}` gives it up",
            )
        execute(
            "INSERT INTO run (id, fleet, plan, plan_sum, plan_digest, inventory_digest, reason, user, controller, "
            "options, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                id,
                plan["fleet"],
                text,
                _sum(text),
                plan["digest"],
                plan["inventory_digest"],
                reason,
                user,
                controller,
                json.dumps(dict(options or {})),
                utc_now(),
            ),
        )
    return find(store, id)


def find(store: Store, id: str) -> Run:
    """The run of this name, or of the one name that begins so. Raises `UsageMistake` where there is none, or several."""
    found = store.read(
        f"SELECT {_COLUMNS} FROM run WHERE id = ? OR substr(id, 1, length(?)) = ? ORDER BY id = ? DESC LIMIT 2",
        (id, id, id, id),
    )
    if not found:
        raise UsageMistake(f"there is no run {id!r} in {store.path}", remedy="`restart history` lists them")
    if len(found) > 1 and found[0][0] != id:
        raise UsageMistake(
            f"several runs begin with {id!r}", remedy="write more of its name; `restart history` lists them"
        )
    return _run(found[0])


def runs(store: Store, fleet: str | None = None) -> tuple[Run, ...]:
    """Every run (of `fleet`), the latest first."""
    return tuple(
        _run(row)
        for row in store.read(
            f"SELECT {_COLUMNS} FROM run WHERE ?1 IS NULL OR fleet = ?1 ORDER BY number DESC", (fleet,)
        )
    )


def is_of(store: Store, id: str, fleet: str) -> bool:
    """Is it a run of this store and fleet, by its whole name?"""
    return bool(store.read("SELECT 1 FROM run WHERE id = ? AND fleet = ?", (id, fleet)))


def latest(store: Store, fleet: str | None = None) -> Run | None:
    """The run that was started last (of `fleet`); None where there is none."""
    return next(iter(runs(store, fleet)), None)


def unfinished(store: Store, fleet: str | None = None) -> tuple[Run, ...]:
    """Runs without an outcome, the latest first: they go on, or their process died (`lease.leader` tells)."""
    return tuple(run for run in runs(store, fleet) if not run.ended)


def plan(store: Store, id: str) -> dict[str, Any]:
    """The JSON of the plan that the run carries out. Raises `Held` where it is no longer what was stored."""
    rows = store.read("SELECT plan, plan_sum, plan_digest FROM run WHERE id = ?", (id,))
    if not rows:
        raise UsageMistake(f"there is no run {id!r} in {store.path}", remedy="`restart history` lists them")
    text, of_text, digest = rows[0]
    if _sum(text) != of_text:
        raise Held(
            f"the plan of run {id} does not match its digest: the store {store.path} is damaged",
            remedy="put its backup in its place",
        )
    found: dict[str, Any] = json.loads(text)
    if found["digest"] != digest:
        raise Held(
            f"the plan of run {id} is not the one it was started with ({digest})",
            remedy="put the store's backup in its place",
        )
    return found


def give_up(store: Store, id: str, *, by: str, reason: str) -> None:
    """End a run whose process died, without going on with it: `stopped`, exit 6. To be called while nobody leads the fleet."""
    with store.writing() as execute:
        execute(
            "UPDATE run SET state = 'stopped', exit_code = 6, why = ?, ended_at = ? WHERE id = ? AND ended_at IS NULL",
            (f"given up by {by}: {reason}", utc_now(), id),
        )


def _run(row: tuple[Any, ...]) -> Run:
    keys = [name.strip() for name in _COLUMNS.split(",")]
    held = dict(zip(keys, row, strict=True))
    return Run(**{**held, "options": json.loads(held["options"])})


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
