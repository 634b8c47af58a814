"""Whose power a run may cut: hosts with a rung on their ladder that switches power off without asking the system (Redfish: ForceOff)."""

from __future__ import annotations

from restart.model.plan import Plan
from restart.model.playbook import Rung
from restart.rules.ladders import playbook_of

CUTTING = frozenset({"off", "cycle"})
"""Resets that may send ForceOff: a cycle is off, proved off, on."""


def may_be_cut(plan: Plan) -> tuple[str, ...]:
    """The hosts in the plan's order, then spares. Of the whole plan, wherever its run is to stop at first: a resume goes on without asking."""
    found: dict[str, None] = {}
    for move in plan.moves():
        book = playbook_of(plan.inventory, move)
        if _cuts({"restart": book.restart, "start": book.start, "stop": book.stop}[move.act]):
            found[move.host] = None
    for spare in plan.spares:
        if _cuts(plan.inventory.playbooks[spare.playbook].restart):
            found[spare.host] = None
    return tuple(found)


def _cuts(ladder: tuple[Rung, ...]) -> bool:
    return any(rung.kind == "power" and rung.reset in CUTTING for rung in ladder)
