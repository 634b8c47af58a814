"""demo: a small fleet of real SSH servers on the loopback, restarted before your eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from restart.cli import rooms
from restart.cli.options import formats
from restart.cli.rooms import Shape
from restart.errors import UsageMistake

if TYPE_CHECKING:
    from restart.demo.fleet import DemoFleet


@click.command("demo", short_help="Restart a demo fleet of SSH servers on this machine.")
@click.option("--naive", is_flag=True, help="Restart the same fleet all at once, and see what breaks.")
@click.option("--keep", is_flag=True, help="Leave the fleet up, to try validate, plan and run by hand; Ctrl-C ends it.")
@formats("text", "jsonl")
def demo_command(naive: bool, keep: bool, form: str) -> int:
    """Restart a small chat site of real SSH servers, on this machine alone, in under a minute.

    Nothing outside a temporary folder and 127.0.0.1 is touched. Exit code 0 also where the naive way fails as announced.
    """
    if naive and keep:
        raise UsageMistake("--naive and --keep are two different demos", remedy="choose one")
    if form == "jsonl" and (naive or keep):
        raise UsageMistake("--format jsonl goes with the staged demo only", remedy="leave it out")
    from restart.demo import demo

    click.echo("Starting a fleet of SSH servers on 127.0.0.1 ...", err=True)
    with demo.start() as fleet:
        if naive:
            return _naive(fleet)
        return _keep(fleet) if keep else _staged(fleet, form)


def _naive(fleet: DemoFleet) -> int:
    from restart.demo import demo

    result = demo.naive(fleet, lambda line: click.echo(line))
    rooms.show("\n" + "\n".join(result.lines()) + "\n")
    click.echo("\nThe same fleet, restarted in waves: restart demo")
    return 0 if result.broke else 1


def _keep(fleet: DemoFleet) -> int:
    import shlex

    inventory, store = shlex.quote(str(fleet.inventory_path)), shlex.quote(str(fleet.folder / "store.db"))
    # The Ctrl-C that the text speaks of may come as soon as it can be read.
    try:
        rooms.show(
            f"A chat site of {len(fleet.hosts)} hosts is up. In another terminal:\n\n"
            f"  export RESTART_STORE={store}\n"
            f"  restart validate {inventory}\n"
            f"  restart graph {inventory}\n"
            f"  restart plan {inventory}\n"
            f"  restart run {inventory} --reason 'trying it' --yes\n"
            f"  restart report\n\n"
            f"How the site is: {fleet.board_url}/site\n\nCtrl-C here ends it and removes its files.\n"
        )
        fleet.wait()
    except KeyboardInterrupt:
        click.echo("\nThe fleet is gone.")
    return 0


def _staged(fleet: DemoFleet, form: str) -> int:
    from restart.cli import carry
    from restart.cli.running import check
    from restart.demo import demo
    from restart.reports.plan_text import plan_text

    shelf = rooms.gates()
    store = str(fleet.folder / "store.db")
    plan = rooms.make_plan(rooms.read_inventory(fleet.inventory_path, shelf), Shape(), store)
    check(plan, None)
    if form == "text":
        rooms.show(plan_text(plan) + "\n")
    code = carry.begin(
        plan, shelf, store, reason="restart demo", until_wave=None, options={"source": "the demo"}, form=form
    )
    if code != 0:
        click.echo("\nThe demo's fleet and its journal are gone now; restart demo starts anew.", err=True)
    if form == "text":
        counted = demo.boots(fleet)
        once = sum(number == 1 for number in counted.values())
        click.echo(f"\nThe hosts themselves counted: {once} of {len(counted)} rebooted exactly once.")
        click.echo(demo.toll(fleet))
        click.echo("The same fleet, restarted all at once: restart demo --naive")
    return code
