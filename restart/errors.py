"""The tree of errors that an operator can meet, each with its exit code (design: section 6).

Three kinds of trouble exist and only one lives here. What the world does (a host does not answer) is data, see
`restart.model.answer.NoAnswer`. What a programmer did wrong crashes, through `must`. What an operator can mend is
a `RestartError`: a message, a remedy and an exit code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command. Where several apply, the first of 1, 7, 8, 5, 9, 6, 0 wins."""

    DONE = 0
    BUG = 1
    USAGE = 2
    INVALID = 3
    REFUSED = 4
    HALTED = 5
    STOPPED = 6
    HELD = 7
    DRIFT = 8
    NOT_REBOOTED = 9
    SIMULATION = 10


class RestartError(Exception):
    """Something an operator can mend. `str()` of it is the message with the way out in brackets."""

    exit_code: Exit = Exit.USAGE

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class UsageMistake(RestartError):
    """The command line asks for something that cannot be meant. Exit 2."""

    exit_code = Exit.USAGE


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing wrong with an inventory or playbook, and where. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    what: str
    way_out: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: {self.what}"
        return f"{place} ({self.way_out})" if self.way_out else place


class InventoryInvalid(RestartError):
    """Every problem found in the inventory and playbooks, at once. Exit 3."""

    exit_code = Exit.INVALID

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A reason not to plan or run it: the rule's name (as `--override` takes it), what with numbers, the way out."""

    rule: str
    what: str
    way_out: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.way_out})" if self.way_out else self.what


class Refused(RestartError):
    """The plan, or the run of it, is unsafe: every refusal at once. Exit 4."""

    exit_code = Exit.REFUSED

    def __init__(self, refusals: tuple[Refusal, ...], *, subject: str = "plan") -> None:
        super().__init__("\n".join(f"{subject} refused: {refusal}" for refusal in refusals))
        self.refusals = refusals


class Held(RestartError):
    """A journal, lock or claim is held by another, lost, or does not match. Exit 7."""

    exit_code = Exit.HELD


class Drift(RestartError):
    """The world or the inventory no longer matches the plan. Exit 8."""

    exit_code = Exit.DRIFT


class Bug(Exception):
    """An invariant of this program does not hold. Exit 1; never caught below the command line."""


def must(condition: object, what: str) -> None:
    """Crash with `Bug(what)` unless `condition` holds; unlike `assert` it survives `python -O`."""
    if not condition:
        raise Bug(what)
