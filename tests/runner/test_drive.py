from __future__ import annotations

from collections.abc import Sequence

import pytest

from restart.errors import Held
from restart.model.event import Event, Fact, Outcome, Woke
from restart.model.request import Release, Request
from restart.runner.drive import RunClock, drive


class Diary:
    """An engine and a world that write down the order in which they are used. The run ends at the third event."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.outcome: Outcome | None = None
        self.deadline: float | None = 7.0
        self.facts: tuple[Fact, ...] = ()
        self.times_s = [1.0, 0.5, 3.0]
        self._count = 0

    def handle(self, event: Event) -> tuple[Request, ...]:
        self._count += 1
        self.lines.append(f"handle {event.at_s:g}")
        self.facts = (Fact(at_s=event.at_s, fact=f"fact-{self._count}"),)
        if self._count == 3:
            self.outcome = Outcome(state="done", exit_code=0, why="")
        return (Release(id=f"r{self._count}", host="db-1"),)

    def begin(self, request: Request) -> None:
        self.lines.append(f"begin {request.id}")

    def wait(self, until_s: float | None) -> Event:
        self.lines.append(f"wait {until_s}")
        return Woke(at_s=self.times_s.pop(0))

    def append(self, event: Event, facts: Sequence[Fact]) -> None:
        self.lines.append(f"append {event.at_s:g} after {[fact.fact for fact in facts]}")

    def see(self, event: Event, facts: Sequence[Fact]) -> None:
        self.lines.append(f"see {[fact.fact for fact in facts]}")


class Broken:
    def see(self, event: Event, facts: Sequence[Fact]) -> None:
        raise BrokenPipeError("nobody reads")


def test_each_event_is_durable_then_handled_then_seen_then_acted_upon() -> None:
    diary = Diary()
    assert drive(diary, diary, diary.append, Woke(at_s=0.0), [diary]).state == "done"
    assert diary.lines == [
        *("append 0 after []", "handle 0", "see ['fact-1']", "begin r1", "wait 7.0"),
        *("append 1 after ['fact-1']", "handle 1", "see ['fact-2']", "begin r2", "wait 7.0"),
        *("append 1 after ['fact-2']", "handle 1", "see ['fact-3']", "begin r3"),
    ]


def test_an_event_that_cannot_be_stored_leads_to_nothing() -> None:
    diary = Diary()

    def append(event: Event, facts: Sequence[Fact]) -> None:
        if event.at_s > 0:
            raise Held("journal lost")

    with pytest.raises(Held, match="journal lost"):
        drive(diary, diary, append, Woke(at_s=0.0))
    assert diary.lines == ["handle 0", "begin r1", "wait 7.0"]


def test_a_watcher_that_breaks_is_let_go_and_the_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    diary = Diary()
    assert drive(diary, diary, diary.append, Woke(at_s=0.0), [Broken(), diary]).state == "done"
    assert [line for line in diary.lines if line.startswith("see")] == [
        "see ['fact-1']",
        "see ['fact-2']",
        "see ['fact-3']",
    ]
    assert (
        capsys.readouterr().err
        == "restart: Broken broke and is let go (BrokenPipeError: nobody reads); the run goes on\n"
    )


def test_the_runs_clock_goes_on_from_where_it_was() -> None:
    clock = RunClock(120.0)
    first_s, second_s = clock(), clock()
    assert 120.0 <= first_s <= second_s < 121.0
    assert 0.0 <= RunClock()() < 1.0
