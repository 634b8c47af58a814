"""Words that race the end of the run they are meant for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from restart.cli import speaking
from restart.cli.journals import led
from restart.model.event import Outcome, Word
from restart.runner import lease, runs, words
from restart.runner.journal import Journal
from restart.runner.store import Store
from tests.runner.toy import HOLDER, create, started

DONE = Outcome(state="done", exit_code=0, why="every move succeeded")
PAUSED = Outcome(state="paused", exit_code=6, why="waits")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state" / "store.db") as opened:
        yield opened


def ends(outcome: Outcome) -> Callable[[Journal], None]:
    return lambda written: written.finish(outcome, ())


def hears(written: Journal) -> None:
    written.append(Word(at_s=1.0, word="pause", by=speaking.speaker()))


@pytest.mark.parametrize(
    ("word", "meanwhile", "says"),
    [
        ("pause", hears, "Run r1 has heard it: pause"),
        ("pause", ends(PAUSED), "Run r1 ended before it heard: pause. The word is dropped; restart report r1"),
        ("stop", ends(DONE), "Run r1 ended before it heard: stop. The word is dropped; restart report r1"),
        ("approve", ends(DONE), "Run r1 ended before it heard: approve. The word is dropped"),
        ("approve", ends(PAUSED), "Kept for run r1: approve. It hears it when it goes on: restart resume r1"),
        ("pause", lambda written: None, "Left for run r1: pause. It has not heard it yet"),
    ],
)
def test_a_word_tells_what_became_of_it_though_the_run_ended_meanwhile(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    word: str,
    meanwhile: Callable[[Journal], None],
    says: str,
) -> None:
    monkeypatch.setattr(speaking, "HEARD_WITHIN_S", 0.3)
    create(store)
    with lease.take(store, fleet="shop", run="r1", holder=HOLDER) as held:
        written = Journal(store, "r1", held.fence)
        written.append(started("r1"))
        say = words.say

        def said(*about: object, **more: object) -> int:
            number = say(*about, **more)  # type: ignore[arg-type]
            meanwhile(written)
            return number

        monkeypatch.setattr(words, "say", said)
        going = led(store, runs.find(store, "r1"))
        if meanwhile is not hears:
            # What ends a run lets go of its lease.
            monkeypatch.setattr(lease, "leader", lambda *about: None if runs.find(store, "r1").ended else going.leader)
        speaking._say(store, going, word, reason="", form="text")
    assert says in capsys.readouterr().out
