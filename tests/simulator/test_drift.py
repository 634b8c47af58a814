"""Drift in the middle of a run, as referee, journal, reports and `plan --from` see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from restart.cli import journals, remaining
from restart.cli.rooms import Shape
from restart.engine import Engine, facts
from restart.engine.state import MoveState
from restart.model.check import Verdict
from restart.model.inventory import Amount, Inventory, Service
from restart.model.observation import HostSeen, Observation
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.reports.summary import summary_json
from restart.reports.summary_text import status_text, summary_markdown, summary_text
from restart.runner import runs
from restart.runner.store import Store
from restart.simulator import play as stage
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import HostFigures, Physics
from restart.simulator.referee import Referee
from restart.simulator.stored import StoredJournal
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import ask, fixed, fleet

WEB = Service(
    name="web", hosts=tuple(f"web-{n}" for n in range(1, 7)), max_unavailable=Amount(number=1), ready=(ask(),)
)
SITE = fleet(WEB, policy=fixed())
LOOSE = fleet(replace(WEB, max_unavailable=Amount(number=2)), policy=fixed())
PHYSICS = Physics(hosts={name: HostFigures(boot_s=60.0) for name in SITE.hosts}, latency_s=0.05, strikes_after_s=1.0)


def played(
    *faults: Fault,
    site: Inventory = SITE,
    selection: tuple[str, ...] | None = None,
    journal: StoredJournal | None = None,
) -> Result:
    plan = make_plan(site, made_at="", selection=selection)
    return stage.play(plan, PHYSICS, 1, gates=GATES, faults=faults, referee=Referee, journal=journal, horizon_s=86400.0)


def ended(result: Result) -> tuple[str, int]:
    assert result.outcome is not None, result.no_progress
    return result.outcome.state, result.outcome.exit_code


GONE = Fault(kind="goes_down", hosts=("web-4",), at_s=20.0)


@pytest.mark.parametrize("site", [SITE, LOOSE])
def test_a_host_that_lost_its_power_is_drift_and_no_rule_is_broken(site: Inventory) -> None:
    result = played(GONE, site=site)
    assert result.violations == ()
    assert ended(result) == ("drift", 8)
    assert result.outcome is not None
    assert "web-4" in result.outcome.why


def test_so_is_one_outside_the_plan_and_crashes_change_nothing() -> None:
    deaths = tuple(Fault(kind="controller_dies", event=event) for event in (9, 30, 60))
    for more in ((), deaths):
        result = played(GONE, *more, selection=("web-1", "web-2", "web-3"))
        assert result.violations == ()
        assert ended(result) == ("drift", 8)


class Blaming(Engine):
    """Lays whatever it has lost at the world's door."""

    def _failed(self, state: MoveState, *, canary: bool) -> None:
        self._drift._acted.clear()
        self._drift.unreached(state, "silent")
        super()._failed(state, canary=canary)


def test_the_referee_catches_an_engine_that_calls_its_own_failures_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault(kind="never_returns", hosts=("web-1",))
    assert ended(played(fault)) == ("halted", 5)
    monkeypatch.setattr(stage, "Engine", Blaming)
    broken = played(fault)
    assert any(found.rule == 10 and "has acted on it" in found.what for found in broken.violations)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.db") as opened:
        yield opened


def drifted(store: Store) -> str:
    """The name of a run in the store that ended with 8: web-4 lost its power before its turn."""
    kept = StoredJournal(store, make_plan(LOOSE, made_at=""))
    try:
        assert ended(played(GONE, site=LOOSE, journal=kept)) == ("drift", 8)
    finally:
        kept.close()
    return kept.run


def test_journal_report_status_and_data_name_host_plan_and_finding(store: Store, tmp_path: Path) -> None:
    run = drifted(store)
    assert runs.find(store, run).exit_code == 8
    told, rows = journals.account(store, journals.meant(store, run), str(tmp_path / "store.db"))
    (row,) = [row for row in rows if row["event"] == facts.DRIFT]
    assert (row["host"], row["data"]["planned"]) == ("web-4", "up (assumed, not surveyed)")
    data = summary_json(told, rows)
    assert data["exit_code"] == 8
    assert [one["host"] for one in data["drift"]] == ["web-4"]
    for text in (summary_text(told), status_text(told), summary_markdown(told)):
        assert "Not as planned" in text
        assert "web-4: planned for as up (assumed, not surveyed); found: " in text.replace("\n    ", " ")
    commands = [command for step in data["next"] for command in step["commands"]]
    assert any(f"resume {run}" in command for command in commands)
    assert any(f"plan --from {run} --survey" in command for command in commands)


def seen(*, up: bool) -> Observation:
    """Everybody is well, web-4 as told."""
    hosts = {
        name: HostSeen(ready={"web": Verdict.PASS}, boot_id=f"{name}#1", state="never-went-down") for name in WEB.hosts
    }
    if not up:
        hosts["web-4"] = HostSeen(ready={"web": Verdict.UNKNOWN}, why="silent", state="down")
    return Observation(at="2026-11-22T00:10:00Z", hosts=hosts, fleet=SITE.fleet)


def test_the_plan_for_the_rest_takes_the_host_in_again_once_it_is_seen_up(store: Store, tmp_path: Path) -> None:
    name, path = drifted(store), str(tmp_path / "store.db")
    rest = remaining.rest_of(path, name)
    plan = remaining.plan_rest(rest, Shape(), path, LOOSE, seen(up=True))
    assert [move.host for move in plan.moves()] == ["web-4", "web-5", "web-6"]
    for observation in (seen(up=False), None):
        plan = remaining.plan_rest(rest, Shape(), path, LOOSE, observation)
        assert [move.host for move in plan.moves()] == ["web-5", "web-6"]
        assert "not as planned when run" in next(left.why for left in plan.left_alone if left.host == "web-4")
