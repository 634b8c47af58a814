"""Why a host is in its wave, and which rule kept it out of the one before: the rules asked again, with their numbers."""

from __future__ import annotations

from collections.abc import Iterator

from restart.errors import UsageMistake
from restart.model.inventory import Dependency
from restart.model.plan import Move, Plan, Wave
from restart.planner.doors import Doors
from restart.planner.explain_starts import holds
from restart.planner.explain_turns import not_earlier, told
from restart.planner.graph import Order
from restart.planner.kinds import Fleet, Kind
from restart.planner.reasons import span
from restart.planner.refusals import some, stated_budget
from restart.planner.scope import scope_of
from restart.rules.budgets import ready_enough
from restart.rules.durations import spoken
from restart.rules.limits import SlotTable, domains_rule
from restart.rules.named import budget_rule, order_rule, requires_rule
from restart.rules.waived import Waived


def explain(plan: Plan, host: str) -> tuple[str, ...]:
    """Lines for people: where the host is, why, and what kept it out of the wave before.

    Raises `UsageMistake` for a host that the inventory does not know.
    """
    if host not in plan.inventory.hosts:
        raise UsageMistake(f"{host} is not in the inventory of this plan", remedy="see the hosts with `restart graph`")
    for alone in plan.left_alone:
        if alone.host == host:
            return (f"{host} is left alone: {alone.why}",)
    found = [(wave, move) for wave in plan.waves for move in wave.moves if move.host == host]
    if found:
        # In a plan of several stages a host may move in each.
        return tuple(line for wave, move in found for line in _explained(plan, wave, move))
    return (f"{host} is not in this plan: the selection {', '.join(plan.selection) or '(all)'} does not hold it",)


def _explained(plan: Plan, wave: Wave, move: Move) -> tuple[str, ...]:
    carried = f", member of {', '.join(move.services)}," if move.services else ""
    lines = [
        f"{move.host}{carried} is in wave {wave.number} of {len(plan.waves)}: "
        f"starts after {spoken(move.start_s)}, takes {spoken(move.finish_s - move.start_s)}, by playbook {move.playbook}",
        *(f"- {why}" for why in move.why),
        *(f"- {line}" for line in _limit_lines(plan, move)),
        *(f"- {line}" for line in holds(plan, wave, move)),
        *(
            f"- who leads {name} is asked live just before: where {move.host} leads it, it goes last, and another in its place"
            for name in move.services
            if plan.inventory.services[name].role is not None and move.act != "start"
        ),
    ]
    if (wave.mode or plan.mode) in ("cold-start", "shutdown"):
        return (*lines, *not_earlier(plan, wave, move))
    if wave.number == 1:
        lines.append("no wave is before it")
        return tuple(lines)
    before = plan.waves[wave.number - 2]
    lines.append(f"not in wave {before.number}, because:")
    lines += [f"- {why}" for why in _Before(plan, before).kept_out(move)]
    return tuple(lines)


def _limit_lines(plan: Plan, move: Move) -> Iterator[str]:
    """What the move takes of each limit that it falls under, and until when."""
    table = SlotTable(
        plan.inventory,
        Waived(override.rule for override in plan.overrides),
        off=frozenset(move.host for move in plan.moves() if move.act == "start"),
    )
    for take in table.takes(plan.inventory.hosts[move.host], move.services):
        amount = "" if take.amount == 1 else f"{take.amount:g} of it, "
        yield f"under {take.slot} ({table.told(take.slot)}): {amount}{table.terms[take.slot.limit]}"


class _Before:
    """The wave before, as it stood when it was full."""

    def __init__(self, plan: Plan, before: Wave) -> None:
        self._plan = plan
        self._number = before.number
        self._order = Order(plan.inventory, waived=Waived(override.rule for override in plan.overrides))
        self._scope = scope_of(plan, self._order)
        self._fleet = Fleet(self._scope, {host: held.value_s for host, held in plan.durations.items()})
        self._doors = Doors(self._fleet)
        self._wave_of = {move.host: wave.number for wave in plan.waves for move in wave.moves}
        self._moves = before.moves

    def kept_out(self, move: Move) -> list[str]:
        """Every rule that kept the host of `move` out of this wave."""
        if move.host in self._scope.path:
            others = sum(self._wave_of[host] <= self._number and host not in self._scope.path for host in self._wave_of)
            return [
                told(
                    "path", f"path hosts go last, one by one, after the {others} others: {self._scope.path[move.host]}"
                )
            ]
        kind = self._fleet.kind_of[move.host]
        return [
            *self._order_lines(kind),
            *self._budget_lines(move, kind),
            *self._domain_lines(kind),
            *self._ready_lines(kind),
        ]

    def _down(self, service: str) -> list[str]:
        """Members down in this wave: its moves, and those that were down and have not come back by then."""
        seen = self._scope.down.get(service, frozenset())
        return [
            host
            for host in self._plan.inventory.services[service].hosts
            if self._wave_of.get(host) == self._number
            or (host in seen and self._wave_of.get(host, self._number) >= self._number)
        ]

    def _order_lines(self, kind: Kind) -> list[str]:
        lines = []
        for consumer in (self._fleet.names[at] for at in kind.services):
            for edge in self._order.waits[consumer]:
                lines += self._unfinished(kind, consumer, edge)
        return lines

    def _unfinished(self, kind: Kind, consumer: str, edge: Dependency) -> list[str]:
        provider = self._fleet.number_of[edge.provider]
        ring = self._doors.rank[kind.number] if self._doors.ring_of(kind, provider) else None
        members = self._plan.inventory.services[edge.provider].hosts
        others = [
            host
            for host in members
            if host not in self._fleet.kind_of or self._doors.rank[self._fleet.kind_of[host].number] != ring
        ]
        late = [host for host in others if host in self._fleet.kind_of and self._wave_of[host] >= self._number]
        wanted = len(others) if edge.needs is None else min(edge.needs, len(others))
        missing = wanted - (len(others) - len(late))
        if missing <= 0:
            return []
        waves = [self._wave_of[host] for host in late]
        verb = "requires" if edge.kind == "requires" else "goes after"
        needs = "" if edge.needs is None else f", {edge.needs} must have finished"
        what = (
            f"{consumer} {verb} {edge.provider}, and {len(late)} of its {len(members)} members move only in "
            f"{span(min(waves), max(waves))} ({some(late)}{needs})"
        )
        return [told(order_rule(consumer, edge.provider), what)]

    def _budget_lines(self, move: Move, kind: Kind) -> list[str]:
        lines = []
        for service in move.services:
            at = self._fleet.number_of[service]
            if at in kind.sick:
                continue
            stated = self._plan.inventory.services[service]
            down, may = self._down(service), self._scope.may_be_down(service)
            after = len(down) + (0 if move.host in down else 1)
            if after > may:
                what = (
                    f"{len(down)} of {len(stated.hosts)} members would be down in it without this one "
                    f"({some(down)}), at most {may} may be, by {stated_budget(stated)}"
                )
                lines.append(told(budget_rule(service), what))
        return lines

    def _domain_lines(self, kind: Kind) -> list[str]:
        lines = []
        hosts = self._plan.inventory.hosts
        seen = {host for members in self._scope.down.values() for host in members}
        busy = {move.host for move in self._moves}
        busy |= {host for host in seen if self._wave_of.get(host, self._number) >= self._number}
        for limit, value in kind.domains if not kind.sick else ():
            touched = dict.fromkeys(
                slot.value
                for host in hosts
                if host in busy
                for slot in self._fleet.domains.domains(hosts[host])
                if slot.limit == limit
            )
            cap = next(found.max_domains or 0 for found in self._fleet.domains.limits if domains_rule(found) == limit)
            if len(touched) > cap or (value not in touched and len(touched) >= cap):
                lines.append(
                    told(limit, f"{some(touched)} touched in it, {value} would be one more, at most {cap} may be")
                )
        return lines

    def _ready_lines(self, kind: Kind) -> list[str]:
        """Providers whose members move in that same wave, and consumers of this one that need it there (rule 3 a)."""
        lines = []
        services = self._plan.inventory.services
        for live in self._doors.live(kind):
            provider = self._fleet.names[live.provider]
            down = len(self._down(provider))
            if down > live.down_max:
                what = (
                    f"{down} of {len(services[provider].hosts)} members of {provider} are down in it, "
                    f"at most {live.down_max} may be for its consumers"
                )
                lines += [told(requires_rule(name, provider), what) for name in self._requiring(kind, provider)]
        for provider in (self._fleet.names[at] for at in kind.costs):
            lines += self._needed_lines(provider)
        return lines

    def _needed_lines(self, provider: str) -> list[str]:
        stated = self._plan.inventory.services[provider]
        down = len(self._down(provider))
        for consumer in dict.fromkeys(service for move in self._moves for service in move.services):
            for edge in self._order.edges[consumer]:
                if edge.provider != provider or edge.kind != "requires":
                    continue
                enough = ready_enough(stated, edge.needs)
                if len(stated.hosts) - down - 1 < enough:
                    what = (
                        f"{consumer} moves in it and needs {enough} of {len(stated.hosts)} members of {provider}, "
                        f"{down} are down in it already"
                    )
                    return [told(requires_rule(consumer, provider), what)]
        return []

    def _requiring(self, kind: Kind, provider: str) -> list[str]:
        """The services of `kind` that require `provider`."""
        carried = [self._fleet.names[at] for at in kind.services]
        return [
            name
            for name in carried
            if any(edge.provider == provider and edge.kind == "requires" for edge in self._order.edges[name])
        ]
