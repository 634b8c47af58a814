"""systemd units: their states, their `InvocationID`s, and the restart that happens once only.

systemd gives each start of a unit a new `InvocationID` (systemd.exec(5)). A restart that names the id it means does
nothing when it is repeated: the id has changed by then. A unit that does not run has the empty id here.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence

from restart.model.answer import NoAnswer, Units
from restart.model.question import ShellReply
from restart.probes import script
from restart.probes.output import one_line

_ID = re.compile(r"[0-9a-f]{32}")

_READ = (
    "command -v systemctl >/dev/null 2>&1 || { echo no systemctl here >&2; exit 127; };"
    " ids() {"
    ' a=$(systemctl show -p ActiveState -- "$1") || return 1;'
    ' i=$(systemctl show -p InvocationID -- "$1") || return 1;'
    " a=${a#ActiveState=}; i=${i#InvocationID=};"
    ' case "$a" in active|reloading|activating|deactivating) :;; *) i=;; esac; };'
)
"""Defines `ids UNIT`, which sets `a` to its state and `i` to its invocation id, empty where the unit does not run."""


def states(units: Sequence[str]) -> str:
    """A command that prints one state for each unit; its exit status says nothing more."""
    return f"{script.SYSTEM_PATHS}; systemctl is-active -- {' '.join(shlex.quote(unit) for unit in units)}"


def system_state() -> str:
    """A command that prints the state of the whole system."""
    return f"{script.SYSTEM_PATHS}; systemctl is-system-running"


def read_text(units: Sequence[str]) -> str:
    """Print each unit's `InvocationID`."""
    return script.one_line(script.SYSTEM_PATHS + ";", _READ, *_print_all(units), "exit 0")


def restart_text(units: Sequence[str], invocations: Sequence[str], within_s: float) -> str:
    """Restart each unit whose id is still the one in `invocations`; end when all run anew or `within_s` is over.

    The time is checked each second by counting, so it is met to about a second for each unit asked.
    """
    restarts, waits = [], []
    for unit, invocation in zip(units, invocations, strict=True):
        name, was = shlex.quote(unit), shlex.quote(invocation)
        restarts.append(f'ids {name} && [ "$i" = {was} ] && {{ systemctl restart --no-block -- {name} || bad=1; }};')
        waits.append(f'{{ ids {name} && [ "$a" = active ] && [ -n "$i" ] && [ "$i" != {was} ]; }}')
    return script.one_line(
        script.SYSTEM_PATHS + "; bad=0;",
        _READ,
        *restarts,
        f'n=0; while [ $bad = 0 ] && [ "$n" -lt {max(1, math.ceil(within_s))} ]; do',
        f"{' && '.join(waits)} && break; sleep 1; n=$((n + 1)); done;",
        *_print_all(units),
        "exit 0",
    )


def parse(reply: ShellReply, units: Sequence[str]) -> Units | NoAnswer:
    """The id of every unit, or `NoAnswer` where one is missing."""
    found: dict[str, str] = {}
    prefix = f"restart-unit {script.VERSION} "
    if reply.exit_status == 0:
        for line in reply.stdout.split("\n"):
            if line.strip().startswith(prefix):
                fields = script.named(line.strip().removeprefix(prefix).split())
                if fields.get("id") == "" or _ID.fullmatch(fields.get("id", "?")):
                    found[fields.get("unit", "")] = fields["id"]
    if any(unit not in found for unit in units):
        said = one_line(reply.stderr, 80) or one_line(reply.stdout, 80) or "it said nothing"
        return NoAnswer(reason="command", detail=f"units: exit {reply.exit_status}, {said}")
    return Units(invocations={unit: found[unit] for unit in units})


def _print_all(units: Sequence[str]) -> list[str]:
    return [
        f'ids {shlex.quote(unit)} && echo "restart-unit {script.VERSION}" {shlex.quote("unit=" + script.encode(unit))} "id=$i";'
        for unit in units
    ]
