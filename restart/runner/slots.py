"""Slots of limits that span the runs of one store: who holds how much of which, for every run at once.

One transaction gives a host all the slots it asks for, or none. It is fenced like the journal: a leader that has lost its lease is given nothing,
and gives nothing back. Nothing here is freed because a process ended: what a dead run held stays held until it is resumed and says what
it still holds, or until an operator takes it away (`taken_away`).
"""

from __future__ import annotations

from dataclasses import dataclass

from restart.errors import Held
from restart.model.answer import Answer, NoAnswer, SlotsGiven, SlotsRefused
from restart.model.request import GiveSlots, KeepSlots, SlotWanted, TakeSlots
from restart.runner.lease import Lease
from restart.runner.store import Execute, Store, utc_now

EPSILON = 1e-9
"""A hair of rounding must not cost a slot."""

NAMES_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSlot:
    """`amount` of `slot`, held by `host` of `run` (of `fleet`) since `at` (UTC)."""

    slot: str
    run: str
    fleet: str
    host: str
    amount: float
    at: str


class StoreSlots:
    """Answers one run's requests for slots."""

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store = store
        self._lease = lease

    def __call__(self, request: TakeSlots | GiveSlots | KeepSlots) -> Answer:
        run = self._lease.run
        try:
            with self._store.writing() as execute:
                self._lease.fence(execute)
                if isinstance(request, TakeSlots):
                    return self._take(execute, request)
                if isinstance(request, GiveSlots):
                    for slot in request.slots:
                        execute("DELETE FROM slot WHERE slot = ? AND run = ? AND host = ?", (slot, run, request.host))
                    return SlotsGiven()
                execute("DELETE FROM slot WHERE run = ?", (run,))
                for host, wanted in zip(request.hosts, request.slots, strict=True):
                    _hold(execute, run, host, wanted)
                return SlotsGiven()
        except Held as error:
            return NoAnswer(reason="broken", detail=error.message)

    def _take(self, execute: Execute, request: TakeSlots) -> Answer:
        run = self._lease.run
        for wanted in request.slots:
            others = execute(
                "SELECT slot.run, slot.host, amount, fleet FROM slot LEFT JOIN run ON run.id = slot.run "
                "WHERE slot = ? AND NOT (slot.run = ? AND host = ?) ORDER BY slot.at, host",
                (wanted.slot, run, request.host),
            ).fetchall()
            held = sum(amount for _, _, amount, _ in others)
            if wanted.cap is not None and held + wanted.amount > wanted.cap + EPSILON:
                names = [f"{host} of run {other} ({fleet})" for other, host, _, fleet in others]
                more = [f"and {len(names) - NAMES_MAX} more"] if len(names) > NAMES_MAX else []
                return SlotsRefused(slot=wanted.slot, held=held, cap=wanted.cap, by=(*names[:NAMES_MAX], *more))
        for wanted in request.slots:
            _hold(execute, run, request.host, wanted)
        return SlotsGiven()


def _hold(execute: Execute, run: str, host: str, wanted: SlotWanted) -> None:
    execute(
        "INSERT INTO slot (slot, run, host, amount, at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (slot, run, host) DO UPDATE SET amount = excluded.amount",
        (wanted.slot, run, host, wanted.amount, utc_now()),
    )


def held(store: Store, run: str | None = None, host: str | None = None) -> tuple[HeldSlot, ...]:
    """The slots that are held (by `run`, for `host`), the oldest first."""
    rows = store.read(
        "SELECT slot, slot.run, coalesce(fleet, '?'), host, amount, slot.at FROM slot LEFT JOIN run ON run.id = slot.run "
        "WHERE (?1 IS NULL OR slot.run = ?1) AND (?2 IS NULL OR host = ?2) ORDER BY slot.at, host",
        (run, host),
    )
    return tuple(
        HeldSlot(slot=slot, run=by, fleet=fleet, host=name, amount=amount, at=at)
        for slot, by, fleet, name, amount, at in rows
    )


def taken_away(store: Store, run: str, host: str) -> int:
    """An operator takes away what `host` holds for a run that nobody leads; how many slots that was."""
    with store.writing() as execute:
        return int(execute("DELETE FROM slot WHERE run = ? AND host = ?", (run, host)).rowcount)
