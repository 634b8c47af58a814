"""The document in which planning ends in every mode: its waves, move by move, and what goes around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from restart.model.observation import Observation
from restart.model.plan import Duration, Estimate, Impact, Move, Override, Plan, StandBy, Tightest, Wave
from restart.planner.books import playbook_name, playbook_names
from restart.planner.bound import Bound, critical_path
from restart.planner.scope import Scope
from restart.planner.timeline import Pieces, Timeline
from restart.rules.groups import gate_guards_with, opens_with


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for, as the plan keeps it."""

    selection: tuple[str, ...] | None
    observation: Observation | None
    overrides: Sequence[Override]
    include_controller: bool
    made_at: str


def written_waves(
    pieces: Pieces,
    timeline: Timeline,
    *,
    why_move: Callable[[str, int], tuple[str, ...]],
    why_wave: Callable[[int, Sequence[str]], str],
    act: str = "restart",
    undrains: Callable[[str], bool] = lambda host: False,
) -> tuple[Wave, ...]:
    """The waves, each one's moves by their predicted start. `undrains`: an earlier stage may have drained the host."""
    inventory, services_of = pieces.scope.inventory, pieces.scope.services_of
    books, hosts_of = playbook_names(inventory), inventory.hosts
    book_of: dict[tuple[str | None, tuple[str, ...]], str] = {}
    found = []
    started: set[str] = set()
    for number, hosts in enumerate(pieces.waves, 1):
        moves = []
        for host in sorted(hosts, key=timeline.start_ms.__getitem__):
            services = services_of[host]
            likeness = (hosts_of[host].playbook, services)
            if likeness not in book_of:
                book_of[likeness] = playbook_name(inventory, books, host, services)
            moves.append(
                Move(
                    host=host,
                    services=services,
                    playbook=book_of[likeness],
                    canary=host in timeline.canaries,
                    act=act,
                    undrain=undrains(host),
                    start_s=timeline.start_ms[host] / 1000,
                    finish_s=timeline.finish_ms[host] / 1000,
                    why=why_move(host, number),
                )
            )
        touched = {service: None for host in hosts for service in services_of[host]}
        started.update(hosts)
        gates = tuple(name for name in pieces.guards.gates(touched) if _can_pass(pieces, name, started))
        found.append(Wave(number=number, why=why_wave(number, hosts), moves=tuple(moves), gates=gates))
    return tuple(found)


def _can_pass(pieces: Pieces, name: str, started: Set[str]) -> bool:
    """Whether the gate of a service can pass once the hosts of these waves are up: one that is off until a later wave would halt the run."""
    scope, service = pieces.scope, pieces.scope.inventory.services[name]
    if pieces.mode != "cold-start" and name not in scope.out:
        return True
    coming = set(service.hosts).intersection(scope.moving)
    enough = gate_guards_with(service) if pieces.mode == "cold-start" else opens_with(service)
    return len(service.hosts) - len(coming - started) >= enough


def written_plan(
    mode: str,
    scope: Scope,
    wanted: Wanted,
    timeline: Timeline,
    *,
    waves: tuple[Wave, ...],
    impact: Iterable[Impact],
    bound: Bound,
    durations: Mapping[str, Duration],
    notes: Iterable[str],
    tight: Tightest | None = None,
    spares: tuple[StandBy, ...] = (),
    within_s: float | None = None,
) -> Plan:
    """The plan, not sealed yet. `scope` carries the inventory as it was read, whatever view of it the mode planned on."""
    return Plan(
        fleet=scope.inventory.fleet,
        mode=mode,
        inventory=scope.inventory,
        inventory_digest="",
        selection=wanted.selection or (),
        waves=waves,
        impact=tuple(impact),
        estimate=Estimate(
            makespan_s=timeline.makespan_ms / 1000,
            lower_bound_s=bound.at_least_ms / 1000,
            critical_path=critical_path(timeline),
            tightest=tight,
        ),
        left_alone=scope.left_alone,
        spares=spares,
        durations=durations,
        observation=wanted.observation,
        notes=tuple(notes),
        overrides=tuple(wanted.overrides),
        include_controller=wanted.include_controller,
        made_at=wanted.made_at,
        within_s=within_s,
    )
