"""A run as its journal tells it: which one is meant, who leads it, its rows up to now, its card for the reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from restart.cli import rooms
from restart.errors import Held, UsageMistake

if TYPE_CHECKING:
    from restart.model.plan import Plan
    from restart.reports.summary import RunCard, Summary
    from restart.runner.lease import Leader
    from restart.runner.runs import Run
    from restart.runner.store import Store

OVER = ("done", "ended")
"""States of a run with nothing left to do, save what an operator resolves first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """A run and, while a living process leads it, who that is."""

    run: Run
    leader: Leader | None

    @property
    def going(self) -> bool:
        """A living process leads it now."""
        return self.leader is not None


def led(store: Store, run: Run) -> Led:
    """The run with its living leader."""
    from restart.runner import lease

    leader = lease.leader(store, run.fleet)
    return Led(run=run, leader=leader if leader is not None and leader.leads and leader.run == run.id else None)


def meant(store: Store, name: str | None) -> Led:
    """The run of that name, or the one that goes on now, or the latest. Raises `UsageMistake` where there is none."""
    from restart.runner import runs

    if name is not None:
        return led(store, runs.find(store, name))
    going = [found for run in runs.unfinished(store) if (found := led(store, run)).going]
    if len(going) > 1:
        raise UsageMistake(
            f"{len(going)} runs go on now: {', '.join(found.run.id for found in going)}", remedy="name one of them"
        )
    if going:
        return going[0]
    latest = runs.latest(store)
    if latest is None:
        raise UsageMistake(
            "there is no run yet", remedy="restart run begins one; --store or RESTART_STORE names another store"
        )
    return led(store, latest)


def to_resume(store: Store, name: str | None) -> Run:
    """The run to go on with: the named one, or the only one that can be. Raises `UsageMistake` otherwise."""
    from restart.runner import runs

    if name is not None:
        return runs.find(store, name)
    newest: dict[str, Run] = {}
    for run in runs.runs(store):
        newest.setdefault(run.fleet, run)
    waiting = [run for run in newest.values() if run.state not in OVER and not led(store, run).going]
    if not waiting:
        raise UsageMistake(
            "no run waits to be resumed", remedy="restart history lists them; restart run begins a new one"
        )
    if len(waiting) > 1:
        names = ", ".join(f"{run.id} ({run.fleet})" for run in waiting)
        raise UsageMistake(f"several runs wait to be resumed: {names}", remedy="name one of them")
    return waiting[0]


def cut_off(store: Store) -> Run | None:
    """The one run that a controller left behind when it died; None: there is none.

    Raises `UsageMistake` where there are several, where it had been halted or stopped before, and where it was switching hosts off: then
    a person must look.
    """
    from restart.runner import journal, runs

    newest: dict[str, Run] = {}
    for run in runs.runs(store):
        newest.setdefault(run.fleet, run)
    found = [run for run in newest.values() if run.state is None and not led(store, run).going]
    if len(found) > 1:
        names = ", ".join(f"{run.id} ({run.fleet})" for run in found)
        raise UsageMistake(f"several runs were cut off: {names}", remedy="go on with one: restart resume RUN")
    if not found:
        return None
    last, rows = None, journal.rows(store, found[0].id)
    if _was_switching_off(store, found[0], rows):
        raise UsageMistake(
            f"run {found[0].id} was switching hosts off when it was cut off, and this machine has power again",
            remedy=f"restart resume {found[0].id} goes on switching off; restart stop {found[0].id} gives it up, then: restart run INVENTORY --mode cold-start",
        )
    for row in rows:
        if row["event"] in ("run_started", "run_resumed", "halted", "stopping", "paused", "going"):
            last = row
    if last is not None and last["event"] in ("halted", "stopping", "paused"):
        raise UsageMistake(
            f"run {found[0].id} was {_ENDING[last['event']]} before it was cut off: {last.get('why', '')}",
            remedy=f"look at it, then: restart resume {found[0].id}",
        )
    return found[0]


def _was_switching_off(store: Store, run: Run, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it is a shutdown, or whole-site maintenance whose shutdown has not ended: what was meant then may be wrong now."""
    mode = plan_of(store, run).mode
    return mode == "shutdown" or (mode == "stop-start" and all(row["event"] != "stage_done" for row in rows))


_ENDING = {"halted": "halted", "stopping": "told to stop", "paused": "paused"}


def plan_of(store: Store, run: Run) -> Plan:
    """The plan that the run carries out."""
    from restart.planner import plan_from_json
    from restart.runner import runs

    return plan_from_json(runs.plan(store, run.id))


def stops_after(store: Store, run: Run, plan: Plan) -> int | None:
    """The wave after which the run was to stop and has stopped, so that a resume goes on to hosts that nobody confirmed; None: it does not."""
    from restart.engine import ENGINE_VERSION, begin
    from restart.model.event import Started
    from restart.runner import journal, resume

    if run.state == "done" or led(store, run).going:
        return None
    recorded = journal.entries(store, run.id)
    first = recorded[0].event if recorded else None
    if not isinstance(first, Started) or first.until_wave is None:
        return None
    engine = begin(plan)
    resume.replay(engine, recorded, version=ENGINE_VERSION)
    return engine.stops_after


def rows_now(store: Store, run: Run, plan: Plan) -> tuple[dict[str, Any], ...]:
    """The journal's rows, and behind them the facts of the last event, which are not stored before the next one.

    They are drawn again by replay. A journal of another engine version is told as far as it is stored.
    """
    from restart.engine import ENGINE_VERSION, begin
    from restart.model.document import as_json
    from restart.runner import journal, resume

    rows = journal.rows(store, run.id)
    if not rows or "input" not in rows[-1]:
        return rows
    engine = begin(plan)
    try:
        recorded = journal.entries(store, run.id)
        if recorded[-1].seq != rows[-1]["seq"]:
            return rows
        resume.replay(engine, recorded, version=ENGINE_VERSION)
    except Held:
        return rows
    last = rows[-1]
    told = []
    for number, fact in enumerate(engine.facts, 1):
        body = as_json(fact)
        told.append(
            {"seq": last["seq"] + number, "at": last["at"], "at_s": fact.at_s, "event": body.pop("fact")} | body
        )
    return (*rows, *told)


def card(found: Led, store: str | None) -> RunCard:
    """The run's card for the reports."""
    from restart.reports.summary import RunCard

    run = found.run
    return RunCard(
        run=run.id,
        state=run.state,
        exit_code=run.exit_code,
        why=run.why or "",
        reason=run.reason,
        by=run.user,
        controller=run.controller,
        started_at=run.started_at,
        ended_at=run.ended_at,
        led=found.going,
        cpu_s=run.cpu_s,
        command=rooms.command_text(store),
    )


def account(opened: Store, found: Led, store: str | None) -> tuple[Summary, tuple[dict[str, Any], ...]]:
    """The summary of the run up to now, and the rows it was made from."""
    from restart.reports.summary import summary

    plan = plan_of(opened, found.run)
    rows = rows_now(opened, found.run, plan)
    return summary(plan, rows, card(found, store)), rows
