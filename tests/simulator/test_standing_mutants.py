"""Engines that cheat at `same_as_before`, each in one way: the referee calls every one of them, and is silent about the whole one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from restart.engine import Engine
from restart.model.answer import Answer, Checked
from restart.model.check import OF_RUN, Check, Finding, Verdict
from restart.model.event import Event
from restart.model.inventory import Amount, Inventory, Service
from restart.model.plan import Plan
from restart.model.request import Ask, Request
from restart.simulator.faults import Fault
from tests.simulator import mutants
from tests.simulator.random_fleets import fixed, fleet
from tests.simulator.test_mutants import Case, caught

WEB = Service(
    name="web",
    hosts=("web-1", "web-2", "web-3"),
    max_unavailable=Amount(number=1),
    same_as_before=Check(kind="same_as_before", within_s=60.0),
)
LOSES = Fault(kind="loses_at_boot", hosts=("web-2",), target="tcp:443")


class LooksAfterTheAct(Engine):
    """Takes what it sees after the restart for what was before it: whatever is lost was never there."""

    known: ClassVar[Mapping[str, object]] = {"first": True}

    def handle(self, event: Event) -> tuple[Request, ...]:
        return tuple(self._turned(request) for request in super().handle(event))

    def _turned(self, request: Request) -> Request:
        if not isinstance(request, Ask) or request.subject != "ready":
            return request
        checks = [
            replace(check, params={**check.params, OF_RUN: dict(self.known)})
            if check.kind == "same_as_before"
            else check
            for check in request.checks
        ]
        return replace(request, checks=tuple(checks))


class ComparesWithLittle(LooksAfterTheAct):
    """Keeps less of the first look than it was told."""

    known: ClassVar[Mapping[str, object]] = {"before": {"told": ["running"], "there": {"unit:ssh.service": "active"}}}


class AsksNobody(Engine):
    """Looks, and never compares."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._moving.checking._compared = lambda state: ()


class BearsWhatIsMissing(mutants.TakesForPass):
    """Hears FAIL of what a host has lost, and goes on."""

    subject = "ready"

    def _well(self, ask: Ask, answer: Answer) -> Answer:
        if not isinstance(answer, Checked):
            return answer
        well = [
            Finding(verdict=Verdict.PASS, evidence=found.evidence) if check.kind == "same_as_before" else found
            for check, found in zip(ask.checks, answer.findings, strict=True)
        ]
        return replace(answer, findings=tuple(well))


class KeepsNoLook(Engine):
    """Restarts hosts of which it has not learnt what stands on them."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(replace(plan, inventory=_without(plan.inventory)))


def _without(inventory: Inventory) -> Inventory:
    services = {name: replace(service, same_as_before=None) for name, service in inventory.services.items()}
    return replace(inventory, services=services)


@pytest.mark.parametrize(
    ("engine", "rule"),
    [(LooksAfterTheAct, 9), (ComparesWithLittle, 9), (AsksNobody, 5), (BearsWhatIsMissing, 5), (KeepsNoLook, 9)],
)
def test_the_referee_catches_an_engine_that_cheats_at_what_was_before(
    monkeypatch: pytest.MonkeyPatch, engine: type[Engine], rule: int
) -> None:
    assert rule in caught(monkeypatch, Case(fleet(WEB, policy=fixed()), [LOSES]), engine)


def test_an_answer_that_is_heard_as_it_is_is_an_event_like_any_other() -> None:
    """The mutants turn what they hear and say; this holds that what they turn is there to be turned."""
    result = Case(fleet(WEB, policy=fixed()), [LOSES]).play()
    told = [str(row["why"]) for row in result.rows if row["event"] == "quarantined"]
    assert told == ["not ready within 60s: web: same_as_before: :443 web was listening, is not"]
