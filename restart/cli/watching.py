"""Commands that look at runs and change nothing: status, attach, report, history."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from restart.cli import flagging, journals, rooms
from restart.cli.options import formats

if TYPE_CHECKING:
    from restart.model.plan import Plan
    from restart.runner.runs import Run
    from restart.runner.store import Store

POLL_S = 0.5
IDLE_S = 3.0
"""After so long without a new row, `attach` draws the facts of the last event by replay: the run may wait for a person."""

RUN = click.argument("run", required=False, metavar="[RUN]")


@click.command("status", short_help="Show where a run stands and what to do.")
@RUN
@formats("text", "json")
@click.pass_obj
def status_command(store: str | None, run: str | None, form: str) -> None:
    """Show where a run stands: what is under way, what it waits for, what to do; and every stop flag that stands.

    RUN is a run's name or its beginning; default: the one that goes on, or the latest.
    """
    from restart.reports.summary import summary_json
    from restart.reports.summary_text import status_text
    from restart.runner import runs

    flags = flagging.standing(store)
    with rooms.the_store(store) as opened:
        if flags and run is None and not runs.runs(opened):
            if form == "json":
                rooms.show_json({"version": 1, "flags": flagging.as_json(flags)})
            else:
                rooms.show(flagging.lines(flags))
            return
        told, rows = journals.account(opened, journals.meant(opened, run), store)
    if form == "json":
        document = summary_json(told, rows)
        del document["journal"]
        rooms.show_json({**document, "flags": flagging.as_json(flags)})
    else:
        rooms.show(status_text(told))
        if flags:
            rooms.show("\n" + flagging.lines(flags))


@click.command("report", short_help="Tell how a run went, host by host, and what to do next.")
@RUN
@formats("text", "json", "markdown")
@click.pass_obj
def report_command(store: str | None, run: str | None, form: str) -> None:
    """Tell how a run went: every wave, host, gate and hold, and what to do next. json carries the whole journal.

    RUN is a run's name or its beginning; default: the one that goes on, or the latest.
    """
    from restart.reports.summary import summary_json
    from restart.reports.summary_text import summary_markdown, summary_text

    with rooms.the_store(store) as opened:
        told, rows = journals.account(opened, journals.meant(opened, run), store)
    if form == "json":
        click.echo(rooms.document_text(summary_json(told, rows)), nl=False)
    elif form == "markdown":
        click.echo(summary_markdown(told), nl=False)
    else:
        rooms.show(summary_text(told))


@click.command("history", short_help="List the runs, and how long each host usually takes.")
@click.option("--fleet", metavar="FLEET", help="Only runs of this fleet.")
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="How many runs.")
@formats("text", "json")
@click.pass_obj
def history_command(store: str | None, fleet: str | None, last: int, form: str) -> None:
    """List the runs, the latest first, and how long each host usually takes."""
    from restart.model.history import Sample
    from restart.reports.history import PastRun, history_json, history_text
    from restart.runner import history, runs

    past: list[PastRun] = []
    samples: dict[str, list[Sample]] = {}
    opened = rooms.existing_store(store)
    if opened is not None:
        with opened:
            found = runs.runs(opened, fleet)[:last]
            for run in found:
                plan = runs.plan(opened, run.id)
                past.append(
                    PastRun(
                        run=run.id,
                        fleet=run.fleet,
                        started_at=run.started_at,
                        state=run.state,
                        exit_code=run.exit_code,
                        by=run.user,
                        reason=run.reason,
                        hosts=sum(len(wave["moves"]) for wave in plan["waves"]),
                    )
                )
            for name in dict.fromkeys(run.fleet for run in found):
                for host, taken in history.samples(opened, name).items():
                    samples.setdefault(host, []).extend(taken)
    if form == "json":
        rooms.show_json(history_json(past, samples))
    else:
        rooms.show(history_text(past, samples))


@click.command("attach", short_help="Follow a run of another process until it ends.")
@RUN
@formats("text", "jsonl")
@click.pass_obj
def attach_command(store: str | None, run: str | None, form: str) -> int:
    """Follow a run that another process carries out, until it ends. Ctrl-C leaves it alone.

    RUN is a run's name or its beginning; default: the one that goes on, or the latest. The exit code is the run's.
    """
    with rooms.the_store(store) as opened:
        found = journals.meant(opened, run)
        plan = journals.plan_of(opened, found.run)
        try:
            _follow(opened, found.run, plan, form)
        except KeyboardInterrupt:
            click.echo(f"\nYou no longer watch; run {found.run.id} goes on.", err=True)
            return 0
        ended = journals.meant(opened, found.run.id)
        if form == "text":
            from restart.reports.summary_text import summary_text

            told, _ = journals.account(opened, ended, store)
            rooms.show("\n" + summary_text(told, hosts=False))
    return 0 if ended.run.exit_code is None else ended.run.exit_code


def _follow(store: Store, run: Run, plan: Plan, form: str) -> None:
    import json
    import sys

    from restart.model.event import Woke
    from restart.reports.lines import Outlet, PlainLines
    from restart.reports.live import LiveView, console
    from restart.reports.rows import fact_of

    outlet = Outlet(sys.stdout)
    with ExitStack() as stack:
        live = None
        if form == "text" and rooms.is_drawable(sys.stdout):
            screen = console(outlet, no_colour=not rooms.has_colours(sys.stdout))
            live = stack.enter_context(LiveView(plan, screen, time.monotonic, title=f"{plan.fleet} {run.id}"))
        lines = PlainLines(outlet, time.time)
        for row in _rows(store, run, plan):
            if not outlet.open:
                return
            fact = fact_of(row)
            if form == "jsonl":
                outlet.line(json.dumps(row, ensure_ascii=False))
            elif live is not None:
                live.see(Woke(at_s=row["at_s"]), [fact] if fact else [])
            elif fact is not None:
                lines.tell(row["at"][:19] + "Z", fact)


def _rows(store: Store, run: Run, plan: Plan) -> Iterator[dict[str, Any]]:
    """Every row once, as it comes, until the run has ended or nobody leads it."""
    from restart.runner import journal

    seq, idle_s, drawn = 0, 0.0, False
    while True:
        # Whether it goes on is asked first: rows that come in between are then still read.
        going = journals.meant(store, run.id).going
        new = journal.rows(store, run.id, seq)
        if not new and (not going or (idle_s >= IDLE_S and not drawn)):
            drawn = True
            new = journals.rows_now(store, run, plan)[seq:]
        for row in new:
            seq, idle_s = row["seq"], 0.0
            yield row
        if new:
            drawn = "input" not in new[-1]
        if not going:
            return
        time.sleep(POLL_S)
        idle_s += POLL_S
