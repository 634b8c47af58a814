"""Drains that run on another host, through shutdowns, whole-site maintenance and crashes, before the referee."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.model.inventory import Dependency, Service
from restart.model.playbook import Step
from restart.simulator.faults import Fault
from tests.simulator.random_fleets import ask
from tests.simulator.test_shutdown_mutants import BOOK, DB, Stopping, going_off

DRAINED = replace(BOOK, name="drained", drain=(Step(run="out {host}", undo="in {host}", on="lb-1"),))
WEB = Service(
    name="web", hosts=("w1", "w2", "w3"), depends_on=(Dependency(provider="db"),), ready=(ask(),), playbook="drained"
)
BOOKS = {"reboot": replace(BOOK, drain=()), "drained": DRAINED}
DEATHS = tuple(Fault(kind="controller_dies", event=event) for event in (7, 25, 49, 80, 130))


@pytest.mark.parametrize("needs", [True, False])
@pytest.mark.parametrize("mode", ["shutdown", "stop-start"])
@pytest.mark.parametrize("deaths", [(), DEATHS])
def test_it_ends_well_whichever_way_round_the_balancer_goes(needs: bool, mode: str, deaths: tuple[Fault, ...]) -> None:
    edges = (Dependency(provider="web"),) if needs else ()
    balancer = Service(name="lb", hosts=("lb-1",), depends_on=edges, ready=(ask(),))
    word = Fault(kind="says", word="approve", target="stage-2", at_s=600.0)
    faults = (*deaths, word) if mode == "stop-start" else deaths
    case = Stopping(going_off(DB, WEB, balancer, playbooks=BOOKS), faults=faults, mode=mode)
    result = case.play()
    assert result.violations == ()
    assert result.outcome is not None, result.no_progress
    assert result.outcome.exit_code == 0, result.outcome
    events = [str(row["event"]) for row in result.rows]
    if not deaths:
        assert events.count("left_out") == (3 if needs else 0)
        assert events.count("owed") == (3 if needs and mode == "stop-start" else 0)
        assert events.count("undraining") == (3 if mode == "stop-start" else 0)
