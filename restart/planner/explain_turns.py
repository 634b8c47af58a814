"""Why a host is not started, or not stopped, any earlier: whom its wave waits for (design: rules 4, 10 and 20)."""

from __future__ import annotations

from restart.model.plan import Move, Plan, Wave
from restart.planner.reasons import span
from restart.planner.refusals import some
from restart.rules.breaks import boot_edges
from restart.rules.named import order_rule, requires_rule
from restart.rules.path import path_hosts
from restart.rules.stops import running
from restart.rules.ways_out import way_out_in_plan


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
        lines.append(told("path", f"{some(early)} start first, in {_span(wave_of, early)}"))
    if not cold and move.host in path:
        lines.append(told("path", f"it goes last, after {len(wave_of)} others in {_span(wave_of, list(wave_of))}"))
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
                rule = (requires_rule if edge.kind == "requires" else order_rule)(service, edge.provider)
                what = f"{service} {verb} {edge.provider}, which starts in {_span(wave_of, before)} ({some(before)})"
                lines.append(told(rule, what))
    return lines


def _consumers(plan: Plan, move: Move, wave_of: dict[str, int]) -> list[str]:
    """Who must be off before."""
    lines = []
    for consumer, service in plan.inventory.services.items():
        before = [host for host in service.hosts if host in wave_of]
        providers = [edge.provider for edge in running(service) if edge.provider in move.services]
        if before and providers:
            what = f"goes off in {_span(wave_of, before)} ({some(before)})"
            lines += [
                told(order_rule(provider, consumer), f"{consumer} needs {provider}, and {what}")
                for provider in providers
            ]
    return lines


def told(rule: str, what: str) -> str:
    """`RULE: WHAT (WAY OUT)`."""
    return f"{rule}: {what} ({way_out_in_plan(rule)})"


def _span(wave_of: dict[str, int], hosts: list[str]) -> str:
    return span(min(wave_of[host] for host in hosts), max(wave_of[host] for host in hosts))
