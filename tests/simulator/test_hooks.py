"""Hooks in a rehearsal, and the referee that looks after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from restart.engine import Engine
from restart.model.event import Event
from restart.model.hook import Hook, Silence
from restart.model.plan import Plan
from restart.model.request import Request, RunHook
from restart.simulator.faults import Fault
from tests.simulator import mutants
from tests.simulator.random_fleets import fixed, fleet
from tests.simulator.test_mutants import ALERTS, APP, DB, Case, caught

NOOUT = Hook(name="noout", run="ceph osd set noout", undo="ceph osd unset noout", on="db-1", causes=("CephFlags",))
QUIET = Hook(name="quiet", silence=Silence(alertmanager="http://am:9093", matchers=('instance="web-9"',), for_s=60.0))
SITE = fleet(DB, APP, policy=fixed(), watch=(ALERTS,), hooks=(NOOUT, QUIET))


def without_hooks(inventory):  # type: ignore[no-untyped-def]
    """Nothing is to be set."""
    return replace(inventory, hooks=())


class KeepsItsHooks(Engine):
    """Does not take back what it has set."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._hooks.kept = True


class SaysAnotherCommand(mutants.Talker):
    """Sends something else than the plan's hook."""

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        return [replace(found, command="rm -rf /") if isinstance(found, RunHook) else found for found in requests]


@pytest.mark.parametrize(
    ("mutant", "rule"), [(mutants.blind_to(without_hooks), 4), (KeepsItsHooks, 10), (SaysAnotherCommand, 7)]
)
def test_the_referee_catches_an_engine_that_does_not_keep_its_hooks(
    monkeypatch: pytest.MonkeyPatch, mutant: type[Engine], rule: int
) -> None:
    assert rule in caught(monkeypatch, Case(SITE), mutant)


def test_a_hook_that_fails_ends_a_rehearsal_before_anything_is_restarted() -> None:
    result = Case(SITE, [Fault(kind="hook_fails", target="quiet")]).play()
    assert result.violations == ()
    assert result.outcome is not None
    assert (result.outcome.exit_code, sum(result.restarts.values())) == (5, 0)
    assert "quiet" in result.outcome.why


def test_what_the_hooks_cause_and_silence_does_not_hold_the_run() -> None:
    faults = [
        Fault(kind="alert", target="CephFlags", at_s=20.0),
        Fault(kind="alert", target="Anything", hosts=("web-9",), at_s=20.0),
    ]
    result = Case(SITE, faults).play()
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0, result.outcome
    other = Case(replace(SITE, hooks=()), faults).play()
    assert other.outcome is not None
    assert other.outcome.exit_code == 5, "without the hooks both alerts are new"


@pytest.mark.parametrize("event", [3, 12, 17, 19, 21, 60, 150])
def test_a_controller_may_die_among_its_hooks(event: int) -> None:
    result = Case(SITE, [Fault(kind="controller_dies", event=event)]).play()
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
