"""preflight: what will not bear a restart, or not come back from one; and what of it keeps `plan` and `run` from going on."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import click

from restart.cli import rooms, surveying
from restart.cli.options import INVENTORY, LIMIT, formats
from restart.errors import Exit, Refusal, Refused, UsageMistake
from restart.reports.prose import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from restart.model.plan import Plan
    from restart.model.preflight import Found
    from restart.probes.section import Section
    from restart.survey import Looked


@click.command("preflight", short_help="Find what will not come back from a reboot.")
@INVENTORY
@LIMIT
@formats("text", "json")
@click.pass_obj
def preflight_command(store: str | None, inventory: str | None, limits: tuple[str, ...], form: str) -> int:
    """Look at every host once, and tell what a reboot would not bear or not bring back: each finding with its mend.

    Reads only. Ends with 4 where something blocks: plan and run then refuse those hosts too, for a day or until it is looked again.
    Ctrl-C ends it early with what was found until then, and with 130 where nothing of that blocks.
    """
    from restart.model.preflight import Grade
    from restart.reports.preflight_text import preflight_text, summary_json
    from restart.survey import preflight
    from restart.survey.preflight import file

    shelf = rooms.gates()
    found = rooms.read_inventory(rooms.inventory_path(inventory), shelf)
    looked = surveying.look_at(
        found,
        shelf,
        limits or None,
        quiet=form != "text",
        sections=preflight.SECTIONS,
        checked=False,
        may_end_early=True,
    )
    unseen = tuple(host for host in surveying.selected(found, limits or None) if host not in looked.looks)
    seen = preflight.preflight_of(looked, found.fleet)
    not_kept = None
    try:
        keep(store, found.fleet, looked)
    except UsageMistake as error:
        not_kept = error
    if form == "json":
        rooms.show_json(
            {**file.preflight_json(seen), "summary": summary_json(seen, took_s=looked.took_s, unseen=unseen)}
        )
    else:
        rooms.show(preflight_text(seen, took_s=looked.took_s, unseen=unseen, width=surveying.text_width()))
    if not_kept is not None:
        # What was found is shown all the same; but nothing that blocks will be known to a plan.
        raise not_kept
    if any(one.grade == Grade.BLOCKS for host in seen.hosts.values() for one in host.found):
        return Exit.REFUSED
    return 128 + signal.SIGINT if unseen else Exit.DONE


def sections_beside(known: Iterable[Section[object]]) -> tuple[Section[object], ...]:
    """`known`, and what preflight asks beside it: one sweep tells both."""
    from restart.survey import preflight

    return tuple({section.name: section for section in (*known, *preflight.SECTIONS)}.values())


def keep(store: str | None, fleet: str, looked: Looked) -> None:
    """Keep what was found beside the store; what is known of hosts that were not looked at this time stays."""
    from restart.survey import preflight
    from restart.survey.preflight import file

    path = surveying.newest_path(store, fleet, file.KIND)
    now = preflight.preflight_of(looked, fleet)
    before = file.last(path, time.time())
    file.save(path, now if before is None else before.looked_again(now))


def refuse(plan: Plan, store: str | None) -> None:
    """Raises `Refused` where the last look found what blocks a host of `plan`, and nobody overrides it.

    What is overridden is shown, and what nobody knows because it did not answer in its time.
    """
    from restart.survey.preflight import file

    last = file.last(surveying.newest_path(store, plan.fleet, file.KIND), time.time())
    if last is None:
        return
    let_go = {override.rule: override.reason for override in plan.overrides}
    hosts: dict[tuple[str, str], list[str]] = {}
    kept: dict[tuple[str, str], Found] = {}
    moving = tuple(dict.fromkeys(move.host for move in plan.moves()))
    for host, found in last.blocking(moving, taken_for_up=plan.mode == "rolling"):
        key = (f"preflight.{found.rule}", f"{found.evidence} (seen {last.hosts[host].at})")
        kept[key] = found
        hosts.setdefault(key, []).append(host)
    untold: dict[str, list[str]] = {}
    for host, found in last.untold(moving):
        untold.setdefault(found.evidence, []).append(host)
    for evidence, names in untold.items():
        click.echo(
            f"preflight does not know all of {listed(names)}: {evidence} (look again: restart preflight)", err=True
        )
    refusals = []
    for (rule, evidence), found in kept.items():
        what = f"{listed(hosts[rule, evidence])}: {evidence}"
        if rule in let_go:
            click.echo(f"{rule} is overridden ({let_go[rule]}): {what}", err=True)
        else:
            way_out = f"{found.mend}, then restart preflight; or --override {rule}"
            refusals.append(Refusal(rule=rule, what=f"{what}: {found.why}", way_out=way_out))
    if refusals:
        raise Refused(tuple(refusals))
