"""What the tests of this room share: the gates on the shelf, and reading a text as if it stood in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from restart.errors import InventoryInvalid, Problem
from restart.gates.alertmanager import gate as alertmanager
from restart.gates.approve import gate as approve
from restart.gates.boot import gate as boot
from restart.gates.command import gate as command
from restart.gates.http import gate as http
from restart.gates.prometheus import gate as prometheus
from restart.gates.same_as_before import gate as same_as_before
from restart.gates.ssh import gate as ssh
from restart.gates.systemd import gate as systemd
from restart.gates.tcp import gate as tcp
from restart.inventory import read
from restart.model.inventory import Inventory
from restart.model.world import Gate

GATES: Mapping[str, Gate] = {
    gate.kind: gate
    for gate in (alertmanager, approve, boot, command, http, prometheus, same_as_before, ssh, systemd, tcp)
}
ROOT = Path(__file__).parents[2]
SMALL = """\
version: 1
fleet: small
hosts:
  db-[1-3]: {address: "10.0.0.[1-3]", labels: {rack: "r[1-3]"}}
  app-1: {address: 10.0.1.1}
services:
  db: {hosts: db-*}
  app: {hosts: app-1, depends_on: {db: {}}}
"""


def inventory_of(folder: Path, text: str, *, cycles_are_problems: bool = False) -> Inventory:
    """The inventory in `text`, as `folder`/fleet.yml."""
    file = folder / "fleet.yml"
    file.write_text(dedent(text), encoding="utf-8")
    return read([file], GATES, cycles_are_problems=cycles_are_problems)


def problems_of(folder: Path, text: str | bytes, *, cycles_are_problems: bool = False) -> tuple[Problem, ...]:
    """The problems in `text`, as `folder`/fleet.yml; none where it is valid."""
    file = folder / "fleet.yml"
    file.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
    try:
        read([file], GATES, cycles_are_problems=cycles_are_problems)
    except InventoryInvalid as invalid:
        return invalid.problems
    return ()


def told(folder: Path, text: str | bytes, *, cycles_are_problems: bool = False) -> list[str]:
    """The problems as an operator reads them, the folder left out."""
    found = problems_of(folder, text, cycles_are_problems=cycles_are_problems)
    return [str(problem).replace(f"{folder}/", "") for problem in found]


def small(**sections: str) -> str:
    """`SMALL` with whole sections replaced or added."""
    kept = SMALL
    for name, body in sections.items():
        lines = kept.split("\n")
        starts = [index for index, line in enumerate(lines) if line.startswith(f"{name}:")]
        if starts:
            end = next(
                (index for index in range(starts[0] + 1, len(lines)) if lines[index][:1] not in (" ", "")), len(lines)
            )
            lines[starts[0] : end] = [f"{name}:{body}"]
        else:
            lines.append(f"{name}:{body}")
        kept = "\n".join(lines)
    return kept
