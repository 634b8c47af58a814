from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

from restart.cli.main import COMMANDS, cli

DESIGNED = "init validate graph survey preflight discover plan explain schema simulate run resume status attach report history pause go stop approve resolve demo"


def command(name: str) -> click.Command:
    with click.Context(cli) as context:
        found = cli.get_command(context, name)
    assert found is not None
    return found


def test_the_commands_are_those_of_the_design_and_no_stub_of_a_later_one() -> None:
    assert list(COMMANDS) == DESIGNED.split()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_what_each_option_is(name: str) -> None:
    found = command(name)
    assert found.help
    assert found.short_help
    assert len(found.short_help) <= 60
    for parameter in found.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"schema"}))
def test_every_command_that_prints_has_a_machine_format(name: str) -> None:
    choices = {
        choice
        for parameter in command(name).params
        if parameter.name == "form" and isinstance(parameter.type, click.Choice)
        for choice in parameter.type.choices
    }
    assert choices & {"json", "jsonl"}
    assert "text" in choices


@pytest.mark.parametrize("name", ["run", "resume", "resolve", "approve", "go", "init"])
def test_every_command_that_could_change_something_can_be_tried_dry(name: str) -> None:
    assert "--dry-run" in {name for parameter in command(name).params for name in parameter.opts}


def test_the_help_reads_as_agreed(restart: Callable[..., Any], golden: Callable[[str, str], None]) -> None:
    said = restart("--help")
    golden("help.txt", said.out)


def test_help_does_not_import_what_it_does_not_use() -> None:
    heavy = ("rich", "yaml", "fabric", "paramiko", "sqlite3", "restart.planner", "restart.engine")
    script = (
        "import sys\nfrom restart.cli.main import call\n"
        f"assert call(['--help']) == 0\nprint([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"


def test_a_wrong_option_is_a_mistake_of_usage(restart: Callable[..., Any]) -> None:
    for arguments in (("plan", "--nonsense"), ("nonsense",), ("explain",), ("run", "--yes-hosts", "many")):
        said = restart(*arguments)
        assert said.code == 2
        assert "Error:" in said.err


def test_no_command_at_all_shows_the_help(restart: Callable[..., Any]) -> None:
    said = restart()
    assert said.code == 2
    assert "Commands:" in said.err + said.out
