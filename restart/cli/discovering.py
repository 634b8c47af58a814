"""discover: which dependencies really exist, and what of them the inventory lacks; and the warning of `plan` and `run` about them."""

from __future__ import annotations

import difflib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restart.cli import rooms, surveying
from restart.cli.options import INVENTORY, LIMIT, formats
from restart.errors import Exit, RestartError, UsageMistake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from restart.inventory.edit import Edited
    from restart.model.discovery import Discovery
    from restart.model.inventory import Inventory
    from restart.model.world import Gate
    from restart.survey.discover import Compared, Sampling

EVERY = "30s"
"""Between two looks. What closes stays in the kernel's tables for a minute, so that twice a minute misses little."""

STORE = "name a place that can be written: --store FILE"

FOR_MAX_S, EVERY_MIN_S = 24 * 3600.0, 1.0


@click.command("discover", short_help="Find the dependencies that really exist.")
@INVENTORY
@click.option("--for", "for_text", metavar="TIME", help="Look again and again for so long (10m); Ctrl-C ends it early.")
@click.option("--every", "every_text", metavar="TIME", help=f"How often, with --for. Default: {EVERY}.")
@click.option(
    "--write", "written", is_flag=True, help="Add what it lacks to the inventory; comments and layout stay as they are."
)
@LIMIT
@formats("text", "json")
@click.pass_obj
def discover_command(
    store: str | None,
    inventory: str | None,
    for_text: str | None,
    every_text: str | None,
    written: bool,
    limits: tuple[str, ...],
    form: str,
) -> int:
    """Look at the connections and the files of every host, and tell who uses whom: what the inventory lacks, what it has and nobody
    showed, cycles, what must be up first, and a patch.

    Reads only; --write changes the inventory's file and no host. What was seen is kept, and plan and run warn of what is lacking. Ends with 0
    whatever it found, with 4 where --write could not add all of it: each line to add by hand is told.
    """
    from restart.reports.discovery_text import discovery_text, summary_json
    from restart.runner import whereabouts
    from restart.survey.discover import compared, file

    sampling = _sampling(for_text, every_text)
    shelf = rooms.gates()
    path = rooms.inventory_path(inventory)
    found = rooms.read_inventory(path, shelf)
    # What the controller itself does on its own host is no dependency.
    marked = whereabouts.with_path_found(found, whereabouts.here())
    seen, ended = _look(marked, shelf, limits or None, sampling, quiet=form != "text")
    not_kept = _keep(store, seen)
    held = compared(found, seen)
    edited, refused = _patch(path, found, shelf, seen, held)
    if form == "text":
        rooms.show(discovery_text(seen, held, ended=ended, width=surveying.text_width()))
    if written and edited.texts:
        from restart.inventory.edit import write

        write(edited)
    if form == "json":
        patch = {"diff": _diff(edited), "written": written and bool(edited.texts), "by_hand": refused}
        rooms.show_json({**file.discovery_json(seen), "summary": summary_json(held), "patch": patch})
    else:
        click.echo("\n".join(["", *_patch_lines(edited, refused, written)]))
    if not_kept is not None:
        raise not_kept
    return Exit.REFUSED if written and refused else Exit.DONE


def _sampling(for_text: str | None, every_text: str | None) -> Sampling:
    from restart.rules.durations import seconds
    from restart.survey.discover import Sampling

    if every_text is not None and for_text is None:
        raise UsageMistake(
            "--every says how often to look, and without --for there is one look", remedy="add --for 10m"
        )
    try:
        sampling = Sampling(for_s=seconds(for_text) if for_text else 0.0, every_s=seconds(every_text or EVERY))
    except ValueError as error:
        raise UsageMistake(f"--for and --every: {error}", remedy="write durations such as 10m and 30s") from None
    if sampling.for_s > FOR_MAX_S or sampling.every_s < EVERY_MIN_S:
        raise UsageMistake("--for is at most 24h, --every at least 1s", remedy="choose others")
    return sampling


def _look(
    inventory: Inventory,
    shelf: Mapping[str, Gate],
    selection: tuple[str, ...] | None,
    sampling: Sampling,
    *,
    quiet: bool,
) -> tuple[Discovery, bool]:
    """Look at the selected hosts for as long as is asked, with a line of progress on a terminal."""
    from restart.reports.progress import ProgressLine
    from restart.survey.discover import discover
    from restart.transports.ssh import SshPool

    hosts = surveying.selected(inventory, selection)
    with ProgressLine("looking", drawable=not quiet and rooms.is_drawable(sys.stderr)) as line:
        # One pool for all looks: a session that stays open is one log-in, and one connection to leave out.
        pool = SshPool(inventory)
        try:
            return discover(inventory, hosts, gates=shelf, ssh=pool, sampling=sampling, told=line.told, says=line.says)
        finally:
            pool.close()


def _keep(store: str | None, seen: Discovery) -> UsageMistake | None:
    """Keep it beside the store, unless nobody answered; what is known of hosts that told nothing this time stays.

    Gives back why that could not be: what took ten minutes to see is shown all the same.
    """
    from restart.survey.discover import file

    path = surveying.newest_path(store, seen.fleet, file.KIND)
    try:
        before = file.last(path, time.time())
    except UsageMistake as error:
        click.echo(f"{error.message}: it is written anew", err=True)
        before = None
    if any(looked.answered for looked in seen.hosts.values()):
        try:
            file.save(path, file.merged(before, seen))
        except UsageMistake as error:
            return UsageMistake(f"it is not kept, so that plan warns of nothing: {error.message}", remedy=STORE)
    return None


def _patch(
    path: Path, inventory: Inventory, shelf: Mapping[str, Gate], seen: Discovery, held: Compared
) -> tuple[Edited, list[dict[str, str]]]:
    """The files with what they lack, and what a person must add: why, and the line."""
    from restart.inventory.edit import Addition, with_edges
    from restart.reports.discovery_text import why_of
    from restart.survey.discover.edges import closing

    rings = closing(inventory, held.lacking)
    additions, refused = [], []
    for edge in held.lacking:
        addition = Addition(consumer=edge.consumer, edge=edge.dependency(), why=why_of(edge, seen))
        if (edge.consumer, edge.provider) in rings:
            why = "with it services require each other in a ring, which every plan refuses: make one edge of the ring after, or give it a break"
            refused.append(_by_hand(addition, why))
        else:
            additions.append(addition)
    edited = with_edges([path], inventory, additions, shelf, rooms.powers())
    refused += [_by_hand(one.addition, one.why, one.place) for one in edited.not_made]
    return edited, refused


def _by_hand(addition: Any, why: str, place: str = "") -> dict[str, str]:
    return {
        "consumer": addition.consumer,
        "provider": addition.edge.provider,
        "why": why,
        "place": place,
        "below": f"services.{addition.consumer}.depends_on",
        "line": addition.line(),
    }


def _diff(edited: Edited) -> str:
    """A unified diff of every file that changes."""
    lines: list[str] = []
    for path, texts in edited.texts.items():
        before, after = (data.decode().splitlines(keepends=True) for data in texts)
        for line in difflib.unified_diff(before, after, f"{path}", f"{path} (with what was seen)"):
            lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def _patch_lines(edited: Edited, refused: list[dict[str, str]], written: bool) -> list[str]:
    lines = []
    if edited.texts:
        files = ", ".join(str(path) for path in edited.texts)
        head = f"Written to {files}:" if written else "Patch (--write makes it; nothing was written):"
        lines += [head, _diff(edited).rstrip("\n")]
    elif not refused:
        lines.append("Nothing to add to the inventory.")
    for one in refused:
        at = f" ({one['place']})" if one["place"] else ""
        lines += [
            f"To be added by hand: {one['consumer']} -> {one['provider']}: {one['why']}",
            f"  below {one['below']}{at}:",
            f"    {one['line']}",
        ]
    return lines


def warn(inventory: Inventory, store: str | None) -> None:
    """Say on standard error what the last discovery saw and `inventory` lacks. Never stops anything: a plan holds without it, and who reads it decides."""
    from restart.rules.durations import spoken
    from restart.survey.discover import file
    from restart.survey.sort import moment

    now = time.time()
    try:
        last = file.last(surveying.newest_path(store, inventory.fleet, file.KIND), now)
    except RestartError as error:
        click.echo(f"warning: {error}", err=True)
        return
    if last is None:
        return
    from restart.reports.discovery_text import why_of
    from restart.survey.discover import compared

    lacking = compared(inventory, last).lacking
    for edge in lacking[:WARNED_MAX]:
        click.echo(
            f"warning: {edge.consumer} uses {edge.provider}, and the inventory does not say so ({why_of(edge, last)})",
            err=True,
        )
    if lacking:
        more = f"{len(lacking) - WARNED_MAX} more; " if len(lacking) > WARNED_MAX else ""
        age = spoken(max(0.0, now - moment(last.at)))
        text = f"warning: {more}from the discovery of {last.at}, {age} ago. The plan goes by the inventory: restart discover shows the patch, --write makes it"
        click.echo(text, err=True)


WARNED_MAX = 10
"""Edges that are warned of one by one."""
