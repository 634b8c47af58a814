"""What holds a start inside its wave, beside limits: canaries, slow start, gates, settling, the maintenance window; each with its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from restart.model.plan import Move, Plan, Wave
from restart.planner.explain_turns import told
from restart.planner.graph import Order
from restart.planner.guards import Guards
from restart.planner.refusals import some
from restart.rules.durations import spoken
from restart.rules.moves import gate_s
from restart.rules.named import canary_rule, gate_rule, pace_rule, settle_rule
from restart.rules.pace import canaries_of, canary_for_s, pace_of, step, stratum
from restart.rules.passage import whole_ladder_s
from restart.rules.waived import Waived


def holds(plan: Plan, wave: Wave, move: Move) -> Iterator[str]:
    """One line for each rule that the start of `move` has to wait for, though its wave may have begun."""
    waived = Waived(override.rule for override in plan.overrides)
    mode = wave.mode or plan.mode
    stage = [found for found in plan.waves if found.stage == wave.stage]
    lines = [*_pace(plan, mode, stage, move)]
    if mode not in ("cold-start", "shutdown"):
        lines += [*_gates(plan, move, waived), *_settling(plan, stage, wave, move)]
    if plan.inventory.policy.is_timed:
        need = spoken(whole_ladder_s(plan.inventory, move))
        lines.append(
            (
                "window",
                f"its whole ladder may take {need}, and must end inside the maintenance window that is open then",
            )
        )
    return (told(rule, what) for rule, what in lines if rule not in waived)


def _pace(plan: Plan, mode: str, stage: list[Wave], move: Move) -> Iterator[tuple[str, str]]:
    inventory = plan.inventory
    for service, name in zip(move.services, stratum(inventory.hosts[move.host], move.services), strict=True):
        alike = [
            other
            for found in stage
            for other in found.moves
            if service in other.services and name in stratum(inventory.hosts[other.host], other.services)
        ]
        canaries, kind = canaries_of(inventory, service, mode), name.rstrip("/")
        leading = [other.host for other in alike if other.canary]
        if len(alike) < 2:
            continue
        if canaries and leading and not move.canary:
            for_s = canary_for_s(inventory, service)
            held = f" for {spoken(for_s)}" if for_s else ""
            one = len(leading) == 1
            what = f"{some(leading)} {'goes' if one else 'go'} first of {len(alike)}, the others when {'its' if one else 'their'} checks and gates have held{held}"
            yield canary_rule(name), what
        if pace_of(inventory, service, mode) == "slow":
            first = step(0, canaries)
            steps = ", ".join(str(first * 2**power) for power in range(3))
            yield (
                pace_rule(name),
                f"of {len(alike)} of {kind} {steps}, ... may be under way, as those before are good and gates open; half as many after trouble",
            )


def _gates(plan: Plan, move: Move, waived: Waived) -> Iterator[tuple[str, str]]:
    inventory = plan.inventory
    for name in Guards(inventory, Order(inventory, waived=waived), waived).gates(move.services):
        service = inventory.services[name]
        if all(check.kind == "approve" for check in service.gate):
            continue  # a person is asked at the wave's end, and not before each start
        fresh_s = inventory.policy.gate_fresh_s if service.gate_fresh_s is None else service.gate_fresh_s
        held = f" for {spoken(gate_s(service))}" if gate_s(service) else ""
        what = f"its gate must have passed{held} since the last move near it ended, and not longer ago than {spoken(fresh_s)}"
        yield gate_rule(name), what


def _settling(plan: Plan, stage: list[Wave], wave: Wave, move: Move) -> Iterator[tuple[str, str]]:
    """The services that are left in peace before the wave begins: those of the one before, or those that the move rests on."""
    inventory = plan.inventory
    before = [found for found in stage if found.number < wave.number]
    if inventory.policy.barrier == "fleet":
        resting: Iterable[str] = (name for found in before[-1:] for other in found.moves for name in other.services)
    else:
        own = list(move.services)
        own += [edge.provider for name in move.services for edge in inventory.services[name].depends_on]
        moved = {name for found in before for other in found.moves for name in other.services}
        resting = (name for name in own if name in moved)
    for name in dict.fromkeys(resting):
        settle_s = inventory.services[name].settle_s
        if settle_s:
            yield (
                settle_rule(name),
                f"{name} is left in peace for {spoken(settle_s)} after its moves in waves before this one",
            )
