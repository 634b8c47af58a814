"""The second pass of a cold start: a stage by rolling rules that takes the declared stand-ins out again (design: rule 18)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from restart.model.plan import Plan, Wave
from restart.planner.document import sealed
from restart.rules.breaks import broken

MakeRolling = Callable[[tuple[str, ...]], Plan]
"""The rolling plan of these hosts."""


def with_second_pass(plan: Plan, rolling: MakeRolling) -> Plan:
    """`plan`, a cold start, with a stage behind it that restarts every consumer which it starts by a stand-in. Raises `Refused`."""
    inventory = plan.inventory
    moving = [move.host for move in plan.moves()]
    used = broken(inventory, moving)
    consumers = {consumer for consumer, _ in used}
    hosts = {host for name in consumers for host in inventory.services[name].hosts}
    wanted = tuple(host for host in inventory.hosts if host in hosts and host in set(moving))
    if not wanted:
        return plan
    second = rolling(wanted)
    later_s = plan.estimate.makespan_s
    waves = tuple(_behind(wave, len(plan.waves), later_s, used) for wave in second.waves)
    estimate = replace(
        plan.estimate,
        makespan_s=later_s + second.estimate.makespan_s,
        lower_bound_s=plan.estimate.lower_bound_s + second.estimate.lower_bound_s,
        critical_path=(*plan.estimate.critical_path, *second.estimate.critical_path),
    )
    return sealed(replace(plan, waves=(*plan.waves, *waves), estimate=estimate))


def _behind(wave: Wave, waves: int, later_s: float, used: frozenset[tuple[str, str]]) -> Wave:
    """One wave of the second pass, at its place behind the `waves` of the first."""
    moves = tuple(
        replace(
            move,
            start_s=round(move.start_s + later_s, 3),
            finish_s=round(move.finish_s + later_s, 3),
            why=(
                *(
                    f"second pass: takes the stand-in for {provider} out and restarts {consumer} without it"
                    for consumer, provider in sorted(used)
                    if consumer in move.services
                ),
                # Waves of the second pass are counted in the document, not among themselves.
                *(line for line in move.why if "wave" not in line),
            ),
        )
        for move in wave.moves
    )
    about = ", ".join(f"{consumer} without its stand-in for {provider}" for consumer, provider in sorted(used))
    return replace(
        wave, number=wave.number + waves, moves=moves, stage=2, mode="rolling", why=f"second pass, by rolling rules: {about}"
    )  # fmt: skip
