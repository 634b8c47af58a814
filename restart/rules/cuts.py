"""Whose power a run may cut: hosts with a rung on their ladder that switches power off without asking the system (Redfish: ForceOff)."""

from __future__ import annotations

from restart.model.plan import Plan
from restart.rules.ladders import playbook_of

CUTTING = frozenset({"off", "cycle"})
"""Resets that may send ForceOff: a cycle is off, proved off, on."""


def may_be_cut(plan: Plan, *, until_wave: int | None = None) -> tuple[str, ...]:
    """The hosts in the plan's order, up to its wave `until_wave`."""
    found: dict[str, None] = {}
    for wave in plan.waves:
        if until_wave is not None and wave.number > until_wave:
            break
        for move in wave.moves:
            book = playbook_of(plan.inventory, move)
            ladder = {"restart": book.restart, "start": book.start, "stop": book.stop}[move.act]
            if any(rung.kind == "power" and rung.reset in CUTTING for rung in ladder):
                found[move.host] = None
    return tuple(found)
