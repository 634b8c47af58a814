"""Plans of cold starts: providers before their consumers, groups together, the path first (design: section 4, rules 4, 8 to 12 and 18).

Waves are packed by the same packing as a rolling restart's, over the edges that hold at boot, with no budget and no
`max_domains`: nothing is up yet that could be lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from restart.errors import Refusal, Refused
from restart.model.inventory import Dependency, Inventory
from restart.model.observation import Observation
from restart.model.plan import Duration, Impact, LeftAlone, Plan
from restart.planner.binding import tightest
from restart.planner.books import playbook_names
from restart.planner.bound import Bound, critical_path, lower_bound
from restart.planner.cold_reasons import ColdReasons, cold_notes
from restart.planner.cold_refusals import cold_refusals, torn_groups
from restart.planner.compared import started
from restart.planner.document import sealed
from restart.planner.doors import Doors
from restart.planner.durations import expected_durations
from restart.planner.graph import Order
from restart.planner.guards import Guards
from restart.planner.holds import HoldTable
from restart.planner.impact import impact
from restart.planner.kinds import Fleet
from restart.planner.scope import Scope, draw_scope
from restart.planner.tightest import sharing
from restart.planner.timeline import Pieces, Timeline
from restart.planner.timing import time_plan
from restart.planner.undrains import undoes
from restart.planner.waves import pack
from restart.planner.writing import Wanted, written_plan, written_waves
from restart.rules.breaks import at_boot, boot_edges, broken, moving_services
from restart.rules.durations import spoken
from restart.rules.groups import opens_with, starts_together
from restart.rules.named import order_rule
from restart.rules.waived import Waived

MODE = "cold-start"


def cold_plan(inventory: Inventory, wanted: Wanted, durations: Mapping[str, Duration]) -> Plan:
    """The plan that starts every selected host that is off. `durations` as `restart.planner.make.make_plan` has them. Raises `Refused`."""
    scope = _checked_scope(inventory, wanted)
    expected, booted_s = expected_durations(inventory, scope.services_of, scope.moving, durations)
    lasts_s = {host: held.value_s for host, held in expected.items()}
    first = _goes_first(scope)
    waves = _waves(scope, lasts_s, frozenset(first))
    torn = torn_groups(scope, waves)
    if torn:
        raise Refused(torn)
    guards = Guards(inventory, scope.order, scope.waived, cold=True)
    off = frozenset(scope.moving)
    pieces = Pieces(
        scope=replace(scope, path={}),
        guards=guards,
        waves=waves,
        path_from=len(waves),
        durations_s=lasts_s,
        holds=HoldTable(inventory, guards, scope.services_of, lasts_s, booted_s, waived=scope.waived, off=off),
        mode=MODE,
    )
    timeline = time_plan(pieces, inventory.policy.barrier)
    chain = critical_path(timeline)
    tight, told = tightest(
        pieces, timeline, chain, {}, lambda rule: _without_ms(scope, pieces, rule, frozenset(first))
    )  # fmt: skip
    bound = _bound(pieces, lasts_s)
    reasons = ColdReasons(scope, _stated(inventory), first, waves, broken(inventory, scope.moving))
    books = playbook_names(inventory)
    return sealed(
        written_plan(
            MODE,
            scope,
            wanted,
            timeline,
            waves=written_waves(
                pieces,
                timeline,
                why_move=lambda host, number: reasons.of_move(host, host in timeline.canaries),
                why_wave=reasons.of_wave,
                act="start",
                undrains=lambda host: bool(undoes(inventory, books, host, scope.services_of[host])),
            ),
            impact=_impact(scope, timeline),
            bound=bound,
            durations=expected,
            notes=_notes(scope, first, pieces, timeline, bound, told, surveyed=wanted.observation is not None),
            tight=tight,
        )
    )


def _checked_scope(inventory: Inventory, wanted: Wanted) -> Scope:
    """Who is started. Raises `Refused` with all that speaks against it."""
    waived = Waived(override.rule for override in wanted.overrides)
    no_edges: dict[str, tuple[Dependency, ...]] = dict.fromkeys(inventory.services, ())
    scope, wrong = draw_scope(
        inventory,
        selection=wanted.selection,
        observation=None,
        include_controller=wanted.include_controller,
        order=Order(inventory, no_edges),
        waived=waived,
    )
    scope = _without_those_up(scope, wanted.observation)
    if not scope.moving and not wrong:
        what = "nothing is left to start: every selected host is up"
        wrong = (Refusal(rule="scope", what=what, way_out="restart them with --mode rolling, or select others"),)
    among = moving_services(inventory, scope.moving)
    edges = {
        name: tuple(_counted(inventory, edge) for edge in found)
        for name, found in boot_edges(inventory, scope.moving).items()
    }
    scope = replace(scope, order=Order(inventory, edges, among, waived))
    wrong = tuple(
        refusal for refusal in (*wrong, *cold_refusals(scope, wanted.observation)) if refusal.rule not in waived
    )
    if wrong:
        raise Refused(wrong)
    return scope


def _counted(inventory: Inventory, edge: Dependency) -> Dependency:
    """`edge` with the number of members for which its group is ready, where not all are needed."""
    provider = inventory.services[edge.provider]
    if edge.kind != "requires" or opens_with(provider, edge.needs) >= len(provider.hosts):
        return edge
    return replace(edge, needs=opens_with(provider, edge.needs))


def _without_those_up(scope: Scope, observation: Observation | None) -> Scope:
    """`scope` without the hosts that were seen up: a cold start touches none of them."""
    seen = {} if observation is None else observation.hosts
    up = {host: seen[host] for host in scope.moving if host in seen and seen[host].boot_id is not None}
    if not up:
        return scope
    alone = [
        LeftAlone(
            host=host,
            why="up already, a cold start does not touch it"
            + (
                ""
                if all(verdict == "PASS" for verdict in found.ready.values())
                else f", though not ready ({found.why})"
            ),
        )
        for host, found in up.items()
    ]
    return replace(
        scope,
        moving=tuple(host for host in scope.moving if host not in up),
        path={host: why for host, why in scope.path.items() if host not in up},
        left_alone=(*scope.left_alone, *alone),
    )


def _goes_first(scope: Scope) -> dict[str, str]:
    """The path's hosts and, of what they need in turn, the hosts in this plan; each with why (design: rule 10)."""
    services, moving = scope.inventory.services, set(scope.moving)
    found = dict(scope.path)
    waiting = list(found)
    while waiting:
        host = waiting.pop()
        for service in scope.services_of[host]:
            for edge in scope.order.edges[service]:
                for member in services[edge.provider].hosts:
                    if member in moving and member not in found:
                        found[member] = f"{service} of {host}, on the path, needs {edge.provider}"
                        waiting.append(member)
    return found


def _waves(scope: Scope, lasts_s: Mapping[str, float], first: frozenset[str]) -> list[list[str]]:
    """The waves: those of the path and what it needs, then all others. Members of a group that starts together stand together."""
    waves: list[list[str]] = []
    for hosts in (
        [host for host in scope.moving if host in first],
        [host for host in scope.moving if host not in first],
    ):
        if hosts:
            part = replace(scope, moving=tuple(hosts), path={})
            waves += pack(Fleet(part, lasts_s, MODE), lasts_s).waves
    groups = [service.hosts for service in scope.inventory.services.values() if starts_together(service)]
    group_of = {host: members for members in reversed(groups) for host in members}
    return [_side_by_side(wave, group_of) for wave in waves]


def _side_by_side(wave: list[str], group_of: Mapping[str, tuple[str, ...]]) -> list[str]:
    inside = set(wave)
    ordered: dict[str, None] = {}
    for host in wave:
        ordered.update(dict.fromkeys(member for member in group_of.get(host, (host,)) if member in inside))
        ordered[host] = None
    return list(ordered)


def _without_ms(scope: Scope, pieces: Pieces, rule: str, first: frozenset[str]) -> int:
    """The makespan in milliseconds where one edge of the order is not waited for. Raises `Refused`."""
    edges = {
        consumer: tuple(edge for edge in found if rule != order_rule(consumer, edge.provider))
        for consumer, found in scope.order.edges.items()
    }
    relaxed = replace(scope, order=Order(scope.inventory, edges, frozenset()))
    waves = _waves(relaxed, pieces.durations_s, first)
    laid = replace(pieces, scope=replace(relaxed, path={}), waves=waves, path_from=len(waves))
    return time_plan(laid, scope.inventory.policy.barrier).makespan_ms


def _bound(pieces: Pieces, lasts_s: Mapping[str, float]) -> Bound:
    """The lower bound; `after` is left out of it, because its consumers start before the provider's checks have held."""
    scope = pieces.scope
    edges = {
        name: tuple(edge for edge in found if edge.kind == "requires") for name, found in scope.order.edges.items()
    }
    order = Order(scope.inventory, edges, frozenset())
    fleet = Fleet(replace(scope, order=order), lasts_s, MODE)
    return lower_bound(fleet, Doors(fleet), pieces)


def _impact(scope: Scope, timeline: Timeline) -> tuple[Impact, ...]:
    """What each service goes through: nothing is there at first, so nobody is out (design: rule 11)."""
    moving = set(scope.moving)
    down = {
        name: frozenset(host for host in service.hosts if host in moving)
        for name, service in scope.inventory.services.items()
    }
    return tuple(replace(row, outage_s=None) for row in impact(replace(scope, down=down), timeline))


def _stated(inventory: Inventory) -> dict[str, tuple[Dependency, ...]]:
    return {name: at_boot(service) for name, service in inventory.services.items()}


def _notes(
    scope: Scope,
    first: Mapping[str, str],
    pieces: Pieces,
    timeline: Timeline,
    bound: Bound,
    tight: Sequence[str],
    *,
    surveyed: bool,
) -> tuple[str, ...]:
    found = cold_notes(scope, first, broken(scope.inventory, scope.moving), surveyed=surveyed)
    found += started(scope.inventory)
    found += tight
    found += sharing(pieces, timeline)
    if bound.at_least_ms:
        found.append(f"no schedule takes less than {spoken(bound.at_least_ms / 1000)}: set by {bound.by}")
    return tuple(found)
