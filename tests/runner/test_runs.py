from __future__ import annotations

import re
import subprocess
import sys

import pytest

from restart.engine import facts
from restart.errors import Held, UsageMistake
from restart.model.event import Fact, Outcome, Woke, Word
from restart.model.plan import Duration
from restart.runner import history, runs, words
from restart.runner.journal import Journal, events
from restart.runner.store import Store
from restart.runner.words import Words
from tests.runner.test_journal import unfenced
from tests.runner.toy import create, started

DONE = Outcome(state="done", exit_code=0, why="every move succeeded")
PAUSED = Outcome(state="paused", exit_code=6, why="waits")


def test_a_runs_name_is_short_and_tells_its_time(store: Store) -> None:
    assert re.fullmatch(r"20\d{6}-\d{4}-[a-z2-9]{4}", runs.new_id(store))


def test_runs_are_found_by_name_by_its_beginning_and_by_fleet(store: Store) -> None:
    for run, fleet in (("20261122-0110-aaaa", "shop"), ("20261122-0110-bbbb", "chat"), ("20261122-0110-aaaab", "mail")):
        create(store, run, fleet)
    assert runs.find(store, "20261122-0110-b").fleet == "chat"
    assert runs.find(store, "20261122-0110-aaaa").fleet == "shop"
    with pytest.raises(UsageMistake, match="several runs begin with '2026'"):
        runs.find(store, "2026")
    with pytest.raises(UsageMistake, match=r"there is no run 'nope' .*`restart history`"):
        runs.find(store, "nope")
    assert [run.fleet for run in runs.runs(store)] == ["mail", "chat", "shop"]
    assert [run.id for run in runs.runs(store, "chat")] == ["20261122-0110-bbbb"]
    latest = runs.latest(store, "shop")
    assert latest is not None
    assert latest.id == "20261122-0110-aaaa"
    assert runs.latest(store, "none") is None


def test_a_run_remembers_who_why_and_how_it_ended(store: Store) -> None:
    create(store)
    assert [run.id for run in runs.unfinished(store)] == ["r1"]
    written = Journal(store, "r1", unfenced)
    written.append(started("r1"))
    written.finish(DONE, [Fact(at_s=0.0, fact=facts.RUN_ENDED)])
    run = runs.find(store, "r1")
    assert (run.user, run.controller, run.reason, run.rows) == ("ann", "desk", "patch night", 2)
    assert (run.state, run.exit_code, run.why, run.ended) == ("done", 0, "every move succeeded", True)
    assert runs.unfinished(store) == ()


def test_the_latest_run_is_the_one_begun_last_whatever_the_wall_clock_says(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(store, "r1")
    runs.give_up(store, "r1", by="ann", reason="")
    monkeypatch.setattr(runs, "utc_now", lambda: "2001-01-01T00:00:00.000Z")
    create(store, "r2")
    assert [run.id for run in runs.runs(store)] == ["r2", "r1"]


def test_no_run_begins_over_one_that_was_cut_off(store: Store) -> None:
    create(store)
    with pytest.raises(Held, match=r"run r1 of fleet shop \(by ann@desk\) was cut off .*`restart resume r1`"):
        create(store, "r2")
    create(store, "r3", fleet="chat")
    runs.give_up(store, "r1", by="bob", reason="hosts rebuilt")
    assert create(store, "r2").id == "r2"
    assert (runs.find(store, "r1").state, runs.find(store, "r1").why) == ("stopped", "given up by bob: hosts rebuilt")


def test_a_word_from_another_process_reaches_the_run_once(store: Store) -> None:
    create(store)
    code = (
        "import sys; from pathlib import Path; from restart.runner import words; from restart.runner.store import Store\n"
        "with Store.open(Path(sys.argv[1])) as store:\n"
        "    print(words.say(store, 'r1', 'skip', by='bob@desk', reason='dead', target='db-1'))"
    )
    said = subprocess.run([sys.executable, "-c", code, str(store.path)], capture_output=True, text=True, check=True)
    number = int(said.stdout)
    heard = Words(store, "r1")
    word = Word(at_s=0.0, word="skip", by="bob@desk", reason="dead", target="db-1")
    assert heard() == (word,)
    assert heard() == ()
    assert words.fate(store, number) is None
    Journal(store, "r1", unfenced).append(word)
    assert words.fate(store, number) == "heard"


def test_a_word_that_was_heard_but_not_written_down_is_heard_by_the_next_process(store: Store) -> None:
    create(store)
    words.say(store, "r1", "approve", by="ann", target="a1")
    words.say(store, "r1", "approve", by="ann", target="a2")
    first = Words(store, "r1")()
    assert [word.target for word in first] == ["a1", "a2"]
    Journal(store, "r1", unfenced).append(first[0])
    assert [word.target for word in Words(store, "r1")()] == ["a2"]


def test_a_word_from_the_keyboard_takes_no_other_word_with_it(store: Store) -> None:
    create(store)
    words.say(store, "r1", "stop", by="bob")
    Journal(store, "r1", unfenced).append(Word(at_s=1.0, word="stop", by="ann"))
    assert [word.by for word in Words(store, "r1")()] == ["bob"]


def test_a_stop_that_came_too_late_does_not_stop_the_resumed_run_but_a_resolve_is_kept(store: Store) -> None:
    create(store)
    written = Journal(store, "r1", unfenced)
    written.append(started("r1"))
    late = words.say(store, "r1", "stop", by="bob")
    kept = words.say(store, "r1", "done", by="bob", target="db-1")
    assert words.fate(store, late) is None
    written.finish(PAUSED, ())
    words.say(store, "r1", "retry", by="bob", target="db-2")
    assert words.fate(store, late) == "missed"
    assert words.fate(store, kept) is None
    assert [word.word for word in Words(store, "r1")()] == ["done", "retry"]


def test_a_run_that_is_done_hears_no_words(store: Store) -> None:
    create(store)
    Journal(store, "r1", unfenced).finish(DONE, ())
    with pytest.raises(UsageMistake, match="run r1 is done"):
        words.say(store, "r1", "stop", by="bob")
    with pytest.raises(UsageMistake, match="there is no run"):
        words.say(store, "r9", "stop", by="bob")


def moves(store: Store, run: str, took_s: dict[str, list[float]]) -> None:
    create(store, run)
    written = Journal(store, run, unfenced)
    written.append(started(run))
    told = [
        Fact(at_s=0.0, fact=facts.MOVE_DONE, host=host, data={"took_s": one, "boot_s": one / 2, "ready_s": one / 2})
        for host, of_host in took_s.items()
        for one in of_host
    ]
    written.append(Woke(at_s=1.0), told)
    written.finish(DONE, ())


def test_history_is_the_median_of_the_last_20_samples_where_there_are_3(store: Store) -> None:
    moves(store, "r1", {"db-1": [10.0, 30.0, 20.0], "db-2": [5.0, 5.0], "db-3": [1000.0] * 11 + [40.0] * 11})
    assert history.durations(store, "shop") == {
        "db-1": Duration(value_s=20.0, samples=3, source="history"),
        "db-3": Duration(value_s=40.0, samples=20, source="history"),
    }
    assert history.durations(store, "chat") == {}
    found = history.samples(store, "shop")
    assert [sample.took_s for sample in found["db-1"]] == [10.0, 30.0, 20.0]
    assert (found["db-1"][1].boot_s, found["db-1"][1].ready_s, found["db-1"][1].run) == (15.0, 15.0, "r1")


def test_history_grows_over_runs_and_a_crash_adds_no_sample_twice(store: Store) -> None:
    for number in range(3):
        moves(store, f"r{number}", {"db-1": [10.0 + number]})
    assert len(events(store, "r0")) == 2
    assert history.durations(store, "shop")["db-1"] == Duration(value_s=11.0, samples=3, source="history")


def test_the_cpu_time_of_every_process_that_led_a_run_adds_up(store: Store) -> None:
    create(store)
    assert runs.find(store, "r1").cpu_s is None
    runs.spent(store, "r1", 1.5)
    runs.spent(store, "r1", 2.0)
    assert runs.find(store, "r1").cpu_s == 3.5
