"""A run carried out in this process: store, lease, world, views and signals, joined around the loop."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from restart.cli import journals, rooms, timing

if TYPE_CHECKING:
    from restart.engine import Engine, Stages
    from restart.model.event import Event, Fact
    from restart.model.plan import Plan
    from restart.model.world import Gate, Watcher
    from restart.runner.lease import Lease
    from restart.runner.runs import Run
    from restart.runner.store import Store

HOSTS_MAX = 60
"""Hosts that the summary at the end of a run lists; `restart report` lists any number."""

FIRST = "finishing what is in flight, starting nothing new; Ctrl-C again lets go at once"
SECOND = "letting go at once; restart resume goes on from here"


def begin(
    plan: Plan,
    shelf: Mapping[str, Gate],
    store: str | None,
    *,
    reason: str,
    until_wave: int | None,
    options: Mapping[str, Any],
    form: str,
) -> int:
    """Start a run of `plan` and carry it to its end; the exit code."""
    from restart.engine import ENGINE_VERSION, begin
    from restart.model.event import Started
    from restart.planner import plan_json
    from restart.runner import lease, runs
    from restart.runner.drive import RunClock
    from restart.runner.store import Store

    with Store.open(rooms.store_path(store)) as opened:
        name = runs.new_id(opened)
        holder = lease.Holder()

        def create() -> None:
            runs.create(
                opened,
                id=name,
                plan=plan_json(plan),
                reason=reason,
                user=holder.user,
                controller=holder.controller,
                options=options,
            )

        clock = RunClock()
        first = Started(
            at_s=clock(),
            engine=ENGINE_VERSION,
            run=name,
            plan_digest=plan.digest,
            controller=holder.controller,
            user=holder.user,
            reason=reason,
            until_wave=until_wave,
            utc=timing.utc_now(),
        )
        with lease.take(opened, fleet=plan.fleet, run=name, holder=holder) as held:
            return _carry(
                Passage(opened=opened, lease=held, plan=plan, engine=begin(plan), clock=clock, first=first),
                shelf,
                store,
                form,
                prepare=create,
            )


def go_on(opened: Store, run: Run, shelf: Mapping[str, Gate], store: str | None, *, form: str) -> int:
    """Go on with `run` from its journal; the exit code."""
    from restart.engine import ENGINE_VERSION, begin
    from restart.model.event import Resumed
    from restart.reports.rows import facts_of
    from restart.runner import journal, lease, resume
    from restart.runner.drive import RunClock

    plan = journals.plan_of(opened, run)
    holder = lease.Holder()
    with lease.take(opened, fleet=run.fleet, run=run.id, holder=holder) as held:
        engine = begin(plan)
        cut = resume.resume(opened, run.id, engine, version=ENGINE_VERSION)
        before = tuple(facts_of(journal.rows(opened, run.id)))
        clock = RunClock(cut.at_s)
        first = Resumed(
            at_s=clock(), engine=ENGINE_VERSION, controller=holder.controller, user=holder.user, utc=timing.utc_now()
        )  # fmt: skip
        passage = Passage(opened=opened, lease=held, plan=plan, engine=engine, clock=clock, first=first, before=before)
        return _carry(passage, shelf, store, form)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What carries one run through this process. `before`: the facts told in processes before this one."""

    opened: Store
    lease: Lease
    plan: Plan
    engine: Engine | Stages
    clock: Callable[[], float]
    first: Event
    before: tuple[Fact, ...] = ()


def _carry(
    passage: Passage,
    shelf: Mapping[str, Gate],
    store: str | None,
    form: str,
    *,
    prepare: Callable[[], None] = lambda: None,
) -> int:
    """`prepare` is called when everything else stands ready and signals are words to the run already."""
    from restart.runner import resume, runs, whereabouts
    from restart.runner.clock import ClockWords
    from restart.runner.flags import FlagGuard, FlagWords
    from restart.runner.lease import Holder
    from restart.runner.live import Identity, LiveWorld
    from restart.runner.peers import Peers
    from restart.runner.slots import StoreSlots
    from restart.runner.words import Words, heard_from

    holder, run = Holder(), passage.lease.run
    cpu_s = time.process_time()
    world = LiveWorld(
        passage.plan.inventory,
        gates=shelf,
        identity=Identity(run=run, controller=holder.controller, user=holder.user),
        clock=passage.clock,
        words=heard_from(
            Words(passage.opened, run),
            FlagWords(passage.opened, passage.plan.fleet, passage.engine.flags),
            ClockWords(passage.clock),
        ),
        lease_lost=passage.lease.lost,
        own_boot_id="" if passage.plan.include_controller else whereabouts.here().boot_id,
        slots=StoreSlots(passage.opened, passage.lease),
        withheld=FlagGuard(passage.opened, passage.plan.inventory),
        powers=rooms.powers(),
        # Who leads the fleet knows of every run of its store that it has ended, or is this one.
        peers=Peers(
            passage.plan.inventory,
            {move.host for move in passage.plan.moves()},
            passed=lambda name: runs.is_of(passage.opened, name, passage.plan.fleet),
        ),
    )
    try:
        with (
            _views(passage.plan, run, passage.before, form) as (watchers, lines, notice),
            signals_as_words(world.say, notice),
        ):
            prepare()
            outcome = resume.carry_out(
                passage.opened, passage.lease, passage.engine, world, passage.first, watchers, lines
            )
    finally:
        world.close()
    passage.lease.release()
    runs.spent(passage.opened, run, time.process_time() - cpu_s)
    _show_end(passage.opened, run, store, form)
    return outcome.exit_code


def _show_end(opened: Store, run: str, store: str | None, form: str) -> None:
    if form != "text":
        return
    from restart.reports.lines import Outlet
    from restart.reports.summary_text import summary_text
    from restart.reports.terminal import painted

    told, _ = journals.account(opened, journals.meant(opened, run), store)
    text = "\n" + summary_text(told, hosts=len(told.hosts) <= HOSTS_MAX)
    # Through an outlet: a reader that left must not change the run's exit code.
    outlet = Outlet(sys.stdout)
    outlet.write(painted(text) if rooms.has_colours(sys.stdout) else text)
    outlet.flush()
    _silence_if_gone(outlet.open)


Lines = Callable[[Sequence[Mapping[str, Any]]], None]
Views = tuple[list["Watcher"], Lines | None, Callable[[str], None]]


@contextmanager
def _views(plan: Plan, run: str, before: Sequence[Fact], form: str) -> Iterator[Views]:
    """The watchers for this format and terminal, the taker of journal rows, and where to tell about signals."""
    from restart.model.event import Woke
    from restart.reports.lines import Outlet, PlainLines
    from restart.reports.live import LiveView, console

    outlet = Outlet(sys.stdout)

    def tell(text: str) -> None:
        # Not through the stream's buffer: a signal may come while it is being written.
        try:
            os.write(2, f"\nrestart: {text}\n".encode())
        except OSError:
            return

    if form == "jsonl":

        def lines(rows: Sequence[Mapping[str, Any]]) -> None:
            for row in rows:
                outlet.line(json.dumps(row, ensure_ascii=False))

        yield [], lines, tell
    elif rooms.is_drawable(sys.stdout):
        screen = console(outlet, no_colour=not rooms.has_colours(sys.stdout))
        with LiveView(plan, screen, time.monotonic, title=f"{plan.fleet} {run}") as live:
            if before:
                live.see(Woke(at_s=before[-1].at_s), before)
            yield [live], None, live.note
    else:
        outlet.line(f"Run {run} of {plan.fleet}")
        yield [PlainLines(outlet, time.time)], None, tell
    _silence_if_gone(outlet.open)


def _silence_if_gone(is_open: bool) -> None:
    """Where the reader is gone, the interpreter's last flush must find somebody who takes it."""
    if not is_open:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def signals_as_words(say: Callable[[str], None], tell: Callable[[str], None]) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP become words to the run: `stop`, and `let-go` for a second Ctrl-C."""
    stopping = False

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping and number == signal.SIGINT:
            tell(SECOND)
            say("let-go")
        elif not stopping:
            stopping = True
            tell(FIRST)
            say("stop")

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # What was told to be ignored (nohup, a background of a script) stays ignored.
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    former = {number: signal.signal(number, heard) for number in heeded}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
