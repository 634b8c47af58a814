"""Commands that say a word to a run: pause, go, stop, approve, resolve."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from restart.cli import flagging, journals, rooms
from restart.cli.flagging import scoped
from restart.cli.options import DRY_RUN, formats
from restart.errors import UsageMistake

if TYPE_CHECKING:
    from restart.cli.journals import Led
    from restart.runner.store import Store

HEARD_WITHIN_S = 3.0
"""A run reads its words about once a second."""

RESOLVABLE = {
    "done": ("in doubt", "quarantined"),
    "retry": ("in doubt", "quarantined", "untouched", "not rebooted"),
    "skip": ("in doubt", "quarantined", "untouched", "not rebooted", "waiting"),
}
"""Which phases of a host each word of `resolve` can end; the engine takes no others."""

RUN = click.argument("run", required=False, metavar="[RUN]")
WHY = click.option("--reason", default="", metavar="TEXT", help="Why; it is kept in the journal.")


@click.command("pause", short_help="Let a run start nothing new until told to go.")
@RUN
@WHY
@formats("text", "json")
@click.pass_obj
def pause_command(store: str | None, run: str | None, reason: str, form: str) -> None:
    """Let a run start nothing new until: restart go. What is in flight ends."""
    with rooms.the_store(store) as opened:
        _say(opened, _going(opened, run, "paused"), "pause", reason=reason, form=form)


@click.command("go", short_help="Let a paused run go on, or lift a stop flag.")
@RUN
@WHY
@scoped
@click.option("--flag", "number", type=int, metavar="N", help="Lift the stop flag of this number.")
@DRY_RUN
@formats("text", "json")
@click.pass_obj
def go_command(
    store: str | None, /, run: str | None, reason: str, number: int | None, dry_run: bool, form: str, **where: Any
) -> None:
    """Let a paused run go on; or lift a stop flag: --everything, --fleet, --service, or --flag with its number."""
    scope = flagging.Scope(**where)
    if scope.is_meant or number is not None:
        flagging.go(store, scope, number, run, reason, form, dry=dry_run)
        return
    with rooms.the_store(store) as opened:
        _say(opened, _going(opened, run, "told to go on"), "go", reason=reason, form=form, dry_run=dry_run)


@click.command("stop", short_help="End a run in good order, or set a stop flag.")
@RUN
@WHY
@scoped
@formats("text", "json")
@click.pass_obj
def stop_command(store: str | None, /, run: str | None, reason: str, form: str, **where: Any) -> None:
    """End a run: what is in flight ends, nothing new starts; it can be resumed. A run that was cut off is given up.

    With --everything, --fleet or --service: set a stop flag, which every run of this store honours before each act, until:
    restart go. Runs are held by it, not ended.
    """
    scope = flagging.Scope(**where)
    if scope.is_meant:
        flagging.stop(store, scope, run, reason, form)
        return
    with rooms.the_store(store) as opened:
        found = journals.meant(opened, run)
        if found.going:
            _say(opened, found, "stop", reason=reason, form=form)
            return
        if found.run.ended:
            raise UsageMistake(
                f"run {found.run.id} has ended already: {found.run.state}",
                remedy=f"restart report {found.run.id} tells how it went",
            )
        _give_up(opened, found, reason)
        said = f"Nobody leads run {found.run.id}: it was cut off, and is given up now. Look at its hosts: restart report {found.run.id}"
        _tell(found, "stop", True, said, form)


@click.command("approve", short_help="Give an approval that a run waits for.")
@click.argument("run")
@click.argument("target", required=False)
@WHY
@DRY_RUN
@formats("text", "json")
@click.pass_obj
def approve_command(store: str | None, run: str, target: str | None, reason: str, dry_run: bool, form: str) -> None:
    """Give an approval that a run waits for. TARGET may be left out where only one is wanted."""
    with rooms.the_store(store) as opened:
        found = journals.meant(opened, run)
        told, _ = journals.account(opened, found, store)
        wanted = dict(told.approvals)
        names = ", ".join(wanted) or "none"
        if target is None:
            if len(wanted) != 1:
                raise UsageMistake(f"run {found.run.id} waits for these approvals: {names}", remedy="name one of them")
            target = next(iter(wanted))
        elif target not in wanted:
            raise UsageMistake(
                f"run {found.run.id} does not wait for an approval named {target!r}", remedy=f"it waits for: {names}"
            )
        _say(opened, found, "approve", reason=reason, target=target, form=form, dry_run=dry_run)


@click.command("resolve", short_help="Decide about a host in doubt or quarantined.")
@click.argument("run")
@click.argument("host")
@click.option(
    "--done", "word", flag_value="done", help="The host is back, or was restarted by hand: go on with its checks."
)
@click.option("--retry", "word", flag_value="retry", help="Restart the host (again).")
@click.option("--skip", "word", flag_value="skip", help="Leave the host as it is; it counts as down until it is ready.")
@click.option(
    "--free-slots",
    "word",
    flag_value="free-slots",
    help="Take away what the host holds of limits that span runs, where nobody leads its run any more.",
)
@click.option("--reason", required=True, metavar="TEXT", help="What you saw; it is kept in the journal.")
@DRY_RUN
@formats("text", "json")
@click.pass_obj
def resolve_command(
    store: str | None, run: str, host: str, word: str | None, reason: str, dry_run: bool, form: str
) -> None:
    """Decide about a host that the tool cannot go on with: in doubt whether it restarted, quarantined, or to be left out."""
    if word is None:
        raise UsageMistake(
            "one of --done, --retry, --skip and --free-slots is needed",
            remedy=f"restart status {run} tells about {host}",
        )
    with rooms.the_store(store) as opened:
        found = journals.meant(opened, run)
        if word == "free-slots":
            _free_slots(opened, found, host, form, dry_run=dry_run)
            return
        told, _ = journals.account(opened, found, store)
        seen = told.picture.hosts.get(host)
        if seen is None:
            raise UsageMistake(
                f"{host} is not in the plan of run {found.run.id}", remedy=f"restart status {run} tells which are"
            )
        if seen.phase not in RESOLVABLE[word]:
            raise UsageMistake(
                f"{host} is {seen.phase} in run {found.run.id}: --{word} does not apply",
                remedy=f"it is for hosts that are {' or '.join(RESOLVABLE[word])}",
            )
        _say(opened, found, word, reason=reason, target=host, form=form, dry_run=dry_run)


def _free_slots(store: Store, found: Led, host: str, form: str, *, dry_run: bool) -> None:
    """Under the lease, so that nobody resumes the run at the same moment. Raises `UsageMistake` where a run that goes on holds them."""
    from restart.runner import lease, slots

    held = slots.held(store, run=found.run.id, host=host)
    if not held:
        raise UsageMistake(f"{host} holds no slot for run {found.run.id}", remedy="a hold names who does")
    if found.going:
        raise UsageMistake(
            f"run {found.run.id} goes on and holds them itself", remedy="decide on the host: --done, --retry or --skip"
        )
    names = ", ".join(one.slot for one in held)
    if dry_run:
        _tell(found, "free-slots", False, f"Would take from {host}: {names}. Nothing was done.", form)
        return
    with lease.take(store, fleet=found.run.fleet, run=found.run.id):
        slots.taken_away(store, found.run.id, host)
    _tell(
        found,
        "free-slots",
        True,
        f"Taken from {host}: {names}. A resume of run {found.run.id} counts them again.",
        form,
    )


def speaker() -> str:
    """Who says it: user and machine."""
    from restart.runner.lease import Holder

    holder = Holder()
    return f"{holder.user}@{holder.controller}"


def _going(store: Store, run: str | None, verb: str) -> Led:
    found = journals.meant(store, run)
    if not found.going:
        state = found.run.state or "cut off"
        raise UsageMistake(
            f"nobody carries out run {found.run.id} now ({state}): it cannot be {verb}",
            remedy=f"restart status {found.run.id} says what can be done",
        )
    return found


def _give_up(store: Store, found: Led, reason: str) -> None:
    """Under the lease, so that nobody resumes it at the same moment."""
    from restart.runner import lease, runs

    with lease.take(store, fleet=found.run.fleet, run=found.run.id):
        runs.give_up(store, found.run.id, by=speaker(), reason=reason or "restart stop")


def _say(
    store: Store,
    found: Led,
    word: str,
    *,
    reason: str,
    form: str,
    target: str | None = None,
    dry_run: bool = False,
) -> None:
    from restart.runner import runs, words

    about = f" {target}" if target else ""
    if dry_run:
        _tell(found, word, False, f"Would say to run {found.run.id}: {word}{about}. Nothing was said.", form)
        return
    number = words.say(store, found.run.id, word, by=speaker(), reason=reason, target=target)
    fate = None
    until_s = time.monotonic() + HEARD_WITHIN_S
    while found.going and fate is None and time.monotonic() < until_s:
        time.sleep(0.1)
        fate = words.fate(store, number)
        found = journals.led(store, runs.find(store, found.run.id))
    _tell(found, word, fate == "heard", _what_came(found, word + about, fate), form)


def _what_came(found: Led, said: str, fate: str | None) -> str:
    """In a sentence; a run may have ended between the word and now."""
    id = found.run.id
    if fate == "heard":
        return f"Run {id} has heard it: {said}."
    if fate == "missed" or found.run.state == "done":
        return f"Run {id} ended before it heard: {said}. The word is dropped; restart report {id} tells how it ended."
    if found.going:
        return f"Left for run {id}: {said}. It has not heard it yet; restart status {id} shows when it has."
    return f"Kept for run {id}: {said}. It hears it when it goes on: restart resume {id}"


def _tell(found: Led, word: str, heard: bool, said: str, form: str) -> None:
    if form == "json":
        rooms.show_json({"version": 1, "run": found.run.id, "word": word, "heard": heard, "says": said})
    else:
        rooms.show(said + "\n")
