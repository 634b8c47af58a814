"""The command that rehearses: simulate."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restart.cli import rehearsing, rooms
from restart.cli.options import REASON, formats, shaping
from restart.cli.rehearsing import Wanted
from restart.cli.rooms import Shape
from restart.errors import Exit, UsageMistake

if TYPE_CHECKING:
    from restart.model.inventory import Inventory
    from restart.model.rehearsal import Playing
    from restart.model.simulation import Result
    from restart.model.world import Gate
    from restart.reports.plot import Plot
    from restart.simulator.rehearsal import Rehearsal
    from restart.simulator.scenario import Bound, Scenario

RUNS_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How it is told: the output's form, a plot's file, how many processes work, and the command that plays it again."""

    form: str
    plot: str | None
    at_once: int
    replay: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the output is a terminal that knows block characters."""
        return rooms.is_drawable(sys.stdout)


@click.command("simulate", short_help="Rehearse a plan or scenario on a fleet that does not exist.")
@click.argument("target", required=False, metavar="[INVENTORY|PLAN|SCENARIO]")
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", help="What chance is drawn from. Default: 0, or the scenario's."
)
@click.option(
    "--runs",
    type=click.IntRange(1, RUNS_MAX),
    metavar="N",
    help="Play it N times: chance of success, durations, what takes the time.",
)
@click.option(
    "--naive", is_flag=True, help="Also restart all at once, for comparison; of a scenario: only its naive side."
)
@click.option(
    "--what-if",
    "what_if",
    multiple=True,
    metavar="TEXT",
    help='A fault, such as "db-2 never returns". May be repeated.',
)
@click.option("--n-1", "n_1", is_flag=True, help="Lose each single host in turn, when it can be spared least.")
@click.option(
    "--never-return",
    metavar="PERCENT",
    help="Restarts that end in silence. Default: 0%; with --runs policy.never_return.",
)
@click.option("--plot", metavar="FILE.svg", help="Also draw durations and availability into FILE.svg.")
@click.option(
    "--processes", type=click.IntRange(min=1), metavar="N", help="Processes that work at once. Default: one a core."
)
@click.option("--faults", is_flag=True, help="List what --what-if understands, and simulate nothing.")
@shaping
@REASON
@formats("text", "json")
def simulate_command(
    target: str | None,
    seed: int | None,
    runs: int | None,
    naive: bool,
    what_if: tuple[str, ...],
    n_1: bool,
    never_return: str | None,
    plot: str | None,
    processes: int | None,
    faults: bool,
    form: str,
    **shape: Any,
) -> int:
    """Rehearse a plan on a fleet that does not exist: the real planner and engine, a virtual clock, one seed. Touches no host.

    The target is an inventory, a saved plan (.json) or a scenario. Same seed, same output, byte for byte. Exit 10: something
    unsafe was done, or the run makes no progress; else the exit code is the simulated run's.
    """
    if faults:
        return _list_faults(form)
    if [runs is not None, n_1, naive].count(True) > 1:
        raise UsageMistake("--runs, --n-1 and --naive are three different rehearsals", remedy="take one of them")
    if plot is not None and Path(plot).suffix != ".svg":
        raise UsageMistake(f"a plot is named FILE.svg, not {plot}", remedy=f"--plot {plot}.svg")
    from restart.simulator.branches import cores

    path = rooms.inventory_path(target)
    wanted = Wanted(seed=seed, what_if=what_if, never_return=rehearsing.share_of(never_return))
    told = Told(form=form, plot=plot, at_once=processes or cores())
    shaped = Shape(**shape)
    if rehearsing.is_scenario(path):
        scenario, shelf = rehearsing.read_scenario(path, shaped, wanted)
        told = replace(told, replay=rehearsing.replay_text(str(path), shaped, wanted, 0.0))
        if runs is None and not n_1:
            return _scenario(scenario, shelf, told, only_naive=naive, wanted=wanted)
        rehearsal, sentences = rehearsing.of_scenario(scenario, shelf), rehearsing.in_words(wanted)
    else:
        shelf = rooms.gates()
        plan = rooms.plan_of(path, shaped, click.get_current_context().obj, shelf)
        chance = runs is not None
        rehearsal = rehearsing.of_plan(plan, shelf, wanted, chance=chance)
        sentences = (*rehearsing.in_words(wanted), *rehearsing.assumed(plan, wanted, chance=chance))
        share = rehearsing.never_return(plan, wanted, chance=chance)
        told = replace(told, replay=rehearsing.replay_text(str(path), shaped, wanted, share))
    if runs is not None:
        return _trials(rehearsal, runs, sentences, told)
    if n_1:
        return _losses(rehearsal, told)
    return _once(rehearsal, wanted, told, naive=naive)


def _once(rehearsal: Rehearsal, wanted: Wanted, told: Told, *, naive: bool) -> int:
    from restart.reports.simulation_json import playing_json
    from restart.reports.simulation_text import playing_text
    from restart.simulator.story import Story
    from restart.simulator.takes import what_took

    story, plan = Story(), rehearsal.plan
    result = rehearsal.play(story, keep_rows=told.form == "json")
    playing = replace(
        _playing(result, plan.inventory),
        planned_s=plan.estimate.makespan_s,
        assumed=rehearsing.assumed(plan, wanted),
        what_if=rehearsing.in_words(wanted),
        takes=what_took(plan, story, result.duration_s),
    )
    beside = _playing(_all_at_once(rehearsal), plan.inventory) if naive else None
    _draw(told, playing)
    if told.form == "json":
        click.echo(rooms.document_text(playing_json(playing, naive=beside)), nl=False)
    else:
        rooms.show(playing_text(playing, replay=told.replay, blocks=told.blocks, naive=beside))
    return _exit_code(playing)


def _all_at_once(rehearsal: Rehearsal) -> Result:
    """The same hosts restarted all at once, on the same fleet with the same faults."""
    from restart.simulator.naive import naive
    from restart.simulator.scenario import Naive, Scenario

    plan = rehearsal.plan
    hosts = tuple(move.host for move in plan.moves())
    scenario = Scenario(
        name=plan.fleet,
        file="",
        about="",
        inventory=plan.inventory,
        physics=rehearsal.physics,
        faults=tuple(rehearsal.faults),
        naive=Naive(act="reboot", hosts=hosts),
    )
    return naive(scenario, rehearsal.seed)


def _scenario(scenario: Scenario, shelf: Mapping[str, Gate], told: Told, *, only_naive: bool, wanted: Wanted) -> int:
    """Both sides of a scenario, each as it is expected and as it came out."""
    from restart.reports.simulation_json import scenario_json
    from restart.reports.simulation_text import scenario_text
    from restart.simulator.naive import in_words, naive
    from restart.simulator.referee import Referee
    from restart.simulator.staged import carried_out
    from restart.simulator.takes import what_took

    sides = []
    if scenario.naive is not None or only_naive:
        side = _side(naive(scenario), scenario, scenario.expected_naive, wanted)
        sides.append(side if scenario.naive is None else replace(side, how=in_words(scenario.naive)))
    if scenario.staged and not only_naive:
        found = carried_out(scenario, gates=shelf, referee=Referee)
        side = _side(found.result, scenario, scenario.expected_staged, wanted)
        if found.plan is not None:
            takes = what_took(found.plan, found.story, found.result.duration_s)
            side = replace(side, planned_s=found.plan.estimate.makespan_s, takes=takes)
        sides.append(side)
    if sides:
        _draw(told, sides[-1])
    if told.form == "json":
        rooms.show_json(scenario_json(scenario.name, scenario.about, sides))
    else:
        rooms.show(scenario_text(scenario.name, scenario.about, sides, replay=told.replay, blocks=told.blocks))
    if any(not side.is_sound or side.as_expected is False for side in sides):
        return Exit.SIMULATION
    # A side that could not be played has not passed; `run` would refuse what it needs.
    return Exit.REFUSED if any(side.result.not_yet for side in sides) else Exit.DONE


def _side(result: Result, scenario: Scenario, expected: Mapping[str, Bound], wanted: Wanted) -> Playing:
    from restart.simulator.expectations import expectations

    met = () if result.not_yet else expectations(result, expected)
    return replace(_playing(result, scenario.inventory), what_if=rehearsing.in_words(wanted), expectations=met)


def _trials(rehearsal: Rehearsal, runs: int, sentences: tuple[str, ...], told: Told) -> int:
    from restart.model.rehearsal import NO_PROGRESS
    from restart.reports.progress import ProgressLine
    from restart.reports.simulation_json import trials_json
    from restart.reports.trials_text import trials_text
    from restart.simulator.montecarlo import trials

    with ProgressLine("simulating", drawable=rooms.is_drawable(sys.stderr)) as line:
        many = trials(rehearsal, runs, assumed=sentences, at_once=told.at_once, progress=line.told)
    needed = _needed(rehearsal.plan.inventory)
    if told.plot is not None:
        from restart.reports.plot import Plot

        drawn = Plot(
            title=f"{many.name}: {runs} simulated runs",
            subtitle=f"{many.succeeded} of {runs} ended well; availability is of the run with seed {many.seed}",
            durations=[(trial.duration_s, trial.succeeded) for trial in many.trials],
            planned_s=many.planned_s,
            availability=many.availability,
            members=many.members,
            needed=needed,
            end_s=many.trials[0].duration_s,
        )
        _save_plot(told.plot, drawn)
    if told.form == "json":
        click.echo(rooms.document_text(trials_json(many)), nl=False)
    else:
        rooms.show(trials_text(many, needed, replay=told.replay, blocks=told.blocks))
    unsafe = any(trial.violations or trial.state == NO_PROGRESS for trial in many.trials)
    return Exit.SIMULATION if unsafe else Exit.DONE


def _losses(rehearsal: Rehearsal, told: Told) -> int:
    from restart.model.rehearsal import NO_PROGRESS
    from restart.reports.losses_text import losses_text
    from restart.reports.progress import ProgressLine
    from restart.reports.simulation_json import losses_json
    from restart.simulator.losses import losses_after
    from restart.simulator.story import Story

    story = Story()
    with ProgressLine("losing each host", drawable=rooms.is_drawable(sys.stderr)) as line:
        base = rehearsal.play(story)
        found = losses_after(rehearsal, base, story, at_once=told.at_once, progress=line.told)
    _draw(told, replace(_playing(base, rehearsal.plan.inventory), planned_s=rehearsal.plan.estimate.makespan_s))
    if told.form == "json":
        click.echo(rooms.document_text(losses_json(found)), nl=False)
    else:
        rooms.show(losses_text(found, rehearsal.plan, replay=told.replay))
    unsafe = bool(found.violations) or base.outcome is None
    unsafe = unsafe or any(loss.violations or loss.state == NO_PROGRESS for loss in found.losses)
    return Exit.SIMULATION if unsafe else Exit.DONE


def _playing(result: Result, inventory: Inventory) -> Playing:
    from restart.model.rehearsal import Playing

    return Playing(result=result, needed=_needed(inventory))


def _needed(inventory: Inventory) -> dict[str, int | None]:
    from restart.simulator.rehearsal import needed

    return {name: needed(service) for name, service in inventory.services.items()}


def _exit_code(playing: Playing) -> int:
    if not playing.is_sound or playing.result.outcome is None:
        return Exit.SIMULATION
    return playing.result.outcome.exit_code


def _draw(told: Told, playing: Playing) -> None:
    if told.plot is None:
        return
    from restart.reports.plot import Plot

    result = playing.result
    side = "all at once" if result.side == "naive" else "simulated"
    drawn = Plot(
        title=f"{result.name}: {side} with seed {result.seed}",
        subtitle=" ".join((f"{playing.state}.", *playing.what_if)),
        planned_s=playing.planned_s,
        availability=result.availability,
        members=result.members,
        needed=playing.needed,
        end_s=result.duration_s,
    )
    _save_plot(told.plot, drawn)


def _save_plot(file: str, drawn: Plot) -> None:
    from restart.reports.plot import plot_svg

    rooms.save(file, plot_svg(drawn))
    click.echo(f"Drawn: {file}", err=True)


def _list_faults(form: str) -> int:
    from restart.simulator.whatif import MODIFIERS, grammar

    said = list(grammar())
    if form == "json":
        rooms.show_json(
            {"version": 1, "faults": [{"says": says, "means": means} for says, means in said], "modifiers": MODIFIERS}
        )
        return Exit.DONE
    widest = max(len(says) for says, _ in said)
    lines = ["What --what-if understands", *(f"  {says:<{widest}}  {means}" for says, means in said), "", "Behind it"]
    lines += [f"  {told}" for told in MODIFIERS.values()]
    lines += ["", "HOSTS is a selection, as --limit takes it: db-2, app-[01-03], service:chat, label:rack=r1."]
    rooms.show("\n".join(lines) + "\n")
    return Exit.DONE
