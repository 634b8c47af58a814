"""Commands that touch no host: init, validate, graph, plan, explain, schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restart.cli import discovering, flagging, preflighting, rooms
from restart.cli.options import INVENTORY, REASON, formats, seeing, shaping
from restart.cli.rooms import Shape
from restart.cli.surveying import Seeing, look_for
from restart.errors import UsageMistake

if TYPE_CHECKING:
    from restart.model.plan import Plan
    from restart.model.world import Gate


@click.command("init", short_help="Write a commented starter inventory and playbook.")
@click.argument("folder", default=".", metavar="[FOLDER]")
@click.option("--dry-run", is_flag=True, help="Say which files would be written, and write none.")
@formats("text", "json")
def init_command(folder: str, dry_run: bool, form: str) -> None:
    """Write a commented starter inventory and playbook."""
    from restart.inventory import starter_inventory, starter_playbook

    files = {
        Path(folder) / "inventory.yml": starter_inventory(),
        Path(folder) / "playbooks" / "reboot.yml": starter_playbook(),
    }
    there = [str(path) for path in files if path.exists()]
    if there:
        raise UsageMistake(f"{' and '.join(there)} exists already: nothing was written", remedy="name another folder")
    if not dry_run:
        for path, text in files.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageMistake(f"{path.parent} cannot be made: {error.strerror}") from error
            rooms.save(str(path), text)
    if form == "json":
        rooms.show_json({"version": 1, "written": not dry_run, "files": [str(path) for path in files]})
        return
    verb = "Would write" if dry_run else "Wrote"
    lines = [f"{verb} {path}" for path in files]
    if not dry_run:
        lines += ["", "Put your hosts and services in, then:"]
        lines += [f"  restart {word} {next(iter(files))}" for word in ("validate", "graph", "plan")]
    rooms.show("\n".join(lines) + "\n")


@click.command("validate", short_help="Check an inventory; print every problem with its place.")
@INVENTORY
@formats("text", "json")
def validate_command(inventory: str | None, form: str) -> int:
    """Check an inventory and its playbooks; print every problem, each with its place and way out.

    INVENTORY is a file or a folder; default: inventory.yml here.
    """
    from restart.errors import InventoryInvalid

    path = rooms.inventory_path(inventory)
    try:
        found = rooms.read_inventory(path, rooms.gates(), cycles_are_problems=True)
    except InventoryInvalid as error:
        if form == "text":
            raise
        problems = [
            {"file": p.file, "line": p.line, "column": p.column, "what": p.what, "way_out": p.way_out}
            for p in error.problems
        ]
        rooms.show_json({"version": 1, "valid": False, "problems": problems})
        return error.exit_code
    if form == "json":
        rooms.show_json(
            {"version": 1, "valid": True, "problems": [], "fleet": found.fleet, "hosts": len(found.hosts),
             "services": len(found.services), "inventory_digest": rooms.digest_of(found)}
        )  # fmt: skip
    else:
        rooms.show(f"{path} is valid: {found.fleet}, {len(found.hosts)} hosts, {len(found.services)} services.\n")
    return 0


@click.command("graph", short_help="Draw the services and what they depend on.")
@INVENTORY
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of the terminal.")
@formats("text", "mermaid", "dot", "svg", "json")
def graph_command(inventory: str | None, output: str | None, form: str) -> None:
    """Draw the services and what they depend on."""
    from restart.reports import graph

    found = rooms.read_inventory(rooms.inventory_path(inventory), rooms.gates())
    if form == "json":
        text = rooms.document_text(graph.graph_json(found))
    else:
        draw = {
            "text": graph.graph_text,
            "mermaid": graph.graph_mermaid,
            "dot": graph.graph_dot,
            "svg": graph.graph_svg,
        }
        text = draw[form](found)
    if output:
        rooms.save(output, text)
    elif form == "text":
        rooms.show(text)
    else:
        click.echo(text, nl=False)


@click.command("plan", short_help="Plan a restart in waves and print it. Touches no host.")
@INVENTORY
@shaping
@REASON
@click.option("--survey", "surveying", is_flag=True, help="Look at every host first, and plan on what is seen.")
@seeing
@click.option(
    "--from",
    "from_run",
    metavar="RUN",
    help="Plan the rest of RUN: what it did not come to. Its own inventory is used.",
)
@click.option("--compare-barriers", is_flag=True, help="Print how long each kind of barrier would take, and no plan.")
@click.option(
    "-o", "--output", metavar="FILE.json", help="Also save the plan, for review and for: restart run FILE.json"
)
@formats("text", "json", "markdown")
def plan_command(
    inventory: str | None,
    surveying: bool,
    observation: str | None,
    since: str | None,
    only: str | None,
    from_run: str | None,
    compare_barriers: bool,
    output: str | None,
    form: str,
    **shape: Any,
) -> None:
    """Plan a restart in waves and print it. Touches no host, and without --survey no network.

    INVENTORY is a file or a folder, or a saved plan to print again. markdown: a runbook with the manual commands.
    """
    shaped = Shape(**shape)
    store = click.get_current_context().obj
    wanted = Seeing(survey=surveying, observation=observation, since=since, only=only)
    if from_run is not None:
        plan, shelf = _rest(from_run, inventory, wanted, shaped, form)
    else:
        path = rooms.inventory_path(inventory)
        if compare_barriers:
            _compare(path, shaped, form)
            return
        shelf = rooms.gates() if form == "text" or not rooms.is_plan(path) else {}
        wanted.check(is_plan=rooms.is_plan(path))
        plan = rooms.plan_of(path, shaped, store, shelf, look_for(wanted, shelf, store, quiet=form != "text"))
    if not (inventory and rooms.is_plan(Path(inventory))):
        preflighting.refuse(plan, store)
        discovering.warn(plan.inventory, store)
    if output:
        if Path(output).suffix != ".json":
            raise UsageMistake(f"a saved plan is named FILE.json, not {output}", remedy=f"-o {output}.json")
        rooms.save(output, _plan_json(plan))
    if form == "json":
        click.echo(_plan_json(plan), nl=False)
    elif form == "markdown":
        from restart.reports.runbook import plan_markdown

        click.echo(plan_markdown(plan), nl=False)
    else:
        from restart.reports.plan_text import WIDTH, plan_text

        rooms.show(plan_text(plan, verdict=_verdict(plan, shelf, WIDTH)))
        stopped = flagging.lines(flagging.standing(click.get_current_context().obj, plan.fleet))
        if stopped:
            rooms.show("\n" + stopped)
        if output:
            click.echo(f"\nSaved. To carry out exactly this: restart run {output} --reason '...'")


@click.command("explain", short_help="Tell why a host is in its wave and in none before.")
@click.argument("plan", metavar="PLAN|INVENTORY")
@click.argument("host")
@shaping
@REASON
@formats("text", "json")
def explain_command(plan: str, host: str, form: str, **shape: Any) -> None:
    """Tell why HOST is in its wave, and which rule kept it out of the one before."""
    from restart.planner import explain

    made = rooms.plan_of(rooms.inventory_path(plan), Shape(**shape), click.get_current_context().obj)
    if host not in made.inventory.hosts:
        from difflib import get_close_matches

        near = get_close_matches(host, made.inventory.hosts, n=1)
        hint = f"did you mean {near[0]}?" if near else "restart graph lists the hosts"
        raise UsageMistake(f"{made.fleet} has no host {host!r}", remedy=hint)
    lines = explain(made, host)
    if form == "json":
        rooms.show_json({"version": 1, "host": host, "why": list(lines)})
    else:
        rooms.show("\n".join(lines) + "\n")


@click.command("schema", short_help="Print the JSON Schema of inventories, for editors.")
@click.option("--scenario", is_flag=True, help="That of the simulator's scenarios instead.")
def schema_command(scenario: bool) -> None:
    """Print the JSON Schema of inventories and playbooks, or of scenarios, for editors."""
    if scenario:
        from restart.simulator.scenario_schema import scenario_schema

        rooms.show_json(scenario_schema(rooms.gates()))
        return
    from restart.inventory import schema

    rooms.show_json(schema(rooms.gates(), rooms.powers()))


def _rest(run: str, inventory: str | None, wanted: Seeing, shape: Shape, form: str) -> tuple[Plan, Mapping[str, Gate]]:
    """The plan for what `run` left, and the gates."""
    from restart.cli import remaining

    store, shelf = click.get_current_context().obj, rooms.gates()
    wanted.check(is_plan=False)
    rest = remaining.rest_of(store, run)
    known = rest.plan.inventory if inventory is None else rooms.read_inventory(rooms.inventory_path(inventory), shelf)
    _, seen = look_for(wanted, shelf, store, quiet=form != "text")(known, Shape())
    return remaining.plan_rest(rest, shape, store, known, seen), shelf


def _plan_json(plan: Any) -> str:
    from restart.planner import plan_json

    return rooms.document_text(plan_json(plan))


def _verdict(plan: Plan, shelf: Mapping[str, Gate], width: int) -> list[str]:
    """Whether the plan survives the loss of any one host, in lines; none where finding out would take long."""
    from restart.cli.rehearsing import loss_verdict

    losses = loss_verdict(plan, shelf)
    if losses is None:
        return []
    from restart.reports.losses_text import verdict_lines

    return verdict_lines(losses, width=width - 2)


def _compare(path: Path, shape: Shape, form: str) -> None:
    from dataclasses import replace

    from restart.rules.durations import spoken

    if rooms.is_plan(path) or shape.barrier:
        raise UsageMistake("--compare-barriers makes both plans from an inventory", remedy="leave --barrier out")
    inventory = rooms.read_inventory(path, rooms.gates())
    store = click.get_current_context().obj
    plans = {name: rooms.make_plan(inventory, replace(shape, barrier=name), store) for name in ("fleet", "service")}
    if form == "json":
        rooms.show_json(
            {"version": 1, "makespan_s": {name: plan.estimate.makespan_s for name, plan in plans.items()},
             "waves": {name: len(plan.waves) for name, plan in plans.items()}}
        )  # fmt: skip
        return
    for name, what in (
        ("fleet", "a wave waits for the whole wave before it"),
        ("service", "a move waits for what it rests on"),
    ):
        made = plans[name]
        click.echo(f"barrier {name:<8} {spoken(made.estimate.makespan_s):>8}  {len(made.waves)} waves   {what}")
    lengths = {name: plan.estimate.makespan_s for name, plan in plans.items()}
    if lengths["service"]:
        click.echo(f"fleet takes {lengths['fleet'] / lengths['service']:.2f} times as long as service")
