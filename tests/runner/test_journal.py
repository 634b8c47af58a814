from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restart.errors import Exit, Held
from restart.model.answer import (
    Booted,
    Checked,
    Claimed,
    HeldBy,
    NoAnswer,
    RebootDeclined,
    RebootTaken,
    Released,
    StepRan,
    StillUp,
    Units,
)
from restart.model.check import Finding, Verdict
from restart.model.event import Answered, Event, Fact, LeaseLost, Outcome, Resumed, Started, Woke, Word
from restart.runner import journal, runs
from restart.runner.journal import Journal, entries, events, rows
from restart.runner.store import Store
from tests.runner.toy import create, started

TEXT = st.text(st.characters(), max_size=20)
SECONDS = st.floats(min_value=0, max_value=1e9, allow_nan=False)
ANSWERS = st.one_of(
    st.builds(NoAnswer, reason=TEXT, detail=TEXT),
    st.builds(
        Checked,
        findings=st.lists(st.builds(Finding, verdict=st.sampled_from(Verdict), evidence=TEXT), max_size=3).map(tuple),
    ),
    st.builds(Claimed, boot_id=TEXT, uptime_s=SECONDS),
    st.builds(HeldBy, controller=TEXT, user=TEXT, run=TEXT, since=TEXT, for_s=SECONDS),
    st.builds(Released),
    st.builds(StepRan, exit_status=st.integers(0, 255), output=TEXT),
    st.builds(RebootTaken),
    st.builds(RebootDeclined, reason=TEXT, detail=TEXT, boot_id=st.none() | TEXT),
    st.builds(Booted, boot_id=TEXT, uptime_s=SECONDS, took_s=SECONDS),
    st.builds(StillUp, boot_id=TEXT, uptime_s=SECONDS),
    st.builds(Units, invocations=st.dictionaries(TEXT, TEXT, max_size=3)),
)
NAME = st.none() | TEXT
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Started,
        at_s=st.just(5.0),
        engine=st.integers(1, 10),
        run=TEXT,
        plan_digest=TEXT,
        reason=TEXT,
        until_wave=st.none() | st.integers(0, 9),
    ),
    st.builds(Resumed, at_s=st.just(5.0), engine=st.integers(1, 10), user=TEXT),
    st.builds(Woke, at_s=st.just(5.0)),
    st.builds(Answered, at_s=st.just(5.0), request=TEXT, answer=ANSWERS, host=NAME, service=NAME),
    st.builds(Word, at_s=st.just(5.0), word=TEXT, by=TEXT, reason=TEXT, target=NAME),
    st.builds(LeaseLost, at_s=st.just(5.0), why=TEXT),
)
FACTS = st.builds(
    Fact,
    at_s=st.just(5.0),
    fact=st.sampled_from(["wave_started", "ready", "gate", "halted"]),
    host=NAME,
    service=NAME,
    wave=st.none() | st.integers(0, 9),
    verdict=st.none() | st.sampled_from(Verdict),
    evidence=NAME,
    why=NAME,
    data=st.dictionaries(TEXT, st.integers() | SECONDS | TEXT | st.lists(TEXT, max_size=2) | st.none(), max_size=3),
)


def unfenced(execute: Any) -> None:
    """A leader that nobody else wants to be."""


def opened(store: Store, run: str = "r1") -> Journal:
    create(store, run)
    return Journal(store, run, unfenced)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(st.tuples(EVENTS, st.lists(FACTS, max_size=3).map(tuple)), min_size=1, max_size=6))
def test_the_journal_gives_back_what_it_was_given(store: Store, story: list[tuple[Event, tuple[Fact, ...]]]) -> None:
    with store.writing() as execute:
        execute("DELETE FROM run")
        execute("DELETE FROM journal")
    written = opened(store)
    before: tuple[Fact, ...] = ()
    shown: list[dict[str, Any]] = []
    for event, facts in story:
        written.append(event, before)
        shown += written.news(facts)
        before = facts
    written.finish(Outcome(state="done", exit_code=0, why=""), before)
    assert events(store, "r1") == tuple(event for event, _ in story)
    assert [entry.facts or () for entry in entries(store, "r1")] == [facts for _, facts in story]
    assert list(rows(store, "r1")) == shown
    assert [row["seq"] for row in shown] == list(range(1, len(shown) + 1))


def test_a_row_says_where_it_applies(store: Store) -> None:
    written = opened(store)
    written.append(started("r1"))
    written.append(
        Answered(at_s=1.5, request="a:1", host="db-1", answer=Claimed(boot_id="b", uptime_s=3)),
        [Fact(at_s=0.0, fact="gate", service="postgres", verdict=Verdict.UNKNOWN, evidence="timeout", why="rule 9")],
    )
    first, fact, answer = rows(store, "r1")
    assert (first["event"], first["why"]) == ("started", "patch night")
    assert fact.pop("at") == first["at"]
    assert fact == {
        "seq": 2,
        "at_s": 0.0,
        "event": "gate",
        "service": "postgres",
        "verdict": "UNKNOWN",
        "evidence": "timeout",
        "why": "rule 9",
    }
    assert (answer["event"], answer["host"]) == ("answered", "db-1")
    assert answer["input"] == {
        "type": "Answered",
        "at_s": 1.5,
        "request": "a:1",
        "host": "db-1",
        "answer": {"type": "Claimed", "boot_id": "b", "uptime_s": 3},
    }
    assert rows(store, "r1", after=2) == (answer,)
    assert rows(store, "r1", after=3) == ()


def three_events(store: Store) -> None:
    written = opened(store)
    written.append(started("r1"))
    written.append(Woke(at_s=1.0), [Fact(at_s=0.0, fact="run_started"), Fact(at_s=0.0, fact="held", host="db-1")])
    written.append(Word(at_s=2.0, word="stop"))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE journal SET body = replace(body, 'db-1', 'db-2') WHERE seq = 3", "row 3: its sum does not match"),
        ("UPDATE journal SET body = substr(body, 1, 9) WHERE seq = 4", "row 4: its sum does not match"),
        ("UPDATE journal SET event = 'resumed' WHERE seq = 1", "row 1: its sum does not match"),
        ("UPDATE journal SET body = x'00ff' WHERE seq = 2", "row 2: its sum does not match"),
        ("UPDATE journal SET body = CAST(x'00ff' AS TEXT) WHERE seq = 2", "row 2: its sum does not match"),
        ("DELETE FROM journal WHERE seq = 2", "row 2: it is missing"),
        ("DELETE FROM journal WHERE seq = 1", "row 1: it is missing"),
        ("DELETE FROM journal WHERE seq = 5", "row 5: it is missing"),
        ("UPDATE journal SET seq = 9 WHERE seq = 5", "row 5: it is missing"),
    ],
)
def test_a_garbled_or_missing_row_is_named_and_exits_7(store: Store, damage: str, told: str) -> None:
    three_events(store)
    assert len(events(store, "r1")) == 3
    with store.writing() as execute:
        execute(damage)
    for read in (events, rows):
        with pytest.raises(Held, match=f"the journal of run r1 does not match: {told}") as met:
            read(store, "r1")
        assert met.value.exit_code is Exit.HELD


def test_rows_that_no_run_could_have_written_are_named(store: Store) -> None:
    # With right sums: written by a program, not by a failing disk.
    for run, event, body, told in (
        ("r1", "answered", '{"type":"Answered","at_s":1.0}', r"row 1: Answered: .*request"),
        ("r2", "resumed", '{"type":"Nonsense","at_s":1.0}', "row 1: unknown type 'Nonsense'"),
        ("r3", "gate", '{"fact":"gate","at_s":1.0}', "row 1: a fact stands before any event"),
        ("r4", "woke", "[]", "row 1: no type"),
    ):
        create(store, run)
        with store.writing() as execute:
            text = (run, 1, "t", event, body, journal._sum("", run, 1, "t", event, body))
            execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", text)
            execute("UPDATE run SET rows = 1, ended_at = 't' WHERE id = ?", (run,))
        with pytest.raises(Held, match=told):
            events(store, run)


def test_time_that_runs_back_is_told(store: Store) -> None:
    written = opened(store)
    written.append(started("r1", at_s=5.0))
    written.append(Woke(at_s=4.0))
    with pytest.raises(Held, match=r"row 2: its time 4.0 lies before the one of the event before, 5.0"):
        events(store, "r1")


def test_a_full_disk_keeps_an_event_out_whole_and_tells(store: Store) -> None:
    written = opened(store)
    written.append(started("r1"))
    pages = store.read("PRAGMA page_count")[0][0]
    store.read(f"PRAGMA max_page_count = {pages + 1}")
    big = Answered(at_s=1.0, request="a", answer=StepRan(exit_status=0, output="x" * 50_000))
    with pytest.raises(
        Held, match=r"journal lost: database or disk is full at .* \(make room there, then `restart resume`"
    ) as met:
        written.append(big, [Fact(at_s=0.0, fact="run_started")])
    assert met.value.exit_code is Exit.HELD
    assert [row["event"] for row in rows(store, "r1")] == ["started"]
    # Room again: the same event goes in, with the facts that were owed.
    store.read("PRAGMA max_page_count = 1000000")
    written.append(big, [Fact(at_s=0.0, fact="run_started")])
    assert [row["event"] for row in rows(store, "r1")] == ["started", "run_started", "answered"]


def test_bytes_that_were_no_text_survive(store: Store) -> None:
    written = opened(store)
    event = Answered(at_s=1.0, request="a", answer=StepRan(exit_status=1, output="\udc80\x00é"))
    written.append(event)
    assert events(store, "r1") == (event,)


def test_a_journal_is_read_while_it_grows(store: Store) -> None:
    written = opened(store)
    with Store.open(store.path) as other:
        for number in range(20):
            written.append(Woke(at_s=float(number)))
            assert len(events(other, "r1")) == number + 1
            with store.writing() as execute:
                # Even within somebody's write.
                execute("UPDATE run SET reason = 'x'")
                assert len(rows(other, "r1")) == number + 1
                with Store.open(store.path) as newcomer:
                    assert len(rows(newcomer, "r1")) == number + 1


def test_a_damaged_plan_is_not_handed_out(store: Store) -> None:
    create(store)
    assert list(runs.plan(store, "r1")) == ["version", "fleet", "digest", "inventory_digest", "z", "a"]
    with store.writing() as execute:
        execute("UPDATE run SET plan = replace(plan, '\"z\":1', '\"z\":2')")
    with pytest.raises(Held, match="the plan of run r1 does not match its digest") as met:
        runs.plan(store, "r1")
    assert met.value.exit_code is Exit.HELD
