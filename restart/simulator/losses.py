"""Every single host lost in turn, each at the moment when its services can spare it least: does the plan survive any one loss?

The moments come from a first play in which nothing is lost. A host fails by itself while it is up, for good; only where its services
are thinnest during its own restart does it fail to come back from that. All losses share one past: the run is played once more, and
at each moment a copy of the process goes on with that host lost (`restart.simulator.branches`).
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass

from restart.model.inventory import Service
from restart.model.plan import Plan
from restart.model.rehearsal import NO_PROGRESS, Fate, Loss, Losses
from restart.model.simulation import Result
from restart.simulator.branches import Branches, Progress, can_branch, each
from restart.simulator.clock import Rank, micros
from restart.simulator.faults import Fault, Faults
from restart.simulator.rehearsal import Rehearsal, needed
from restart.simulator.score import Steps, intervals_below, sum_s
from restart.simulator.story import Story
from restart.simulator.world import SimulatedWorld

DOWN, NEVER = "goes down", "never returns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When and how one host is lost; `service` is the tightest of its services then, `slack` what that has above its need."""

    host: str
    how: str
    at_s: float
    service: str | None = None
    slack: int | None = None

    @property
    def fault(self) -> Fault:
        """What happens, at once."""
        return Fault(kind="goes_down" if self.how == DOWN else "never_returns", hosts=(self.host,))


def losses(
    rehearsal: Rehearsal, *, at_once: int = 1, progress: Progress | None = None, shared_past: bool = True
) -> Losses:
    """What comes of losing each host of the inventory, `at_once` processes at a time: the same for any number of processes.

    Without `shared_past` each loss is played from the start: slower, with the same results.
    """
    story = Story()
    base = rehearsal.play(story)
    return losses_after(rehearsal, base, story, at_once=at_once, progress=progress, shared_past=shared_past)


def losses_after(
    rehearsal: Rehearsal,
    base: Result,
    story: Story,
    *,
    at_once: int = 1,
    progress: Progress | None = None,
    shared_past: bool = True,
) -> Losses:
    """`losses`, where the first play, in which nothing is lost, has been played already."""
    found = moments(rehearsal.plan, base, story)
    if shared_past and can_branch():
        results = _branched(rehearsal, found, at_once, progress)
    else:
        results = each(lambda moment: _from_the_start(rehearsal, moment), found, at_once=at_once, progress=progress)
    return Losses(
        name=base.name,
        seed=rehearsal.seed,
        base=base.outcome,
        base_s=base.duration_s,
        losses=tuple(results),
        violations=base.violations,
    )


def moments(plan: Plan, base: Result, story: Story) -> tuple[Moment, ...]:
    """For each host of the inventory the moment at which its loss is worst, by the play `base`; in inventory order."""
    services_of: dict[str, list[Service]] = {name: [] for name in plan.inventory.hosts}
    for service in plan.inventory.services.values():
        if needed(service) is not None:
            for host in service.hosts:
                services_of[host].append(service)
    return tuple(_moment(host, services_of[host], base, story) for host in plan.inventory.hosts)


def _moment(host: str, services: Sequence[Service], base: Result, story: Story) -> Moment:
    began_s = story.began_s.get(host)
    ended_s = story.ended_s.get(host, base.duration_s)
    if not services:
        return Moment(host=host, how=DOWN if began_s is None else NEVER, at_s=began_s or 0.0)
    best: tuple[int, float, str, str] | None = None
    for from_s, until_s, slack, service in _slacks(services, base):
        at_s = from_s + min(1.0, (until_s - from_s) / 2)
        own = began_s is not None and began_s <= at_s < ended_s
        # In its own restart the host is missing already; at any other time its loss takes one more.
        after = slack if own else slack - 1
        found = (after, began_s if own and began_s is not None else at_s, NEVER if own else DOWN, service)
        if best is None or found[0] < best[0]:
            best = found
    if best is None:
        return Moment(host=host, how=DOWN, at_s=0.0)
    after, at_s, how, service = best
    return Moment(host=host, how=how, at_s=at_s, service=service, slack=after if how == NEVER else after + 1)


def _slacks(services: Sequence[Service], base: Result) -> list[tuple[float, float, int, str]]:
    """From when until when, the least slack of the services then, and which of them has it."""
    changes: list[tuple[float, int, int]] = []
    for index, service in enumerate(services):
        floor = needed(service) or 0
        changes += [(at_s, index, number - floor) for at_s, number in base.availability[service.name]]
    slack: dict[int, int] = {}
    spans: list[tuple[float, float, int, str]] = []
    ordered = sorted(changes)
    for position, (at_s, index, now) in enumerate(ordered):
        slack[index] = now
        until_s = ordered[position + 1][0] if position + 1 < len(ordered) else base.duration_s
        if until_s > at_s:
            tightest = min(slack, key=lambda one: (slack[one], one))
            spans.append((at_s, until_s, slack[tightest], services[tightest].name))
    return spans


def _branched(rehearsal: Rehearsal, found: Sequence[Moment], at_once: int, progress: Progress | None) -> list[Loss]:
    """Play the run once; at each moment a copy goes on without that moment's host."""
    story = Story()
    lost: list[Moment] = []

    def told() -> None:
        if progress is not None:
            progress(len(branches.found), len(found))

    def prepare(world: SimulatedWorld, faults: Faults) -> None:
        def strike(number: int) -> None:
            if not branches.is_copy and branches.branch(number):
                # A copy lives for one play: looking for garbage in what it has inherited costs more than it finds.
                gc.disable()
                lost.append(found[number])
                faults.add(found[number].fault)

        for number, moment in enumerate(found):
            world.site.agenda.at(micros(moment.at_s), lambda number=number: strike(number), Rank.ARRIVAL)  # type: ignore[misc]

    with Branches(at_once, told) as branches:
        result = rehearsal.play(story, prepare=prepare)
        if branches.is_copy:
            branches.send(_loss(rehearsal.plan, lost[0], result, story))
    # A run that is over before it has begun (nothing to restart) reaches no moment at all.
    return [
        branches.found[number] if number in branches.found else _from_the_start(rehearsal, moment)
        for number, moment in enumerate(found)
    ]


def _from_the_start(rehearsal: Rehearsal, moment: Moment) -> Loss:
    story = Story()

    def prepare(world: SimulatedWorld, faults: Faults) -> None:
        world.site.agenda.at(micros(moment.at_s), lambda: faults.add(moment.fault), Rank.ARRIVAL)

    return _loss(rehearsal.plan, moment, rehearsal.play(story, prepare=prepare), story)


def _loss(plan: Plan, moment: Moment, result: Result, story: Story) -> Loss:
    outcome = result.outcome
    return Loss(
        host=moment.host,
        how=moment.how,
        at_s=round(moment.at_s, 6),
        service=moment.service,
        slack=moment.slack,
        state=NO_PROGRESS if outcome is None else outcome.state,
        exit_code=10 if outcome is None else outcome.exit_code,
        why=result.no_progress if outcome is None else outcome.why,
        duration_s=result.duration_s,
        fates=tuple(_fates(plan, moment.host, result)),
        blocked=tuple(move.host for move in plan.moves() if move.host not in story.acted and move.host != moment.host),
        violations=result.violations,
    )


def _fates(plan: Plan, lost: str, result: Result) -> list[Fate]:
    """A row for each service that was ever short of a member."""
    found = []
    for name, service in plan.inventory.services.items():
        steps: Steps = result.availability[name]
        lowest = min(number for _, number in steps)
        members, floor = len(service.hosts), needed(service)
        if lowest < members:
            short_s = 0.0 if floor is None else sum_s(intervals_below(steps, floor, result.duration_s))
            alone = floor is not None and lost in service.hosts and members - 1 < floor
            found.append(Fate(service=name, members=members, needed=floor, lowest=lowest, short_s=short_s, alone=alone))
    return found
