"""The tightest of all rules: which budget, order or `max_domains` alone makes the plan longest, found by planning once more without it.

Only rules that hold back a host of the critical path are tried: no other can make the plan shorter by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from restart.errors import Refused
from restart.model.plan import Tightest
from restart.planner.graph import Order
from restart.planner.refusals import stated_budget
from restart.planner.scope import Scope
from restart.planner.tightest import tightest_limit, told
from restart.planner.timeline import Pieces, Timeline
from restart.planner.waves import Rule
from restart.rules.limits import DomainTable
from restart.rules.named import budget_rule, order_rule, requires_rule
from restart.rules.waived import Waived

TRIED_MAX = 4
"""Rules for which a plan is made once more, those first that hold back most of the critical path's time."""

TRIED_MOVES_MAX = 4000
"""Moves planned once more for one plan, all rules taken together: larger plans are told by their limits alone."""

Replay = Callable[[str], int]
"""The makespan in milliseconds without the rule of this name. Raises `Refused` where there is no plan without it."""


def tightest(
    pieces: Pieces, timeline: Timeline, path: Iterable[str], kept_out: Mapping[str, Rule], replay: Replay
) -> tuple[Tightest | None, list[str]]:
    """The limit or other rule that costs most, the limit where both cost the same; and the sentences that tell of it."""
    limit = tightest_limit(pieces, timeline)
    rule = _tightest_rule(pieces, timeline, path, kept_out, replay)
    if rule is not None and limit is not None and (limit.costs_s or 0) >= (rule.costs_s or 0):
        rule = None
    return rule or limit, told(limit, rule, timeline)


def _tightest_rule(
    pieces: Pieces, timeline: Timeline, path: Iterable[str], kept_out: Mapping[str, Rule], replay: Replay
) -> Tightest | None:
    """The rule without which the plan is shorter by most; None where none of those that were tried makes it shorter.

    `path`: the critical path; `kept_out`: the rule that kept a host out of the wave before its own, where it was not order.
    """
    weights: dict[str, int] = {}
    last = _last_waves(pieces)
    wave_of = {host: number for number, wave in enumerate(pieces.waves, 1) for host in wave}
    for host in path:
        for rule in _holding(pieces.scope, host, wave_of[host], last, kept_out.get(host)):
            weights[rule] = weights.get(rule, 0) + timeline.finish_ms[host] - timeline.start_ms[host]
    tried = min(TRIED_MAX, TRIED_MOVES_MAX // max(1, len(wave_of)))
    best, least_ms = "", timeline.makespan_ms
    for rule in sorted(weights, key=lambda name: -weights[name])[:tried]:
        try:
            without_ms = replay(rule)
        except Refused:
            continue  # then it is no rule that the operator could let go tonight
        if without_ms < least_ms:
            best, least_ms = rule, without_ms
    if not best:
        return None
    return Tightest(rule=best, what=_asked(pieces.scope, best), costs_s=(timeline.makespan_ms - least_ms) / 1000)


def _last_waves(pieces: Pieces) -> dict[str, int]:
    """The last wave of each service, the path's left out."""
    return {
        service: number
        for number, wave in enumerate(pieces.waves[: pieces.path_from], 1)
        for host in wave
        for service in pieces.scope.services_of[host]
    }


def _holding(scope: Scope, host: str, wave: int, last: Mapping[str, int], rule: Rule | None) -> list[str]:
    """The rules, by name, that keep `host` out of the wave before its own."""
    if rule is not None and rule.name == "domains":
        return [rule.about]
    edges = [(service, edge) for service in scope.services_of[host] for edge in scope.order.edges[service]]
    if rule is not None and rule.name == "ready":
        return [requires_rule(service, edge.provider) for service, edge in edges if edge.provider == rule.about]
    if rule is not None:
        return [budget_rule(rule.about)]
    return [
        order_rule(service, edge.provider)
        for service, edge in edges
        if last.get(edge.provider) == wave - 1 and edge in scope.order.waits[service]
    ]


def _asked(scope: Scope, rule: str) -> str:
    """What the rule asks, with its numbers."""
    inventory = scope.inventory
    for name, service in inventory.services.items():
        members = len(service.hosts)
        if rule == budget_rule(name):
            return f"{stated_budget(service)}: at most {scope.may_be_down(name)} of {members} down at once"
        for edge in service.depends_on:
            theirs = len(inventory.services[edge.provider].hosts)
            needed = f"{theirs} {'member' if theirs == 1 else 'members'}"
            if edge.needs is not None:
                needed = f"{edge.needs} of {needed}"
            if rule == order_rule(name, edge.provider):
                return f"{name} goes after {needed} of {edge.provider}"
            if rule == requires_rule(name, edge.provider):
                return f"{name} needs {needed} of {edge.provider} ready"
    caps = DomainTable(inventory)
    return next(
        f"max_domains {limit.max_domains}: at most {limit.max_domains} {limit.per or 'host'}{'' if limit.max_domains == 1 else 's'} touched at once"
        for limit, name in zip(caps.limits, caps.rules(), strict=True)
        if name == rule
    )


def without(scope: Scope, rule: str) -> Scope:
    """`scope` with one rule more let go."""
    waived = Waived((*scope.waived.names, rule))
    return replace(scope, waived=waived, order=Order(scope.inventory, waived=waived))
