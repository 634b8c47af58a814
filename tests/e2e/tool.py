"""The tool as an operator has it: the `restart` command as a process of its own, with a store of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from tests.e2e.fleet import ROOT, WAIT_S

RUN_S = 240.0
"""How long a whole run may take on a slow and shared machine."""

Row = Mapping[str, Any]


def kind(row: Row) -> str:
    """What sort of journal row it is: the event's name, for answers with the answer's."""
    if row["event"] != "answered":
        return str(row["event"])
    return f"answered {_tag(row['input']['answer'])}"


def _tag(answer: Mapping[str, Any]) -> str:
    return str(answer.get("type") or next(value for value in answer.values() if isinstance(value, str)))


class Run:
    """One `restart run` or `restart resume` that goes on: its journal rows as they come, then its exit code.

    A context manager: whatever happens, no process is left.
    """

    def __init__(self, command: list[Any], environment: Mapping[str, str], errors: Path) -> None:
        # A file takes the error output: nobody reads it while rows are read, and a full pipe would stop the tool.
        self._errors = errors
        self.rows: list[Row] = []
        with errors.open("w", encoding="utf-8") as stream:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def follow(self) -> Iterator[Row]:
        """The rows from here on, as they come; ends with the process."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            row: Row = json.loads(line)
            self.rows.append(row)
            yield row

    def until(self, event: str, **fields: Any) -> Row:
        """Follow to the first row of this event whose fields are these."""
        for row in self.follow():
            if kind(row).startswith(event) and all(row.get(key) == value for key, value in fields.items()):
                return row
        raise AssertionError(f"the run ended without {event} {fields}: {self.account()}")

    def name(self) -> str:
        """The run's id."""
        return str(self.rows[0]["input"]["run"])

    def kill(self) -> None:
        """`kill -9`, by its id."""
        self.process.kill()
        self.process.wait(WAIT_S)

    def end(self) -> int:
        """Follow to the end; the exit code."""
        for _ in self.follow():
            pass
        return self.process.wait(WAIT_S)

    def errors(self) -> str:
        """What it said on standard error so far."""
        return self._errors.read_text(encoding="utf-8")

    def of(self, event: str, host: str | None = None) -> list[Row]:
        """The rows of this event so far; of one host only, where asked."""
        return [row for row in self.rows if row["event"] == event and host in (None, row.get("host"))]

    def account(self) -> str:
        """What happened, short, for the message of a failed assertion."""
        told = [
            " ".join(
                str(row[key]) for key in ("at_s", "event", "host", "service", "wave", "verdict", "why") if row.get(key)
            )
            for row in self.rows
            if "input" not in row
        ]
        return "\n".join([*told[-60:], self.errors()[-3000:]])


class Tool:
    """The command with one store; two of them are two laptops."""

    def __init__(self, folder: Path, *, inside: Callable[..., list[Any]] = lambda *command: list(command)) -> None:
        """`inside` makes of a command the one that runs it where the fleet is, for instance in its network namespace."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._inside = inside
        kept = {name: value for name, value in os.environ.items() if name not in ("SSH_AUTH_SOCK", "RESTART_STORE")}
        self._environment = {
            **kept,
            "HOME": str(folder),
            "RESTART_STORE": str(folder / "store.sqlite"),
            "RESTART_DEBUG": "1",
            # The package is taken from this tree, wherever the test is started.
            "PYTHONPATH": str(ROOT),
        }

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Carry out one command to its end."""
        return subprocess.run(
            self._command(*words),
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )

    def run(self, inventory: Path, *more: str, hosts: int, survey: bool = False) -> Run:
        """`restart run INVENTORY`, with all questions answered; `hosts` is the number that the plan restarts.

        Without `survey` nobody looks first: every host is assumed up, and the plan is rolling.
        """
        words = ["--reason", "end-to-end test", "--yes", "--yes-hosts", str(hosts), "--format", "jsonl"]
        words += [] if survey or inventory.suffix == ".json" else ["--no-survey"]
        return self._start("run", str(inventory), *words, *more)

    def resume(self, run: str) -> Run:
        """`restart resume RUN`."""
        return self._start("resume", run, "--format", "jsonl")

    def _start(self, *words: str) -> Run:
        number = len(list(self._folder.glob("errors-*.txt"))) + 1
        return Run(self._command(*words), self._environment, self._folder / f"errors-{number}.txt")

    def resume_is_refused(self, run: str) -> bool:
        """Is there nothing left of it to resume?"""
        return self.call("resume", run).returncode == 2

    def _command(self, *words: str) -> list[Any]:
        return self._inside(sys.executable, "-m", "restart", *words)
