"""Passwords of power controls: from the environment, a file that nobody else may read, or a command. Never from an inventory.

A password leaves this room in two ways only: as what a library sends to the BMC, and on the standard input of a command. It is never in
an argument or in the environment of a process that the tool starts, and never in an answer.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restart.model.answer import NoAnswer
from restart.model.inventory import Host
from restart.model.question import Shell
from restart.probes.output import STRUCK
from restart.rules.fill import fill
from restart.transports import local
from restart.transports.power import declared

FILE_BYTES_MAX = 4096
COMMAND_S = 30.0
"""How long `password_command` may take."""

SCHEMA: Mapping[str, Any] = {
    "password_env": {
        "type": "string",
        "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
        "x-expects": "the name of an environment variable",
        "description": "Environment variable of the controller that holds the password.",
    },
    "password_file": {
        "type": "string",
        "minLength": 1,
        "description": "File of the controller whose first line is the password; only its owner may read it (mode 600).",
    },
    "password_command": {
        "type": "string",
        "minLength": 1,
        "description": "Command of the controller that prints the password on its first line, such as `pass bmc/{host}`.",
    },
}
"""The keys by which a method with a password is told where it is."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A password. It shows itself in no message and no trace; `value` is for what sends it."""

    value: str = field(repr=False)

    def struck_from(self, text: str) -> str:
        """`text` without the password, should a BMC or a library repeat it."""
        return text.replace(self.value, STRUCK) if self.value else text


def one_source(method: str, params: Mapping[str, Any]) -> None:
    """Raises `ValueError` unless exactly one of the keys says where the password is."""
    named = [key for key in SCHEMA if key in params]
    if len(named) != 1:
        what = f"{' and '.join(named)} at once" if named else "no password"
        raise ValueError(f"{method}: {what}; write one of {', '.join(SCHEMA)}")


_TAKEN: dict[str, Secret] = {}
"""Passwords that were in the environment of this process until they were taken over."""


def take_over(names: Iterable[str]) -> None:
    """Take the environment variables `names` out of this process's environment: no command that it starts inherits them."""
    for name in names:
        found = os.environ.pop(name, None)
        if found:
            _TAKEN[name] = Secret(found)


def password(host: Host, within_s: float) -> Secret | NoAnswer:
    """The password of the host's power control; `NoAnswer` (`auth`) with the way out where there is none."""
    params = declared(host)
    if "password_env" in params:
        take_over([params["password_env"]])
        missing = _none(f"the environment variable {params['password_env']} is not set")
        return _TAKEN.get(params["password_env"], missing)
    if "password_file" in params:
        return _from_file(Path(params["password_file"]).expanduser())
    try:
        command = fill(params["password_command"], host, None)
    except ValueError as error:
        return _none(f"password_command: {error}")
    return _from_command(command, min(within_s, COMMAND_S))


def _from_file(path: Path) -> Secret | NoAnswer:
    # Opened first and judged by what is open: what a name stands for may change between two looks.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        return _none(f"password_file {path}: {error.strerror}")
    try:
        held = os.fstat(descriptor)
        if not stat.S_ISREG(held.st_mode):
            return _none(f"password_file {path} is not a file")
        if held.st_mode & 0o077:
            return _none(
                f"password_file {path} may be read by others (mode {held.st_mode & 0o777:o}): chmod 600 {path}"
            )
        if held.st_uid not in (os.geteuid(), 0):
            return _none(f"password_file {path} belongs to another user (uid {held.st_uid})")
        return _first_line(os.read(descriptor, FILE_BYTES_MAX), f"password_file {path}")
    finally:
        os.close(descriptor)


def _from_command(command: str, within_s: float) -> Secret | NoAnswer:
    reply = local.run(Shell(host=None, command=command, timeout_s=within_s))
    if isinstance(reply, NoAnswer):
        return _none(f"password_command: {reply.detail}")
    if reply.exit_status != 0:
        # What it printed is not told: it may be half of a secret.
        return _none(f"password_command ended with {reply.exit_status}")
    return _first_line(reply.stdout.encode(), "password_command")


def _first_line(data: bytes, where: str) -> Secret | NoAnswer:
    lines = data.decode(errors="replace").splitlines()
    return Secret(lines[0]) if lines and lines[0] else _none(f"{where} gives no password in its first line")


def _none(detail: str) -> NoAnswer:
    return NoAnswer(reason="auth", detail=detail)
