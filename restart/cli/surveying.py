"""survey: look at every host and say how it stands; and the same look for `plan --survey` and `run`."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from restart.cli import rooms
from restart.cli.options import INVENTORY, LIMIT, formats
from restart.errors import Drift, Refusal, Refused, UsageMistake
from restart.reports.prose import listed

if TYPE_CHECKING:
    from restart.model.inventory import Inventory
    from restart.model.observation import Observation
    from restart.model.plan import Plan
    from restart.model.world import Gate
    from restart.probes.section import Section
    from restart.survey import Event, Look, Looked

WAITING_MAX = 3
"""So few hosts that are still looked at are named."""


@click.command("survey", short_help="Look at every host: what is up, back, stuck or down.")
@INVENTORY
@click.option(
    "--since",
    metavar="TIME",
    help="When the event was: 2026-11-22T23:41:00Z, 23:41, or 45m (ago). Default: the earliest of the boots that belong together.",
)
@LIMIT
@click.option(
    "--save", "saved", metavar="FILE.json", help="Also keep what was seen, for: restart plan --observation FILE"
)
@formats("text", "json")
@click.pass_obj
def survey_command(
    store: str | None, inventory: str | None, since: str | None, limits: tuple[str, ...], saved: str | None, form: str
) -> int:
    """Look at every host at once, and sort: returned by itself, never went down, up but unhealthy, returning, stuck, down, unknown.

    Reads only, and ends with 0 whatever it found. What was seen is kept as the newest observation of the fleet.
    Ctrl-C ends it early: what was seen until then is shown and not kept, and it ends with 130.
    """
    from restart.reports.survey_text import survey_json, survey_text
    from restart.survey import file

    told = None if since is None else told_moment(since, time.time())
    shelf = rooms.gates()
    found = rooms.read_inventory(rooms.inventory_path(inventory), shelf)
    looked, observation = survey(found, shelf, limits or None, told, quiet=form != "text", may_end_early=True)
    unseen = tuple(host for host in selected(found, limits or None) if host not in looked.looks)
    # Half a look is none to plan on.
    kept = [] if unseen else [newest_path(store, found.fleet), *([Path(saved)] if saved is not None else [])]
    for path in kept:
        file.save(path, observation)
    if form == "json":
        summary = survey_json(found, observation, took_s=looked.took_s, unseen=unseen)
        rooms.show_json({**file.observation_json(observation), "summary": summary})
    else:
        rooms.show(survey_text(found, observation, took_s=looked.took_s, unseen=unseen, width=text_width()))
    if unseen:
        return 128 + signal.SIGINT
    if form == "text" and saved is not None:
        click.echo(f"\nSaved. To plan on it within 5 minutes: restart plan {inventory or ''} --observation {saved}")
    return 0


def survey(
    inventory: Inventory,
    shelf: Mapping[str, Gate],
    selection: tuple[str, ...] | None,
    since: float | None,
    *,
    quiet: bool,
    sections: Sequence[Section[object]] | None = None,
    may_end_early: bool = False,
) -> tuple[Looked, Observation]:
    """Look at the selected hosts and sort them. On a terminal the event's time is asked about where nobody told it.

    `may_end_early` as for `look_at`; who has ended it is asked nothing.
    """
    from restart.survey import event_of, observation_of

    looked = look_at(inventory, shelf, selection, quiet=quiet, sections=sections, may_end_early=may_end_early)
    if since is None:
        early = len(looked.looks) < len(selected(inventory, selection))
        since = _confirmed(event_of(looked), quiet=quiet or early)
    return looked, observation_of(inventory, looked, since)


def look_at(
    inventory: Inventory,
    shelf: Mapping[str, Gate],
    selection: tuple[str, ...] | None,
    *,
    quiet: bool,
    sections: Sequence[Section[object]] | None = None,
    checked: bool = True,
    may_end_early: bool = False,
) -> Looked:
    """One sweep over the selected hosts, with a line of progress on a terminal. `sections` None: those of a survey.

    Where it `may_end_early`, Ctrl-C ends it with the looks at those that have answered, if any has.
    """
    from restart.reports.progress import ProgressLine
    from restart.runner.power import PowerControls
    from restart.survey import Looked, look_at_all
    from restart.survey.look import SECTIONS
    from restart.transports.ssh import SshPool

    hosts = selected(inventory, selection)
    # Made before anything is started: from here on no child of this process inherits a password.
    controls = PowerControls(inventory, rooms.powers())
    left = dict.fromkeys(hosts)
    looks: dict[str, Look] = {}
    began, start_s = time.time(), time.monotonic()
    with ProgressLine("looking", drawable=not quiet and rooms.is_drawable(sys.stderr)) as line:

        def seen(host: str, look: Look) -> None:
            looks[host] = look
            left.pop(host, None)
            # All are looked at at once: the last of them take as long as they hang, whatever the others took.
            waiting = ", ".join(left) if len(left) <= WAITING_MAX else ""
            line.told(len(looks), len(hosts), waiting)

        pool = SshPool(inventory)
        try:
            return look_at_all(
                inventory,
                hosts,
                gates=shelf,
                ssh=pool,
                read_power=controls.state if checked else None,
                seen=seen,
                sections=sections or SECTIONS,
                checked=checked,
            )
        except KeyboardInterrupt:
            known = dict(looks)  # the threads of the others go on
            if not (may_end_early and known):
                raise
            in_order = {host: known[host] for host in inventory.hosts if host in known}
            return Looked(looks=in_order, began=began, took_s=time.monotonic() - start_s)
        finally:
            pool.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeing:
    """What the command line says about what is to be planned on: a survey now, or the file of one; whom of it, since when."""

    survey: bool = False
    observation: str | None = None
    since: str | None = None
    only: str | None = None

    def check(self, *, is_plan: bool) -> None:
        """Raises `UsageMistake` for what cannot be meant together."""
        if is_plan and (self.survey or self.observation or self.since or self.only):
            what = "a saved plan holds what it was made on: --survey, --observation, --since and --only no longer change it"
            raise UsageMistake(what, remedy="make a new plan from the inventory with them")
        if self.survey and self.observation:
            raise UsageMistake("--survey looks now, --observation takes what was seen", remedy="take one of them")
        if self.since is not None and not self.survey:
            raise UsageMistake("--since is for a survey", remedy="add --survey, or say it to restart survey")
        if self.only is not None and not (self.survey or self.observation):
            raise UsageMistake(
                f"--only {self.only} plans on what was seen", remedy="add --survey or --observation FILE"
            )


def look_for(seeing: Seeing, shelf: Mapping[str, Gate], store: str | None, *, quiet: bool) -> rooms.Look:
    """How a plan gets what was seen: it surveys, reads the file, or neither."""

    def look(inventory: Inventory, shape: rooms.Shape) -> tuple[rooms.Shape, Observation | None]:
        from restart.survey import file

        if seeing.observation is not None:
            observation = file.load(Path(seeing.observation))
            file.must_fit(observation, inventory, time.time())
        elif seeing.survey:
            told = None if seeing.since is None else told_moment(seeing.since, time.time())
            # All hosts, whatever the selection is: those outside it count for budgets and providers.
            observation = _survey_for_plan(inventory, shelf, told, store, quiet=quiet)
            file.save(newest_path(store, inventory.fleet), observation)
        else:
            return shape, None
        return (shape if seeing.only is None else _wanting(inventory, shape, observation)), observation

    return look


def _survey_for_plan(
    inventory: Inventory, shelf: Mapping[str, Gate], since: float | None, store: str | None, *, quiet: bool
) -> Observation:
    """A survey whose one sweep is the preflight of all hosts as well; what that found is kept for who refuses."""
    from restart.cli import preflighting
    from restart.survey.look import SECTIONS

    looked, observation = survey(
        inventory, shelf, None, since, quiet=quiet, sections=preflighting.sections_beside(SECTIONS)
    )
    preflighting.keep(store, inventory.fleet, looked)
    return observation


def must_hold_still(plan: Plan, shelf: Mapping[str, Gate], store: str | None, *, quiet: bool) -> None:
    """Look again at the hosts of a plan that was made on a look. Raises `Drift` where its waves cannot bear what has changed."""
    from restart.planner.drift import differences

    now = _survey_for_plan(plan.inventory, shelf, _moment_of(plan), store, quiet=quiet)
    changed = differences(plan, now)
    if changed:
        raise Drift(
            f"the fleet is no longer as the plan of {plan.made_at} has it:\n" + "\n".join(changed),
            remedy="plan again on what is so now: restart plan INVENTORY --survey",
        )


def _moment_of(plan: Plan) -> float:
    """The event's time as the plan's observation has it; where it has none, its own time stands in, so that nobody is asked."""
    from restart.survey.sort import moment

    seen = plan.observation
    return moment((seen.since or seen.at) if seen is not None else plan.made_at)


def _wanting(inventory: Inventory, shape: rooms.Shape, observation: Observation) -> rooms.Shape:
    """`shape` with only those of its hosts that want a reboot. Raises `Refused` where none does."""
    hosts = selected(inventory, shape.selection)
    known = {host: seen.reboot_required for host, seen in observation.hosts.items()}
    wanting = tuple(host for host in hosts if known.get(host))
    silent = [host for host in hosts if known.get(host) is None]
    if silent:
        text = f"{len(silent)} of {len(hosts)} hosts do not tell whether they want a reboot, and are left out: {listed(silent)}"
        click.echo(text, err=True)
    if not wanting:
        what = f"none of {len(hosts)} hosts is known to want a reboot"
        raise Refused((Refusal(rule="only", what=what, way_out="plan without --only to restart them all the same"),))
    return replace(shape, limits=wanting)


def selected(inventory: Inventory, selection: Sequence[str] | None) -> tuple[str, ...]:
    """The hosts that `selection` names; None: all. Raises `UsageMistake` where it names none."""
    from restart.rules.names import select

    if selection is None:
        return tuple(inventory.hosts)
    members = {service.name: service.hosts for service in inventory.services.values()}
    try:
        return tuple(select(selection, inventory.hosts, members))
    except ValueError as error:
        raise UsageMistake(f"the selection: {error}", remedy="see the hosts with `restart graph`") from None


def _confirmed(event: Event | None, *, quiet: bool) -> float | None:
    """The event's time: shown, and on a terminal asked."""
    from restart.rules.durations import spoken
    from restart.survey.sort import rfc3339

    if event is None:
        return None
    what = (
        f"{len(event.hosts)} hosts came up within {spoken(max(1.0, event.last - event.since))} of each other; "
        f"the first, {event.hosts[0]}, booted at {rfc3339(event.since)}"
    )
    if quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        click.echo(f"{what}: taken for the event (--since TIME says otherwise)", err=True)
        return event.since
    if click.confirm(f"{what}. Was that the event?", default=True, err=True):
        return event.since
    given = click.prompt("When was it? (23:41, 45m ago, or none)", default="none", err=True)
    return None if given.strip() == "none" else told_moment(given.strip(), time.time())


def told_moment(text: str, now: float) -> float:
    """What an operator means by a time, in seconds since 1970: RFC 3339, `HH:MM` of this clock, or a duration ago."""
    from restart.rules.durations import seconds
    from restart.survey.sort import moment

    given = text.removesuffix("ago").strip()
    readers: tuple[Callable[[str], float], ...] = (
        lambda text: now - seconds(text),
        moment,
        lambda text: _of_this_day(text, now),
    )
    for read in readers:
        try:
            found = read(given)
            break
        except (ValueError, OverflowError):
            continue
    else:
        raise UsageMistake(f"--since {text}: no time", remedy="write 2026-11-22T23:41:00Z, 23:41 or 45m")
    if found > now + 1:
        raise UsageMistake(f"--since {text} lies ahead", remedy="write when the event was")
    return found


def _of_this_day(text: str, now: float) -> float:
    """`HH:MM` or `HH:MM:SS` by this machine's clock: the last time that it was so late."""
    parsed = time.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M")
    today = time.localtime(now)
    for days in (0, 1):
        at = time.mktime(
            (today.tm_year, today.tm_mon, today.tm_mday - days, parsed.tm_hour, parsed.tm_min, parsed.tm_sec, 0, 0, -1)
        )
        if at <= now:
            return at
    raise ValueError(text)


def newest_path(store: str | None, fleet: str, kind: str = "observations") -> Path:
    """Where the newest observation (or preflight) of `fleet` is kept: beside the store."""
    from restart.runner.store import default_path
    from restart.survey.file import newest

    return newest((rooms.store_path(store) or default_path()).expanduser().resolve().parent, fleet, kind)


def text_width() -> int:
    """Columns for text: the terminal's, or 100 in a pipe."""
    return min(120, shutil.get_terminal_size((100, 24)).columns) if sys.stdout.isatty() else 100
