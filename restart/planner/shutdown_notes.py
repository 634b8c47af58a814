"""What the reader of a shutdown's plan should know: why each move is where it is, what is not asked, what will not make it in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from restart.model.inventory import Inventory
from restart.planner.books import playbook_name, playbook_names
from restart.planner.reasons import span
from restart.planner.refusals import some, stated_budget
from restart.planner.scope import Scope
from restart.planner.timeline import Timeline
from restart.planner.undrains import stays_drained
from restart.rules.durations import spoken
from restart.rules.named import watch_rule
from restart.rules.stops import floors, running, stays_up, stop_ladder, tells

LATE_MAX = 20
"""Hosts that will not make it, named in one note."""


def why(
    inventory: Inventory,
    services: tuple[str, ...],
    wave: int,
    wave_of: Mapping[str, int],
    off: frozenset[str],
    on_path: str | None,
) -> tuple[str, ...]:
    """Why a host of `services` goes off in wave number `wave`."""
    lines = [] if on_path is None else [f"on the path, so last and alone: {on_path}"]
    for name in services:
        for consumer, service in inventory.services.items():
            if not any(edge.provider == name for edge in running(service)):
                continue
            waves = sorted({wave_of[host] for host in service.hosts if host in wave_of})
            if waves and waves[-1] < wave:
                lines.append(f"goes off after {consumer} ({span(waves[0], waves[-1])}), which needs {name}")
    for name in services:
        lines += _floor(inventory, name, off)
    return tuple(lines) or ("nothing in the plan needs it",)


def _floor(inventory: Inventory, name: str, gone: frozenset[str]) -> list[str]:
    service = inventory.services[name]
    floor = floors(inventory, gone).get(name)
    left = sum(host not in gone for host in service.hosts)
    if floor is not None:
        stated = stated_budget(service) if floor.consumer is None else f"{floor.consumer} requires it"
        return [f"{name} keeps {left} of {len(service.hosts)} members, {floor.needed} needed ({stated})"]
    if name in stays_up(inventory, gone):
        return [
            f"{name} keeps {left} of {len(service.hosts)} members; it states no budget, so one at a time and no floor"
        ]
    return []


def wave_why(
    inventory: Inventory,
    services_of: Mapping[str, tuple[str, ...]],
    hosts: Sequence[str],
    waves: Sequence[Sequence[str]],
    number: int,
    path: Mapping[str, str],
) -> str:
    """Why wave `number` is there."""
    if hosts[0] in path:
        return f"{hosts[0]} goes alone, after what is reached through it: {path[hosts[0]]}"
    counts = Counter(service for host in hosts for service in services_of[host])
    listed = [f"{name} {count} of {len(inventory.services[name].hosts)}" for name, count in counts.items()]
    loose = sum(1 for host in hosts if not services_of[host])
    if loose:
        listed.append(f"{loose} host{'s' if loose > 1 else ''} of no service")
    if number == 1:
        return f"nothing in the plan needs these: {some(listed)}"
    before = {service for wave in waves[: number - 1] for host in wave for service in services_of[host]}
    consumers = [name for name in before if any(edge.provider in counts for edge in running(inventory.services[name]))]
    if consumers:
        return f"{some(listed)}; once {some(sorted(consumers))} {'is' if len(consumers) == 1 else 'are'} off"
    return f"{some(listed)}; one member of a service that stays up and states no budget at a time"


def stop_notes(
    inventory: Inventory,
    scope: Scope,
    off: frozenset[str],
    timeline: Timeline,
    *,
    within_s: float | None,
    surveyed: bool,
) -> tuple[str, ...]:
    """Sentences, the most urgent first."""
    found = [] if within_s is None else late(timeline, within_s)
    if not surveyed:
        found.append(
            "not surveyed: every selected host is taken to be up; one that is off when its turn comes is left alone"
        )
    found += _silent(inventory, scope)
    found += [
        f"{consumer} goes off before {provider}: dropped, the order runs in a circle there"
        for provider, consumer in scope.order.dropped
    ]
    found += _not_asked(inventory, stays_up(inventory, off), off)
    found += _bare(inventory, scope)
    found += stays_drained(inventory, scope.moving, scope.services_of)
    domains = [name for name, limit in inventory.limits.items() if limit.max_domains is not None]
    if domains:
        found.append(f"max_domains of {some(domains)} does not hold: a host that is off is touched for good")
    return tuple(found)


def late(timeline: Timeline, within_s: float) -> list[str]:
    """Who will not be off when the power is gone, by name."""
    behind = [host for host, finish_ms in timeline.finish_ms.items() if finish_ms > within_s * 1000]
    if not behind:
        spare_s = within_s - max(timeline.finish_ms.values(), default=0) / 1000
        return [f"all are off {spoken(spare_s)} before the {spoken(within_s)} are over"]
    behind.sort(key=lambda host: (timeline.finish_ms[host], host))
    return [
        f"TIME: {len(behind)} of {len(timeline.finish_ms)} hosts will not be off within {spoken(within_s)}: {some(behind, LATE_MAX)}; "
        f"the last would be off after {spoken(timeline.finish_ms[behind[-1]] / 1000)}"
    ]


def _silent(inventory: Inventory, scope: Scope) -> list[str]:
    blind = [host for host in scope.moving if not tells(inventory.hosts[host].power)]
    if not blind:
        return []
    return [f"{some(blind)}: no power control can tell, so off is proved by 30 s of silence over SSH"]


def _not_asked(inventory: Inventory, up: frozenset[str], off: frozenset[str]) -> list[str]:
    asking = {rule for host in off for rule in inventory.hosts[host].asked_by}
    gates = [name for name, service in inventory.services.items() if service.gate and name not in up]
    found = [f"not asked, because they go down with their services: the gates of {some(gates)}"] if gates else []
    watches = [
        f"{number} ({check.kind})"
        for number, check in enumerate(inventory.watch, 1)
        if not up or watch_rule(number) in asking or (check.service is not None and check.service not in up)
    ]
    return (
        [*found, f"not asked, because what they look at or through goes down: watches {some(watches)}"]
        if watches
        else found
    )


def _bare(inventory: Inventory, scope: Scope) -> list[str]:
    """Playbooks that do not say how to switch off."""
    books = playbook_names(inventory)
    used = dict.fromkeys(playbook_name(inventory, books, host, scope.services_of[host]) for host in scope.moving)
    bare = [name for name in used if not inventory.playbooks[name].stop]
    if not bare:
        return []
    within = spoken(stop_ladder(inventory.playbooks[bare[0]])[0].down_within_s)
    return [f"no `stop:` ladder in {some(bare)}: switched off over SSH, proved within {within}, and no power is cut"]
