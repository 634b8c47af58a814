"""Why a host is not started, or not stopped, any earlier: whom its wave waits for (design: rules 4, 10 and 20)."""

from __future__ import annotations

from restart.model.plan import Move, Plan, Wave
from restart.planner.reasons import span
from restart.planner.refusals import some
from restart.rules.breaks import boot_edges
from restart.rules.path import path_hosts
from restart.rules.stops import running


def not_earlier(plan: Plan, wave: Wave, move: Move) -> tuple[str, ...]:
    """Lines for people, of a wave of a cold start or a shutdown."""
    stage = [found for found in plan.waves if found.stage == wave.stage]
    if wave.number == stage[0].number:
        return ("no wave is before it" if stage[0].number == 1 else "no wave of its stage is before it",)
    wave_of = {found.host: other.number for other in stage if other.number < wave.number for found in other.moves}
    cold = (wave.mode or plan.mode) == "cold-start"
    lines = _providers(plan, move, wave_of, stage) if cold else _consumers(plan, move, wave_of)
    path = path_hosts(plan.inventory)
    early = [host for host in wave_of if host in path]
    if cold and early and move.host not in path:
        lines.append(f"path: {some(early)} start first, in {_span(wave_of, early)}")
    if not cold and move.host in path:
        lines.append(f"path: it goes last, after {len(wave_of)} others in {_span(wave_of, list(wave_of))}")
    return (
        "not earlier, because:",
        *(f"- {line}" for line in lines or ["the limits and the order of the file put it there"]),
    )


def _providers(plan: Plan, move: Move, wave_of: dict[str, int], stage: list[Wave]) -> list[str]:
    """The groups that a start waits for."""
    edges = boot_edges(plan.inventory, [found.host for wave in stage for found in wave.moves])
    lines = []
    for service in move.services:
        for edge in edges[service]:
            before = [host for host in plan.inventory.services[edge.provider].hosts if host in wave_of]
            if before:
                verb = "requires" if edge.kind == "requires" else "goes after"
                lines.append(
                    f"{service} {verb} {edge.provider}, which starts in {_span(wave_of, before)} ({some(before)})"
                )
    return lines


def _consumers(plan: Plan, move: Move, wave_of: dict[str, int]) -> list[str]:
    """Who must be off before."""
    lines = []
    for consumer, service in plan.inventory.services.items():
        before = [host for host in service.hosts if host in wave_of]
        providers = [edge.provider for edge in running(service) if edge.provider in move.services]
        if before and providers:
            lines.append(
                f"{consumer} needs {some(providers)}, and goes off in {_span(wave_of, before)} ({some(before)})"
            )
    return lines


def _span(wave_of: dict[str, int], hosts: list[str]) -> str:
    return span(min(wave_of[host] for host in hosts), max(wave_of[host] for host in hosts))
