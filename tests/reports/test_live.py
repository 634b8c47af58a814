from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from restart.model.event import Fact, Woke
from restart.model.plan import Plan
from restart.reports.lines import Outlet, PlainLines
from restart.reports.live import LiveView, console


def drawn(plan: Plan, facts: list[Fact], *, width: int = 80, height: int = 24, colour: bool = False) -> str:
    """The last frame after `facts`, as a terminal of that size would show it."""
    stream = io.StringIO()
    screen = Console(
        file=stream, width=width, height=height, force_terminal=True, no_color=not colour, legacy_windows=False
    )
    view = LiveView(plan, screen, lambda: 0.0, title="chat-prod 7f3a")
    for fact in facts:
        view.see(Woke(at_s=fact.at_s), [fact])
    screen.print(view.frame())
    return stream.getvalue()


def middle(facts: list[Fact]) -> list[Fact]:
    """Up to the moment when db-2 restarts."""
    return facts[: next(index for index, fact in enumerate(facts) if fact.fact == "rung_failed")]


def test_a_frame_shows_waves_hosts_services_and_events(plan: Plan, facts: list[Fact]) -> None:
    text = drawn(plan, middle(facts))
    assert "4 of 18 hosts" in text
    assert "[1 done] [2: 1/2] 6 to come" in text
    assert "restarting" in text
    assert "db-2: rebooting" in text
    assert "2 of 3" in text
    assert "left" in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 12), (20, 8), (200, 60), (1, 1)])
def test_a_frame_fits_the_terminal(plan: Plan, facts: list[Fact], width: int, height: int) -> None:
    lines = re.sub(r"\x1b\[[0-9;]*m", "", drawn(plan, middle(facts), width=width, height=height)).splitlines()
    assert max(len(line) for line in lines) <= width
    if height >= 12:
        assert len(lines) <= height


def test_without_colour_no_colour_is_sent(plan: Plan, facts: list[Fact]) -> None:
    assert "\x1b[3" not in drawn(plan, facts)
    assert "\x1b[" in drawn(plan, facts, colour=True)


def test_what_a_host_says_is_neither_markup_nor_escape(plan: Plan) -> None:
    evil = Fact(at_s=1.0, fact="ready", host="db-1", service="postgres", evidence="[red]\x1b[2Jboo[/]")
    text = drawn(plan, [evil])
    assert "[red]\\x1b[2Jboo[/]" in text
    assert "\x1b[2J" not in text


def test_a_thousand_hosts_do_not_overflow_the_frame(plan: Plan) -> None:
    busy = [
        Fact(at_s=1.0, fact="move_started", host=move.host, wave=wave.number)
        for wave in plan.waves
        for move in wave.moves
    ]
    text = drawn(plan, busy, height=16)
    assert "more" in text
    assert len(text.splitlines()) <= 16


class Closed(io.StringIO):
    """A pipe whose reader is gone."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError


def test_a_closed_pipe_ends_the_output_and_not_the_run(plan: Plan, facts: list[Fact]) -> None:
    outlet = Outlet(Closed())
    PlainLines(outlet, lambda: 0.0).see(Woke(at_s=0.0), facts)
    assert not outlet.open


def test_a_terminal_that_goes_away_ends_the_drawing_and_not_the_run(plan: Plan, facts: list[Fact]) -> None:
    outlet = Outlet(Closed())
    with LiveView(plan, console(outlet), lambda: 0.0) as view:
        view.see(Woke(at_s=0.0), facts)
    assert not outlet.open


def test_plain_output_is_one_line_a_fact_with_its_time(facts: list[Fact]) -> None:
    stream = io.StringIO()
    lines = PlainLines(Outlet(stream), lambda: 1795306200.0)
    lines.see(Woke(at_s=0.0), [facts[0], replace(facts[1], why="two\nlines")])
    assert stream.getvalue().splitlines() == [
        "2026-11-22T00:10:00Z the run starts, 18 hosts in 8 waves: kernel 6.1.99",
        "2026-11-22T00:10:00Z wave 1 starts (3 hosts): two lines",
    ]


def test_the_live_view_draws_while_nothing_happens(plan: Plan, facts: list[Fact]) -> None:
    stream = io.StringIO()
    screen = Console(file=stream, force_terminal=True, width=80, height=24, legacy_windows=False)
    with LiveView(plan, screen, lambda: 0.0, title="chat-prod") as view:
        view.see(Woke(at_s=0.0), middle(facts))
    assert "chat-prod" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[?25h"), "the cursor is given back"
