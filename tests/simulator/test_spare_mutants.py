"""Engines that are wrong about spares, and the referee that catches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from restart.engine import Engine
from restart.model.check import SSH_CHECK
from restart.model.event import Event, Fact
from restart.model.inventory import Amount, Inventory, Policy, Service, Spares
from restart.model.plan import Move, Plan
from restart.model.playbook import Playbook, Step
from restart.model.request import Claim, Request, RunStep
from restart.simulator.faults import Fault
from tests.simulator import mutants
from tests.simulator.random_fleets import REBOOT, fleet
from tests.simulator.test_mutants import Case, caught, dies

PROMOTE = Playbook(name="promote", drain=(Step(run="join {host}"),))
DB = Service(
    name="db",
    hosts=("db-1", "db-2", "db-3", "db-4", "db-5"),
    max_unavailable=Amount(number=2),
    ready=(replace(SSH_CHECK, healthy_for_s=2000.0, within_s=3000.0),),
    spares=Spares(hosts=("spare-1",), playbook="promote"),
)
LOST = Fault(kind="never_returns", hosts=("db-1",))


def site(**given: object) -> Inventory:
    books = {"reboot": REBOOT, "promote": PROMOTE}
    policy = Policy(pace="slow", canaries=0, max_failures=3, never_return=0.5)  # one after the other
    return fleet(DB, policy=policy, labels={"spare-1": {}}, playbooks=books, **given)


class TakesASpareForAnyHost(Engine):
    """Restarts those that stand by beside the others."""

    def __init__(self, plan: Plan) -> None:
        moves = tuple(Move(host=spare.host, services=(), playbook="reboot") for spare in plan.spares)
        first = replace(plan.waves[0], moves=(*moves, *plan.waves[0].moves))
        super().__init__(replace(plan, waves=(first, *plan.waves[1:]), spares=()))


class CallsUpWithoutALoss(mutants.Talker):
    """Promotes the spare for the first member that begins its move."""

    def tells(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        begun = [fact for fact in facts if fact.fact == "move_started"][:1]
        return (
            *facts,
            *(
                Fact(at_s=fact.at_s, fact="promoted", host="spare-1", service="db", data={"member": fact.host})
                for fact in begun
            ),
        )

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        if self.extra or not any(fact.fact == "promoted" for fact in self.told):
            return requests
        self.extra = 1
        claim = Claim(id="x1", host="spare-1", hold_s=60.0)
        step = RunStep(id="x2", host="spare-1", on="spare-1", command="join spare-1", timeout_s=60.0, undo=False)
        return (*requests, claim, step)


class CountsASpareTooSoon(Engine):
    """A spare that answers is a ready member to it, while it is being promoted."""

    def _down_for_us(self, host: str) -> bool:
        return not host.startswith("spare") and super()._down_for_us(host)


def test_the_referee_catches_an_engine_that_restarts_who_stands_by(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 7 in caught(monkeypatch, Case(site()), TakesASpareForAnyHost)


def test_the_referee_catches_an_engine_that_calls_a_spare_up_without_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 7 in caught(monkeypatch, Case(site()), CallsUpWithoutALoss)


def test_the_referee_catches_an_engine_that_counts_a_spare_before_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(site(), [LOST, dies("db-5", 300.0, 10_000.0)])
    assert caught(monkeypatch, case, CountsASpareTooSoon) == {2}
