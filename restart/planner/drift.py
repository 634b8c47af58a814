"""Drift: has the world moved away from a plan beyond what its waves allow? Held against a fresh look, before anything is done."""

from __future__ import annotations

from restart.model.check import Verdict
from restart.model.observation import Observation
from restart.model.plan import Plan
from restart.planner.refusals import some
from restart.rules.budgets import may_be_down
from restart.rules.recovery import act_of


def differences(plan: Plan, now: Observation) -> tuple[str, ...]:
    """What has changed for the worse since the plan was made, where its waves cannot bear it; one sentence each. None: it holds still.

    What has come back meanwhile is no difference: the run finds that out for itself, and leaves it alone.
    """
    return (*_gone(plan, now), *_thinner(plan, now))


def _gone(plan: Plan, now: Observation) -> list[str]:
    """Hosts of the plan that were up when it was made and do not answer any more."""
    before = {} if plan.observation is None else plan.observation.hosts
    found = []
    for move in plan.moves():
        was, seen = before.get(move.host), now.hosts.get(move.host)
        if was is not None and was.boot_id is not None and seen is not None and seen.boot_id is None:
            found.append(f"{move.host} was up when the plan was made, and is not now: {seen.why}")
    return found


def _thinner(plan: Plan, now: Observation) -> list[str]:
    """Services that have lost members which the plan does not bring back, so that a wave would take them below their budget."""
    before = {} if plan.observation is None else plan.observation.hosts
    moving = {move.host for move in plan.moves()}
    found = []
    for name, service in plan.inventory.services.items():
        lost = [host for host in service.hosts if host not in moving and _not_ready(now, host, name)]
        new = [host for host in lost if host not in before or before[host].ready.get(name) is Verdict.PASS]
        takes = max((len(_taken(plan, wave.number, name)) for wave in plan.waves), default=0)
        if new and takes and len(lost) + 1 > may_be_down(service):
            found.append(
                f"{name}: {some(new)} {'is' if len(new) == 1 else 'are'} no longer ready; with {len(lost)} of "
                f"{len(service.hosts)} down beside the plan nobody of it may restart, at most {may_be_down(service)} may be down"
            )
    return found


def _taken(plan: Plan, wave: int, service: str) -> list[str]:
    """Members that a wave takes away though they were ready."""
    before = {} if plan.observation is None else plan.observation.hosts
    moves = next(found.moves for found in plan.waves if found.number == wave)
    return [
        move.host
        for move in moves
        if service in move.services
        and (move.host not in before or before[move.host].ready.get(service) is Verdict.PASS)
        and (plan.mode != "recover" or act_of(before.get(move.host)) is not None)
    ]


def _not_ready(seen: Observation, host: str, service: str) -> bool:
    found = seen.hosts.get(host)
    return found is not None and found.ready.get(service) is not Verdict.PASS
