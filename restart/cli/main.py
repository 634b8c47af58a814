"""The `restart` command: its commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from restart import __version__
from restart.errors import Exit, InventoryInvalid, Refused, RestartError

COMMANDS = {
    "init": "planning",
    "validate": "planning",
    "graph": "planning",
    "survey": "surveying",
    "preflight": "preflighting",
    "discover": "discovering",
    "plan": "planning",
    "explain": "planning",
    "schema": "planning",
    "simulate": "simulating",
    "run": "running",
    "resume": "running",
    "status": "watching",
    "attach": "watching",
    "report": "watching",
    "history": "watching",
    "pause": "speaking",
    "go": "speaking",
    "stop": "speaking",
    "approve": "speaking",
    "resolve": "speaking",
    "demo": "demo",
}
"""Each command and the file beside this one that holds it."""


class Commands(click.Group):
    """The commands in the order of an operator's day; each file is imported when its command is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"restart.cli.{COMMANDS[cmd_name]}"), f"{cmd_name}_command")
        return found if isinstance(found, click.Command) else None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="restart")
@click.option(
    "--store",
    metavar="FILE",
    envvar="RESTART_STORE",
    help="Where runs and their journals are kept. Default: the state folder of the user; root's is /var/lib/restart.",
)
@click.pass_context
def cli(context: click.Context, store: str | None) -> None:
    """Restart a fleet of servers in safe waves, with health gates.

    Start here: restart demo. For your own fleet: restart init, then validate, plan, run.
    """
    context.obj = store


def call(arguments: Sequence[str]) -> int:
    """Carry out one command line; its exit code. Everything that an operator can mend is told on standard error."""
    try:
        # Not `cli.main`: that one exits by itself, and with a code of its own where the reader of a pipe is gone.
        with cli.make_context("restart", list(arguments)) as context:
            outcome = cli.invoke(context)
        # Here, so that a pipe that is closed shows itself before the interpreter's end.
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else Exit.DONE
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (InventoryInvalid, Refused) as error:
        # Each of their lines says by itself where it comes from: `file:line:column: ...`, `plan refused: ...`.
        _tell(str(error))
        return error.exit_code
    except RestartError as error:
        _tell("\n".join(f"restart: {line}" for line in str(error).splitlines()))
        return error.exit_code
    except BrokenPipeError:
        # The reader (`head`, `less`) has what it wants. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except (KeyboardInterrupt, click.exceptions.Abort):
        _tell("restart: interrupted")
        return 128 + signal.SIGINT
    except Exception as error:  # noqa: BLE001 - the outer edge: what is left is a bug, and is told as one
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            _tell(f"restart: the output cannot be written: {error.strerror} (make room and try again)")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.USAGE
        _tell(_bug(error))
        return Exit.BUG


def main() -> NoReturn:
    """The entry point of the process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that knows only ASCII gets `\\xfc` for an umlaut, never a crash in the middle of a run.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(call(sys.argv[1:]))


def _tell(text: str) -> None:
    try:
        click.echo(text, err=True)
    except OSError:
        return


def _bug(error: Exception) -> str:
    """One line about a bug, and where its trace is; with RESTART_DEBUG=1 the trace itself."""
    import tempfile
    import traceback

    trace = "".join(traceback.format_exception(error))
    what = f"restart: this is a bug in restart {__version__}: {type(error).__name__}: {' '.join(str(error).split())}"
    if os.environ.get("RESTART_DEBUG") == "1":
        return f"{trace}{what}"
    try:
        handle, path = tempfile.mkstemp(prefix="restart-bug-", suffix=".txt")
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"restart {__version__}, Python {sys.version}\narguments: {sys.argv[1:]}\n\n{trace}")
    except OSError:
        return f"{what} (run it again with RESTART_DEBUG=1 and report what it prints)"
    return f"{what} (please report it with the file {path})"
