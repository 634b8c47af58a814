"""run and resume: the two commands that change hosts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from restart.cli import discovering, flagging, preflighting, rooms, timing
from restart.cli.confirm import Consent, ask, ask_beyond
from restart.cli.options import DRY_RUN, YES_HOSTS, YES_PATH, formats, seeing, shaping
from restart.cli.rooms import Shape
from restart.cli.surveying import Seeing, look_for, must_hold_still
from restart.errors import Refusal, Refused, UsageMistake
from restart.reports.prose import count, listed

if TYPE_CHECKING:
    from restart.model.plan import Plan
    from restart.runner.runs import Run
    from restart.runner.store import Store


@click.command("run", short_help="Restart the fleet in waves.")
@click.argument("source", required=False, metavar="[INVENTORY|PLAN.json]")
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the journal. Required.")
@click.option("--yes", is_flag=True, help="Do not ask. A scope above confirm_above wants --yes-hosts all the same.")
@YES_HOSTS
@YES_PATH
@click.option(
    "--yes-force-off", type=int, metavar="N", help="I mean that the power of these N hosts may be cut: ladders say so."
)
@click.option("--until-wave", type=click.IntRange(min=1), metavar="N", help="Stop after wave N; resume goes on.")
@click.option(
    "--inventory", "inventory_now", metavar="FILE", help="With PLAN.json: end with 8 if FILE has changed since."
)
@shaping
@click.option("--no-survey", is_flag=True, help="Do not look at the hosts first: every host is assumed up.")
@seeing
@DRY_RUN
@formats("text", "jsonl")
@click.pass_obj
def run_command(
    store: str | None,
    /,
    source: str | None,
    reason: str | None,
    yes: bool,
    yes_hosts: int | None,
    yes_paths: tuple[str, ...],
    yes_force_off: int | None,
    until_wave: int | None,
    inventory_now: str | None,
    no_survey: bool,
    observation: str | None,
    since: str | None,
    only: str | None,
    dry_run: bool,
    form: str,
    **shape: Any,
) -> int:
    """Restart the fleet in waves: from an inventory, which is surveyed first, or exactly as a saved plan says.

    Ctrl-C once: what is in flight ends, nothing new starts. Twice: let go at once. Either way: restart resume.
    """
    path = rooms.inventory_path(source)
    if not dry_run and not (reason or "").strip():
        raise UsageMistake(
            "a run wants a reason, for the journal and for who comes after you", remedy="--reason 'TEXT'"
        )
    shelf = rooms.gates()
    surveys = not (no_survey or observation or rooms.is_plan(path))
    wanted = Seeing(survey=surveys, observation=observation, since=since, only=only)
    wanted.check(is_plan=rooms.is_plan(path))
    look = look_for(wanted, shelf, store, quiet=form != "text")
    plan = rooms.plan_of(path, Shape(**shape, reason=reason), store, shelf, look)
    if inventory_now is not None:
        rooms.same_inventory(plan, rooms.inventory_path(inventory_now), shelf)
    check(plan, until_wave)
    flags = () if dry_run else flagging.refuse(plan, store)
    if not dry_run:
        timing.refuse_outside(plan)
    if dry_run:
        preflighting.refuse(plan, store)
        _show_dry(plan, form)
        discovering.warn(plan.inventory, store)
        return 0
    if not plan.waves:
        _refuse_unknown(plan)
        click.echo(f"Nothing to restart in {plan.fleet}.", err=form != "text")
        return 0
    if rooms.is_plan(path) and plan.observation is not None and plan.observation.fleet and not no_survey:
        must_hold_still(plan, shelf, store, quiet=form != "text")
    preflighting.refuse(plan, store)
    _show_scope(plan, until_wave, form, age_s=_age_s(plan) if rooms.is_plan(path) else 0.0)
    # A saved plan as well: what it was made without may have been seen since.
    discovering.warn(plan.inventory, store)
    click.echo(flagging.lines(flags), err=True, nl=False)
    ask(plan, Consent(yes=yes, hosts=yes_hosts, paths=yes_paths, cuts=yes_force_off), until_wave=until_wave)
    from restart.cli import carry

    options = {"source": str(path), "until_wave": until_wave}
    return carry.begin(
        plan, shelf, store, reason=str(reason).strip(), until_wave=until_wave, options=options, form=form
    )


@click.command("resume", short_help="Go on with a run that was stopped, halted or cut off.")
@click.argument("run", required=False, metavar="[RUN]")
@click.option(
    "--unfinished",
    is_flag=True,
    help="The run that was cut off when its controller died; nothing to do where none was.",
)
@YES_HOSTS
@YES_PATH
@DRY_RUN
@formats("text", "jsonl")
@click.pass_obj
def resume_command(
    store: str | None,
    /,
    run: str | None,
    unfinished: bool,
    yes_hosts: int | None,
    yes_paths: tuple[str, ...],
    dry_run: bool,
    form: str,
) -> int:
    """Go on with a run that was stopped, halted or cut off, and finish it.

    RUN is a run's name or its beginning; default: the only one that waits. What was in flight is looked at first, and no
    host is restarted twice. What lies beyond --until-wave is shown and asked about as at a run's beginning.
    """
    from restart.cli import carry, journals

    if unfinished:
        if run is not None:
            raise UsageMistake("--unfinished finds the run itself", remedy="leave out its name, or --unfinished")
        known = rooms.existing_store(store)
        if known is None:
            click.echo("No run was cut off.", err=form != "text")
            return 0
        with known:
            left = journals.cut_off(known)
        if left is None:
            click.echo("No run was cut off.", err=form != "text")
            return 0
        run = left.id
    with rooms.the_store(store) as opened:
        found = journals.to_resume(opened, run)
        if dry_run:
            from restart.reports.summary_text import status_text

            told, _ = journals.account(opened, journals.led(opened, found), store)
            rooms.show(f"Would go on with run {found.id}. Nothing was touched.\n\n{status_text(told)}")
            return 0
        _ask_beyond(opened, found, Consent(hosts=yes_hosts, paths=yes_paths), form)
        return carry.go_on(opened, found, rooms.gates(), store, form=form)


def check(plan: Plan, until_wave: int | None) -> None:
    """Raises `Refused` for what this version cannot do yet, `UsageMistake` for a wave that the plan does not have."""
    from restart.engine import not_yet

    refusals = not_yet(plan)
    if refusals:
        raise Refused(refusals, subject="run")
    if until_wave is not None and until_wave > len(plan.waves):
        raise UsageMistake(f"--until-wave {until_wave}: the plan has {len(plan.waves)} waves")


def _refuse_unknown(plan: Plan) -> None:
    """That nothing moves is no success where nobody can say how the hosts are. Raises `Refused`."""
    seen = {} if plan.observation is None else plan.observation.hosts
    unknown = [alone for alone in plan.left_alone if alone.host in seen and seen[alone.host].state == "unknown"]
    if not unknown:
        return
    what = (
        f"nothing would be restarted in {plan.fleet}, and nobody can say how {count(len(unknown), 'host')} {'is' if len(unknown) == 1 else 'are'}: "
        f"{listed([alone.host for alone in unknown])}; {unknown[0].host} is {unknown[0].why}"
    )
    way_out = "restart survey says of each why; --since TIME tells silent hosts from stuck ones"
    raise Refused((Refusal(rule="unknown", what=what, way_out=way_out),), subject="run")


def _ask_beyond(opened: Store, found: Run, consent: Consent, form: str) -> None:
    """Where the run was to stop after a wave and has: show and ask for what lies behind it. Raises `UsageMistake` for a word nobody wants."""
    from restart.cli import journals

    plan = journals.plan_of(opened, found)
    last = journals.stops_after(opened, found, plan)
    if last is not None:
        _show_scope(plan, None, form, after_wave=last)
        ask_beyond(plan, consent, after_wave=last)
    elif consent.hosts is not None or consent.paths:
        raise UsageMistake(
            f"run {found.id} goes on with what was confirmed when it began: nothing is asked",
            remedy="leave --yes-hosts and --yes-path out",
        )


def _age_s(plan: Plan) -> float:
    """How long ago the plan was made, in seconds by this machine's clock."""
    from restart.survey.sort import moment

    return max(0.0, time.time() - moment(plan.made_at))


def _show_scope(plan: Plan, until_wave: int | None, form: str, *, after_wave: int = 0, age_s: float = 0.0) -> None:
    from restart.reports.plan_text import scope_text

    text = scope_text(plan, until_wave=until_wave, after_wave=after_wave, age_s=age_s)
    if form == "text":
        rooms.show(text)
    else:
        click.echo(text, err=True, nl=False)


def _show_dry(plan: Plan, form: str) -> None:
    if form == "jsonl":
        from restart.planner import plan_json

        click.echo(rooms.document_text(plan_json(plan)), nl=False)
        return
    from restart.reports.plan_text import plan_text

    rooms.show(plan_text(plan) + "\nDry run: this is what would be done. Nothing was touched.\n")
