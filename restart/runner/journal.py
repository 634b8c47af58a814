"""The journal of a run: its events and the facts drawn from them, as rows that are never changed.

A row is an input (`started`, `resumed`, `woke`, `answered`, `word`, `lease_lost`), whole, so that it can be handed to
an engine again, or a fact that the engine told. The facts of an event stand right behind it. They are stored together
with the next event, or when the run ends: a crash in between loses nothing, because replay draws the same facts again.

Each row carries a sum over itself and the sum of the row before, and the run counts its rows: a garbled, a torn or a
missing row is found before anything is done on its word.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from restart.engine import facts as names
from restart.errors import Held
from restart.model.document import as_json, from_json, from_tagged, tagged
from restart.model.event import Event, Fact, Outcome, Resumed, Word
from restart.runner.store import Execute, Store, utc_now

INPUTS = ("started", "resumed", "woke", "answered", "word", "lease_lost")
"""What an input's row is called; every other name is a fact's."""

Fence = Callable[[Execute], None]
"""Raises `Held`, inside the append's own transaction, when this process no longer leads the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of the journal. `facts` are those stored behind it; None: none were, the event is the last one."""

    seq: int
    at: str
    event: Event
    facts: tuple[Fact, ...] | None = None


class Journal:
    """The journal of `run`, open for appending by its leader."""

    def __init__(self, store: Store, run: str, fence: Fence) -> None:
        self._store = store
        self._run = run
        self._fence = fence
        self._tail = _tail(store, run)
        self._told = self._tail[0]
        # The time that the last event's row carries; its facts carry the same.
        self._at, self._owes_facts = _last_input(store, run)

    def append(self, event: Event, facts_before: Sequence[Fact] = ()) -> None:
        """Make `event` durable, with the facts of the event before it where they are not stored yet. On disk when it returns.

        Raises `Held` where the journal cannot be written, or where another has taken the lease; then nothing is stored.
        """
        at = utc_now()
        with self._store.writing() as execute:
            self._fence(execute)
            tail = self._write(execute, [*self._fact_rows(facts_before), (at, _input_name(event), tagged(event))])
            if isinstance(event, Word):
                _take_word(execute, self._run, event, tail[0])
            if isinstance(event, Resumed):
                # It has no end any more, until it reaches the next.
                execute(
                    "UPDATE run SET state = NULL, exit_code = NULL, why = NULL, ended_at = NULL WHERE id = ?",
                    (self._run,),
                )
        self._tail, self._at, self._owes_facts = tail, at, True

    def finish(self, outcome: Outcome, facts: Sequence[Fact]) -> None:
        """Store the facts of the last event and how the run ended, in one transaction. Words that were meant for the run as it went are dropped."""
        with self._store.writing() as execute:
            self._fence(execute)
            tail = self._write(execute, self._fact_rows(facts))
            execute(
                "UPDATE run SET state = ?, exit_code = ?, why = ?, ended_at = ? WHERE id = ?",
                (outcome.state, outcome.exit_code, outcome.why, utc_now(), self._run),
            )
            execute(
                "UPDATE word SET taken = 0 WHERE run = ? AND taken IS NULL AND word IN ('pause', 'go', 'stop', 'let-go')",
                (self._run,),
            )
        self._tail, self._owes_facts = tail, False

    def news(self, facts: Sequence[Fact]) -> tuple[dict[str, Any], ...]:
        """The rows since the last call, as `rows` will give them for ever; for whoever prints the journal as it grows.

        To be called once for each event, after it was handled: `facts` are its facts, which are not stored yet. After a
        resume the first call gives as well what the run before was still to store.
        """
        stored = rows(self._store, self._run, after=self._told)
        seq, _ = self._tail
        owed = [_row(seq + 1 + index, self._at, fact.fact, as_json(fact)) for index, fact in enumerate(facts)]
        self._told = seq + len(owed)
        return (*stored, *owed)

    def _fact_rows(self, facts: Sequence[Fact]) -> list[tuple[str, str, Any]]:
        if not self._owes_facts:
            return []
        return [(self._at, fact.fact, as_json(fact)) for fact in facts]

    def _write(self, execute: Execute, rows: Iterable[tuple[str, str, Any]]) -> tuple[int, str]:
        """Append the rows (at, name, body); returns the new tail. Samples for the history go with the facts they come from."""
        seq, total = self._tail
        for at, name, body in rows:
            seq += 1
            text = json.dumps(body, separators=(",", ":"), allow_nan=False)
            total = _sum(total, self._run, seq, at, name, text)
            execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", (self._run, seq, at, name, text, total))
            # A host that came back by itself says nothing of how long a restart takes.
            if name == names.MOVE_DONE and not body.get("data", {}).get("by_itself"):
                _keep_sample(execute, self._run, at, body)
        execute("UPDATE run SET rows = ? WHERE id = ?", (seq, self._run))
        return seq, total


def entries(store: Store, run: str) -> tuple[Entry, ...]:
    """Every event of the run with its facts, in order. Raises `Held` naming the first row that is garbled or missing."""
    found: list[Entry] = []
    facts: list[Fact] = []
    last_s = 0.0
    for seq, at, name, body in _checked(store, run):
        try:
            if name not in INPUTS:
                if not found:
                    raise ValueError("a fact stands before any event")
                facts.append(from_json(Fact, body))
                continue
            event: Event = from_tagged(Event, body)
        except (ValueError, KeyError) as error:
            raise _garbled(run, seq, str(error)) from error
        if event.at_s < last_s:
            raise _garbled(run, seq, f"its time {event.at_s} lies before the one of the event before, {last_s}")
        _close(found, facts, last=False)
        last_s, facts = event.at_s, []
        found.append(Entry(seq=seq, at=at, event=event))
    _close(found, facts, last=True)
    return tuple(found)


def events(store: Store, run: str) -> tuple[Event, ...]:
    """Every event of the run, in order, equal to those that were appended."""
    return tuple(entry.event for entry in entries(store, run))


def rows(store: Store, run: str, after: int = 0) -> tuple[dict[str, Any], ...]:
    """The journal's rows behind number `after`, as `report --format json` and `run --format jsonl` give them.

    Each has `seq` (from 1, without gaps), `at` (UTC), `at_s` (run seconds), `event`, and where it applies `host`,
    `service`, `wave`, `verdict`, `evidence`, `why`, `data`; an input has its full form under `input`.
    """
    return tuple(_row(*held) for held in _checked(store, run, after))


def row_of(seq: int, at: str, told: Event | Fact) -> dict[str, Any]:
    """The row of an event or a fact as `rows` gives it, for a run whose journal is kept elsewhere than in the store."""
    if isinstance(told, Fact):
        return _row(seq, at, told.fact, as_json(told))
    return _row(seq, at, _input_name(told), tagged(told))


def _close(found: list[Entry], facts: list[Fact], *, last: bool) -> None:
    """Give the entry found last its facts. Behind the journal's last event, none at all means: not stored yet."""
    if found and (facts or not last):
        entry = found[-1]
        found[-1] = Entry(seq=entry.seq, at=entry.at, event=entry.event, facts=tuple(facts))


def _checked(store: Store, run: str, after: int = 0) -> list[tuple[int, str, str, Any]]:
    """Number, time, name and body of the rows behind `after`, each checked against its sum and its place."""
    expected = store.read("SELECT rows FROM run WHERE id = ?", (run,))
    held = store.read(
        "SELECT seq, at, event, body, sum FROM journal WHERE run = ? AND seq >= ? ORDER BY seq", (run, max(after, 1))
    )
    total, seq = "", 0
    if after:
        if held and held[0][0] != after:
            raise _garbled(run, after, "it is missing")
        seq, total = after, held[0][4] if held else ""
        held = held[1:]
    found = []
    for number, at, name, text, of_row in held:
        seq += 1
        if number != seq:
            raise _garbled(run, seq, "it is missing")
        total = _sum(total, run, number, at, name, text)
        if total != of_row:
            raise _garbled(run, seq, "its sum does not match")
        found.append((number, at, name, json.loads(text)))
    # The count may be older than the rows where a run goes on while it is read, never the other way round.
    if expected and seq < expected[0][0]:
        raise _garbled(run, seq + 1, "it is missing")
    return found


def _garbled(run: str, seq: int, what: str) -> Held:
    return Held(
        f"the journal of run {run} does not match: row {seq}: {what}",
        remedy="put the store's backup in its place, or look at the hosts and make a new plan",
    )


def _sum(before: str, run: str, seq: int, at: str, name: str, body: str) -> str:
    # A damaged row may hold anything where text belongs.
    return hashlib.sha256(f"{before}\n{run}\n{seq}\n{at}\n{name}\n{body}".encode()).hexdigest()[:32]


def _tail(store: Store, run: str) -> tuple[int, str]:
    found = store.read("SELECT seq, sum FROM journal WHERE run = ? ORDER BY seq DESC LIMIT 1", (run,))
    return found[0] if found else (0, "")


def _last_input(store: Store, run: str) -> tuple[str, bool]:
    """When the last event came, and whether its facts are still to be stored: nothing stands behind it."""
    marks = ", ".join("?" * len(INPUTS))
    found = store.read(
        f"SELECT at, seq = (SELECT max(seq) FROM journal WHERE run = ?) FROM journal "
        f"WHERE run = ? AND event IN ({marks}) ORDER BY seq DESC LIMIT 1",
        (run, run, *INPUTS),
    )
    return (found[0][0], bool(found[0][1])) if found else ("", False)


def _input_name(event: Event) -> str:
    """`LeaseLost` -> `lease_lost`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def _row(seq: int, at: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON; `body` is the tagged event or the fact."""
    row: dict[str, Any] = {"seq": seq, "at": at, "at_s": body["at_s"], "event": name}
    for key in ("host", "service", "wave", "verdict", "evidence", "why", "data"):
        if body.get(key) is not None:
            row[key] = body[key]
    if name in INPUTS:
        if body.get("reason"):
            row["why"] = body["reason"]
        row["input"] = dict(body)
    return row


def _take_word(execute: Execute, run: str, word: Word, seq: int) -> None:
    """Mark the oldest such word of the table as taken by row `seq`. A word from the keyboard has none there."""
    execute(
        "UPDATE word SET taken = ? WHERE id = (SELECT min(id) FROM word WHERE run = ? AND taken IS NULL "
        "AND word = ? AND by = ? AND reason = ? AND target IS ?)",
        (seq, run, word.word, word.by, word.reason, word.target),
    )


def _keep_sample(execute: Execute, run: str, at: str, fact: Mapping[str, Any]) -> None:
    data = fact.get("data", {})
    # How long a host takes to go off says nothing of how long it takes to come back.
    if "took_s" in data and data.get("act") != "stop":
        execute(
            "INSERT INTO sample (fleet, host, at, run, boot_s, ready_s, took_s) "
            "SELECT fleet, ?, ?, id, ?, ?, ? FROM run WHERE id = ?",
            (fact["host"], at, data.get("boot_s"), data.get("ready_s"), data["took_s"], run),
        )
