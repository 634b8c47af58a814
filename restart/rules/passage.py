"""How long a move may take at the very most if every deadline of its playbook is used up: what must end inside a maintenance window.

The *whole ladder* of a move is, in seconds:

* the drain: the `timeout` of each of its steps;
* for each rung, top to bottom: its own deadline (`ready_within` of a service restart, `back_within` or the longer `down_within` of the others,
  `down_within` of a power-off), and then the checks: the longest `within` of them, with its `timeout` and `healthy_for`;
* the undrain: the `timeout` of each step that has an `undo`.

Left out, because nothing bounds them: a person's time for an approval, waiting for a slot of a later rung, and repeats of what was lost on its way. So
a move is judged again right before its first act; after that it is finished whatever the clock says.
"""

from __future__ import annotations

from collections.abc import Iterable

from restart.model.inventory import Inventory
from restart.model.plan import Move
from restart.model.playbook import Playbook, Rung
from restart.rules.ladders import playbook_of
from restart.rules.moves import held_checks


def whole_ladder_s(inventory: Inventory, move: Move) -> float:
    """From the first step of its drain to the last of its undrain."""
    playbook = inventory.playbooks[move.playbook]
    return sum(step.timeout_s for step in playbook.drain if step.approve is None) + from_first_act_s(inventory, move)


def from_first_act_s(inventory: Inventory, move: Move) -> float:
    """The same of a move that has been drained."""
    playbook = playbook_of(inventory, move)
    checks_s = _checks_s(inventory, move.services)
    climbing_s = sum(_rung_s(rung) + checks_s for rung in _ladder(playbook, move.act))
    return climbing_s + sum(step.timeout_s for step in playbook.drain if step.undo is not None)


def _ladder(playbook: Playbook, act: str) -> tuple[Rung, ...]:
    return {"start": playbook.start, "stop": playbook.stop}.get(act, playbook.restart)


def _rung_s(rung: Rung) -> float:
    if rung.kind == "service_restart":
        return rung.ready_within_s
    if rung.kind == "poweroff":
        return rung.down_within_s
    return max(rung.back_within_s, rung.down_within_s)


def _checks_s(inventory: Inventory, services: Iterable[str]) -> float:
    checks = held_checks(inventory, tuple(services))
    return max(check.within_s + check.timeout_s + check.healthy_for_s for check in checks)
