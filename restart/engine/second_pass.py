"""The second pass of a cold start: it takes the stand-ins out that the first one put up, by rolling rules (design: rule 18).

A consumer's host is given the `undo` of its stand-ins as the first step of its drain, and is then restarted in its turn, once the real provider is
ready. Hosts that got no stand-in, because they were up already or were given up, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from restart.engine.bridges import STEP_TIMEOUT_S
from restart.model.event import Fact
from restart.model.inventory import Inventory
from restart.model.plan import Move, Plan
from restart.model.playbook import Step

StandIns = Mapping[str, tuple[Fact, ...]]
"""For each host the facts of the stand-ins that were put up for it and not taken out since."""


def second_pass(plan: Plan, stand_ins: StandIns) -> Plan:
    """A rolling stage after a cold start, as it is once it is known which stand-ins were put up."""
    waves = tuple(
        replace(wave, moves=moves)
        for wave in plan.waves
        if (moves := tuple(_moved(move) for move in wave.moves if stand_ins.get(move.host)))
    )
    used = {(fact.service, fact.data["provider"]) for facts in stand_ins.values() for fact in facts}
    inventory = _without_breaks(plan.inventory, {(str(consumer), str(provider)) for consumer, provider in used})
    playbooks = dict(inventory.playbooks)
    for wave in plan.waves:
        for move in wave.moves:
            if mine := stand_ins.get(move.host):
                book = inventory.playbooks[move.playbook]
                steps = tuple(
                    Step(run=str(fact.data["undo"]), on=_elsewhere(fact), timeout_s=STEP_TIMEOUT_S) for fact in mine
                )
                playbooks[_name(move)] = replace(book, drain=(*steps, *book.drain))
    return replace(plan, waves=waves, inventory=replace(inventory, playbooks=playbooks))


def _moved(move: Move) -> Move:
    return replace(move, playbook=_name(move))


def _name(move: Move) -> str:
    return f"{move.playbook} of {move.host}, without its stand-in"


def _elsewhere(fact: Fact) -> str | None:
    return None if fact.data["on"] == fact.host else str(fact.data["on"])


def _without_breaks(inventory: Inventory, used: set[tuple[str, str]]) -> Inventory:
    """Without its stand-in a consumer needs the real provider: those edges count again."""
    services = {
        name: replace(
            service,
            depends_on=tuple(
                replace(edge, stand_in=None, at="both") if (name, edge.provider) in used else edge
                for edge in service.depends_on
            ),
            # What runs on a host with a stand-in is not what is to run there.
            same_as_before=None,
        )
        for name, service in inventory.services.items()
    }
    return replace(inventory, services=services)
