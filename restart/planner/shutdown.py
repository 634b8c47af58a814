"""Plans of shutdowns: consumers before their providers, the path last, the floors of what stays up kept (design: rules 2, 10, 15 and 20).

Waves are packed by the same packing as a rolling restart's, over the reversed order (`restart.rules.stops.as_stopping`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from restart.errors import Refusal, Refused
from restart.model.check import Verdict
from restart.model.inventory import Dependency, Inventory
from restart.model.observation import Observation
from restart.model.plan import Duration, Impact, LeftAlone, Plan
from restart.planner import refusals
from restart.planner.books import playbook_name, playbook_names
from restart.planner.bound import lower_bound
from restart.planner.document import sealed
from restart.planner.doors import Doors
from restart.planner.drained_on import after_their_users, drain_notes, drains_on, loose
from restart.planner.graph import Order
from restart.planner.guards import Guards
from restart.planner.holds import HoldTable
from restart.planner.kinds import Fleet
from restart.planner.refusals import some, stated_budget
from restart.planner.scope import Scope, draw_scope
from restart.planner.shutdown_notes import stop_notes, wave_why, why
from restart.planner.tightest import tightest_limit, told
from restart.planner.timeline import Pieces
from restart.planner.timing import time_plan
from restart.planner.waves import pack
from restart.planner.writing import Wanted, written_plan, written_waves
from restart.rules.budgets import budget
from restart.rules.named import budget_rule
from restart.rules.stops import as_stopping, expected_off_s, floors, gone, running, stays_up, stop_ladder
from restart.rules.waived import Waived

MODE = "shutdown"


def shutdown_plan(inventory: Inventory, wanted: Wanted, *, within_s: float | None = None) -> Plan:
    """The plan that switches every selected host off that is not off already. `within_s`: how long there is power, where that is known.

    Raises `Refused` with every floor that would break, and everything else that speaks against it.
    """
    scope = _checked_scope(inventory, wanted)
    off = gone(scope.moving, wanted.observation)
    users = drains_on(inventory, scope)
    stopping = after_their_users(as_stopping(inventory, off, in_turn=True), scope, users)
    order = Order(stopping, waived=scope.waived)
    scope = replace(scope, inventory=stopping, order=order)
    expected = {host: _duration(inventory, host, scope.services_of[host]) for host in scope.moving}
    lasts_s = {host: held.value_s for host, held in expected.items()}
    waves = _waves(inventory, scope, lasts_s, loose(scope, users))
    guards = Guards(stopping, order, scope.waived)
    free = replace(scope, path={})
    pieces = Pieces(
        scope=free,
        guards=guards,
        waves=waves,
        path_from=len(waves),
        durations_s=lasts_s,
        holds=HoldTable(stopping, guards, scope.services_of, lasts_s, lasts_s, waived=scope.waived),
        mode=MODE,
    )
    timeline = time_plan(pieces, inventory.policy.barrier)
    tight = tightest_limit(pieces, timeline)
    fleet = Fleet(free, lasts_s, MODE)
    bound = lower_bound(fleet, Doors(fleet), pieces)
    wave_of = {host: number for number, hosts in enumerate(waves, 1) for host in hosts}
    services_of, path = scope.services_of, scope.path
    return sealed(
        written_plan(
            MODE,
            replace(scope, inventory=inventory),
            wanted,
            timeline,
            waves=written_waves(
                pieces,
                timeline,
                why_move=lambda host, number: why(inventory, services_of[host], number, wave_of, off, path.get(host)),
                why_wave=lambda number, hosts: wave_why(inventory, services_of, hosts, waves, number, path),
                act="stop",
            ),
            impact=_impact(inventory, off, scope),
            bound=bound,
            durations=expected,
            notes=(
                *stop_notes(
                    inventory, scope, off, timeline, within_s=within_s, surveyed=wanted.observation is not None
                ),
                *drain_notes(scope, users, waves, off),
                *told(tight, None, timeline),
            ),
            tight=tight,
            within_s=within_s,
        )
    )


def _checked_scope(inventory: Inventory, wanted: Wanted) -> Scope:
    """Who is switched off. Raises `Refused` with all that speaks against it."""
    waived = Waived(override.rule for override in wanted.overrides)
    no_edges: dict[str, tuple[Dependency, ...]] = dict.fromkeys(inventory.services, ())
    scope, wrong = draw_scope(
        inventory,
        selection=wanted.selection,
        observation=None,
        include_controller=False,
        order=Order(inventory, no_edges),
        waived=waived,
    )
    if wanted.include_controller:
        what = "the controller's own host cannot be switched off by a run that it carries out, and prove it"
        wrong = (*wrong, Refusal(rule="controller", what=what, way_out="switch it off yourself when the run has ended"))
    scope = _without_those_off(scope, wanted.observation)
    if not scope.moving and not wrong:
        what = "nothing is left to switch off: every selected host is off, or carries the controller"
        wrong = (Refusal(rule="scope", what=what, way_out="select other hosts with --limit"),)
    wrong = (
        *wrong,
        *refusals.cycles(Order(inventory)),
        *_floors(inventory, scope, wanted.observation),
        *_ladders(inventory, scope),
        *refusals.limits(
            replace(scope, inventory=as_stopping(inventory, gone(scope.moving, wanted.observation), in_turn=True))
        ),
    )
    wrong = tuple(refusal for refusal in wrong if refusal.rule not in waived)
    if wrong:
        raise Refused(wrong)
    return scope


def _without_those_off(scope: Scope, observation: Observation | None) -> Scope:
    """`scope` without the hosts that were seen off: a shutdown leaves them alone."""
    seen = {} if observation is None else observation.hosts
    off = [host for host in scope.moving if host in seen and seen[host].power == "off"]
    if not off:
        return scope
    return replace(
        scope,
        moving=tuple(host for host in scope.moving if host not in off),
        path={host: why for host, why in scope.path.items() if host not in off},
        left_alone=(*scope.left_alone, *(LeftAlone(host=host, why="off already") for host in off)),
    )


def _floors(inventory: Inventory, scope: Scope, observation: Observation | None) -> Iterator[Refusal]:
    """Every floor that would break, with its numbers and the share of the fleet (design: rule 15)."""
    stopping = set(scope.moving)
    off = gone((), observation)
    share = f"with {len(stopping)} of the fleet's {len(inventory.hosts)} hosts switched off"
    for name, floor in floors(inventory, stopping | off).items():
        service = inventory.services[name]
        taken = [host for host in service.hosts if host in stopping]
        if not taken:
            continue
        down = [
            host
            for host in service.hosts
            if host not in stopping and (host in off or _not_ready(name, host, observation))
        ]
        left = len(service.hosts) - len(taken) - len(down)
        if left >= floor.needed:
            continue
        why = stated_budget(service) if floor.consumer is None else f"{floor.consumer} stays up and requires it"
        sick = f", {some(down)} {'is' if len(down) == 1 else 'are'} not ready already" if down else ""
        most = max(0, len(service.hosts) - len(down) - floor.needed)
        way_out = f"leave {len(taken) - most} or more of {some(taken)} out with --limit"
        if floor.consumer is not None:
            way_out += f", or take the hosts of {floor.consumer} into the plan"
        yield Refusal(
            rule=budget_rule(name),
            what=f"{name}: {left} of {len(service.hosts)} members would be left, {floor.needed} must be ({why}){sick}, {share}",
            way_out=way_out,
        )


def _not_ready(service: str, host: str, observation: Observation | None) -> bool:
    if observation is None or host not in observation.hosts:
        return False
    return observation.hosts[host].ready.get(service, Verdict.PASS) is not Verdict.PASS


def _ladders(inventory: Inventory, scope: Scope) -> Iterator[Refusal]:
    """Rungs of `stop` that switch nothing off, and power rungs on hosts whose power nobody can switch."""
    books = playbook_names(inventory)
    users: dict[str, list[str]] = {}
    for host in scope.moving:
        users.setdefault(playbook_name(inventory, books, host, scope.services_of[host]), []).append(host)
    for name, hosts in users.items():
        for number, rung in enumerate(stop_ladder(inventory.playbooks[name]), 1):
            said = f"playbook {name}: rung {number} of stop"
            if rung.kind not in ("poweroff", "power", "approve") or (rung.kind == "power" and rung.reset != "off"):
                kind = rung.kind if rung.reset is None else f"{rung.kind}: {rung.reset}"
                way_out = "write poweroff, `power: {reset: off}` or approve"
                yield Refusal(rule=f"playbook {name}", what=f"{said}, {kind}, switches nothing off", way_out=way_out)
            elif rung.kind == "power":
                without = [host for host in hosts if not _can_cut(inventory, host)]
                if without:
                    what = f"{said} cuts power, which nobody can on {len(without)} of its hosts ({some(without)})"
                    way_out = "write `power:` for them in the inventory, or give them a playbook without this rung"
                    yield Refusal(rule=f"playbook {name}", what=what, way_out=way_out)


def _can_cut(inventory: Inventory, host: str) -> bool:
    power = inventory.hosts[host].power
    return power is not None and power.method != "wol" and (power.method != "command" or "off" in power.params)


def _duration(inventory: Inventory, host: str, services: tuple[str, ...]) -> Duration:
    value_s, source = expected_off_s(inventory, inventory.hosts[host], services)
    return Duration(value_s=value_s, source=source)


def _waves(
    inventory: Inventory, scope: Scope, lasts_s: Mapping[str, float], behind: tuple[str, ...]
) -> list[list[str]]:
    """All that the controller does not need (those `behind` after the others), then what the path's services need in their order, then the path's other hosts one by one."""
    last = _kept_for_last(inventory, scope)
    gates = [host for host, why in scope.path.items() if not why.count("is on the path (")]
    waves: list[list[str]] = []
    for hosts in (
        [host for host in scope.moving if host not in last and host not in behind],
        [host for host in behind if host not in last],
        [host for host in scope.moving if host in last and host not in gates],
    ):
        if hosts:
            part = replace(scope, moving=tuple(hosts), path={})
            for wave in pack(Fleet(part, lasts_s, MODE), lasts_s).waves:
                together = [host for host in wave if host not in scope.path]
                waves += [together] if together else []
                waves += [[host] for host in wave if host in scope.path]
    return [*waves, *([host] for host in gates)]


def _kept_for_last(inventory: Inventory, scope: Scope) -> frozenset[str]:
    """The path's hosts and, of what they need in turn, the hosts in this plan (design: rule 10)."""
    moving = set(scope.moving)
    found = set(scope.path)
    waiting = list(found)
    while waiting:
        for service in scope.services_of[waiting.pop()]:
            for edge in running(inventory.services[service]):
                new = [host for host in inventory.services[edge.provider].hosts if host in moving and host not in found]
                found.update(new)
                waiting += new
    return frozenset(found)


def _impact(inventory: Inventory, off: frozenset[str], scope: Scope) -> Iterator[Impact]:
    """What is left of each service that loses members. One that goes down as a whole has no outage that a plan could shorten."""
    up, kept = stays_up(inventory, off), floors(inventory, off)
    for name, service in inventory.services.items():
        if not set(scope.moving).isdisjoint(service.hosts):
            left = sum(host not in off for host in service.hosts)
            floor = kept[name].needed if name in kept else None
            stated = budget(service) if name in up else None
            yield Impact(
                service=name,
                hosts=len(service.hosts),
                budget=stated if floor is None else floor,
                lowest_available=left,
                outage_s=0.0 if name in up else None,
            )
