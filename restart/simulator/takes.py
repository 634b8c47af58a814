"""What took the time of a run: the longest chain of moves, each begun when the one before ended, and what made it wait for that.

The chain is walked from the run's end to its start. The time of a move counts for what let the next one wait for it: a limit
that was full, a budget, a provider, a canary; the last one's for itself. What lies between two moves is gates and settling.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from restart.model.inventory import Inventory, Limit, Service
from restart.model.plan import Move, Plan
from restart.rules.budgets import budget, may_be_down
from restart.rules.limits import DEFAULT_IN_FLIGHT
from restart.simulator.story import Story

ITSELF = "the last host's own restart"
BETWEEN = "gates and settling"
BARRIER = "the barrier: a wave waits for the one before"
PACE = "slow start"
CANARIES = "canaries"
_TOGETHER_S = 1e-6


def what_took(plan: Plan, story: Story, duration_s: float) -> Mapping[str, float]:
    """Seconds by what took them, the longest first; they sum up to `duration_s`."""
    chain = _Chain(plan, story)
    takes: dict[str, float] = {}

    def count(what: str, length_s: float) -> None:
        if length_s > _TOGETHER_S:
            takes[what] = takes.get(what, 0.0) + length_s

    move = chain.last()
    at_s, reason = duration_s, ITSELF
    if move is not None:
        count(chain.between(story.ended_s[move.host], at_s), at_s - story.ended_s[move.host])
        at_s = story.ended_s[move.host]
    while move is not None:
        began_s = story.began_s[move.host]
        count(reason, at_s - began_s)
        before = chain.before(move)
        at_s = began_s
        if before is not None:
            reason = chain.reason(move, before)
            count(chain.between(story.ended_s[before.host], began_s), began_s - story.ended_s[before.host])
            at_s = story.ended_s[before.host]
        move = before
    count(chain.between(0.0, at_s), at_s)
    return dict(sorted(((what, round(s, 6)) for what, s in takes.items()), key=lambda row: (-row[1], row[0])))


class _Chain:
    """The moves of one run in the order of their ends."""

    def __init__(self, plan: Plan, story: Story) -> None:
        self._inventory = plan.inventory
        self._story = story
        self._wave = {move.host: wave.number for wave in plan.waves for move in wave.moves}
        ran = [move for move in plan.moves() if move.host in story.ended_s and move.host in story.began_s]
        self._by_end = sorted(ran, key=lambda move: (story.ended_s[move.host], story.began_s[move.host], move.host))
        self._ends_s = [story.ended_s[move.host] for move in self._by_end]

    def last(self) -> Move | None:
        """The move that ended last."""
        return self._by_end[-1] if self._by_end else None

    def before(self, move: Move) -> Move | None:
        """The move whose end was the last one not after the beginning of `move`."""
        index = bisect_right(self._ends_s, self._story.began_s[move.host] + _TOGETHER_S)
        found = next((one for one in reversed(self._by_end[:index]) if one.host != move.host), None)
        # A move that took no time would stand before itself for ever.
        if found is not None and self._story.began_s[found.host] >= self._story.began_s[move.host]:
            return None
        return found

    def between(self, from_s: float, until_s: float) -> str:
        """What held the run between two moves: the rule that it told for the most of that time."""
        held: dict[str, float] = {}
        for since_s, end_s, rule in self._story.holds:
            overlap_s = min(end_s, until_s) - max(since_s, from_s)
            if overlap_s > 0:
                held[rule] = held.get(rule, 0.0) + overlap_s
        best = max(held, key=lambda rule: (held[rule], rule), default="")
        return _spoken(best) if held.get(best, 0.0) > (until_s - from_s) / 2 else BETWEEN

    def reason(self, move: Move, before: Move) -> str:
        """Why `move` had to wait for `before`."""
        inventory = self._inventory
        shared = [name for name in move.services if name in before.services]
        if self._wave[before.host] < self._wave[move.host]:
            if shared:
                return _of_budget(inventory.services[shared[0]])
            for name in move.services:
                for edge in inventory.services[name].depends_on:
                    if edge.provider in before.services:
                        return f"order: {edge.provider} before {name}"
            return BARRIER
        if before.canary and shared:
            return CANARIES
        away = self._in_flight_with(before)
        return (
            next((text for limit in self._limits() if (text := _full(limit, move, away, inventory))), "")
            or self._admission(move, away)
            or next((_of_budget(service) for service in self._tight(move, away)), "")
            or PACE
        )

    def _in_flight_with(self, before: Move) -> list[Move]:
        """The moves that were in flight when `before` was about to end."""
        story, at_s = self._story, self._story.ended_s[before.host]
        index = bisect_right(self._ends_s, at_s - _TOGETHER_S)
        return [move for move in self._by_end[index:] if story.began_s[move.host] < at_s - _TOGETHER_S]

    def _limits(self) -> list[Limit]:
        limits = list(self._inventory.limits.values())
        if not any(limit.per is None and limit.hosts is None and limit.max_in_flight for limit in limits):
            limits.append(Limit(name="fleet (default)", max_in_flight=DEFAULT_IN_FLIGHT))
        return limits

    def _admission(self, move: Move, away: list[Move]) -> str:
        services = self._inventory.services
        for name in move.services:
            for edge in services[name].depends_on:
                admission = services[edge.provider].admission
                users = [
                    other
                    for other in away
                    if any(
                        held.provider == edge.provider for one in other.services for held in services[one].depends_on
                    )
                ]
                if admission is not None and len(users) >= admission:
                    return f"admission of {edge.provider}: {admission} at once"
        return ""

    def _tight(self, move: Move, away: list[Move]) -> list[Service]:
        services = self._inventory.services
        return [
            services[name]
            for name in move.services
            if sum(name in other.services for other in away) >= may_be_down(services[name])
        ]


def _full(limit: Limit, move: Move, away: list[Move], inventory: Inventory) -> str:
    """What the limit is called where it had no room for `move`."""

    def domain(host: str) -> str | None:
        if limit.hosts is not None and host not in limit.hosts:
            return None
        return "" if limit.per is None else inventory.hosts[host].labels.get(limit.per)

    own = domain(move.host)
    if own is None:
        return ""
    domains = [found for other in away if (found := domain(other.host)) is not None]
    cap = limit.max_in_flight if limit.shared is None or limit.max_in_flight else limit.shared.at_once
    if cap is not None and domains.count(own) >= cap:
        return f"limit {limit.name}: {cap} in flight"
    if limit.max_domains is not None and own not in domains and len(set(domains)) >= limit.max_domains:
        return f"limit {limit.name}: {limit.max_domains} touched at a time"
    if limit.capacity is not None or limit.max_rate is not None:
        return f"limit {limit.name}"
    return ""


def _of_budget(service: Service) -> str:
    stated = budget(service)
    if stated is None:
        return f"budget of {service.name}: none stated, one at a time"
    return f"budget of {service.name}: {stated} of {len(service.hosts)} needed"


def _spoken(rule: str) -> str:
    """A rule of the engine's in the words of the table: `gate.db` -> `gate of db`."""
    family, _, about = rule.partition(".")
    if family in ("admission", "budget", "gate"):
        return f"{family} of {about}"
    if family in ("order", "requires"):
        return f"waiting for {about.partition('.')[2]}"
    return rule
