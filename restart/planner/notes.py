"""Notes: what the reader of a plan should know beside its waves: what was assumed, dropped, or would be saved."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from restart.planner.bound import Bound
from restart.planner.compared import not_compared
from restart.planner.doors import Doors
from restart.planner.kinds import Fleet
from restart.planner.refusals import some
from restart.planner.tightest import sharing
from restart.planner.timeline import Pieces, Timeline
from restart.rules.budgets import budget
from restart.rules.durations import spoken
from restart.rules.hooks import does
from restart.rules.path import path_alone

NO_BUDGET_NOTES_MAX = 10


def notes(
    fleet: Fleet,
    doors: Doors,
    pieces: Pieces,
    timeline: Timeline,
    bound: Bound,
    tight: Sequence[str],
    *,
    surveyed: bool,
) -> tuple[str, ...]:
    """Sentences, the most general first, those on what is tightest given; the same for the same plan."""
    found = [] if surveyed else ["not surveyed: every host assumed up"]
    found += _down(fleet)
    found += _dropped(fleet)
    found += _rings(fleet, doors)
    found += _no_budget(fleet, pieces)
    found += _approvals(fleet)
    found += not_compared(fleet.scope.inventory, fleet.scope.services_of, fleet.scope.moving)
    found += _soaks(fleet)
    found += _hooks(fleet)
    found += _path(fleet)
    found += _roles(fleet)
    found += tight
    found += sharing(pieces, timeline)
    if bound.at_least_ms:
        found.append(f"no schedule takes less than {spoken(bound.at_least_ms / 1000)}: set by {bound.by}")
    return tuple(found)


def _roles(fleet: Fleet) -> list[str]:
    services = fleet.scope.inventory.services
    return [
        f"{name}: who leads it is asked live before each of its members, and the leader goes last, whatever the order here"
        for at, name in enumerate(fleet.names)
        if services[name].role is not None and fleet.left[at] > 1
    ]


def _down(fleet: Fleet) -> list[str]:
    found = []
    scope = fleet.scope
    for at, name in enumerate(fleet.names):
        down = scope.down.get(name, frozenset())
        floor = budget(scope.inventory.services[name])
        ready = fleet.members[at] - len(down)
        if down:
            listed = some(host for host in scope.inventory.services[name].hosts if host in down)
            below = f", {floor} must be: the sick go first" if floor is not None and ready < floor else ""
            found.append(f"{name}: {ready} of {fleet.members[at]} members are ready{below} (down: {listed})")
    return found


def _dropped(fleet: Fleet) -> list[str]:
    return [
        f"{consumer} goes after {provider}: dropped, the order runs in a circle there"
        for consumer, provider in fleet.scope.order.dropped
    ]


def _rings(fleet: Fleet, doors: Doors) -> list[str]:
    found = []
    for ring in doors.rings:
        hosts = [host for kind in ring for host in kind.hosts]
        services = dict.fromkeys(fleet.names[at] for kind in ring for at in kind.services)
        found.append(
            f"co-located: {some(hosts)} carry {some(services)}, which wait for each other only through shared hosts; "
            "budgets and ready providers order them, not finished moves"
        )
    return sorted(found)


def _no_budget(fleet: Fleet, pieces: Pieces) -> list[str]:
    rows: list[tuple[float, str]] = []
    services = fleet.scope.inventory.services
    for at, name in enumerate(fleet.names):
        members, moves = fleet.members[at], fleet.left[at]
        if budget(services[name]) is not None or members < 3 or moves < 2:
            continue
        more = max(2, members // 4)
        waves = ceil(moves / more)
        longest_s = max(
            pieces.durations_s[host] for host in services[name].hosts if host in fleet.kind_of
        )  # fmt: skip
        saved_s = (moves - waves) * longest_s
        rows.append(
            (
                saved_s,
                f"{name}: no budget stated, so one of its {members} hosts at a time; if {more} may be down at once "
                f"(max_unavailable: {more}), {waves} waves instead of {moves} would do and save up to {spoken(saved_s)}",
            )
        )
    rows.sort(key=lambda row: -row[0])
    found = [line for _, line in rows[:NO_BUDGET_NOTES_MAX]]
    if len(rows) > NO_BUDGET_NOTES_MAX:
        found.append(f"{len(rows) - NO_BUDGET_NOTES_MAX} more services state no budget and go one host at a time")
    return found


def _approvals(fleet: Fleet) -> list[str]:
    """Where the run will wait for a person, for a time that nobody can predict."""
    scope = fleet.scope
    waiting = [
        f"the gate of {name}"
        for name, service in scope.inventory.services.items()
        if any(check.kind == "approve" for check in service.gate)
    ]
    waiting += [
        f"playbook {name}"
        for name, playbook in scope.inventory.playbooks.items()
        if any(step.approve is not None for step in playbook.drain)
    ]
    return [f"waits for a person, and the times do not count that: {some(waiting)}"] if waiting else []


def _soaks(fleet: Fleet) -> list[str]:
    """Gates that must hold for longer than something takes that nobody can ask."""
    services = fleet.scope.inventory.services
    touched = {name for host in fleet.scope.moving for name in fleet.scope.services_of[host]}
    return [
        f"{name}: after each move on it its gate holds for {spoken(service.soak.longer_than_s)} before anything near it goes on "
        f"({service.soak.why})"
        for name, service in services.items()
        if service.soak is not None and name in touched
    ]


def _hooks(fleet: Fleet) -> list[str]:
    """What is set before anything is touched."""
    hooks = fleet.scope.inventory.hooks
    if not hooks:
        return []
    told = "; ".join(f"{hook.name}: {does(hook)}" + (f" ({hook.why})" if hook.why else "") for hook in hooks)
    return [
        f"before anything is touched, in this order: {told}. Undone in reverse once all is done, and named where it stays"
    ]


def _path(fleet: Fleet) -> list[str]:
    scope = fleet.scope
    alone = path_alone(scope.inventory)
    return [
        f"{host}: {why}, and nothing stands beside it: an outage of sight while it restarts (--yes-path {host})"
        for host, why in scope.path.items()
        if host in alone
    ]
