"""Options that several commands share, each stated once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def formats(*names: str) -> Callable[[Command], Command]:
    """`--format`, the first of `names` being the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(names),
        default=names[0],
        show_default=True,
        help="How the output is written.",
    )


INVENTORY = click.argument("inventory", required=False, metavar="[INVENTORY]")

DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")

YES_HOSTS = click.option(
    "--yes-hosts", type=int, metavar="N", help="I mean these N hosts: instead of the question. Lifts no floor."
)

YES_PATH = click.option(
    "--yes-path", "yes_paths", multiple=True, metavar="HOST", help="I mean HOST, though it cuts the controller off."
)

LIMIT = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="SELECTION",
    help="Only these hosts: names, globs, [1-3] ranges, service:NAME, label:KEY=VALUE; ! before one excludes it.",
)

_SHAPES: tuple[Callable[[Any], Any], ...] = (
    LIMIT,
    click.option(
        "--mode",
        default="auto",
        show_default=True,
        metavar="MODE",
        help="rolling, recover, cold-start, shutdown or stop-start; auto chooses by what was seen, and without a look it is rolling.",
    ),
    click.option(
        "--within",
        metavar="TIME",
        help="In a shutdown: for how long there is power still; who will not make it is named.",
    ),
    click.option(
        "--barrier",
        type=click.Choice(["fleet", "service"]),
        help="What a wave waits for: the whole wave before it (fleet), or only what it rests on (service).",
    ),
    click.option(
        "--canaries", type=click.IntRange(min=0), metavar="N", help="How many hosts of each kind go first, alone."
    ),
    click.option("--include-controller", is_flag=True, help="Restart the host this runs on, too."),
    click.option(
        "--override",
        "overrides",
        multiple=True,
        metavar="RULE",
        help="Let one rule go, by the name that holds and refusals tell (limit.rack, budget.db, gate.db). Wants --reason.",
    ),
)


REASON = click.option("--reason", metavar="TEXT", help="Why a rule is overridden; plan, journal and report keep it.")


def shaping(command: Command) -> Command:
    """The options that shape a plan."""
    for option in reversed(_SHAPES):
        command = option(command)
    return command


_SEEING: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--observation", metavar="FILE", help="Plan on what restart survey --save FILE saw, at most 5 minutes ago."
    ),
    click.option("--since", metavar="TIME", help="When the event was, for the survey: 23:41, 45m, or RFC 3339."),
    click.option(
        "--only",
        type=click.Choice(["reboot-required"]),
        help="Of the selected hosts only those that want a reboot anyway, as a survey saw it: patch night.",
    ),
)


def seeing(command: Command) -> Command:
    """The options that bring what was seen of the hosts into a plan."""
    for option in reversed(_SEEING):
        command = option(command)
    return command
