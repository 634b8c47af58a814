"""Recoveries of services that are down as a whole: cold-start rules hold for them, and the referee restates those."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import recovery as recovering
from restart.model.inventory import Amount, Dependency, Inventory, Service
from restart.model.plan import Plan
from restart.simulator.physics.figures import HostFigures, Physics, ServiceFigures
from tests.simulator.random_fleets import ask, fixed, fleet
from tests.simulator.test_recovery import LADDER, played, powered, recovery

QUEUE = Service(
    name="queue",
    hosts=("q1", "q2", "q3"),
    min_available=Amount(quorum=True),
    ready_when=Amount(quorum=True),
    canaries=1,
    ready=(ask(),),
)
APP = Service(
    name="app",
    hosts=("a1", "a2"),
    depends_on=(Dependency(provider="queue", at="boot"),),
    ready=(ask(),),
    max_unavailable=Amount(number=1),
)
OFF = frozenset({"q2", "q3", "a1", "a2"})


def site(*services: Service) -> Inventory:
    return powered(fleet(*services, policy=fixed(max_failures=7), playbooks={"reboot": LADDER}))


def physics(inventory: Inventory, off: frozenset[str] = OFF) -> Physics:
    hosts = {name: HostFigures(boot_s=300.0 if name == "q3" else 30.0, uptime_s=86_400.0) for name in inventory.hosts}
    queue = {"queue": ServiceFigures(quorum=2, sync_s=20.0)}
    return Physics(hosts=hosts, services=queue, latency_s=0.2, silence_s=1.0, off=off)


def case() -> tuple[Plan, Physics]:
    inventory = site(QUEUE, APP)
    return recovery(inventory, physics(inventory), ()), physics(inventory)


def test_members_of_a_dead_quorum_start_together_and_two_of_them_open_their_consumers() -> None:
    plan, figures = case()
    assert [{move.host for move in wave.moves} for wave in plan.waves] == [{"q1", "q2", "q3"}, {"a1", "a2"}]
    assert any(note.startswith("queue is down as a whole") for note in plan.notes)
    result = played(plan, figures, ())
    assert result.violations == ()
    assert (result.outcome is not None and result.outcome.exit_code, result.score.reached) == (0, True)


def test_the_referee_catches_who_forgets_what_is_needed_at_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, figures = case()
    flat = replace(plan, waves=(replace(plan.waves[0], moves=plan.moves()),))
    monkeypatch.setattr(recovering, "outages", lambda *_: frozenset())
    found = played(flat, figures, ()).violations
    assert any(one.rule == 1 and "queue ready" in one.what for one in found), found
